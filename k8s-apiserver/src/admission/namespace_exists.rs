//! Nothing is written in a namespace that isn't there.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Operation, Review};
use crate::{ApiError, error::GroupResource, registry::Effects};

/// Refuses writes of any kind in namespaces that aren't there. Off by default: what `NamespaceLifecycle` refuses, new
/// objects, is all that matters for most.
#[derive(Debug, Clone, Copy)]
pub struct NamespaceExists;

#[async_trait]
impl Admission for NamespaceExists {
    fn name(&self) -> &'static str {
        "NamespaceExists"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        _object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let namespace = review.namespace;
        if review.operation != Operation::Connect
            && review.resource.row.namespaced
            && review.view.get("", "namespaces", "", namespace).is_none()
        {
            let namespaces = GroupResource::new("", "namespaces");
            return Err(ApiError::not_found(namespaces, namespace));
        }
        Ok(Effects::default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::world::World, NamespaceExists};
    use crate::User;

    #[tokio::test]
    async fn nothing_is_written_where_there_is_no_namespace() {
        let world = World::start(NamespaceExists).await;
        let user = User::new("alice");
        for (group, plural, namespace, want) in [
            ("", "configmaps", "default", ""),
            (
                "",
                "configmaps",
                "nowhere",
                r#"namespaces "nowhere" not found"#,
            ),
            ("", "namespaces", "", ""),
        ] {
            let what = (group, plural, "", namespace, "x");
            let object = json!({ "metadata": { "name": "x", "namespace": namespace } });
            let made = world.put(&user, what, object).await;
            assert_eq!(made.refusal(), want, "{plural} {namespace}");
        }
    }
}
