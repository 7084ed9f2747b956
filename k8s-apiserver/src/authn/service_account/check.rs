//! Believes tokens of this cluster's issuer, while all that they name exists.

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    CoreObjects, TokenIssuer, bound,
    claims::Claims,
    legacy::{self, LegacyClaims},
};
use crate::{
    User,
    authn::{
        BadCredential, CREDENTIAL_ID,
        token::{Authenticated, TokenAuthenticator},
    },
};

/// Checks signature, audience, time, and what the token is bound to, at every use: a token dies with
/// the pod, not with a cache.
#[derive(Clone)]
pub struct Checker {
    issuer: Arc<TokenIssuer>,
    objects: Arc<dyn CoreObjects>,
}

impl Checker {
    /// Believes what this issuer signed, about these objects.
    pub fn new(issuer: Arc<TokenIssuer>, objects: Arc<dyn CoreObjects>) -> Self {
        Checker { issuer, objects }
    }

    fn check(&self, claims: Claims, wanted: &[String]) -> Result<Authenticated, String> {
        let audiences = common(&claims.aud, wanted)?;
        let now = self.issuer.now();
        if now.as_second() >= claims.exp {
            return Err("service account token has expired".to_owned());
        }
        if now.as_second() < claims.nbf {
            return Err("service account token is not valid yet".to_owned());
        }
        let private = &claims.kubernetes;
        let account = &private.serviceaccount;
        if claims.sub != legacy::subject(&private.namespace, &account.name) {
            return Err("sub claim is invalid".to_owned());
        }
        bound::check(&*self.objects, private, now)?;
        if private
            .warnafter
            .is_some_and(|after| now.as_second() > after)
        {
            tracing::debug!(
                subject = claims.sub,
                "a service account token is used that should have been read anew"
            );
        }
        let mut user = account_user(&private.namespace, &account.name, &account.uid);
        let mut extra = |key: &str, value: &str| {
            if !value.is_empty() {
                user.extra.insert(key.to_owned(), vec![value.to_owned()]);
            }
        };
        if let Some(pod) = &private.pod {
            extra("authentication.kubernetes.io/pod-name", &pod.name);
            extra("authentication.kubernetes.io/pod-uid", &pod.uid);
        }
        if let Some(node) = &private.node {
            extra("authentication.kubernetes.io/node-name", &node.name);
            extra("authentication.kubernetes.io/node-uid", &node.uid);
        }
        if !claims.jti.is_empty() {
            extra(CREDENTIAL_ID, &format!("JTI={}", claims.jti));
        }
        Ok(Authenticated { user, audiences })
    }

    /// A token without an audience is meant for this server.
    fn check_legacy(
        &self,
        claims: &LegacyClaims,
        token: &str,
        wanted: &[String],
    ) -> Result<Authenticated, String> {
        let audiences = common(&self.issuer.audiences(), wanted)?;
        claims.check(&*self.objects, token, self.issuer.now())?;
        Ok(Authenticated {
            user: account_user(&claims.namespace, &claims.account, &claims.uid),
            audiences,
        })
    }
}

#[async_trait]
impl TokenAuthenticator for Checker {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<Authenticated>, BadCredential> {
        let claims = match self.issuer.verified(token) {
            None => return Ok(None),
            Some(Err(error)) => return Err(BadCredential(error.to_owned())),
            Some(Ok(claims)) => claims,
        };
        let is_legacy = claims.get("iss").and_then(Value::as_str) == Some(legacy::ISSUER);
        let checked = match is_legacy {
            true => typed(claims).and_then(|claims| self.check_legacy(&claims, token, audiences)),
            false => typed(claims).and_then(|claims| self.check(claims, audiences)),
        };
        checked.map(Some).map_err(BadCredential)
    }
}

fn typed<T: DeserializeOwned>(claims: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(claims))
        .map_err(|error| format!("the token's claims cannot be read: {error}"))
}

/// The audiences of a token that were asked about; none is a refusal.
fn common(held: &[String], wanted: &[String]) -> Result<Vec<String>, String> {
    let common: Vec<_> = held
        .iter()
        .filter(|each| wanted.contains(each))
        .cloned()
        .collect();
    match common.is_empty() {
        false => Ok(common),
        true => Err(format!(
            "token audiences {held:?} is invalid for the target audiences {wanted:?}"
        )),
    }
}

fn account_user(namespace: &str, name: &str, uid: &str) -> User {
    User {
        uid: uid.to_owned(),
        ..User::service_account(namespace, name)
    }
}
