//! Certificates for requests of others: subject, key and names as they were asked for, byte for byte;
//! time and use as the signer decides.
//!
//! Encoded here, since a subject may have several organizations, each a group of the client.

use jiff::{Timestamp, tz::TimeZone};
use rcgen::SigningKey;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};
use yasna::{DERWriter, DERWriterSeq, Tag, models::ObjectIdentifier};

use super::{PkiError, authority::Authority, credential, signing_request::SigningRequest};

/// Bits of the key usage extension (RFC 5280, 4.2.1.3), from the first.
const KEY_USAGES: [&str; 9] = [
    "digital signature",
    "content commitment",
    "key encipherment",
    "data encipherment",
    "key agreement",
    "cert sign",
    "crl sign",
    "encipher only",
    "decipher only",
];

/// Purposes of the extended key usage extension, below 1.3.6.1.5.5.7.3.
const PURPOSES: [(&str, u64); 10] = [
    ("server auth", 1),
    ("client auth", 2),
    ("code signing", 3),
    ("email protection", 4),
    ("s/mime", 4),
    ("ipsec end system", 5),
    ("ipsec tunnel", 6),
    ("ipsec user", 7),
    ("timestamping", 8),
    ("ocsp signing", 9),
];

/// The purposes with other numbers.
const OTHER_PURPOSES: [(&str, &[u64]); 3] = [
    ("any", &[2, 5, 29, 37, 0]),
    ("netscape sgc", &[2, 16, 840, 1, 113_730, 4, 1]),
    ("microsoft sgc", &[1, 3, 6, 1, 4, 1, 311, 10, 3, 3]),
];

impl Authority {
    /// The certificate, as PEM. It ends with the authority at the latest.
    pub(super) fn sign(
        &self,
        request: &SigningRequest,
        usages: &[String],
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<String, PkiError> {
        let own: CertificateDer<'_> = credential::certificate(self.certificate_pem())?;
        let (_, authority) =
            X509Certificate::from_der(&own).map_err(|error| PkiError::Pem(error.to_string()))?;
        let end = authority.validity().not_after.timestamp();
        let not_after = not_after.as_second().min(end);
        let algorithm = |writer: DERWriter<'_>| {
            let algorithm = &authority.signature_algorithm;
            writer.write_sequence(|writer| {
                let number: Vec<u64> = algorithm.algorithm.iter().into_iter().flatten().collect();
                writer
                    .next()
                    .write_oid(&ObjectIdentifier::from_slice(&number));
                if algorithm.parameters.is_some() {
                    writer.next().write_null();
                }
            });
        };
        let mut serial: [u8; 16] = rand::random();
        serial[0] &= 0x7f;
        let body = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                let version = Tag::context(0);
                writer
                    .next()
                    .write_tagged(version, |writer| writer.write_u8(2));
                writer.next().write_bigint_bytes(&serial, true);
                algorithm(writer.next());
                writer.next().write_der(authority.subject().as_raw());
                writer.next().write_sequence(|writer| {
                    writer.next().write_der(&time(not_before.as_second()));
                    writer.next().write_der(&time(not_after));
                });
                writer.next().write_der(&request.subject);
                writer.next().write_der(&request.public_key);
                writer.next().write_tagged(Tag::context(3), |writer| {
                    writer.write_sequence(|writer| {
                        extensions(writer, request, usages, self.key_identifier());
                    });
                });
            });
        });
        let signature = self.key().sign(&body)?;
        let certificate = yasna::construct_der(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_der(&body);
                algorithm(writer.next());
                writer
                    .next()
                    .write_bitvec_bytes(&signature, signature.len() * 8);
            });
        });
        Ok(credential::pem("CERTIFICATE", &certificate))
    }
}

fn extensions(
    writer: &mut DERWriterSeq<'_>,
    request: &SigningRequest,
    usages: &[String],
    authority: Option<Vec<u8>>,
) {
    let has = |usage: &str| usages.iter().any(|each| each == usage);
    let mut bits = [0u8; 2];
    for (index, usage) in KEY_USAGES.iter().enumerate() {
        if has(usage) || (index == 0 && has("signing")) {
            bits[index / 8] |= 0x80 >> (index % 8);
        }
    }
    if bits != [0, 0] {
        let length = 16 - u16::from_be_bytes(bits).trailing_zeros() as usize;
        extension(writer, 15, true, |writer| {
            writer.write_bitvec_bytes(&bits[..length.div_ceil(8)], length);
        });
    }
    let mut purposes: Vec<Vec<u64>> = Vec::new();
    for (usage, number) in PURPOSES {
        let purpose = vec![1, 3, 6, 1, 5, 5, 7, 3, number];
        if has(usage) && !purposes.contains(&purpose) {
            purposes.push(purpose);
        }
    }
    let others = OTHER_PURPOSES.iter().filter(|(usage, _)| has(usage));
    purposes.extend(others.map(|(_, number)| number.to_vec()));
    if !purposes.is_empty() {
        extension(writer, 37, false, |writer| {
            writer.write_sequence(|writer| {
                for purpose in &purposes {
                    writer
                        .next()
                        .write_oid(&ObjectIdentifier::from_slice(purpose));
                }
            });
        });
    }
    // Basic constraints: an empty sequence is "no authority".
    extension(writer, 19, true, |writer| writer.write_sequence(|_| {}));
    if let Some(identifier) = authority {
        extension(writer, 35, false, |writer| {
            writer.write_sequence(|writer| {
                writer
                    .next()
                    .write_tagged_implicit(Tag::context(0), |writer| {
                        writer.write_bytes(&identifier);
                    });
            });
        });
    }
    if let Some((names, is_critical)) = &request.alternative_names {
        extension(writer, 17, *is_critical, |writer| writer.write_der(names));
    }
}

/// One extension of 2.5.29.
fn extension(
    writer: &mut DERWriterSeq<'_>,
    number: u64,
    is_critical: bool,
    value: impl FnOnce(DERWriter<'_>),
) {
    writer.next().write_sequence(|writer| {
        let name = ObjectIdentifier::from_slice(&[2, 5, 29, number]);
        writer.next().write_oid(&name);
        if is_critical {
            writer.next().write_bool(true);
        }
        writer.next().write_bytes(&yasna::construct_der(value));
    });
}

/// A time as RFC 5280 wants it: two digits of the year until 2049, four after.
fn time(second: i64) -> Vec<u8> {
    let time = Timestamp::from_second(second).unwrap_or(Timestamp::MAX);
    let time = time.to_zoned(TimeZone::UTC);
    let (tag, text) = match time.year() {
        ..2050 => (0x17, time.strftime("%y%m%d%H%M%SZ").to_string()),
        _ => (0x18, time.strftime("%Y%m%d%H%M%SZ").to_string()),
    };
    let mut der = vec![tag, text.len() as u8];
    der.extend(text.into_bytes());
    der
}

#[cfg(test)]
mod tests;
