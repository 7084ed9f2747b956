//! Certificates and keys as files: `NAME.crt` and `NAME.key`, the latter with mode 0600.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{PkiError, TokenKey, authority::Authority, credential::Credential};

pub(super) struct Directory(PathBuf);

/// What is kept as a certificate and a key.
pub(super) trait Kept {
    fn as_credential(&self) -> &Credential;
}

impl Kept for Credential {
    fn as_credential(&self) -> &Credential {
        self
    }
}

impl Kept for Authority {
    fn as_credential(&self) -> &Credential {
        self.credential()
    }
}

impl Directory {
    /// Opens the directory, making it for its owner alone.
    pub(super) fn open(path: &Path) -> Result<Self, PkiError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| PkiError::Io {
            action: "create",
            path: path.to_owned(),
            source,
        })?;
        Ok(Directory(path.to_owned()))
    }

    /// A pair, unless half of it is missing.
    pub(super) fn load(&self, name: &str) -> Result<Option<Credential>, PkiError> {
        let certificate = self.read(&self.certificate(name))?;
        let key = self.read(&self.key(name))?;
        Ok(certificate
            .zip(key)
            .map(|(certificate, key)| Credential { certificate, key }))
    }

    /// An authority. A key without a certificate is one whose making was cut short, and has signed
    /// nothing.
    pub(super) fn load_authority(&self, name: &str) -> Result<Option<Authority>, PkiError> {
        let certificate = self.certificate(name);
        match self.load(name)? {
            Some(credential) => Authority::from_credential(credential).map(Some),
            None if certificate.exists() => Err(PkiError::KeyMissing { certificate }),
            None => Ok(None),
        }
    }

    /// Writes a pair, the key first, and hands it back.
    pub(super) fn keep<T: Kept>(&self, name: &str, kept: T) -> Result<T, PkiError> {
        let Credential { certificate, key } = kept.as_credential();
        self.write(&self.key(name), key, 0o600)?;
        self.write(&self.certificate(name), certificate, 0o644)?;
        Ok(kept)
    }

    pub(super) fn load_token_key(&self, name: &str) -> Result<Option<TokenKey>, PkiError> {
        let pem = self.read(&self.key(name))?;
        pem.map(|pem| TokenKey::from_pem(&pem)).transpose()
    }

    /// Writes `NAME.key` and `NAME.pub`, and hands the key back.
    pub(super) fn keep_token_key(&self, name: &str, key: TokenKey) -> Result<TokenKey, PkiError> {
        let public = self.0.join(format!("{name}.pub"));
        self.write(&self.key(name), key.pem(), 0o600)?;
        self.write(&public, key.public_pem(), 0o644)?;
        Ok(key)
    }

    fn certificate(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.crt"))
    }

    fn key(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.key"))
    }

    fn read(&self, path: &Path) -> Result<Option<String>, PkiError> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(PkiError::Io {
                action: "read",
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// In place by rename, so that a reader finds the old file or the new one, whole.
    fn write(&self, path: &Path, text: &str, mode: u32) -> Result<(), PkiError> {
        let new = path.with_extension("new");
        let written = || {
            // What a crash left behind may have another mode.
            fs::remove_file(&new).or_else(|error| match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path)
        };
        written().map_err(|source| PkiError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })
    }
}
