//! ComponentStatus: how the parts of a cluster are, as far as this server can know. Deprecated since 1.19.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};
use k8s_store::Store;
use serde_json::json;
use tokio::time::timeout;

use crate::{
    ApiError, RequestInfo,
    registry::{KindRow, Registry, Virtual},
};

/// A store that takes longer than this to say that it is well is not.
const PATIENCE: Duration = Duration::from_secs(2);

static COLUMNS: [ColumnDefinition; 4] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("Status", "Whether it is healthy."),
    ColumnDefinition::text("Message", "What it says of itself."),
    ColumnDefinition::text("Error", "Why it is not healthy."),
];

/// Answers for the store alone, as `etcd-0`. Scheduler and controller manager are clients: whether they are well is not
/// for the server to know, so it says nothing of them.
pub(crate) struct ComponentStatus(pub(crate) Arc<dyn Store>);

impl ComponentStatus {
    /// The row for the kind table.
    pub(crate) fn kind() -> KindRow {
        KindRow::new("", "v1", "ComponentStatus", "componentstatuses")
            .cluster_scoped()
            .short_names(&["cs"])
            .verbs(&["get", "list"])
    }

    /// The columns of `kubectl get`.
    pub(crate) fn columns() -> &'static [ColumnDefinition] {
        &COLUMNS
    }
}

#[async_trait]
impl Virtual for ComponentStatus {
    async fn list(
        &self,
        _registry: &Registry,
        _info: &RequestInfo,
    ) -> Result<Vec<Object>, ApiError> {
        let health = match timeout(PATIENCE, self.0.health()).await {
            Ok(health) => health.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer in {PATIENCE:?}")),
        };
        let condition = match health {
            Ok(()) => json!({ "type": "Healthy", "status": "True", "message": "ok" }),
            Err(error) => json!({ "type": "Healthy", "status": "False", "error": error }),
        };
        let status = json!({
            "kind": "ComponentStatus",
            "apiVersion": "v1",
            "metadata": { "name": "etcd-0" },
            "conditions": [condition],
        });
        let status = Object::from_value(status).map_err(ApiError::internal)?;
        Ok(vec![status])
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        Self::columns()
    }

    fn row(&self, object: &Object, _now: Timestamp) -> Vec<Value> {
        let conditions = object.get(&["conditions"]).and_then(Value::as_array);
        let mut conditions = conditions.into_iter().flatten();
        let health = conditions.find(|condition| condition["type"] == "Healthy");
        let text = |field: &str| health.and_then(|health| health[field].as_str());
        let status = match text("status") {
            Some("True") => "Healthy",
            Some("False") => "Unhealthy",
            _ => "Unknown",
        };
        vec![
            object.name().into(),
            status.into(),
            text("message").unwrap_or_default().into(),
            text("error").unwrap_or_default().into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, WARNING};
    use http_body_util::BodyExt;
    use k8s_store::memory::MemoryStore;

    use super::*;
    use crate::{ApiServer, User};

    /// The answer, with its warning.
    async fn get(uri: &str, accept: &str) -> (Value, String) {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()));
        let server = server.build().await.unwrap();
        let admin = User::new("admin").in_group("kubeadm:cluster-admins");
        let request = http::Request::builder().uri(uri).header(ACCEPT, accept);
        let request = request.body(kube::client::Body::empty()).unwrap();
        let response = server.client(admin).send(request).await.unwrap();
        let warning = response.headers().get(WARNING);
        let warning = warning.map_or("", |text| text.to_str().unwrap()).to_owned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (serde_json::from_slice(&body).unwrap(), warning)
    }

    const URI: &str = "/api/v1/componentstatuses";
    const DEPRECATED: &str = r#"299 - "v1 ComponentStatus is deprecated in v1.19+""#;

    #[tokio::test]
    async fn the_store_is_listed_as_etcd_with_a_warning() {
        let (list, warning) = get(URI, "application/json").await;
        let condition = json!({ "type": "Healthy", "status": "True", "message": "ok" });
        assert_eq!(
            list,
            json!({
                "kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {},
                "items": [{ "metadata": { "name": "etcd-0" }, "conditions": [condition] }],
            })
        );
        assert_eq!(warning, DEPRECATED);
    }

    #[tokio::test]
    async fn one_is_read_by_name_and_shown_in_columns() {
        let (one, warning) = get(&format!("{URI}/etcd-0"), "application/json").await;
        assert_eq!(
            (&one["kind"], warning.as_str()),
            (&json!("ComponentStatus"), DEPRECATED)
        );
        let (absent, _) = get(&format!("{URI}/scheduler"), "application/json").await;
        assert_eq!(
            absent["message"],
            r#"componentstatuses "scheduler" not found"#
        );
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io";
        let (table, _) = get(URI, table).await;
        let columns = table["columnDefinitions"].as_array().unwrap();
        let columns: Vec<&Value> = columns.iter().map(|column| &column["name"]).collect();
        assert_eq!(
            json!(columns),
            json!(["Name", "Status", "Message", "Error"])
        );
        assert_eq!(
            table["rows"][0]["cells"],
            json!(["etcd-0", "Healthy", "ok", ""])
        );
    }
}
