//! ClusterTrustBundle.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};

use crate::registry::{KindRow, Strategy, cell};

/// Strategy of `certificates.k8s.io/v1` `ClusterTrustBundle`.
pub(crate) struct ClusterTrustBundle;

static COLUMNS: [ColumnDefinition; 2] = [
    ColumnDefinition::NAME,
    ColumnDefinition::text("SignerName", "Signer whose certificates are trusted."),
];

impl Strategy for ClusterTrustBundle {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "certificates.k8s.io",
            "v1",
            "ClusterTrustBundle",
            "clustertrustbundles",
        )
        .cluster_scoped()
        .conditional_update_only()
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.signerName"]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &COLUMNS
    }

    fn row(&self, object: &Object, _now: Timestamp) -> Vec<Value> {
        let signer = cell::text_or_else(object, &["spec", "signerName"], "<none>");
        vec![object.name().into(), signer]
    }
}
