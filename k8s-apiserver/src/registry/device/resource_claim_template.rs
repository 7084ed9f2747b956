//! ResourceClaimTemplate.

use crate::registry::{KindRow, Strategy};

/// Strategy of `resource.k8s.io/v1` `ResourceClaimTemplate`.
pub(crate) struct ResourceClaimTemplate;

impl Strategy for ResourceClaimTemplate {
    fn kind(&self) -> KindRow {
        KindRow::new(
            "resource.k8s.io",
            "v1",
            "ResourceClaimTemplate",
            "resourceclaimtemplates",
        )
    }
}
