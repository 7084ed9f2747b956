//! Signs tokens for service accounts.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    INJECTED_EXPIRATION,
    claims::{Bound, Claims, Private, Reference},
    jwt,
    legacy::{self, LegacyClaims},
};
use crate::{
    pki::TokenKey,
    registry::{Environment, new_uid},
};

/// How long a token lives that was asked for with [`INJECTED_EXPIRATION`], in seconds: a year.
const EXTENDED_EXPIRATION: i64 = 365 * 24 * 3600;

/// Issues tokens in a cluster's name. Its URL is where clients find how to verify them.
#[derive(Clone)]
pub struct TokenIssuer {
    pub(super) key: Arc<TokenKey>,
    pub(super) url: String,
    pub(super) environment: Arc<dyn Environment>,
}

/// A token to be issued.
#[derive(Debug, Clone)]
pub struct Grant<'a> {
    /// The account's namespace.
    pub namespace: &'a str,
    /// The account.
    pub account: Reference,
    /// What the token is bound to.
    pub bound: Bound,
    /// Who shall believe it.
    pub audiences: &'a [String],
    /// How long it lives, in seconds.
    pub expiration: i64,
}

impl TokenIssuer {
    /// An issuer with a key, under a URL.
    pub fn new(
        key: Arc<TokenKey>,
        url: impl Into<String>,
        environment: Arc<dyn Environment>,
    ) -> Self {
        TokenIssuer {
            key,
            url: url.into(),
            environment,
        }
    }

    /// The issuer's URL: `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The audience that stands for the API server itself.
    pub fn audiences(&self) -> Vec<String> {
        vec![self.url.clone()]
    }

    /// The time by which tokens are issued and checked.
    pub(crate) fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// A signed token.
    pub fn issue(&self, grant: &Grant<'_>) -> Result<String, String> {
        let now = self.now().as_second();
        let is_extended = matches!(grant.bound, Bound::Pod(..))
            && grant.expiration == INJECTED_EXPIRATION
            && grant.audiences.contains(&self.url);
        let (lifetime, warnafter) = match is_extended {
            true => (EXTENDED_EXPIRATION, Some(now + grant.expiration)),
            false => (grant.expiration, None),
        };
        let (mut pod, mut node, mut secret) = (None, None, None);
        match grant.bound.clone() {
            Bound::Nothing => {}
            Bound::Pod(reference, runs_on) => (pod, node) = (Some(reference), runs_on),
            Bound::Secret(reference) => secret = Some(reference),
            Bound::Node(reference) => node = Some(reference),
        }
        let claims = Claims {
            aud: grant.audiences.to_vec(),
            exp: now + lifetime,
            iat: now,
            iss: self.url.clone(),
            jti: new_uid(&*self.environment),
            kubernetes: Private {
                namespace: grant.namespace.to_owned(),
                node,
                pod,
                secret,
                serviceaccount: grant.account.clone(),
                warnafter,
            },
            nbf: now,
            sub: legacy::subject(grant.namespace, &grant.account.name),
        };
        jwt::sign(&self.key, &claims)
    }

    /// The token of a `kubernetes.io/service-account-token` secret, which lives as long as that.
    pub fn issue_legacy(
        &self,
        namespace: &str,
        account: &Reference,
        secret: &str,
    ) -> Result<String, String> {
        jwt::sign(&self.key, &LegacyClaims::new(namespace, account, secret))
    }

    /// The claims of a token that this issuer's key signed under one of its names; `None` if it is
    /// another issuer's.
    pub(super) fn verified(&self, token: &str) -> Option<Result<Map<String, Value>, &'static str>> {
        let token = jwt::Token::parse(token)?;
        if token.issuer() != self.url && token.issuer() != legacy::ISSUER {
            return None;
        }
        if !token.is_signed_by(&self.key) {
            return Some(Err("the token's signature is not ours"));
        }
        match token.claims {
            Value::Object(claims) => Some(Ok(claims)),
            _ => None,
        }
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("url", &self.url)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}
