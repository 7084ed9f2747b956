//! Nobody claims addresses for a service that the cluster doesn't give out (CVE-2020-8554).

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};

use super::{Admission, Operation, Review};
use crate::{ApiError, registry::Effects};

/// Refuses services with new `spec.externalIPs`; those that are there may stay and go. Off by default.
#[derive(Debug, Clone, Copy)]
pub struct DenyServiceExternalIPs;

#[async_trait]
impl Admission for DenyServiceExternalIPs {
    fn name(&self) -> &'static str {
        "DenyServiceExternalIPs"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        service: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let is_write = matches!(review.operation, Operation::Create | Operation::Update);
        if is_write
            && review.is("", "services")
            && let Some(service) = service
        {
            let known = review.old.map_or(&[][..], addresses);
            if addresses(service).iter().any(|each| !known.contains(each)) {
                let why = "Use of external IPs is denied by admission control";
                return Err(review.forbidden(why));
            }
        }
        Ok(Effects::default())
    }
}

fn addresses(service: &Object) -> &[Value] {
    let addresses = service.get(&["spec", "externalIPs"]);
    addresses
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{super::testing::Cluster, DenyServiceExternalIPs};

    fn service(addresses: Value) -> Value {
        json!({
            "metadata": { "name": "s", "namespace": "default" },
            "spec": { "ports": [{ "port": 80 }], "externalIPs": addresses },
        })
    }

    #[tokio::test]
    async fn new_addresses_are_refused() {
        let cluster = Cluster::with(DenyServiceExternalIPs).await;
        let uri = "/api/v1/namespaces/default/services";
        let refused =
            r#"services "s" is forbidden: Use of external IPs is denied by admission control"#;
        let made = cluster.post(uri, service(json!(["192.0.2.1"]))).await;
        assert_eq!(made.unwrap_err(), refused);
        let mut made = cluster.post(uri, service(json!([]))).await.unwrap();
        made["spec"]["externalIPs"] = json!(["192.0.2.1"]);
        let uri = format!("{uri}/s");
        let changed = cluster.put(&uri, made.clone()).await;
        assert_eq!(changed.unwrap_err(), refused);
        made["spec"]["externalIPs"] = json!([]);
        made["spec"]["selector"] = json!({ "app": "web" });
        cluster.put(&uri, made).await.unwrap();
    }
}
