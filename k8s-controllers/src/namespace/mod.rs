//! Namespaces: one that is being deleted is emptied, and then let go.
//!
//! A namespace carries the finalizer `kubernetes` in its spec. When it is deleted, each round deletes
//! what is in it ([`content`]), says what remains ([`plan`]), and once nothing does removes the
//! finalizer, which lets the API server forget it.

mod content;
mod plan;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_runtime::{Action, Context, Controller, Event, Key, Store};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};

/// Rounds that may run side by side.
const WORKERS: usize = 4;
/// Between rounds, while something remains that doesn't tell when it goes.
const PAUSE: Duration = Duration::from_secs(2);
/// The finalizer that this controller answers for.
const FINALIZER: &str = "kubernetes";

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let namespaces = ctx.hub.informer::<Namespace>();
    let pods = ctx.hub.informer::<Pod>();
    let loop_ = Arc::new(Loop {
        namespaces: namespaces.store(),
        ctx: ctx.clone(),
    });
    let by_pod = loop_.clone();
    Controller::new("namespace", ctx)
        .owns_keys(&namespaces)
        .on(&pods, move |event| by_pod.of_pod(event))
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Loop {
    ctx: Context,
    namespaces: Store<Namespace>,
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let Some(namespace) = self.namespaces.get(&key) else {
            return Ok(Action::Done);
        };
        if namespace.metadata.deletion_timestamp.is_none() {
            return Ok(Action::Done);
        }
        let api: Api<Namespace> = Api::all(self.ctx.client.clone());
        if finalizers(&namespace).is_empty() {
            if namespace
                .metadata
                .finalizers
                .iter()
                .flatten()
                .next()
                .is_some()
            {
                // Somebody else holds it.
                return Ok(Action::Done);
            }
            // Let go, and yet there: ask once more.
            return gone_is_done(api.delete(&key.name, &DeleteParams::default()).await);
        }
        if !finalizers(&namespace).iter().any(|name| name == FINALIZER) {
            return Ok(Action::Done);
        }
        let namespace = self.mark(&api, &namespace).await?;
        let findings = content::delete_all(&self.ctx.client, &key.name).await;
        let namespace = self.report(&api, namespace, &findings).await?;
        if !findings.is_empty() {
            tracing::debug!(namespace = %key, ?findings, "not empty yet");
            return Ok(Action::After(PAUSE));
        }
        let mut released = namespace;
        if let Some(spec) = &mut released.spec
            && let Some(finalizers) = &mut spec.finalizers
        {
            finalizers.retain(|name| name != FINALIZER);
        }
        let params = PostParams::default();
        let released = api
            .replace_subresource("finalize", &key.name, &params, &released)
            .await;
        gone_is_done(released)
    }

    /// Makes the phase say that the namespace is going, if it doesn't yet.
    async fn mark(
        &self,
        api: &Api<Namespace>,
        namespace: &Namespace,
    ) -> Result<Namespace, kube::Error> {
        let mut marked = namespace.clone();
        let status = marked.status.get_or_insert_default();
        if status.phase.as_deref() == Some("Terminating") {
            return Ok(marked);
        }
        status.phase = Some("Terminating".into());
        self.write_status(api, marked).await
    }

    async fn report(
        &self,
        api: &Api<Namespace>,
        namespace: Namespace,
        findings: &plan::Findings,
    ) -> Result<Namespace, kube::Error> {
        let before = namespace.status.as_ref();
        let before = before.and_then(|status| status.conditions.clone());
        let before = before.unwrap_or_default();
        let after = plan::conditions(&before, findings, self.ctx.clock.now());
        if after == before {
            return Ok(namespace);
        }
        let mut reported = namespace;
        reported.status.get_or_insert_default().conditions = Some(after);
        self.write_status(api, reported).await
    }

    async fn write_status(
        &self,
        api: &Api<Namespace>,
        namespace: Namespace,
    ) -> Result<Namespace, kube::Error> {
        let name = namespace.metadata.name.clone().unwrap_or_default();
        api.replace_status(&name, &PostParams::default(), &namespace)
            .await
    }

    /// The end of a pod may be the end of its namespace.
    fn of_pod(&self, event: &Event<Pod>) -> Vec<Key> {
        let Event::Deleted(pod) = event else {
            return Vec::new();
        };
        let key = Key::cluster(pod.metadata.namespace.clone().unwrap_or_default());
        let namespace = self.namespaces.get(&key);
        let is_going = namespace.is_some_and(|known| known.metadata.deletion_timestamp.is_some());
        is_going.then_some(key).into_iter().collect()
    }
}

fn finalizers(namespace: &Namespace) -> &[String] {
    let spec = namespace.spec.as_ref();
    let finalizers = spec.and_then(|spec| spec.finalizers.as_deref());
    finalizers.unwrap_or_default()
}

fn gone_is_done<T>(result: Result<T, kube::Error>) -> Result<Action, kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Action::Done),
        other => other.map(|_| Action::Done),
    }
}

/// Whether new objects may be made in a namespace.
pub(crate) fn is_active(namespace: &Namespace) -> bool {
    let phase = namespace.status.as_ref();
    let phase = phase.and_then(|status| status.phase.as_deref());
    namespace.metadata.deletion_timestamp.is_none() && phase != Some("Terminating")
}

/// Whether creating an object failed since its namespace is going: it would go with it.
pub(crate) fn is_terminating(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    let details = status.details.iter();
    let mut causes = details.flat_map(|details| &details.causes);
    causes.any(|cause| cause.reason == "NamespaceTerminating")
}

/// Whether creating an object failed for reasons that need no second try: it exists already, or
/// its namespace is gone or going.
pub(crate) fn refuses_content(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) if status.is_already_exists() || status.is_not_found() => true,
        error => is_terminating(error),
    }
}
