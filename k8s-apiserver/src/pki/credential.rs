//! A certificate with its key, and what was asked for when it was issued.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::{FromDer, X509Certificate},
};

use super::{PkiError, authority::Authority};
use crate::tls::Identity;

/// A certificate is replaced when it has less than this to live.
const RENEW_BEFORE_DAYS: i64 = 30;

/// A certificate and its private key, both as PEM.
#[derive(Clone)]
pub struct Credential {
    /// The certificate.
    pub certificate: String,
    /// The private key: never to be logged, nor written without mode 0600.
    pub key: String,
}

/// Keys stay out of logs.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    Client,
    Server,
}

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) common_name: String,
    pub(super) organization: Option<String>,
    pub(super) usage: Usage,
    /// DNS names and addresses, as text.
    pub(super) names: Vec<String>,
}

impl Profile {
    pub(super) fn client(name: &str, group: Option<&str>) -> Self {
        Profile {
            common_name: name.to_owned(),
            organization: group.map(str::to_owned),
            usage: Usage::Client,
            names: Vec::new(),
        }
    }

    pub(super) fn server(name: &str, names: Vec<String>) -> Self {
        Profile {
            common_name: name.to_owned(),
            organization: None,
            usage: Usage::Server,
            names,
        }
    }
}

impl Credential {
    /// For a TLS configuration.
    pub fn identity(&self) -> Result<Identity, PkiError> {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(bad_pem)?;
        Ok(Identity {
            chain: vec![certificate(&self.certificate)?],
            key,
        })
    }

    /// Whether this may go on being used: same subject and names, same authority, key at hand, not
    /// about to expire.
    pub(super) fn still_serves(&self, profile: &Profile, authority: &Authority) -> bool {
        self.reads_as(profile, authority).unwrap_or(false)
    }

    fn reads_as(&self, profile: &Profile, authority: &Authority) -> Option<bool> {
        let der = certificate(&self.certificate).ok()?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let key = rcgen::KeyPair::from_pem(&self.key).ok()?;
        let subject = certificate.subject();
        let name = subject.iter_common_name().next()?.as_str().ok()?;
        let organization = subject
            .iter_organization()
            .next()
            .and_then(|group| group.as_str().ok());
        let mut wanted = profile.names.clone();
        let mut named = names(&certificate);
        wanted.sort();
        named.sort();
        Some(
            name == profile.common_name
                && organization == profile.organization.as_deref()
                && named == wanted
                && certificate.public_key().subject_public_key.data == key.public_key_raw()
                && issuer_key(&certificate) == authority.key_identifier().as_deref()
                && !expires_soon(&certificate),
        )
    }
}

/// The first certificate of a PEM text.
pub(super) fn certificate(pem: &str) -> Result<CertificateDer<'static>, PkiError> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(bad_pem)
}

/// A block of PEM.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem + &format!("-----END {label}-----\n")
}

fn bad_pem(error: rustls::pki_types::pem::Error) -> PkiError {
    PkiError::Pem(error.to_string())
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn issuer_key<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(issuer) => {
                issuer.key_identifier.as_ref().map(|id| id.0)
            }
            _ => None,
        })
}

fn expires_soon(certificate: &X509Certificate<'_>) -> bool {
    let soon = Timestamp::now().as_second() + RENEW_BEFORE_DAYS * 24 * 3600;
    certificate.validity().not_after.timestamp() < soon
}
