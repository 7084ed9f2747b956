//! Long-lived tokens: fills secrets of the type `kubernetes.io/service-account-token`, and removes
//! them with their account.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    ByteString,
    api::core::v1::{Secret, ServiceAccount},
};
use k8s_runtime::{Action, Context, Controller, Event, Key, Store, WatchConfig};
use kube::{
    Api,
    api::{DeleteParams, PostParams, Preconditions},
};

use crate::namespace;

const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// The token that a secret is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Where account and secret are.
    pub namespace: &'a str,
    /// The account's name.
    pub account: &'a str,
    /// The account's uid.
    pub uid: &'a str,
    /// The secret's name.
    pub secret: &'a str,
}

/// Makes tokens. Whoever wires a cluster implements it, or hands in a closure, with the key that the
/// server verifies by.
pub trait TokenSource: Send + Sync + 'static {
    /// The token; an error is for the log, and tried again.
    fn token(&self, wanted: &Wanted<'_>) -> Result<String, String>;
}

impl<F> TokenSource for F
where
    F: Fn(&Wanted<'_>) -> Result<String, String> + Send + Sync + 'static,
{
    fn token(&self, wanted: &Wanted<'_>) -> Result<String, String> {
        self(wanted)
    }
}

/// Fills secrets until the context is cancelled. It acts as the user
/// `system:kube-controller-manager`, whose role may write secrets; it isn't one of the
/// [`builtins`](crate::builtins), since it needs the source, and `ca`, the authority in PEM that
/// clients shall believe.
pub async fn run(ctx: Context, source: Arc<dyn TokenSource>, ca: String) {
    let only_tokens = WatchConfig::default().fields(format!("type={TYPE}"));
    let secrets = ctx.hub.informer_with::<Secret>(only_tokens);
    let accounts = ctx.hub.informer::<ServiceAccount>();
    let filler = Arc::new(Filler {
        secrets: secrets.store(),
        accounts: accounts.store(),
        ctx: ctx.clone(),
        source,
        ca,
    });
    let by_account = filler.clone();
    Controller::new("serviceaccount-token", ctx)
        .owns_keys(&secrets)
        .on(&accounts, move |event| by_account.of_account(event))
        .run(5, move |key| {
            let round = filler.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Filler {
    ctx: Context,
    secrets: Store<Secret>,
    accounts: Store<ServiceAccount>,
    source: Arc<dyn TokenSource>,
    ca: String,
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum FillError {
    #[error("no token: {0}")]
    Source(String),
    #[error(transparent)]
    Api(#[from] kube::Error),
}

/// What is to be done about a secret.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Nothing,
    /// Its account is gone, or is another one of that name.
    Remove,
    /// Something is missing or wrong; the token too, if `token`.
    Fill {
        token: bool,
    },
}

/// `account` is the uid of the account of that name, if there is one.
fn plan(secret: &Secret, account: Option<&str>, ca: &str) -> Step {
    let annotation = |key: &str| secret.metadata.annotations.as_ref()?.get(key);
    let bound = annotation(ACCOUNT_UID).map(String::as_str).unwrap_or("");
    let Some(uid) = account.filter(|uid| bound.is_empty() || bound == *uid) else {
        return Step::Remove;
    };
    let data = |key: &str| secret.data.as_ref()?.get(key).map(|value| &value.0[..]);
    let namespace = secret.metadata.namespace.as_deref().unwrap_or_default();
    let token = data("token").is_none_or(<[u8]>::is_empty) || bound != uid;
    let is_full =
        data("ca.crt") == Some(ca.as_bytes()) && data("namespace") == Some(namespace.as_bytes());
    match is_full && !token {
        true => Step::Nothing,
        false => Step::Fill { token },
    }
}

impl Filler {
    async fn reconcile(&self, key: Key) -> Result<Action, FillError> {
        let Some(secret) = self.secrets.get(&key) else {
            return Ok(Action::Done);
        };
        if secret.metadata.deletion_timestamp.is_some() {
            return Ok(Action::Done);
        }
        let name = account_of(&secret).unwrap_or_default().to_owned();
        let uid = self.account_uid(&key.namespace, &name).await?;
        let api: Api<Secret> = Api::namespaced(self.ctx.client.clone(), &key.namespace);
        let fills_token = match plan(&secret, uid.as_deref(), &self.ca) {
            Step::Nothing => return Ok(Action::Done),
            Step::Remove => {
                let params = DeleteParams {
                    preconditions: Some(Preconditions {
                        uid: secret.metadata.uid.clone(),
                        resource_version: None,
                    }),
                    ..DeleteParams::default()
                };
                return match api.delete(&key.name, &params).await {
                    Err(kube::Error::Api(status)) if status.code == 404 => Ok(Action::Done),
                    other => Ok(other.map(|_| Action::Done)?),
                };
            }
            Step::Fill { token } => token,
        };
        let uid = uid.unwrap_or_default();
        let mut filled = Secret::clone(&secret);
        let annotations = filled.metadata.annotations.get_or_insert_default();
        annotations.insert(ACCOUNT_UID.into(), uid.clone());
        let data = filled.data.get_or_insert_default();
        data.insert("ca.crt".into(), ByteString(self.ca.clone().into_bytes()));
        let namespace = key.namespace.clone().into_bytes();
        data.insert("namespace".into(), ByteString(namespace));
        if fills_token {
            let token = self.source.token(&Wanted {
                namespace: &key.namespace,
                account: &name,
                uid: &uid,
                secret: &key.name,
            });
            let token = token.map_err(FillError::Source)?;
            data.insert("token".into(), ByteString(token.into_bytes()));
        }
        let params = PostParams::default();
        match api.replace(&key.name, &params, &filled).await {
            Err(error) if namespace::refuses_content(&error) => Ok(Action::Done),
            other => Ok(other.map(|_| Action::Done)?),
        }
    }

    /// The uid of an account. What the cache doesn't have yet is asked for, since a secret is removed
    /// on the answer.
    async fn account_uid(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<String>, kube::Error> {
        let known = self.accounts.get(&Key::new(namespace, name));
        if let Some(account) = known {
            return Ok(account.metadata.uid.clone());
        }
        let api: Api<ServiceAccount> = Api::namespaced(self.ctx.client.clone(), namespace);
        let found = api.get_opt(name).await?;
        Ok(found.and_then(|account| account.metadata.uid))
    }

    /// The secrets of an account.
    fn of_account(&self, event: &Event<ServiceAccount>) -> Vec<Key> {
        let account = event.object();
        let namespace = account.metadata.namespace.as_deref().unwrap_or_default();
        let name = account.metadata.name.as_deref();
        let secrets = self.secrets.list_in(namespace);
        let its = secrets.iter().filter(|secret| account_of(secret) == name);
        its.map(|secret| Key::of(&**secret)).collect()
    }
}

fn account_of(secret: &Secret) -> Option<&str> {
    let annotations: &BTreeMap<String, String> = secret.metadata.annotations.as_ref()?;
    annotations.get(ACCOUNT_NAME).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(uid: &str, data: Value, account: Option<&str>, want: Step) {
        let secret = json!({
            "metadata": { "namespace": "shop", "name": "s", "annotations": { ACCOUNT_UID: uid } },
            "data": data,
        });
        let secret = serde_json::from_value(secret).unwrap();
        assert_eq!(plan(&secret, account, "ca"), want);
    }

    #[test]
    fn a_secret_is_filled_once_and_goes_with_its_account() {
        let full = json!({ "ca.crt": "Y2E=", "namespace": "c2hvcA==", "token": "dA==" });
        check("", json!({}), Some("u1"), Step::Fill { token: true });
        check("u1", full.clone(), Some("u1"), Step::Nothing);
        check("u1", full.clone(), Some("u2"), Step::Remove);
        check("u1", full.clone(), None, Step::Remove);
        check("", json!({}), None, Step::Remove);
        let mut other_ca = full.clone();
        other_ca["ca.crt"] = "eA==".into();
        check("u1", other_ca, Some("u1"), Step::Fill { token: false });
        // A token that somebody put in before the account was known is nobody's.
        check("", full, Some("u1"), Step::Fill { token: true });
    }
}
