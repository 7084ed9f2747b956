//! What a request says: who the node is, and where it serves.

use std::net::IpAddr;

use k8s_openapi::{
    ByteString,
    api::certificates::v1::{CertificateSigningRequest, CertificateSigningRequestSpec},
};
use kube::api::ObjectMeta;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::{CertificateError, Purpose};

/// A request to a signer of Kubernetes' own, signed with a new key.
pub(super) fn request(
    node: &str,
    purpose: &Purpose,
    key: &KeyPair,
) -> Result<CertificateSigningRequest, CertificateError> {
    let (signer, usage, addresses): (_, _, &[IpAddr]) = match purpose {
        Purpose::Client => ("kube-apiserver-client-kubelet", "client auth", &[]),
        Purpose::Serving(addresses) => ("kubelet-serving", "server auth", addresses),
    };
    let malformed = |error: rcgen::Error| CertificateError::Malformed(error.to_string());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let mut say = |what, text: &str| params.distinguished_name.push(what, text);
    say(DnType::OrganizationName, "system:nodes");
    say(DnType::CommonName, &format!("system:node:{node}"));
    if matches!(purpose, Purpose::Serving(_)) {
        let name = node.try_into().map_err(malformed)?;
        params.subject_alt_names.push(SanType::DnsName(name));
        let addresses = addresses.iter().copied().map(SanType::IpAddress);
        params.subject_alt_names.extend(addresses);
    }
    let request = params.serialize_request(key).map_err(malformed)?;
    let pem = request.pem().map_err(malformed)?;
    Ok(CertificateSigningRequest {
        metadata: ObjectMeta {
            generate_name: Some("csr-".into()),
            ..ObjectMeta::default()
        },
        spec: CertificateSigningRequestSpec {
            request: ByteString(pem.into_bytes()),
            signer_name: format!("kubernetes.io/{signer}"),
            usages: Some(vec!["digital signature".into(), usage.into()]),
            ..CertificateSigningRequestSpec::default()
        },
        ..CertificateSigningRequest::default()
    })
}
