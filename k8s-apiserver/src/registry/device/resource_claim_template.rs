//! ResourceClaimTemplate.

use super::admin_access;
use crate::{
    ApiError,
    registry::{Change, Effects, KindRow, Strategy, View},
};

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

    fn effects(&self, change: &mut Change<'_>, view: &View<'_>) -> Result<Effects, ApiError> {
        admin_access::check(change, view, "ResourceClaimTemplate", &["spec", "spec"])
    }
}
