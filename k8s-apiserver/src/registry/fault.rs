//! How the store's failures and the rules' complaints reach a client.

use k8s_apimachinery::api::FieldError;
use k8s_store::StoreError;

use crate::{
    ApiError,
    error::{Cause, GroupKind},
};

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Compacted {
                requested,
                compacted,
            } => ApiError::Expired(format!(
                "too old resource version: {requested} ({compacted})"
            )),
            StoreError::Future { requested, current } => ApiError::FutureRevision {
                requested: requested.0,
                current: current.0,
            },
            StoreError::Closed => {
                ApiError::ServiceUnavailable("the server is shutting down".to_owned())
            }
            // Whoever runs the server has to know, and space may return.
            full @ StoreError::Full { .. } => ApiError::ServiceUnavailable(full.to_string()),
            StoreError::Unavailable { detail } | StoreError::Unconfirmed { detail } => {
                ApiError::Timeout(detail)
            }
            other => ApiError::internal(other),
        }
    }
}

/// `422 Invalid` with one cause per field, if there is any.
pub(crate) fn invalid(
    kind: GroupKind,
    name: &str,
    errors: Vec<FieldError>,
) -> Result<(), ApiError> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(ApiError::Invalid {
        kind,
        name: name.to_owned(),
        causes: errors.iter().map(cause).collect(),
    })
}

fn cause(error: &FieldError) -> Cause {
    Cause::new(error.reason(), error.message(), &error.field)
}
