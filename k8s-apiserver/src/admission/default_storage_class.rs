//! Claims that name no storage class get the default one.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Review, default_class};
use crate::ApiError;

/// The annotations that make a class the default one; the second is its name of old.
const MARKS: [&str; 2] = [
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
];
/// How claims of old name their class.
const CLASS_OF_OLD: &str = "volume.beta.kubernetes.io/storage-class";

/// Names the default class in new claims that name none. A claim with an empty name wants no class. Without a default
/// class the claim stays as it is, and gets one later, when there is one.
#[derive(Debug, Clone, Copy)]
pub struct DefaultStorageClass;

#[async_trait]
impl Admission for DefaultStorageClass {
    fn name(&self) -> &'static str {
        "DefaultStorageClass"
    }

    async fn mutate(&self, review: &Review<'_>, claim: &mut Object) -> Result<(), ApiError> {
        let path = ["spec", "storageClassName"];
        let has_class = claim.annotation(CLASS_OF_OLD).is_some() || claim.get(&path).is_some();
        if !review.creates("", "persistentvolumeclaims") || has_class {
            return Ok(());
        }
        let class = default_class::newest(&review.view, "storage.k8s.io", "storageclasses", &MARKS);
        if let Some(class) = class {
            claim.set(&path, class.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{Cluster, merge};
    use super::*;

    const CLASSES: &str = "/apis/storage.k8s.io/v1/storageclasses";
    const CLAIMS: &str = "/api/v1/namespaces/default/persistentvolumeclaims";

    async fn class(cluster: &Cluster, name: &str, mark: &str, value: &str) {
        let class = json!({
            "metadata": { "name": name, "annotations": { mark: value } },
            "provisioner": "example.com/p",
        });
        cluster.post(CLASSES, class).await.unwrap();
    }

    async fn class_of_claim(cluster: &Cluster, fields: Value) -> Value {
        let mut claim = json!({
            "metadata": { "generateName": "c-" },
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": { "requests": { "storage": "1Gi" } },
            },
        });
        merge(&mut claim, fields);
        let claim = cluster.post(CLAIMS, claim).await.unwrap();
        claim["spec"]["storageClassName"].clone()
    }

    #[tokio::test]
    async fn a_claim_gets_the_default_class_unless_it_says_which_it_wants() {
        let cluster = Cluster::start().await;
        class(&cluster, "other", MARKS[0], "false").await;
        assert_eq!(class_of_claim(&cluster, json!({})).await, Value::Null);
        class(&cluster, "standard", MARKS[0], "true").await;
        let cases = [
            (json!({}), json!("standard")),
            (json!({ "spec": { "storageClassName": "" } }), json!("")),
            (json!({ "spec": { "storageClassName": "x" } }), json!("x")),
            (
                json!({ "metadata": { "annotations": { CLASS_OF_OLD: "x" } } }),
                Value::Null,
            ),
        ];
        for (claim, want) in cases {
            assert_eq!(
                class_of_claim(&cluster, claim.clone()).await,
                want,
                "{claim}"
            );
        }
    }

    #[tokio::test]
    async fn the_annotation_of_old_marks_a_default_class_too() {
        let cluster = Cluster::start().await;
        class(&cluster, "standard", MARKS[1], "true").await;
        assert_eq!(class_of_claim(&cluster, json!({})).await, "standard");
    }
}
