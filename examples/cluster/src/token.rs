//! Bootstrap tokens: what a machine shows when it joins, `abcdef.0123456789abcdef`.

use std::{fmt, str::FromStr};

/// A token's public half, and the one that is kept secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |part: &str| {
            part.bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
        };
        match text.split_once('.') {
            Some((id, secret))
                if id.len() == 6 && secret.len() == 16 && is_plain(id) && is_plain(secret) =>
            {
                Ok(Token {
                    id: id.to_owned(),
                    secret: secret.to_owned(),
                })
            }
            _ => Err("a token is six lower-case letters or digits, a dot, and sixteen more".into()),
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.secret)
    }
}

/// The secret stays out of logs.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
