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
    audit::Auditor,
    authn::{Authentication, service_account::Discovery},
    authz::Authorizer,
    config::Config,
    flow::{Dumps, FlowControl},
    health::Health,
    layer::{
        Handler,
        audit::{Audit, Receive},
        authz::Authorize,
        deadline::Deadline,
        flow::Flow,
        impersonate::Impersonate,
        panic::Catch,
        request_info::Annotate,
        retire::Retire,
        step,
    },
    metrics::{Measure, Metrics},
    registry::{Environment, SystemEnvironment},
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
    /// The audit log, if there is one.
    pub auditor: Option<Auditor>,
    /// Time and ids, for audit events.
    pub environment: Arc<dyn Environment>,
    /// Whose requests come first. Without it the mandatory priority levels serve, within the limits.
    pub flow: Option<FlowControl>,
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
            auditor: None,
            environment: Arc::new(SystemEnvironment),
            flow: None,
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
            auditor,
            environment,
            flow,
            tasks,
        } = self;
        let flow = flow.unwrap_or_else(|| FlowControl::new(&config.limits));
        let (shown, limit) = (flow.clone(), config.request_timeout);
        let metrics = metrics.source(move |out| shown.expose(out));
        let metrics = match auditor.clone() {
            Some(auditor) => metrics.source(move |out| auditor.expose(out)),
            None => metrics,
        };
        let stopping = tasks.closed().clone();
        let stack = ServiceBuilder::new()
            .layer(step(Catch))
            .layer(step(Annotate))
            .layer(step(Receive {
                auditor: auditor.clone(),
                environment: Arc::clone(&environment),
            }))
            .layer(step(Measure(metrics.clone())))
            .layer(step(Retire(tasks.clone())))
            .layer(step(Deadline {
                limit: config.request_timeout,
                stopping,
            }))
            .layer(step(authentication))
            .layer(step(Audit {
                auditor,
                environment,
            }))
            .layer(step(Impersonate(Arc::clone(&authorizer))))
            .layer(step(Flow {
                control: flow.clone(),
                limit,
            }))
            .layer(step(Authorize(authorizer)))
            .layer(step(health.until(tasks)))
            .layer(step(metrics))
            .layer(step(Dumps(flow)))
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
