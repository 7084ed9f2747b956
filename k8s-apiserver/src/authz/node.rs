//! What the agent of a node may do: what all of them do, and beyond that only with what concerns the
//! pods that are bound to its own node.
//!
//! node <- pod <- secret, config map, volume claim, resource claim, service account; volume claim <-
//! volume <- secret. There is no graph to keep: the newest pods of the node, in the namespace asked
//! about, are looked through at each question, so a binding counts from the write that makes it.
//! What a node may write about itself is for the NodeRestriction admission plugin to say.

pub(crate) mod references;

use std::sync::Arc;

use async_trait::async_trait;
use k8s_apimachinery::{Object, selector::field::FieldSelector};
use k8s_openapi::api::rbac::v1::PolicyRule;

use super::{Attributes, Authorizer, Decision, rbac};
use references::References;

/// The newest objects, as a watch cache has them.
pub trait NodeObjects: Send + Sync + 'static {
    /// The pods of a namespace that are bound to a node.
    fn pods_on(&self, namespace: &str, node: &str) -> Vec<Object>;
    /// One object; a cluster-scoped one has an empty namespace.
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Object>;
    /// All persistent volumes.
    fn volumes(&self) -> Vec<Object>;
}

/// Decides for nodes' agents, and has no opinion about others.
#[derive(Clone)]
pub struct NodeAuthorizer {
    objects: Arc<dyn NodeObjects>,
    rules: Arc<[PolicyRule]>,
}

/// Why not, in Kubernetes' words; possibly empty.
type Answer = Result<(), String>;

const STORAGE: &str = "storage.k8s.io";
const RESOURCE: &str = "resource.k8s.io";

impl NodeAuthorizer {
    /// Relates objects to nodes through these; `rules` hold for all nodes alike.
    pub fn new(objects: Arc<dyn NodeObjects>, rules: Vec<PolicyRule>) -> Self {
        NodeAuthorizer {
            objects,
            rules: rules.into(),
        }
    }

    fn decide(&self, node: &str, asked: &Attributes<'_>) -> Answer {
        match (asked.group, asked.resource) {
            ("", "secrets" | "configmaps") => self.read(node, asked),
            ("", "persistentvolumeclaims") if asked.subresource == "status" => match asked.verb {
                "update" | "patch" => self.related(node, asked),
                _ => no("can only get/update/patch this type"),
            },
            ("", "persistentvolumeclaims" | "persistentvolumes")
            | (RESOURCE, "resourceclaims")
            | (STORAGE, "volumeattachments") => self.get(node, asked),
            ("", "serviceaccounts") => self.token(node, asked),
            ("", "nodes") => own_node(node, asked),
            ("", "pods") => self.pod(node, asked),
            ("coordination.k8s.io", "leases") => lease(node, asked),
            (STORAGE, "csinodes") => csi_node(node, asked),
            (RESOURCE, "resourceslices") => self.slice(node, asked),
            _ => self.by_rule(asked),
        }
    }

    fn by_rule(&self, asked: &Attributes<'_>) -> Answer {
        match self.rules.iter().any(|rule| rbac::allows(rule, asked)) {
            true => Ok(()),
            false => no(""),
        }
    }

    /// Secrets and config maps are also followed, one by one.
    fn read(&self, node: &str, asked: &Attributes<'_>) -> Answer {
        match asked.verb {
            "get" | "list" | "watch" => {}
            _ => return no("can only read resources of this type"),
        }
        if !asked.subresource.is_empty() {
            return no("cannot read subresource");
        }
        if asked.namespace.is_empty() {
            return no("can only read namespaced object of this type");
        }
        self.related(node, asked)
    }

    fn get(&self, node: &str, asked: &Attributes<'_>) -> Answer {
        if asked.verb != "get" {
            return no("can only get individual resources of this type");
        }
        if !asked.subresource.is_empty() {
            return no("cannot get subresource");
        }
        self.related(node, asked)
    }

    fn token(&self, node: &str, asked: &Attributes<'_>) -> Answer {
        if asked.verb != "create" || asked.name.is_empty() {
            return no("can only create tokens for individual service accounts");
        }
        if asked.subresource != "token" {
            return no("can only create token subresource of serviceaccount");
        }
        self.related(node, asked)
    }

    fn pod(&self, node: &str, asked: &Attributes<'_>) -> Answer {
        match (asked.subresource, asked.verb) {
            ("", "get") => self.related(node, asked),
            ("", "list" | "watch") if selects(asked, "spec.nodeName", node) => Ok(()),
            ("", "list" | "watch") if !asked.name.is_empty() => self.related(node, asked),
            ("", "list" | "watch") => {
                no("can only list/watch pods with spec.nodeName field selector")
            }
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => {
                Ok(())
            }
            _ => no(""),
        }
    }

    fn slice(&self, node: &str, asked: &Attributes<'_>) -> Answer {
        if !asked.subresource.is_empty() {
            return no("cannot authorize ResourceSlice subresources");
        }
        match asked.verb {
            "create" => Ok(()),
            "get" | "update" | "patch" | "delete" => self.related(node, asked),
            "watch" | "list" | "deletecollection" => match selects(asked, "nodeName", node) {
                true => Ok(()),
                false => no(
                    "can only list/watch/deletecollection resourceslices with nodeName field selector",
                ),
            },
            _ => no(
                "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, \
                 delete, deletecollection",
            ),
        }
    }

    /// Whether the object has to do with the node.
    fn related(&self, node: &str, asked: &Attributes<'_>) -> Answer {
        if asked.name.is_empty() {
            return no("No Object name found");
        }
        match self.is_related(node, asked) {
            true => Ok(()),
            false => Err(format!(
                "no relationship found between node '{node}' and this object"
            )),
        }
    }

    fn is_related(&self, node: &str, asked: &Attributes<'_>) -> bool {
        let (namespace, name) = (asked.namespace, asked.name);
        let named_by = |object: Option<Object>, path: &[&str]| {
            object.is_some_and(|object| object.str(path) == Some(node))
        };
        match asked.resource {
            "secrets" => {
                self.refers(node, namespace, |pod| pod.secrets.contains(name))
                    || self.volume_needs_secret(node, namespace, name)
            }
            "configmaps" => self.refers(node, namespace, |pod| pod.config_maps.contains(name)),
            "persistentvolumeclaims" => {
                self.refers(node, namespace, |pod| pod.volume_claims.contains(name))
            }
            "persistentvolumes" => {
                let volume = self.objects.get("", "persistentvolumes", "", name);
                volume.is_some_and(|volume| self.uses_volume(node, &volume))
            }
            "serviceaccounts" => self.refers(node, namespace, |pod| pod.account == name),
            "resourceclaims" => {
                self.refers(node, namespace, |pod| pod.resource_claims.contains(name))
            }
            "pods" => named_by(
                self.objects.get("", "pods", namespace, name),
                &["spec", "nodeName"],
            ),
            "volumeattachments" => named_by(
                self.objects.get(STORAGE, "volumeattachments", "", name),
                &["spec", "nodeName"],
            ),
            "resourceslices" => named_by(
                self.objects.get(RESOURCE, "resourceslices", "", name),
                &["spec", "nodeName"],
            ),
            _ => false,
        }
    }

    fn refers(&self, node: &str, namespace: &str, to: impl Fn(&References) -> bool) -> bool {
        let pods = self.objects.pods_on(namespace, node);
        pods.iter().any(|pod| to(&references::of_pod(pod)))
    }

    /// Whether a pod of the node uses the claim that a volume is bound to.
    fn uses_volume(&self, node: &str, volume: &Object) -> bool {
        let claim = |field| {
            let value = volume.str(&["spec", "claimRef", field]);
            value.unwrap_or_default()
        };
        let (namespace, name) = (claim("namespace"), claim("name"));
        !name.is_empty() && self.refers(node, namespace, |pod| pod.volume_claims.contains(name))
    }

    fn volume_needs_secret(&self, node: &str, namespace: &str, name: &str) -> bool {
        let needed = (namespace.to_owned(), name.to_owned());
        self.objects.volumes().iter().any(|volume| {
            references::secrets_of_volume(volume).contains(&needed)
                && self.uses_volume(node, volume)
        })
    }
}

#[async_trait]
impl Authorizer for NodeAuthorizer {
    async fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let user = attributes.user;
        let answer = match user.as_node() {
            None => no(""),
            Some("") => Err(format!("unknown node for user {:?}", user.name)),
            Some(node) if attributes.resource_request => self.decide(node, attributes),
            Some(_) => self.by_rule(attributes),
        };
        match answer {
            Ok(()) => Decision::Allow(String::new()),
            Err(reason) => Decision::NoOpinion(reason),
        }
    }
}

fn own_node(node: &str, asked: &Attributes<'_>) -> Answer {
    match (asked.subresource, asked.verb) {
        ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Ok(()),
        ("", "get" | "list" | "watch") => match asked.name {
            name if name == node => Ok(()),
            "" => Err(format!(
                "node '{node}' cannot read all nodes, only its own Node object"
            )),
            other => Err(format!(
                "node '{node}' cannot read '{other}', only its own Node object"
            )),
        },
        _ => no(""),
    }
}

fn lease(node: &str, asked: &Attributes<'_>) -> Answer {
    match asked.verb {
        "get" | "create" | "update" | "patch" | "delete" => {}
        _ => return no("can only get, create, update, patch, or delete a node lease"),
    }
    if asked.namespace != "kube-node-lease" {
        return no("can only access leases in the \"kube-node-lease\" system namespace");
    }
    // The name of what is created is known to admission only.
    match asked.verb == "create" || asked.name == node {
        true => Ok(()),
        false => no("can only access node lease with the same name as the requesting node"),
    }
}

fn csi_node(node: &str, asked: &Attributes<'_>) -> Answer {
    match asked.verb {
        "get" | "create" | "update" | "patch" | "delete" => {}
        _ => return no("can only get, create, update, patch, or delete a CSINode"),
    }
    if !asked.subresource.is_empty() {
        return no("cannot authorize CSINode subresources");
    }
    match asked.verb == "create" || asked.name == node {
        true => Ok(()),
        false => no("can only access CSINode with the same name as the requesting node"),
    }
}

/// Whether a field must equal the node's name to be selected.
fn selects(asked: &Attributes<'_>, field: &str, node: &str) -> bool {
    let selector = asked.field_selector.parse::<FieldSelector>();
    selector.is_ok_and(|selector| selector.exact(field) == Some(node))
}

fn no(reason: &str) -> Answer {
    Err(reason.to_owned())
}

#[cfg(test)]
mod tests;
