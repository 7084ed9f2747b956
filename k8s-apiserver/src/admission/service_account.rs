//! Every pod runs as some service account.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Review};
use crate::ApiError;

/// The annotation of pods that a node made from a file and only mirrors here: they have no account.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// Names the namespace's `default` account where a pod names none, and refuses accounts that don't exist.
#[derive(Debug, Clone, Copy)]
pub struct ServiceAccount;

#[async_trait]
impl Admission for ServiceAccount {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        if !review.creates("", "pods") || pod.annotation(MIRROR).is_some() {
            return Ok(());
        }
        let path = ["spec", "serviceAccountName"];
        let account = match pod.str(&path) {
            None | Some("") => "default".to_owned(),
            Some(account) => account.to_owned(),
        };
        pod.set(&path, account.as_str().into());
        // The field's old name is kept in step for old clients.
        pod.set(&["spec", "serviceAccount"], account.as_str().into());
        Ok(())
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        pod: Option<&Object>,
    ) -> Result<crate::registry::Effects, ApiError> {
        if let Some(pod) = pod
            && review.creates("", "pods")
            && let Some(account) = pod.str(&["spec", "serviceAccountName"])
            && review
                .view
                .entry("", "serviceaccounts", review.namespace, account)
                .is_none()
        {
            let ns = review.namespace;
            return Err(review.forbidden(format!(
                "error looking up service account {ns}/{account}: serviceaccount {account:?} not found"
            )));
        }
        Ok(Default::default())
    }
}
