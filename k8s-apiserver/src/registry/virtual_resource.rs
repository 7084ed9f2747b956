//! Resources without storage: what is posted is answered, and forgotten.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::Registry;
use crate::{ApiError, RequestInfo, User};

/// Answers a kind that is computed on request, such as `SubjectAccessReview`.
#[async_trait]
pub trait Virtual: Send + Sync + 'static {
    /// The object posted, completed with its answer. `info` says to which namespace and resource.
    async fn create(
        &self,
        registry: &Registry,
        user: &User,
        info: &RequestInfo,
        object: Object,
    ) -> Result<Object, ApiError>;
}
