//! JSON Web Tokens in their compact form (RFC 7519), signed with `ES256` and nothing else.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};

use crate::pki::TokenKey;

const ALGORITHM: &str = "ES256";

/// A token taken apart; nothing of it is to be believed before [`Token::is_signed_by`].
pub(super) struct Token<'a> {
    header: Value,
    pub(super) claims: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// `None` if the text is no token of this form at all.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        Some(Token {
            header: tree(header)?,
            claims: tree(claims)?,
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// Who says to have signed it.
    pub(super) fn issuer(&self) -> &str {
        self.claims["iss"].as_str().unwrap_or_default()
    }

    /// Whether the key made it. What the header says about algorithms chooses nothing.
    pub(super) fn is_signed_by(&self, key: &TokenKey) -> bool {
        self.header["alg"] == ALGORITHM && key.verify(self.signed.as_bytes(), &self.signature)
    }
}

/// A signed token; fails only if the system has no randomness.
pub(super) fn sign(key: &TokenKey, claims: &impl Serialize) -> Result<String, String> {
    let header = json!({ "alg": ALGORITHM, "kid": key.id() }).to_string();
    let claims = serde_json::to_vec(claims).map_err(|error| error.to_string())?;
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let signed = format!("{}.{}", encode(header.as_bytes()), encode(&claims));
    let signature = key.sign(signed.as_bytes());
    let signature = signature.map_err(|error| error.to_string())?;
    Ok(format!("{signed}.{}", encode(&signature)))
}

fn tree(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_without_a_signature_is_nobodys() {
        let key = TokenKey::generate().unwrap();
        let token = sign(&key, &json!({ "iss": "me" })).unwrap();
        assert!(Token::parse(&token).unwrap().is_signed_by(&key));
        let (signed, _) = token.rsplit_once('.').unwrap();
        let bare = format!("{signed}.");
        assert!(!Token::parse(&bare).unwrap().is_signed_by(&key));
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
        let claims = signed.split_once('.').unwrap().1;
        let unsigned = format!("{none}.{claims}.");
        assert!(!Token::parse(&unsigned).unwrap().is_signed_by(&key));
        for junk in ["", "a", "a.b", "a.b.c", "..", "\u{e9}.\u{e9}.\u{e9}"] {
            assert!(Token::parse(junk).is_none(), "{junk}");
        }
    }
}
