//! A key and its certificate in one PEM file, which changes as a whole or not at all.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::Arc,
};

use jiff::Timestamp;
use rustls::{
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::CertificateError;

/// What is in the file, ready for handshakes.
pub(super) struct Bundle {
    pem: String,
    pub(super) key: Arc<CertifiedKey>,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Bundle {
    /// Reads certificate and key, in any order.
    pub(super) fn parse(pem: String) -> Result<Self, CertificateError> {
        let malformed = |what: &str, error: &dyn std::fmt::Display| {
            CertificateError::Malformed(format!("{what}: {error}"))
        };
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| malformed("certificate", &error))?;
        let leaf = chain
            .first()
            .ok_or_else(|| CertificateError::Malformed("there is no certificate".into()))?;
        let (_, leaf) = x509_parser::parse_x509_certificate(leaf)
            .map_err(|error| malformed("certificate", &error))?;
        let second = |time: x509_parser::time::ASN1Time| {
            Timestamp::from_second(time.timestamp()).map_err(|error| malformed("validity", &error))
        };
        let validity = leaf.validity();
        let (not_before, not_after) = (second(validity.not_before)?, second(validity.not_after)?);
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| malformed("key", &error))?;
        // Fails if the certificate is another key's.
        let key = CertifiedKey::from_der(chain, key, &ring::default_provider())
            .map_err(|error| malformed("key", &error))?;
        Ok(Bundle {
            pem,
            key: Arc::new(key),
            not_before,
            not_after,
        })
    }

    pub(super) fn read(path: &Path) -> Result<Self, CertificateError> {
        let pem = fs::read_to_string(path).map_err(|source| file(path, source))?;
        Self::parse(pem)
    }

    /// For its owner's eyes only.
    pub(super) fn write(&self, path: &Path) -> Result<(), CertificateError> {
        let unfinished = path.with_extension("tmp");
        let write = || -> io::Result<()> {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            let _ = fs::remove_file(&unfinished);
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(self.pem.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, path)
        };
        write().map_err(|source| file(path, source))
    }
}

fn file(path: &Path, source: io::Error) -> CertificateError {
    CertificateError::File {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};

    fn pem(key: &KeyPair, other: &KeyPair) -> String {
        let certificate = CertificateParams::new(["n1".to_owned()])
            .unwrap()
            .self_signed(key)
            .unwrap();
        format!("{}{}", certificate.pem(), other.serialize_pem())
    }

    #[test]
    fn what_is_written_is_read_again_and_by_nobody_else() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pki/client.pem");
        let key = KeyPair::generate().unwrap();
        let bundle = Bundle::parse(pem(&key, &key)).unwrap();
        bundle.write(&path).unwrap();
        assert_eq!(Bundle::read(&path).unwrap().pem, bundle.pem);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn another_keys_certificate_is_refused() {
        let [one, two] = [KeyPair::generate().unwrap(), KeyPair::generate().unwrap()];
        assert!(Bundle::parse(pem(&one, &two)).is_err());
        assert!(Bundle::parse(String::new()).is_err());
    }
}
