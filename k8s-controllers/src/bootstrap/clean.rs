//! Removes bootstrap tokens when their time is up.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_runtime::{Action, Context, Controller, Key, Store, WatchConfig};
use kube::{
    Api,
    api::{DeleteParams, Preconditions},
};

use super::{NAMESPACE, TYPE, left};

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
