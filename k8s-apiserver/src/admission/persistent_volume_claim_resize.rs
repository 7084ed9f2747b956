//! A claim may grow only where its storage class says that volumes can.

use async_trait::async_trait;
use k8s_apimachinery::{Object, Quantity, Value};

use super::{Admission, Operation, Review};
use crate::{ApiError, registry::Effects};

/// How claims of old name their class; it counts before the field.
const CLASS_OF_OLD: &str = "volume.beta.kubernetes.io/storage-class";

/// Refuses to enlarge claims that aren't bound, or whose class doesn't have `allowVolumeExpansion`.
#[derive(Debug, Clone, Copy)]
pub struct PersistentVolumeClaimResize;

#[async_trait]
impl Admission for PersistentVolumeClaimResize {
    fn name(&self) -> &'static str {
        "PersistentVolumeClaimResize"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        claim: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        if review.operation == Operation::Update
            && review.is("", "persistentvolumeclaims")
            && let (Some(new), Some(old)) = (claim, review.old)
            && size(new) > size(old)
        {
            if old.str(&["status", "phase"]) != Some("Bound") {
                return Err(review.forbidden("Only bound persistent volume claims can be expanded"));
            }
            if !may_grow(review, new, old) {
                return Err(review.forbidden(
                    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must \
                     support resize",
                ));
            }
        }
        Ok(Effects::default())
    }
}

/// What a claim asks for; none is less than anything.
fn size(claim: &Object) -> Option<Quantity> {
    let asked = claim.str(&["spec", "resources", "requests", "storage"]);
    asked.and_then(|text| text.parse().ok())
}

fn may_grow(review: &Review<'_>, new: &Object, old: &Object) -> bool {
    let name = class_name(new);
    if name.is_empty() || name != class_name(old) {
        return false;
    }
    let class = review
        .view
        .get("storage.k8s.io", "storageclasses", "", name);
    class.is_some_and(|class| class.get(&["allowVolumeExpansion"]) == Some(&Value::Bool(true)))
}

fn class_name(claim: &Object) -> &str {
    let of_old = claim.annotation(CLASS_OF_OLD);
    let name = of_old.or_else(|| claim.str(&["spec", "storageClassName"]));
    name.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::Cluster;

    const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

    /// What becomes of a claim of `class` that wants to grow, or to shrink, in a phase.
    async fn resize(class: &str, phase: &str, size: &str) -> Result<(), String> {
        let cluster = Cluster::start().await;
        for (name, allows) in [("grows", true), ("stays", false)] {
            let class = json!({
                "metadata": { "name": name }, "provisioner": "example.com/p",
                "allowVolumeExpansion": allows,
            });
            let uri = "/apis/storage.k8s.io/v1/storageclasses";
            cluster.post(uri, class).await.unwrap();
        }
        let claim = json!({
            "metadata": { "name": "c" },
            "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": class, "volumeName": "v",
                "resources": { "requests": { "storage": "2Gi" } },
            },
        });
        let mut claim = cluster.post(CLAIMS, claim).await.unwrap();
        claim["status"] = json!({ "phase": phase, "capacity": { "storage": "1Gi" } });
        let uri = format!("{CLAIMS}/c");
        let mut claim = cluster.put(&format!("{uri}/status"), claim).await.unwrap();
        claim["spec"]["resources"]["requests"]["storage"] = json!(size);
        cluster.put(&uri, claim).await.map(drop)
    }

    #[tokio::test]
    async fn bound_claims_of_classes_that_allow_it_grow_and_no_others() {
        let refused = |why: &str| Err(format!(r#"persistentvolumeclaims "c" is forbidden: {why}"#));
        let unfit = refused(
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support \
             resize",
        );
        for (class, phase, size, want) in [
            ("grows", "Bound", "3Gi", Ok(())),
            ("grows", "Bound", "2048Mi", Ok(())),
            ("stays", "Bound", "3Gi", unfit.clone()),
            ("absent", "Bound", "3Gi", unfit.clone()),
            ("", "Bound", "3Gi", unfit),
            ("grows", "Lost", "2Gi", Ok(())),
        ] {
            let found = resize(class, phase, size).await;
            assert_eq!(found, want, "{class} {phase} {size}");
        }
        // Validation has its word first: the spec of a claim that isn't bound never changes.
        let found = resize("grows", "Pending", "3Gi").await.unwrap_err();
        assert!(
            found.contains("spec is immutable after creation"),
            "{found}"
        );
    }
}
