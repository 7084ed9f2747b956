//! Nobody gets a client certificate that no role limits.

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_apimachinery::Object;

use super::{Admission, Review};
use crate::{ApiError, pki::SigningRequest, registry::Effects, user::MASTERS};

const SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// Refuses requests for client certificates in the group `system:masters`.
#[derive(Debug, Clone, Copy)]
pub struct CertificateSubjectRestriction;

#[async_trait]
impl Admission for CertificateSubjectRestriction {
    fn name(&self) -> &'static str {
        "CertificateSubjectRestriction"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let Some(object) = object else {
            return Ok(Effects::default());
        };
        if review.creates("certificates.k8s.io", "certificatesigningrequests")
            && object.str(&["spec", "signerName"]) == Some(SIGNER)
        {
            let text = object.str(&["spec", "request"]).unwrap_or_default();
            let pem = STANDARD.decode(text).unwrap_or_default();
            let request = SigningRequest::from_pem(&pem)
                .map_err(|fault| review.forbidden(format!("failed to parse CSR: {fault}")))?;
            if request.organizations.iter().any(|group| group == MASTERS) {
                return Err(review.forbidden(format!(
                    "use of {SIGNER} signer with {MASTERS} group is not allowed"
                )));
            }
        }
        Ok(Effects::default())
    }
}
