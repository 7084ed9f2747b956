//! PodCertificateRequest.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};
use serde_json::json;

use crate::registry::{KindRow, Strategy, SubresourceRow, WriteContext, cell};

/// Strategy of `certificates.k8s.io/v1` `PodCertificateRequest`.
pub(crate) struct PodCertificateRequest;

static COLUMNS: [ColumnDefinition; 6] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("PodName", "Pod that the certificate is for."),
    ColumnDefinition::text("ServiceAccountName", "Account of the pod."),
    ColumnDefinition::text("NodeName", "Node of the pod."),
    ColumnDefinition::text("SignerName", "Who is to sign."),
    ColumnDefinition::text("State", "Pending, Issued, Denied or Failed."),
];

impl Strategy for PodCertificateRequest {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "certificates.k8s.io",
            "v1",
            "PodCertificateRequest",
            "podcertificaterequests",
        )
        .conditional_update_only()
        .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({}));
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.signerName", "spec.podName", "spec.nodeName"]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, _now: Timestamp) -> Vec<Value> {
        let conditions = cell::items(object, &["status", "conditions"]);
        let outcome = conditions.first().and_then(|each| each["type"].as_str());
        let spec = |field| cell::text(object, &["spec", field]);
        vec![
            object.name().into(),
            spec("podName"),
            spec("serviceAccountName"),
            spec("nodeName"),
            spec("signerName"),
            outcome.unwrap_or("Pending").into(),
        ]
    }
}
