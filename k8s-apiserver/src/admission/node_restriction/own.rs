//! Objects that are a node's by their name or by what they say: leases, CSINodes, ResourceSlices, requests for
//! certificates; and the claims whose volumes it enlarges.

use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_apimachinery::{Map, Object, Value};

use super::{Refusal, verb};
use crate::{
    admission::{Operation, Review},
    pki::SigningRequest,
};

/// Where nodes keep their leases.
const LEASES: &str = "kube-node-lease";

pub(super) fn check_lease(node: &str, review: &Review<'_>) -> Result<(), Refusal> {
    if review.namespace != LEASES {
        return Err(format!(
            "can only access leases in the {LEASES:?} system namespace"
        ));
    }
    check_name(node, review, "node lease")
}

pub(super) fn check_csi_node(node: &str, review: &Review<'_>) -> Result<(), Refusal> {
    check_name(node, review, "CSINode")
}

fn check_name(node: &str, review: &Review<'_>, what: &str) -> Result<(), Refusal> {
    match review.name == node {
        true => Ok(()),
        false => Err(format!(
            "can only access {what} with the same name as the requesting node"
        )),
    }
}

/// The authorizer knows the slices that exist, not those to come, nor each of a collection.
pub(super) fn check_slice(
    node: &str,
    review: &Review<'_>,
    object: Option<&Object>,
) -> Result<(), Refusal> {
    let (slice, verb) = match review.operation {
        Operation::Create => (object, "create"),
        Operation::Delete => (review.old, "delete"),
        _ => return Ok(()),
    };
    let of = slice.and_then(|slice| slice.str(&["spec", "nodeName"]));
    match of == Some(node) {
        true => Ok(()),
        false => Err(format!(
            "can only {verb} ResourceSlice with the same NodeName as the requesting node"
        )),
    }
}

/// Certificates of nodes are asked for in the node's own name.
pub(super) fn check_signing_request(
    node: &str,
    review: &Review<'_>,
    object: Option<&Object>,
) -> Result<(), Refusal> {
    const SIGNERS: [&str; 2] = [
        "kubernetes.io/kubelet-serving",
        "kubernetes.io/kube-apiserver-client-kubelet",
    ];
    let Some(request) = object else { return Ok(()) };
    let signer = request.str(&["spec", "signerName"]).unwrap_or_default();
    if review.operation != Operation::Create || !SIGNERS.contains(&signer) {
        return Ok(());
    }
    let text = request.str(&["spec", "request"]).unwrap_or_default();
    let pem = STANDARD.decode(text).unwrap_or_default();
    let parsed =
        SigningRequest::from_pem(&pem).map_err(|fault| format!("unable to parse csr: {fault}"))?;
    match parsed.common_name == format!("system:node:{node}") {
        true => Ok(()),
        false => Err(format!(
            "can only create a node CSR with CN=system:node:{node}"
        )),
    }
}

/// A node reports how large a volume has become, and nothing else.
pub(super) fn check_claim(
    node: &str,
    review: &Review<'_>,
    object: Option<&Object>,
) -> Result<(), Refusal> {
    if review.subresource != "status" {
        return Err("may only update PVC status".to_owned());
    }
    match (review.operation, object, review.old) {
        (Operation::Update, Some(new), Some(old)) if but_size(new) == but_size(old) => Ok(()),
        (Operation::Update, _, _) => Err(format!(
            "node {node:?} is not allowed to update fields other than status.capacity and status.conditions"
        )),
        (other, _, _) => Err(format!("unexpected operation {:?}", verb(other))),
    }
}

fn but_size(claim: &Object) -> Map<String, Value> {
    let mut rest = claim.clone();
    for field in [
        "allocatedResourceStatuses",
        "allocatedResources",
        "capacity",
        "conditions",
    ] {
        rest.remove(&["status", field]);
    }
    for field in ["managedFields", "resourceVersion"] {
        rest.remove(&["metadata", field]);
    }
    let mut rest = rest.as_map().clone();
    rest.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
    rest
}
