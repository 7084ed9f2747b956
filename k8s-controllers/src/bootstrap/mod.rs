//! Bootstrap tokens: removed when their time is up.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_runtime::{Action, Context, Controller, Key, Store, WatchConfig};
use kube::{
    Api,
    api::{DeleteParams, Preconditions},
};

const NAMESPACE: &str = "kube-system";
const TYPE: &str = "bootstrap.kubernetes.io/token";

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let only_tokens = WatchConfig::default().fields(format!("type={TYPE}"));
    let secrets = ctx.hub.informer_with::<Secret>(only_tokens);
    let store = secrets.store();
    Controller::new("token-cleaner", ctx.clone())
        .owns_keys(&secrets)
        .run(1, move |key| {
            let (ctx, store) = (ctx.clone(), store.clone());
            async move { reconcile(&ctx, &store, key).await }
        })
        .await;
}

async fn reconcile(ctx: &Context, store: &Store<Secret>, key: Key) -> Result<Action, kube::Error> {
    let Some(secret) = store.get(&key).filter(|_| key.namespace == NAMESPACE) else {
        return Ok(Action::Done);
    };
    match left(&secret, ctx.clock.now()) {
        None => Ok(Action::Done),
        Some(Duration::ZERO) => {
            let api: Api<Secret> = Api::namespaced(ctx.client.clone(), NAMESPACE);
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: secret.metadata.uid.clone(),
                    resource_version: None,
                }),
                ..DeleteParams::default()
            };
            match api.delete(&key.name, &params).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(Action::Done),
                other => other.map(|_| Action::Done),
            }
        }
        Some(left) => Ok(Action::After(left)),
    }
}

/// How long a token is good yet; `None` if for ever. One whose expiry can't be read isn't good at all.
fn left(secret: &Secret, now: Timestamp) -> Option<Duration> {
    let text = &secret.data.as_ref()?.get("expiration")?.0;
    if text.is_empty() {
        return None;
    }
    let until = std::str::from_utf8(text).ok()?.parse::<Timestamp>();
    let left = until.map(|until| until.duration_since(now));
    Some(
        left.ok()
            .and_then(|left| Duration::try_from(left).ok())
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expiration: Option<&str>, want: Option<u64>) {
        let data = expiration.map(|text| {
            (
                "expiration".to_owned(),
                k8s_openapi::ByteString(text.into()),
            )
        });
        let secret = Secret {
            data: Some(data.into_iter().collect()),
            ..Secret::default()
        };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(left(&secret, now), want.map(Duration::from_secs));
    }

    #[test]
    fn a_token_is_removed_when_its_time_is_up() {
        check(None, None);
        check(Some(""), None);
        check(Some("2026-01-01T00:01:00Z"), Some(60));
        check(Some("2026-01-01T00:00:00Z"), Some(0));
        check(Some("2025-01-01T00:00:00Z"), Some(0));
        check(Some("soon"), Some(0));
    }
}
