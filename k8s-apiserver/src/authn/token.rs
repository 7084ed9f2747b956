//! Bearer tokens: one header, several issuers.
//!
//! [`BearerToken`] takes the token out of the request and asks each [`TokenAuthenticator`] in turn;
//! `TokenReview` asks the same ones about a token in a body.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header, request::Parts};

use super::{Authenticator, BadCredential};
use crate::User;

/// Recognises the tokens of one issuer.
#[async_trait]
pub trait TokenAuthenticator: Send + Sync + 'static {
    /// Whom the token stands for, if it is of this issuer, is good, and is meant for one of the
    /// audiences; `None` if it is another issuer's.
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<Authenticated>, BadCredential>;
}

#[async_trait]
impl<T: TokenAuthenticator + ?Sized> TokenAuthenticator for Arc<T> {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<Authenticated>, BadCredential> {
        (**self).authenticate(token, audiences).await
    }
}

/// Whom a token stands for, and for which of the audiences asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The user, without the groups that everybody is in.
    pub user: User,
    /// Those audiences of the token that were asked about.
    pub audiences: Vec<String>,
}

/// Reads `Authorization: Bearer`, and its form for browsers' WebSockets, which can't set headers.
#[derive(Clone, Default)]
pub struct BearerToken {
    chain: Vec<Arc<dyn TokenAuthenticator>>,
    audiences: Vec<String>,
}

impl BearerToken {
    /// No issuers yet; requests must carry tokens for one of these audiences, the server's own.
    pub fn new(audiences: Vec<String>) -> Self {
        BearerToken {
            chain: Vec::new(),
            audiences,
        }
    }

    /// Asks one more issuer, after those that are there.
    pub fn with(mut self, issuer: impl TokenAuthenticator) -> Self {
        self.chain.push(Arc::new(issuer));
        self
    }

    /// The audiences that stand for this server.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// Whom a token stands for; else all that was found wrong with it, possibly nothing.
    pub async fn identify(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Authenticated, Vec<BadCredential>> {
        let mut refusals = Vec::new();
        for issuer in &self.chain {
            match issuer.authenticate(token, audiences).await {
                Ok(Some(authenticated)) => return Ok(authenticated),
                Ok(None) => {}
                Err(refusal) => refusals.push(refusal),
            }
        }
        Err(refusals)
    }
}

#[async_trait]
impl Authenticator for BearerToken {
    async fn authenticate(&self, request: &Parts) -> Result<Option<User>, BadCredential> {
        let Some(token) = token_of(&request.headers) else {
            return Ok(None);
        };
        match self.identify(&token, &self.audiences).await {
            Ok(authenticated) => Ok(Some(authenticated.user)),
            Err(mut refusals) => Err(refusals
                .pop()
                .unwrap_or_else(|| BadCredential("unknown bearer token".to_owned()))),
        }
    }
}

/// What a WebSocket offers as a protocol instead of the header.
const PROTOCOL: &str = "base64url.bearer.authorization.k8s.io.";

/// The token that a request carries.
fn token_of(headers: &HeaderMap) -> Option<String> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
        let token = token.trim();
        return (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
            .then(|| token.to_owned());
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut protocols = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let encoded = protocols.find_map(|protocol| protocol.trim().strip_prefix(PROTOCOL))?;
    String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &'static str, value: &str, want: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        assert_eq!(token_of(&headers).as_deref(), want, "{name}: {value}");
    }

    #[test]
    fn a_token_is_found_in_either_header() {
        check("authorization", "Bearer abc", Some("abc"));
        check("authorization", "bearer  abc ", Some("abc"));
        check("authorization", "Basic abc", None);
        check("authorization", "Bearer", None);
        let protocols = "v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.YWJj";
        check("sec-websocket-protocol", protocols, Some("abc"));
        check("sec-websocket-protocol", "v5.channel.k8s.io", None);
    }
}
