//! Tokens that live in a secret: no audience, no expiry, and dead once the secret holds another.

use serde::{Deserialize, Serialize};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;

use super::{CoreObjects, bound, claims::Reference};

/// The issuer that these tokens name, whatever the cluster's own URL.
pub(super) const ISSUER: &str = "kubernetes/serviceaccount";

/// Set on a secret whose token nobody has used for long.
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";

/// What such a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LegacyClaims {
    iss: String,
    #[serde(rename = "kubernetes.io/serviceaccount/namespace")]
    pub(super) namespace: String,
    #[serde(rename = "kubernetes.io/serviceaccount/secret.name")]
    secret: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.name")]
    pub(super) account: String,
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.uid")]
    pub(super) uid: String,
    sub: String,
}

impl LegacyClaims {
    pub(super) fn new(namespace: &str, account: &Reference, secret: &str) -> Self {
        LegacyClaims {
            iss: ISSUER.to_owned(),
            namespace: namespace.to_owned(),
            secret: secret.to_owned(),
            account: account.name.clone(),
            uid: account.uid.clone(),
            sub: subject(namespace, &account.name),
        }
    }

    /// Refuses a token that its secret no longer holds, or whose account is gone.
    pub(super) fn check(
        &self,
        objects: &dyn CoreObjects,
        token: &str,
        now: Timestamp,
    ) -> Result<(), String> {
        if self.sub != subject(&self.namespace, &self.account) {
            return Err("sub claim is invalid".to_owned());
        }
        let gone = || "Token has been invalidated".to_owned();
        let secret = objects.object("secrets", &self.namespace, &self.secret);
        let secret = secret.ok_or_else(gone)?;
        if bound::is_deleted(&secret, now) {
            return Err(gone());
        }
        let held = secret.str(&["data", "token"]).unwrap_or_default();
        if STANDARD.decode(held).unwrap_or_default() != token.as_bytes() {
            return Err("Token does not match server's copy".to_owned());
        }
        bound::check_account(objects, &self.namespace, &self.account, &self.uid, now)?;
        match secret.label(INVALID_SINCE) {
            Some(since) => Err(format!(
                "the token in secret {}/{} for service account {}/{} has been marked invalid since {since}. Use tokens \
                 from the TokenRequest API or manually created secret-based tokens, or remove the {INVALID_SINCE:?} \
                 label from the secret to temporarily allow use of this token",
                self.namespace, self.secret, self.namespace, self.account
            )),
            None => Ok(()),
        }
    }
}

/// The name of an account as a user.
pub(super) fn subject(namespace: &str, account: &str) -> String {
    format!("system:serviceaccount:{namespace}:{account}")
}
