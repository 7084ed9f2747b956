//! The way of a request from the wire to its handler, on one screen.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{FutureExt, future::BoxFuture};
use tower::{Service, ServiceBuilder, util::BoxCloneSyncService};

use crate::{
    Request, Response,
    authn::{Authentication, service_account::Discovery},
    authz::Authorizer,
    config::Config,
    health::Health,
    layer::{
        Handler, audit::Audit, authz::Authorize, deadline::Deadline, flow::Flow,
        impersonate::Impersonate, panic::Catch, request_info::Annotate, step,
    },
    metrics::{Measure, Metrics},
    task::Tasks,
    version::Version,
};

/// All layers and the handler below them, as one cloneable service that is always ready and never
/// fails.
#[derive(Clone)]
pub struct Stack(BoxCloneSyncService<Request, Response, Infallible>);

/// What the layers need to know.
#[derive(Clone)]
pub struct Layers {
    /// Finds out who asks.
    pub authentication: Authentication,
    /// Tells others how to verify service-account tokens.
    pub discovery: Discovery,
    /// Decides what they may do.
    pub authorizer: Arc<dyn Authorizer>,
    /// Tells how the server is.
    pub health: Health,
    /// Tells what it does.
    pub metrics: Metrics,
    /// Limits and timeouts.
    pub config: Config,
    /// What outlives its request, and the token that ends it.
    pub tasks: Tasks,
}

impl Layers {
    /// Layers with defaults all round, and this authorizer.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Layers {
            authentication: Authentication::new(),
            discovery: Discovery::default(),
            authorizer,
            health: Health::new(),
            metrics: Metrics::default(),
            config: Config::default(),
            tasks: Tasks::default(),
        }
    }

    /// Puts the layers in front of a handler. The first one listed meets a request first and its
    /// response last.
    pub fn in_front_of(self, handler: impl Handler) -> Stack {
        let Layers {
            authentication,
            discovery,
            authorizer,
            health,
            metrics,
            config,
            tasks,
        } = self;
        let stopping = tasks.stopping().clone();
        let stack = ServiceBuilder::new()
            .layer(step(Catch))
            .layer(step(Annotate))
            .layer(step(Measure(metrics.clone())))
            .layer(step(Deadline {
                limit: config.request_timeout,
                stopping: stopping.clone(),
            }))
            .layer(step(authentication))
            .layer(step(Audit))
            .layer(step(Impersonate(Arc::clone(&authorizer))))
            .layer(step(Flow::new(&config.limits)))
            .layer(step(Authorize(authorizer)))
            .layer(step(health.until(stopping)))
            .layer(step(metrics))
            .layer(step(Version))
            .layer(step(discovery))
            .service(handler);
        Stack::new(stack)
    }
}

impl Stack {
    /// A stack without layers: whatever answers requests, its type forgotten.
    pub fn new(handler: impl Handler) -> Self {
        Stack(BoxCloneSyncService::new(handler))
    }

    /// Answers one request.
    pub fn answer(&self, request: Request) -> BoxFuture<'static, Response> {
        self.0.clone().run(request).boxed()
    }
}

impl Service<Request> for Stack {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.answer(request).map(Ok).boxed()
    }
}

#[cfg(test)]
mod tests;
