//! Requests for certificates (PKCS#10), as clients put them into CertificateSigningRequests.

use rustls::pki_types::{CertificateSigningRequestDer, pem::PemObject};
use x509_parser::{
    certification_request::X509CertificationRequest, extensions::X509Extension,
    oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME, prelude::FromDer,
};

/// A request whose signature shows that its sender holds the key.
pub struct SigningRequest {
    /// The organizations of the subject: the groups of a client.
    pub organizations: Vec<String>,
    /// The common name of the subject: the name of a client. Empty if there is none.
    pub common_name: String,
    /// The subject, as it is encoded.
    pub(super) subject: Vec<u8>,
    /// The public key with its algorithm, as it is encoded.
    pub(super) public_key: Vec<u8>,
    /// The alternative names, as their extension is encoded, and whether it is critical.
    pub(super) alternative_names: Option<(Vec<u8>, bool)>,
}

impl SigningRequest {
    /// Reads the first request in a PEM text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let der = CertificateSigningRequestDer::from_pem_slice(pem)
            .map_err(|_| "PEM block type must be CERTIFICATE REQUEST".to_owned())?;
        let malformed = |error: &dyn std::fmt::Display| format!("malformed request: {error}");
        let (_, request) =
            X509CertificationRequest::from_der(&der).map_err(|error| malformed(&error))?;
        request
            .verify_signature()
            .map_err(|_| "the request's signature is not that of its key".to_owned())?;
        let info = &request.certification_request_info;
        let organizations = info.subject.iter_organization();
        let organizations = organizations.filter_map(|name| name.as_str().ok());
        let mut common_names = info.subject.iter_common_name();
        let common_name = common_names.find_map(|name| name.as_str().ok());
        let mut extensions = info
            .iter_attributes()
            .filter_map(|attribute| match attribute.parsed_attribute() {
                x509_parser::cri_attributes::ParsedCriAttribute::ExtensionRequest(asked) => {
                    Some(&asked.extensions)
                }
                _ => None,
            })
            .flatten();
        let names =
            extensions.find(|each: &&X509Extension<'_>| each.oid == OID_X509_EXT_SUBJECT_ALT_NAME);
        Ok(SigningRequest {
            organizations: organizations.map(str::to_owned).collect(),
            common_name: common_name.unwrap_or_default().to_owned(),
            subject: info.subject.as_raw().to_vec(),
            public_key: info.subject_pki.raw.to_vec(),
            alternative_names: names.map(|names| (names.value.to_vec(), names.critical)),
        })
    }
}
