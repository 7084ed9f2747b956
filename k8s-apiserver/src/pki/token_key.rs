//! The key that signs service-account tokens: ECDSA P-256, so tokens are `ES256`, which every client
//! library verifies.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::PublicKeyData;
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::PkiError;

/// A private key and what verifiers need of it.
pub struct TokenKey {
    pair: EcdsaKeyPair,
    pem: String,
    public_pem: String,
    /// The curve's point, uncompressed: `04`, x, y.
    point: Vec<u8>,
    id: String,
}

impl TokenKey {
    /// A new key, unknown to everyone.
    pub fn generate() -> Result<Self, PkiError> {
        TokenKey::from_pair(&rcgen::KeyPair::generate()?)
    }

    /// A key of P-256 as PKCS#8 in PEM.
    pub fn from_pem(pem: &str) -> Result<Self, PkiError> {
        TokenKey::from_pair(&rcgen::KeyPair::from_pem(pem)?)
    }

    fn from_pair(key: &rcgen::KeyPair) -> Result<Self, PkiError> {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &key.serialize_der(), &SystemRandom::new())
            .map_err(|error| PkiError::Pem(format!("no key that signs tokens: {error}")))?;
        Ok(TokenKey {
            pair,
            pem: key.serialize_pem(),
            public_pem: key.public_key_pem(),
            point: key.public_key_raw().to_vec(),
            id: URL_SAFE_NO_PAD.encode(Sha256::digest(key.subject_public_key_info())),
        })
    }

    /// The private key, as PEM: never to be logged, nor written without mode 0600.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// The public key, as PEM.
    pub(super) fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// The `kid` of tokens: the public key's hash, as Kubernetes names keys.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The signature as tokens carry it: r and s, 32 bytes each.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ring::error::Unspecified> {
        let signature = self.pair.sign(&SystemRandom::new(), message)?;
        Ok(signature.as_ref().to_vec())
    }

    /// Whether this key made the signature.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.point)
            .verify(message, signature)
            .is_ok()
    }

    /// The public key as a JSON Web Key (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let part = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&self.point[range]);
        json!({
            "use": "sig",
            "kty": "EC",
            "kid": self.id,
            "crv": "P-256",
            "alg": "ES256",
            "x": part(1..33),
            "y": part(33..65),
        })
    }
}

/// Keys stay out of logs.
impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_read_again_verifies_what_it_signed_and_nothing_else() {
        let key = TokenKey::generate().unwrap();
        let again = TokenKey::from_pem(key.pem()).unwrap();
        let signature = key.sign(b"text").unwrap();
        assert_eq!(key.id(), again.id());
        assert!(again.verify(b"text", &signature));
        assert!(!again.verify(b"other text", &signature));
        assert!(!TokenKey::generate().unwrap().verify(b"text", &signature));
    }

    #[test]
    fn the_published_key_is_the_public_half() {
        let key = TokenKey::generate().unwrap();
        let jwk = key.jwk();
        assert_eq!(jwk["kid"], key.id());
        for part in ["x", "y"] {
            let bytes = URL_SAFE_NO_PAD.decode(jwk[part].as_str().unwrap()).unwrap();
            assert_eq!(bytes.len(), 32, "{part}");
        }
        assert_eq!(jwk.get("d"), None);
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}
