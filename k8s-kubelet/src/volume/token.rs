//! Tokens for pods: asked for as the node, bound to the pod, and replaced well before they expire.
//!
//! A token is kept in memory only. When it has lived four fifths of its time, or a day, the next look
//! at the volume asks for another; while the API can't give one, the old one is used to its end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Pod, ServiceAccount, ServiceAccountTokenProjection},
};
use k8s_runtime::Clock;
use kube::{Api, Client, api::PostParams};

use crate::source::SourceError;

/// No token is used for longer, however long it lives.
const OLDEST: SignedDuration = SignedDuration::from_hours(24);
/// How long a token lives when the volume doesn't say, in seconds.
const EXPIRATION: i64 = 3600;

/// The tokens of a node's pods. Cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    client: Client,
    clock: Arc<dyn Clock>,
    kept: Arc<Mutex<HashMap<Key, Token>>>,
}

/// What a token was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    pod_uid: String,
    account: String,
    audience: Option<String>,
    expiration: i64,
}

#[derive(Clone)]
struct Token {
    text: String,
    issued: Timestamp,
    expires: Timestamp,
}

impl Tokens {
    /// Asks through the node's own client.
    pub fn new(client: Client, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            clock,
            kept: Arc::default(),
        }
    }

    /// A good token for the pod's account: a kept one, unless it is due.
    pub async fn get(
        &self,
        pod: &Pod,
        source: &ServiceAccountTokenProjection,
    ) -> Result<String, SourceError> {
        let (audience, expiration) = (source.audience.clone(), source.expiration_seconds);
        let (text, _) = self.lasting(pod, audience, expiration).await?;
        Ok(text)
    }

    /// The same for an audience, with the time of its end.
    pub async fn lasting(
        &self,
        pod: &Pod,
        audience: Option<String>,
        expiration: Option<i64>,
    ) -> Result<(String, Timestamp), SourceError> {
        let account = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.service_account_name.clone());
        let key = Key {
            pod_uid: pod.metadata.uid.clone().unwrap_or_default(),
            account: account.unwrap_or_else(|| "default".into()),
            audience: audience.filter(|text| !text.is_empty()),
            expiration: expiration.unwrap_or(EXPIRATION),
        };
        let now = self.clock.now();
        let known = self.kept().get(&key).cloned();
        if let Some(token) = known.as_ref().filter(|token| !token.is_due(now)) {
            return Ok((token.text.clone(), token.expires));
        }
        match (self.ask(pod, &key).await, known) {
            (Ok(token), _) => {
                let answer = (token.text.clone(), token.expires);
                let mut kept = self.kept();
                // Those of pods that are gone end here.
                kept.retain(|_, token| now < token.expires);
                kept.insert(key, token);
                Ok(answer)
            }
            (Err(error), Some(token)) if now < token.expires => {
                tracing::warn!(%error, pod = pod.metadata.name, "a token that is due stays for now");
                Ok((token.text, token.expires))
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn ask(&self, pod: &Pod, key: &Key) -> Result<Token, SourceError> {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: Some(key.audience.iter().cloned().collect()),
                expiration_seconds: Some(key.expiration),
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".into()),
                    kind: Some("Pod".into()),
                    name: pod.metadata.name.clone(),
                    uid: pod.metadata.uid.clone(),
                }),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let failed = |why: String| {
            SourceError::Api(format!(
                "failed to fetch token for {}/{namespace}: {why}",
                key.account
            ))
        };
        let answer = api
            .create_token_request(&key.account, &PostParams::default(), &request)
            .await
            .map_err(|error| failed(error.to_string()))?;
        let lifetime = answer.spec.and_then(|spec| spec.expiration_seconds);
        let status = answer
            .status
            .ok_or_else(|| failed("the answer has no status".into()))?;
        let expires = status.expiration_timestamp.map(|time| time.0);
        let (text, expires) = status
            .token
            .zip(expires)
            .ok_or_else(|| failed("the answer has no token".into()))?;
        let lifetime = SignedDuration::from_secs(lifetime.unwrap_or(key.expiration));
        Ok(Token {
            text,
            issued: expires - lifetime,
            expires,
        })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Token>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Token {
    /// Whether it should be replaced.
    fn is_due(&self, now: Timestamp) -> bool {
        let lifetime = self.expires.duration_since(self.issued);
        now > self.issued + OLDEST || now > self.expires - lifetime / 5
    }
}

/// The user that all containers run as, if the spec says so of each.
pub(super) fn reader(pod: &Pod) -> Option<u32> {
    let spec = pod.spec.as_ref()?;
    let pods = spec.security_context.as_ref();
    let pods = pods.and_then(|context| context.run_as_user);
    let containers = spec.init_containers.iter().flatten();
    let mut users = containers.chain(&spec.containers).map(|container| {
        let own = container.security_context.as_ref();
        own.and_then(|context| context.run_as_user).or(pods)
    });
    let first = users.next()??;
    let is_everyones = users.all(|user| user == Some(first));
    is_everyones.then(|| u32::try_from(first).ok()).flatten()
}

#[cfg(test)]
mod tests;
