//! What the agent of a node may write, beyond what the Node authorizer can tell from the request: only what is about
//! itself and the pods that are bound to it.

mod label;
mod node;
mod own;
mod pod;
mod token;

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Operation, Review};
use crate::{ApiError, registry::Effects};

/// Refuses what a node (user `system:node:NAME` in `system:nodes`) may not write. Objects are looked at as they were
/// sent: what a subresource would leave out anyway is refused, not ignored.
#[derive(Debug, Clone, Copy)]
pub struct NodeRestriction;

/// Why not; goes after `is forbidden: `.
type Refusal = String;

#[async_trait]
impl Admission for NodeRestriction {
    fn name(&self) -> &'static str {
        "NodeRestriction"
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Object) -> Result<(), ApiError> {
        match review.user.as_node() {
            Some(node) => decide(node, review, Some(object)),
            None => Ok(()),
        }
    }

    /// Deletes, which nothing mutates.
    async fn validate(
        &self,
        review: &Review<'_>,
        object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        if let Some(node) = review.user.as_node()
            && object.is_none()
        {
            decide(node, review, None)?;
        }
        Ok(Effects::default())
    }
}

fn decide(node: &str, review: &Review<'_>, object: Option<&Object>) -> Result<(), ApiError> {
    if node.is_empty() {
        let user = &review.user.name;
        return Err(review.forbidden(format!("could not determine node from user {user:?}")));
    }
    let row = &review.resource.row;
    let verdict = match (row.group.as_str(), row.plural.as_str()) {
        ("", "pods") => pod::check(node, review, object)?,
        ("", "nodes") => node::check(node, review, object),
        ("", "persistentvolumeclaims") => own::check_claim(node, review, object),
        ("", "serviceaccounts") => token::check(node, review, object)?,
        ("coordination.k8s.io", "leases") => own::check_lease(node, review),
        ("storage.k8s.io", "csinodes") => own::check_csi_node(node, review),
        ("resource.k8s.io", "resourceslices") => own::check_slice(node, review, object),
        ("certificates.k8s.io", "certificatesigningrequests") => {
            own::check_signing_request(node, review, object)
        }
        _ => Ok(()),
    };
    verdict.map_err(|refusal| review.forbidden(refusal))
}

/// The operation as messages name it.
fn verb(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "CREATE",
        Operation::Update => "UPDATE",
        Operation::Delete => "DELETE",
        Operation::Connect => "CONNECT",
    }
}

#[cfg(test)]
mod tests;
