//! Runs components side by side, optionally only while this process leads.

use futures::future::BoxFuture;
use tokio::task::JoinSet;

use crate::{Context, Error, LeaderElector};

type Start = Box<dyn FnOnce(Context) -> BoxFuture<'static, ()> + Send>;

/// A set of components that start together and stop together.
pub struct Manager {
    ctx: Context,
    components: Vec<(String, Start)>,
    elector: Option<LeaderElector>,
}

impl Manager {
    /// A manager without components; cancelling the context's token stops it.
    pub fn new(ctx: Context) -> Self {
        Self {
            ctx,
            components: Vec::new(),
            elector: None,
        }
    }

    /// Adds a component: a function from its context to the future that runs until cancelled.
    pub fn with<F, Fut>(mut self, name: impl Into<String>, start: F) -> Self
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.components.push((
            name.into(),
            Box::new(move |ctx| Box::pin(start(ctx)) as BoxFuture<'static, ()>),
        ));
        self
    }

    /// Runs the components only while this process holds the lease.
    pub fn leading(mut self, elector: LeaderElector) -> Self {
        self.elector = Some(elector);
        self
    }

    /// Runs until the context is cancelled (or all components have ended by themselves).
    pub async fn run(self) -> Result<(), Error> {
        let Self {
            ctx,
            components,
            elector,
        } = self;
        match elector {
            None => run_all(ctx, components).await,
            Some(elector) => {
                let cancel = ctx.cancel.clone();
                elector
                    .run(cancel, |lead| {
                        let cancel = lead;
                        run_all(Context { cancel, ..ctx }, components)
                    })
                    .await?
                    .unwrap_or(Ok(()))
            }
        }
    }
}

async fn run_all(ctx: Context, components: Vec<(String, Start)>) -> Result<(), Error> {
    let cancel = ctx.cancel.child_token();
    let mut running = JoinSet::new();
    let mut names = std::collections::HashMap::new();
    for (name, start) in components {
        let component = start(Context {
            cancel: cancel.clone(),
            ..ctx.clone()
        });
        names.insert(running.spawn(component).id(), name);
    }
    let mut result = Ok(());
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended
            && result.is_ok()
        {
            let name = names.remove(&error.id()).unwrap_or_default();
            result = Err(Error::Panicked { name });
            cancel.cancel();
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use super::*;
    use crate::{LeaseConfig, testing::FakeApi};

    /// Counts itself among the running until it ends.
    async fn component(ctx: Context, running: Arc<AtomicUsize>) {
        running.fetch_add(1, Ordering::SeqCst);
        ctx.cancel.cancelled().await;
        running.fetch_sub(1, Ordering::SeqCst);
    }

    fn manager(api: &FakeApi, running: &Arc<AtomicUsize>) -> (Manager, Context) {
        let ctx = Context::new(api.client());
        let mut manager = Manager::new(ctx.clone());
        for name in ["a", "b"] {
            let running = running.clone();
            manager = manager.with(name, |ctx| component(ctx, running));
        }
        (manager, ctx)
    }

    #[tokio::test(start_paused = true)]
    async fn components_start_and_stop_together() {
        let (api, running) = (FakeApi::new(), Arc::default());
        let (manager, ctx) = manager(&api, &running);
        let managing = tokio::spawn(manager.run());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(running.load(Ordering::SeqCst), 2);
        ctx.cancel.cancel();
        managing.await.unwrap().unwrap();
        assert_eq!(running.load(Ordering::SeqCst), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_panics_stops_the_others_and_is_named() {
        let (api, running) = (FakeApi::new(), Arc::default());
        let (manager, _ctx) = manager(&api, &running);
        let manager = manager.with("broken", |_| async { panic!("on purpose") });
        let error = manager.run().await.unwrap_err();
        assert_eq!(error.to_string(), "component broken panicked");
        assert_eq!(running.load(Ordering::SeqCst), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_lease_nothing_runs() {
        let (api, running) = (FakeApi::new(), Arc::default());
        let (manager, ctx) = manager(&api, &running);
        let lease = LeaseConfig::new("kube-system", "test", "me");
        api.put_new(
            "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases",
            &serde_json::json!({"metadata": {"name": "test"}, "spec": {
                "holderIdentity": "another", "leaseDurationSeconds": 15,
            }}),
        );
        let elector = LeaderElector::new(api.client(), lease);
        let managing = tokio::spawn(manager.leading(elector).run());
        tokio::time::sleep(Duration::from_secs(14)).await;
        assert_eq!(running.load(Ordering::SeqCst), 0);
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(running.load(Ordering::SeqCst), 2);
        ctx.cancel.cancel();
        managing.await.unwrap().unwrap();
        assert_eq!(running.load(Ordering::SeqCst), 0);
    }
}
