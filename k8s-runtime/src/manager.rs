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
