//! Who puts a certificate into a request must be allowed to sign for its signer.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Operation, Review};
use crate::{ApiError, authz::signer::Signers, registry::Effects};

/// Asks for the verb `sign` on the signer, for writes to `status` that change certificate or
/// conditions.
#[derive(Clone)]
pub struct CertificateSigning(pub Signers);

#[async_trait]
impl Admission for CertificateSigning {
    fn name(&self) -> &'static str {
        "CertificateSigning"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let is_signing =
            review.operation == Operation::Update && super::is_signing_request(review, "status");
        let (true, Some(old), Some(new)) = (is_signing, review.old, object) else {
            return Ok(Effects::default());
        };
        let changes = |field| new.get(&["status", field]) != old.get(&["status", field]);
        if changes("certificate") || changes("conditions") {
            let signer = old.str(&["spec", "signerName"]).unwrap_or_default();
            if !self.0.may(review.user, "sign", signer).await {
                return Err(review.forbidden(format!(
                    "user not permitted to sign requests with signerName {signer:?}"
                )));
            }
        }
        Ok(Effects::default())
    }
}
