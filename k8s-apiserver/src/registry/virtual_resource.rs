//! Resources without storage: what is posted is answered and forgotten, and what is read is found out when it is asked
//! for.

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_apimachinery::{
    Object, Value,
    table::{ColumnDefinition, age_of},
};

use super::Registry;
use crate::{ApiError, RequestInfo, User};

/// Answers a kind that is computed on request. The verbs of its row say which methods are called.
#[async_trait]
pub trait Virtual: Send + Sync + 'static {
    /// The object posted, such as a `SubjectAccessReview`, completed with its answer. `info` says to which namespace
    /// and resource.
    async fn create(
        &self,
        _registry: &Registry,
        _user: &User,
        _info: &RequestInfo,
        _object: Object,
    ) -> Result<Object, ApiError> {
        Err(ApiError::MethodNotAllowed)
    }

    /// All objects, such as `ComponentStatus`; those asked for are chosen from them.
    async fn list(
        &self,
        _registry: &Registry,
        _info: &RequestInfo,
    ) -> Result<Vec<Object>, ApiError> {
        Err(ApiError::MethodNotAllowed)
    }

    /// The columns of `kubectl get`.
    fn columns(&self) -> &'static [ColumnDefinition] {
        static NAME_AND_AGE: [ColumnDefinition; 2] =
            [ColumnDefinition::NAME, ColumnDefinition::AGE];
        &NAME_AND_AGE
    }

    /// One cell per column.
    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        vec![object.name().into(), age_of(object, now).into()]
    }
}
