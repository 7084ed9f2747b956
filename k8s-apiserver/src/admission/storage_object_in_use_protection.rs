//! Storage that is in use can be deleted, but doesn't go before it is free.

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};

use super::{Admission, Review};
use crate::ApiError;

/// Group and plural with the finalizer that new objects get.
const PROTECTED: [(&str, &str, &str); 3] = [
    ("", "persistentvolumeclaims", "kubernetes.io/pvc-protection"),
    ("", "persistentvolumes", "kubernetes.io/pv-protection"),
    (
        "storage.k8s.io",
        "volumeattributesclasses",
        "kubernetes.io/vac-protection",
    ),
];

/// Puts a finalizer on new claims, volumes and volume attributes classes. The protection controllers take it away when
/// a deleted object is used no more.
#[derive(Debug, Clone, Copy)]
pub struct StorageObjectInUseProtection;

#[async_trait]
impl Admission for StorageObjectInUseProtection {
    fn name(&self) -> &'static str {
        "StorageObjectInUseProtection"
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Object) -> Result<(), ApiError> {
        let mut kinds = PROTECTED.iter();
        let kind = kinds.find(|(group, plural, _)| review.creates(group, plural));
        if let Some((_, _, finalizer)) = kind
            && !object.finalizers().any(|each| each == *finalizer)
        {
            let finalizers = object.finalizers().chain([*finalizer]).map(Value::from);
            let finalizers = Value::Array(finalizers.collect());
            object.set(&["metadata", "finalizers"], finalizers);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{Cluster, merge};
    use super::*;

    #[tokio::test]
    async fn new_storage_is_held_beside_what_else_holds_it_and_goes_when_it_is_let_go() {
        let cluster = Cluster::start().await;
        let claims = "/api/v1/namespaces/default/persistentvolumeclaims";
        let resources = json!({ "requests": { "storage": "1Gi" } });
        let claim = json!({ "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": resources,
        } });
        let volume = json!({ "spec": {
            "accessModes": ["ReadWriteOnce"], "capacity": { "storage": "1Gi" },
            "hostPath": { "path": "/data" },
        } });
        let classes = "/apis/storage.k8s.io/v1/volumeattributesclasses";
        let class = json!({ "driverName": "example.com", "parameters": { "iops": "1" } });
        let kinds = [
            (claims, claim),
            ("/api/v1/persistentvolumes", volume),
            (classes, class),
        ];
        for ((uri, mut object), (_, _, finalizer)) in kinds.into_iter().zip(PROTECTED) {
            let own = json!({ "name": "o", "finalizers": ["example.com/own"] });
            merge(&mut object, json!({ "metadata": own }));
            let made = cluster.post(uri, object).await.unwrap();
            assert_eq!(
                made["metadata"]["finalizers"],
                json!(["example.com/own", finalizer])
            );
            let uri = format!("{uri}/o");
            cluster.delete(&uri).await.unwrap();
            let mut going = cluster.get(&uri).await.unwrap();
            assert!(going["metadata"]["deletionTimestamp"].is_string());
            going["metadata"]["finalizers"] = json!([]);
            cluster.put(&uri, going).await.unwrap();
            assert!(cluster.get(&uri).await.is_err());
        }
    }
}
