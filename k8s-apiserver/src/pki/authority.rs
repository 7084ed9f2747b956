//! A certificate authority: a self-signed certificate whose key signs others.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use x509_parser::{
    extensions::ParsedExtension,
    prelude::{FromDer, X509Certificate},
};

use super::{
    PkiError,
    credential::{self, Credential, Profile, Usage},
};

/// How long an authority lives, in days: ten years, as kubeadm's.
const AUTHORITY_DAYS: i64 = 3650;
/// How long what it signs lives, in days.
const LEAF_DAYS: i64 = 365;

#[derive(Debug)]
pub(super) struct Authority {
    credential: Credential,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority, unknown to everyone.
    pub(super) fn create(name: &str) -> Result<Self, PkiError> {
        let key = KeyPair::generate()?;
        let mut params = params(name, None, AUTHORITY_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
        ];
        let certificate = params.self_signed(&key)?.pem();
        let credential = Credential {
            certificate,
            key: key.serialize_pem(),
        };
        Ok(Authority {
            credential,
            issuer: Issuer::new(params, key),
        })
    }

    /// An authority from its certificate and key.
    pub(super) fn from_credential(credential: Credential) -> Result<Self, PkiError> {
        let key = KeyPair::from_pem(&credential.key)?;
        let issuer = Issuer::from_ca_cert_pem(&credential.certificate, key)?;
        Ok(Authority { credential, issuer })
    }

    /// A certificate with a key of its own.
    pub(super) fn issue(&self, profile: &Profile) -> Result<Credential, PkiError> {
        let key = KeyPair::generate()?;
        let mut params = params(
            &profile.common_name,
            profile.organization.as_deref(),
            LEAF_DAYS,
        );
        params.subject_alt_names = CertificateParams::new(profile.names.clone())?.subject_alt_names;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match profile.usage {
            Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
            Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Credential {
            certificate,
            key: key.serialize_pem(),
        })
    }

    /// The key that signs.
    pub(super) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.credential
    }

    pub(super) fn certificate_pem(&self) -> &str {
        &self.credential.certificate
    }

    /// What certificates that this authority signed call it.
    pub(super) fn key_identifier(&self) -> Option<Vec<u8>> {
        let der = credential::certificate(self.certificate_pem()).ok()?;
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        certificate
            .extensions()
            .iter()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                _ => None,
            })
    }
}

/// Valid from yesterday, since clocks differ.
fn params(name: &str, organization: Option<&str>, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if let Some(organization) = organization {
        params
            .distinguished_name
            .push(DnType::OrganizationName, organization);
    }
    params.distinguished_name.push(DnType::CommonName, name);
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let midnight =
        |date: Date| rcgen::date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8);
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(days.days()));
    params
}
