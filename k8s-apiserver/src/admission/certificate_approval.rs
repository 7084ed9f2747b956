//! Who decides about a request for a certificate must be allowed to decide for its signer.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Operation, Review};
use crate::{ApiError, authz::signer::Signers, registry::Effects};

/// Asks for the verb `approve` on the signer, for writes to `approval`.
#[derive(Clone)]
pub struct CertificateApproval(pub Signers);

#[async_trait]
impl Admission for CertificateApproval {
    fn name(&self) -> &'static str {
        "CertificateApproval"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        _object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        if review.operation == Operation::Update
            && super::is_signing_request(review, "approval")
            && let Some(old) = review.old
        {
            let signer = old.str(&["spec", "signerName"]).unwrap_or_default();
            if !self.0.may(review.user, "approve", signer).await {
                return Err(review.forbidden(format!(
                    "user not permitted to approve requests with signerName {signer:?}"
                )));
            }
        }
        Ok(Effects::default())
    }
}
