//! Nobody gives away what they don't have: every write of a role or binding is held against what its
//! author holds.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Operation, Review};
use crate::{
    ApiError,
    authz::rbac::escalation::{Guard, Written},
    registry::Effects,
};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Asks the [`Guard`] about roles and bindings. What an update leaves as it was is not asked about.
#[derive(Clone)]
pub struct Escalation(pub Guard);

#[async_trait]
impl Admission for Escalation {
    fn name(&self) -> &'static str {
        "RBACEscalation"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let row = &review.resource.row;
        let writes = matches!(review.operation, Operation::Create | Operation::Update);
        let (true, true, Some(object)) = (writes, row.group == GROUP, object) else {
            return Ok(Effects::default());
        };
        let written = Written {
            resource: &row.plural,
            namespace: review.namespace,
            name: review.name,
        };
        let changes = |fields: &[&str]| {
            let differs = |old: &Object| {
                fields
                    .iter()
                    .any(|field| old.get(&[field]) != object.get(&[field]))
            };
            review.old.is_none_or(differs)
        };
        match row.plural.as_str() {
            "roles" | "clusterroles" if changes(&["rules"]) => {
                let rules: Vec<_> = typed(object, "rules")?.unwrap_or_default();
                self.0.role(review.user, written, &rules).await?;
            }
            "rolebindings" | "clusterrolebindings" if changes(&["roleRef", "subjects"]) => {
                if let Some(role) = typed(object, "roleRef")? {
                    self.0.binding(review.user, written, &role).await?;
                }
            }
            _ => {}
        }
        Ok(Effects::default())
    }
}

/// A field in its typed form; `None` if it is absent.
fn typed<T: serde::de::DeserializeOwned>(
    object: &Object,
    field: &str,
) -> Result<Option<T>, ApiError> {
    let value = object.get(&[field]).cloned();
    value
        .map(serde_json::from_value)
        .transpose()
        .map_err(|error| ApiError::BadRequest(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
    use k8s_store::memory::MemoryStore;
    use kube::{Api, Client, api::PostParams};
    use serde_json::{Value, json};

    use crate::{ApiServer, User};

    /// Jane administers the namespace `default` and nothing else.
    async fn jane() -> Client {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()));
        let server = server.build().await.unwrap();
        let admin = server.client(User::new("admin").in_group("kubeadm:cluster-admins"));
        bind(admin, "owner", "admin").await.unwrap();
        server.client(User::new("jane"))
    }

    async fn bind(client: Client, name: &str, role: &str) -> kube::Result<RoleBinding> {
        let binding = json!({
            "metadata": { "name": name },
            "roleRef": { "apiGroup": super::GROUP, "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": super::GROUP, "kind": "User", "name": "jane" }],
        });
        let api: Api<RoleBinding> = Api::default_namespaced(client);
        api.create(
            &PostParams::default(),
            &serde_json::from_value(binding).unwrap(),
        )
        .await
    }

    async fn role(client: Client, rule: Value) -> kube::Result<Role> {
        let role = json!({ "metadata": { "name": "r" }, "rules": [rule] });
        let api: Api<Role> = Api::default_namespaced(client);
        api.create(
            &PostParams::default(),
            &serde_json::from_value(role).unwrap(),
        )
        .await
    }

    #[track_caller]
    fn check_refused<T: std::fmt::Debug>(outcome: kube::Result<T>) {
        match outcome {
            Err(kube::Error::Api(status)) if status.code == 403 => {
                assert!(
                    status
                        .message
                        .contains("is attempting to grant RBAC permissions not currently held"),
                    "{status:?}"
                );
            }
            other => panic!("not refused: {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_namespaces_owner_binds_what_they_hold_and_no_more() {
        let jane = jane().await;
        bind(jane.clone(), "fine", "view").await.unwrap();
        check_refused(bind(jane, "more", "cluster-admin").await);
    }

    #[tokio::test]
    async fn a_namespaces_owner_writes_roles_of_what_they_hold_and_no_more() {
        let jane = jane().await;
        let any = json!({ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] });
        check_refused(role(jane.clone(), any).await);
        let pods = json!({ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] });
        role(jane, pods).await.unwrap();
    }
}
