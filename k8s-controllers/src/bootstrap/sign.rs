//! Signs the kubeconfig in `kube-public/cluster-info` with each token that may sign: anybody may read
//! it, and who holds a token knows by the signature that it wasn't tampered with.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_runtime::{Action, Context, Controller, Key, Store, WatchConfig};
use kube::{Api, api::PostParams};
use ring::hmac;
use serde_json::json;

use super::{NAMESPACE, TYPE, left, text};

const MAP_NAMESPACE: &str = "kube-public";
const MAP: &str = "cluster-info";
/// What is signed.
const CONTENT: &str = "kubeconfig";
/// What the keys of signatures begin with; the token's id follows.
const PREFIX: &str = "jws-kubeconfig-";

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let only_tokens = WatchConfig::default().fields(format!("type={TYPE}"));
    let secrets = ctx.hub.informer_with::<Secret>(only_tokens);
    let only_ours = WatchConfig::default().fields(format!("metadata.name={MAP}"));
    let maps = ctx.hub.informer_with::<ConfigMap>(only_ours);
    let stores = Arc::new((secrets.store(), maps.store()));
    let key = || vec![Key::new(MAP_NAMESPACE, MAP)];
    Controller::new("bootstrap-signer", ctx.clone())
        .on(&secrets, move |_| key())
        .on(&maps, move |_| key())
        .run(1, move |key| {
            let (ctx, stores) = (ctx.clone(), stores.clone());
            async move { reconcile(&ctx, &stores.0, &stores.1, key).await }
        })
        .await;
}

async fn reconcile(
    ctx: &Context,
    secrets: &Store<Secret>,
    maps: &Store<ConfigMap>,
    key: Key,
) -> Result<Action, kube::Error> {
    let Some(map) = maps.get(&key) else {
        return Ok(Action::Done);
    };
    let now = ctx.clock.now();
    let tokens = secrets.list_in(NAMESPACE);
    let data = map.data.clone().unwrap_or_default();
    let signed = signed(&data, &tokens, now);
    // A token that expires takes its signature with it.
    let next = tokens.iter().filter_map(|token| left(token, now)).min();
    let next = next.filter(|left| !left.is_zero());
    if signed != data {
        let mut new = ConfigMap::clone(&map);
        new.data = Some(signed);
        let api: Api<ConfigMap> = Api::namespaced(ctx.client.clone(), MAP_NAMESPACE);
        api.replace(MAP, &PostParams::default(), &new).await?;
    }
    Ok(next.map_or(Action::Done, Action::After))
}

/// The data with the signatures of exactly the tokens that may sign.
fn signed(
    data: &BTreeMap<String, String>,
    tokens: &[Arc<Secret>],
    now: Timestamp,
) -> BTreeMap<String, String> {
    let mut signed = data.clone();
    signed.retain(|key, _| !key.starts_with(PREFIX));
    let Some(content) = data.get(CONTENT) else {
        return signed;
    };
    for token in tokens {
        let parts = text(token, "token-id").zip(text(token, "token-secret"));
        let may_sign = text(token, "usage-bootstrap-signing") == Some("true")
            && left(token, now).is_none_or(|left| !left.is_zero());
        if let (true, Some((id, secret))) = (may_sign, parts) {
            signed.insert(format!("{PREFIX}{id}"), signature(content, id, secret));
        }
    }
    signed
}

/// A JSON Web Signature (RFC 7515) whose payload is left out: `HS256` with the token's secret.
fn signature(content: &str, id: &str, secret: &str) -> String {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    let header = encode(json!({ "alg": "HS256", "kid": id }).to_string().as_bytes());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(
        &key,
        format!("{header}.{}", encode(content.as_bytes())).as_bytes(),
    );
    format!("{header}..{}", encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::ByteString;

    fn token(id: &str, more: &[(&str, &str)]) -> Arc<Secret> {
        let usual = [
            ("token-id", id),
            ("token-secret", "0123456789abcdef"),
            ("usage-bootstrap-signing", "true"),
        ];
        let all = usual.iter().chain(more);
        let data = all.map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
        Arc::new(Secret {
            data: Some(data.collect()),
            ..Secret::default()
        })
    }

    #[test]
    fn only_tokens_that_may_sign_have_a_signature() {
        let data = [
            (CONTENT, "content"),
            ("jws-kubeconfig-gone00", "old"),
            ("other", "kept"),
        ];
        let data = data.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let expired = ("expiration", "2025-01-01T00:00:00Z");
        let tokens = [
            token("abcdef", &[]),
            token("silent", &[("usage-bootstrap-signing", "false")]),
            token("expire", &[expired]),
        ];
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let signed = signed(&BTreeMap::from(data), &tokens, now);
        let keys: Vec<_> = signed.keys().map(String::as_str).collect();
        assert_eq!(keys, ["jws-kubeconfig-abcdef", CONTENT, "other"]);
    }

    #[test]
    fn a_signature_is_of_content_and_token() {
        let made = signature("content", "abcdef", "0123456789abcdef");
        assert!(made.starts_with("eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9.."));
        // Computed with another implementation of RFC 7515.
        assert_eq!(
            made,
            "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..psz1NayrXM3IaFzKZGsb5n_mBl7MjtlsZ1xE8MRmF_4"
        );
        assert_ne!(made, signature("other", "abcdef", "0123456789abcdef"));
        assert_ne!(made, signature("content", "abcdef", "fedcba9876543210"));
    }
}
