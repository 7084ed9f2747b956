//! Documents that were made: each once for the kinds it describes, kept compressed, named by the hash of its bytes.
//!
//! Clients keep documents for ever under their hash, so it has to change with every byte: with the kinds, and with what
//! another build of the server says of them.

use std::{
    collections::HashMap,
    io::{Read, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest, Sha256};

use crate::{ApiError, registry::KindRow};

/// Keeps the newest document of each path.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    documents: Mutex<HashMap<String, Kept>>,
}

/// A document and what it was made of.
#[derive(Debug, Clone)]
struct Kept {
    source: String,
    document: Document,
}

/// A document as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// Of the bytes before compression, in hexadecimal digits.
    pub(super) hash: String,
    gzipped: Bytes,
}

impl Shelf {
    /// The document of these kinds under `path`, made if it isn't there or was made of others.
    pub(super) fn document(
        &self,
        path: &str,
        rows: &[KindRow],
        make: impl FnOnce() -> Result<Vec<u8>, ApiError>,
    ) -> Result<Document, ApiError> {
        let source = hash_of(format!("{rows:?}").as_bytes());
        if let Some(kept) = self.lock().get(path).filter(|kept| kept.source == source) {
            return Ok(kept.document.clone());
        }
        // Two clients may make the same document at once; both come out the same.
        let document = Document::new(&make()?).map_err(ApiError::internal)?;
        let kept = Kept {
            source,
            document: document.clone(),
        };
        self.lock().insert(path.to_owned(), kept);
        Ok(document)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Document {
    fn new(bytes: &[u8]) -> std::io::Result<Self> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes)?;
        Ok(Document {
            hash: hash_of(bytes),
            gzipped: encoder.finish()?.into(),
        })
    }

    /// As it is kept.
    pub(super) fn gzipped(&self) -> Bytes {
        self.gzipped.clone()
    }

    /// As it was made.
    pub(super) fn plain(&self) -> std::io::Result<Bytes> {
        let mut plain = Vec::with_capacity(self.gzipped.len() * 8);
        GzDecoder::new(&*self.gzipped).read_to_end(&mut plain)?;
        Ok(plain.into())
    }
}

fn hash_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_follows_the_bytes_and_not_only_the_kinds() {
        let hash = |bytes: &'static [u8]| {
            let shelf = Shelf::default();
            let document = shelf.document("api/v1", &[], || Ok(bytes.to_vec()));
            document.unwrap().hash
        };
        assert_eq!(hash(b"{}"), hash(b"{}"));
        assert_ne!(hash(b"{}"), hash(b"{ }"));
    }

    #[test]
    fn a_document_is_made_once_and_comes_back_as_it_was() {
        let shelf = Shelf::default();
        let document = shelf.document("api/v1", &[], || Ok(b"{}".to_vec()));
        assert_eq!(document.unwrap().plain().unwrap(), "{}");
        let again = shelf.document("api/v1", &[], || unreachable!("it is kept"));
        assert_eq!(again.unwrap().plain().unwrap(), "{}");
    }
}
