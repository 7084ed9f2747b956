//! Nothing is created in a namespace that isn't there or is going, and some namespaces never go.

use async_trait::async_trait;
use k8s_apimachinery::Object;
use k8s_store::Compare;

use super::{Admission, Operation, Review};
use crate::{ApiError, error::GroupResource, registry::Effects};

/// These are always there.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// Guards the lifecycle of namespaces.
///
/// A create compares the namespace's revision in its own transaction. So when the namespace begins to terminate between
/// the check and the write, the write is lost and checked again: nothing lands in a terminating namespace.
#[derive(Debug, Clone, Copy)]
pub struct NamespaceLifecycle;

#[async_trait]
impl Admission for NamespaceLifecycle {
    fn name(&self) -> &'static str {
        "NamespaceLifecycle"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        _object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        match review.operation {
            Operation::Delete if review.is("", "namespaces") && IMMORTAL.contains(&review.name) => {
                Err(review.forbidden("this namespace may not be deleted"))
            }
            Operation::Create if review.resource.row.namespaced && review.old.is_none() => {
                open_namespace(review)
            }
            _ => Ok(Effects::default()),
        }
    }
}

/// The condition under which an object may be created in its namespace.
fn open_namespace(review: &Review<'_>) -> Result<Effects, ApiError> {
    let namespace = review.namespace;
    let found = review.view.entry("", "namespaces", "", namespace);
    let found = found
        .ok_or_else(|| ApiError::not_found(GroupResource::new("", "namespaces"), namespace))?;
    if found.entry.object().deletion_timestamp().is_some() {
        return Err(ApiError::NamespaceTerminating {
            resource: review.resource.name(),
            name: review.name.to_owned(),
            namespace: namespace.to_owned(),
        });
    }
    Ok(Effects {
        compares: vec![Compare::Modified(found.key.clone(), found.modified)],
        ops: Vec::new(),
    })
}
