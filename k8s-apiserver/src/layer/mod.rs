//! The layers between the wire and the handlers, one per file; [`crate::stack`] puts them in order.
//!
//! A layer is a [`Step`]: an async function from a request, and what comes next, to a response.
//! What it refuses it returns as an [`ApiError`]; [`Stepped`] makes the response of it, so below a
//! layer nobody sees an error.

pub mod audit;
pub mod authn;
pub mod authz;
pub mod deadline;
pub mod flow;
pub mod impersonate;
pub mod panic;
pub mod request_info;
pub mod retire;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::FutureExt;
use tower::{Layer, Service, ServiceExt};

use crate::{ApiError, Request, Response};

/// Whatever answers requests: a layer, the router, a test's closure in a `service_fn`.
///
/// Implemented for every service of the right shape; never by hand.
pub trait Handler:
    Service<Request, Response = Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// Answers one request.
    fn run(self, request: Request) -> impl Future<Output = Response> + Send;
}

impl<S> Handler for S
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    fn run(self, request: Request) -> impl Future<Output = Response> + Send {
        self.oneshot(request)
            .map(|response| response.unwrap_or_else(|never| match never {}))
    }
}

/// One layer's work on a request.
pub trait Step: Send + Sync + 'static {
    /// Refuses the request, answers it, or hands it to `next` and passes on the answer.
    fn handle<N: Handler>(
        &self,
        request: Request,
        next: N,
    ) -> impl Future<Output = Result<Response, ApiError>> + Send;
}

/// Makes a tower layer of a [`Step`].
pub fn step<T: Step>(step: T) -> StepLayer<T> {
    StepLayer(Arc::new(step))
}

/// A [`Step`] as a tower layer; see [`step`].
#[derive(Debug)]
pub struct StepLayer<T>(Arc<T>);

/// A [`Step`] in front of what comes next.
#[derive(Debug)]
pub struct Stepped<T, N> {
    step: Arc<T>,
    next: N,
}

impl<T> Clone for StepLayer<T> {
    fn clone(&self) -> Self {
        StepLayer(Arc::clone(&self.0))
    }
}

impl<T, N: Clone> Clone for Stepped<T, N> {
    fn clone(&self) -> Self {
        Stepped {
            step: Arc::clone(&self.step),
            next: self.next.clone(),
        }
    }
}

impl<T: Step, N: Handler> Layer<N> for StepLayer<T> {
    type Service = Stepped<T, N>;

    fn layer(&self, next: N) -> Self::Service {
        Stepped {
            step: Arc::clone(&self.0),
            next,
        }
    }
}

impl<T: Step, N: Handler> Service<Request> for Stepped<T, N> {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    /// Always ready: what comes next is polled when it is called, on a clone of its own.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Stepped { step, next } = self.clone();
        Box::pin(async move {
            Ok(step
                .handle(request, next)
                .await
                .unwrap_or_else(ApiError::into_response))
        })
    }
}
