use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair};
use rustls::{
    RootCertStore,
    pki_types::{UnixTime, pem::PemObject},
    server::WebPkiClientVerifier,
};
use x509_parser::extensions::GeneralName;

use super::*;
use crate::pki::{Pki, PkiOptions, Signer};

/// The request of a client with this name in this group, for this DNS name.
fn request(name: &str, group: &str, dns: &str) -> String {
    let mut params = CertificateParams::new(vec![dns.to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, group);
    params.distinguished_name.push(DnType::CommonName, name);
    // A client may ask for more than it gets.
    let authority = vec![0x30, 0x03, 0x01, 0x01, 0xff];
    let mut asks = CustomExtension::from_oid_content(&[2, 5, 29, 19], authority);
    asks.set_criticality(true);
    params.custom_extensions.push(asks);
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

fn signed(usages: &[&str], days: i64) -> (Pki, CertificateDer<'static>) {
    let pki = Pki::ephemeral(&PkiOptions::default()).unwrap();
    let signer: Signer = pki.signer();
    let usages: Vec<_> = usages.iter().map(|&usage| usage.to_owned()).collect();
    let now = Timestamp::now();
    let end = now + jiff::SignedDuration::from_hours(24 * days);
    let pem = signer.sign(
        &request("jane", "builders", "jane.example"),
        &usages,
        now,
        end,
    );
    let der = credential::certificate(&pem.unwrap()).unwrap();
    (pki, der)
}

#[test]
fn a_signed_certificate_is_believed_and_keeps_subject_and_names() {
    let (pki, der) = signed(&["digital signature", "client auth"], 30);
    let mut roots = RootCertStore::empty();
    roots.add(pki.ca().unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let verifier = verifier.build().unwrap();
    verifier
        .verify_client_cert(&der, &[], UnixTime::now())
        .unwrap();
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    assert_eq!(certificate.subject().to_string(), "O=builders, CN=jane");
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert_eq!(
        names.value.general_names,
        [GeneralName::DNSName("jane.example")]
    );
    assert!(!certificate.is_ca());
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.digital_signature() && !usage.key_cert_sign());
    let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.client_auth && !purposes.server_auth);
}

#[test]
fn a_certificate_for_a_server_is_none_for_a_client() {
    let (_, der) = signed(&["key encipherment", "server auth"], 30);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.key_encipherment() && !usage.digital_signature());
    let purposes = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(purposes.server_auth && !purposes.client_auth);
}

#[test]
fn no_certificate_outlives_its_authority() {
    let (pki, der) = signed(&["client auth"], 365 * 40);
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let ca = pki.ca().unwrap();
    let (_, ca) = X509Certificate::from_der(&ca).unwrap();
    assert_eq!(certificate.validity().not_after, ca.validity().not_after);
}

#[test]
fn a_request_that_another_key_signed_is_refused() {
    let pem = request("jane", "builders", "jane.example");
    let mut der = rustls::pki_types::CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
        .unwrap()
        .to_vec();
    assert!(SigningRequest::from_pem(pem.as_bytes()).is_ok());
    let place = der.windows(4).position(|four| four == b"jane").unwrap();
    der[place] = b'k';
    let forged = credential::pem("CERTIFICATE REQUEST", &der);
    assert_eq!(
        SigningRequest::from_pem(forged.as_bytes()).err().unwrap(),
        "the request's signature is not that of its key"
    );
    assert_eq!(
        SigningRequest::from_pem(b"text").err().unwrap(),
        "PEM block type must be CERTIFICATE REQUEST"
    );
}

#[test]
fn years_from_2050_on_have_four_digits() {
    assert_eq!(time(0), b"\x17\x0d700101000000Z");
    assert_eq!(time(2_524_608_000), b"\x18\x0f20500101000000Z");
}
