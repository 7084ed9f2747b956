//! Pods of a node: it mirrors those that it has from files, reports on those that are bound to it, and ends them.

use k8s_apimachinery::{Object, Value};

use super::{Refusal, verb};
use crate::{
    ApiError,
    admission::{Operation, Review},
    authz::node::references,
    error::GroupResource,
};

/// The annotation of pods that a node made from a file and only mirrors here.
const MIRROR: &str = "kubernetes.io/config.mirror";

pub(super) fn check(
    node: &str,
    review: &Review<'_>,
    object: Option<&Object>,
) -> Result<Result<(), Refusal>, ApiError> {
    let operation = review.operation;
    Ok(match (review.subresource, operation, object) {
        ("", Operation::Create, Some(pod)) => match check_mirror(node, pod) {
            Ok(()) => check_owner(node, review, pod)?.and_then(|()| check_references(node, pod)),
            refused => refused,
        },
        ("", Operation::Delete, _) => match review.old {
            Some(pod) if is_bound_to(pod, node) => Ok(()),
            _ => Err(format!(
                "node {node:?} can only delete pods with spec.nodeName set to itself"
            )),
        },
        ("", _, _) => Err(format!(
            "unexpected operation {:?}, node {node:?} can only create and delete mirror pods",
            verb(operation)
        )),
        ("status", Operation::Update, Some(new)) => check_status(node, review.old, new),
        ("status", _, _) => Err(format!("unexpected operation {:?}", verb(operation))),
        ("eviction", Operation::Create, _) => {
            let pods = || ApiError::not_found(GroupResource::new("", "pods"), review.name);
            let pod = review.view.get("", "pods", review.namespace, review.name);
            match is_bound_to(&pod.ok_or_else(pods)?, node) {
                true => Ok(()),
                false => Err(format!(
                    "node {node} can only evict pods with spec.nodeName set to itself"
                )),
            }
        }
        ("eviction", _, _) => Err(format!("unexpected operation {}", verb(operation))),
        (other, _, _) => Err(format!(
            "unexpected pod subresource {other:?}, only 'status' and 'eviction' are allowed"
        )),
    })
}

fn is_bound_to(pod: &Object, node: &str) -> bool {
    pod.str(&["spec", "nodeName"]) == Some(node)
}

fn check_mirror(node: &str, pod: &Object) -> Result<(), Refusal> {
    if pod.annotation(MIRROR).is_none() {
        return Err(format!(
            "pod does not have {MIRROR:?} annotation, node {node:?} can only create mirror pods"
        ));
    }
    if !is_bound_to(pod, node) {
        return Err(format!(
            "node {node:?} can only create pods with spec.nodeName set to itself"
        ));
    }
    Ok(())
}

/// A mirror goes with its node.
fn check_owner(
    node: &str,
    review: &Review<'_>,
    pod: &Object,
) -> Result<Result<(), Refusal>, ApiError> {
    let mut owners = pod.owners();
    let (owner, other) = (owners.next(), owners.next());
    let must = |what: &str| {
        Ok(Err(format!(
            "node {node:?} can only create pods with {what}"
        )))
    };
    if other.is_some() {
        return must("a single owner reference set to itself");
    }
    let is_itself = |owner: &k8s_apimachinery::OwnerReference<'_>| {
        (owner.api_version, owner.kind, owner.name) == ("v1", "Node", node)
    };
    let Some(owner) = owner.filter(is_itself) else {
        return must("an owner reference set to itself");
    };
    if !owner.is_controller {
        return must("a controller owner reference set to itself");
    }
    if owner.blocks_owner_deletion {
        return Ok(Err(format!(
            "node {node:?} must not set blockOwnerDeletion on an owner reference"
        )));
    }
    let nodes = || ApiError::not_found(GroupResource::new("", "nodes"), node);
    let found = review.view.get("", "nodes", "", node).ok_or_else(nodes)?;
    Ok(match owner.uid == found.uid() {
        true => Ok(()),
        false => Err(format!(
            "node {node} UID mismatch: expected {} got {}",
            owner.uid,
            found.uid()
        )),
    })
}

/// By what a pod refers to, its node may read more: so a node may not make such a pod.
fn check_references(node: &str, pod: &Object) -> Result<(), Refusal> {
    let found = references::of_pod(pod);
    let volumes = pod.get(&["spec", "volumes"]).and_then(Value::as_array);
    let volumes: &[Value] = volumes.map(Vec::as_slice).unwrap_or_default();
    let projects = |source: &str| {
        let sources = volumes
            .iter()
            .filter_map(|it| it["projected"]["sources"].as_array());
        sources.flatten().any(|it| !it[source].is_null())
    };
    let claims = volumes
        .iter()
        .any(|it| !it["persistentVolumeClaim"].is_null());
    let named = [
        (!found.account.is_empty(), "a service account"),
        (!found.secrets.is_empty(), "secrets"),
        (!found.config_maps.is_empty(), "configmaps"),
        (projects("clusterTrustBundle"), "clustertrustbundles"),
        (claims, "persistentvolumeclaims"),
    ];
    match named.iter().find(|(is_named, _)| *is_named) {
        Some((_, what)) => Err(format!(
            "node {node:?} can not create pods that reference {what}"
        )),
        None => Ok(()),
    }
}

fn check_status(node: &str, old: Option<&Object>, new: &Object) -> Result<(), Refusal> {
    let Some(old) = old.filter(|old| is_bound_to(old, node)) else {
        return Err(format!(
            "node {node:?} can only update pod status for pods with spec.nodeName set to itself"
        ));
    };
    if !new.labels().eq(old.labels()) {
        return Err(format!(
            "node {node:?} cannot update labels through pod status"
        ));
    }
    // The names say which claims the node may read.
    let claims = |pod: &'_ Object| -> Vec<(Value, Value)> {
        let claims = pod.get(&["status", "resourceClaimStatuses"]);
        let claims = claims.and_then(Value::as_array).into_iter().flatten();
        claims
            .map(|it| (it["name"].clone(), it["resourceClaimName"].clone()))
            .collect()
    };
    match claims(new) == claims(old) {
        true => Ok(()),
        false => Err(format!(
            "node {node:?} cannot update resource claim statues"
        )),
    }
}
