//! `/proxy` on pods, services and nodes: any method, any path, upgrades too.

use std::sync::atomic::Ordering;

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Method, Request as HttpRequest, StatusCode, Uri, header};
use k8s_apimachinery::Object;
use k8s_openapi::api::core::v1::{Pod, Service};

use super::{
    Relay, Target, dial,
    location::{Location, Reference},
    onward,
    rewrite::Place,
};
use crate::{ApiError, BoxError, Request, RequestInfo, Response, body, pipe};

/// Segments of a path up to `/proxy`, for namespaced and for other objects.
const NAMESPACED: usize = 7;
const CLUSTERED: usize = 5;

/// Where a request goes.
enum Destination {
    /// To a node's agent.
    Agent(Target),
    /// Anywhere else.
    Address(Location),
}

impl Relay {
    /// Answers `pods/proxy`, `services/proxy` and `nodes/proxy` for an object that was looked up.
    pub async fn proxy(&self, object: &Object, request: Request) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        let (prefix, rest) = split(request.uri().path(), &info);
        let is_upgrade = request.headers().contains_key(header::UPGRADE);
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let query = request.uri().query();
        // Relative links need a slash at the end of what they are relative to.
        if rest.is_empty() && is_read && !is_upgrade {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            return redirect(&format!("{prefix}/{query}"));
        }
        let path = if rest.is_empty() { "/" } else { rest };
        let path = match query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let host = request.headers().get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok()).map(str::to_owned);
        let mut place = Place {
            prefix: prefix.to_owned(),
            hosts: host.into_iter().collect(),
        };
        let response = match self.destination(object, &info, &path).await? {
            Destination::Agent(target) => self.relay(&target, request).await?,
            Destination::Address(location) => {
                place.hosts.push(location.address.to_string());
                if matches!(location.address.port(), 80 | 443) {
                    place.hosts.push(location.address.ip().to_string());
                }
                let uri = path.parse().map_err(ApiError::internal)?;
                self.reach(location, uri, request).await?
            }
        };
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        Ok(place.rewrite(response))
    }

    async fn destination(
        &self,
        object: &Object,
        info: &RequestInfo,
        path: &str,
    ) -> Result<Destination, ApiError> {
        let reference = reference(info)?;
        let location = match object.kind() {
            "Node" => {
                let endpoint = self.locator.locate(reference.name).await;
                match endpoint
                    .filter(|_| !reference.port.is_empty())
                    .and_then(|node| node.address())
                {
                    Some(agent) if agent.port().to_string() != reference.port => {
                        Location::of_node(agent.ip(), &reference)?
                    }
                    _ => {
                        return Ok(Destination::Agent(Target {
                            node: reference.name.to_owned(),
                            path_and_query: path.to_owned(),
                        }));
                    }
                }
            }
            "Service" => {
                let service: Service = object.view().map_err(ApiError::internal)?;
                let slices = self.locator.slices(&info.namespace, reference.name);
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                let pod_of = |name: &str| self.locator.pod(&info.namespace, name);
                Location::of_service(&service, &reference, &slices, turn, pod_of)?
            }
            _ => {
                let pod: Pod = object.view().map_err(ApiError::internal)?;
                Location::of_pod(&pod, &reference)?
            }
        };
        Ok(Destination::Address(location))
    }

    /// Sends a request to an address, and joins the two ends if both upgrade.
    pub(super) async fn reach(
        &self,
        location: Location,
        uri: Uri,
        mut request: Request,
    ) -> Result<Response, ApiError> {
        let upgrade = request.headers().contains_key(header::UPGRADE);
        let client = upgrade.then(|| hyper::upgrade::on(&mut request));
        let asked = request.uri().path().parse::<HeaderValue>().ok();
        let host = request.headers().get(header::HOST).cloned();
        let address = location.address.to_string().parse().ok();
        let mut onward = onward(request, uri, upgrade);
        let headers = onward.headers_mut();
        // Pages are rewritten, so they must come unpacked.
        headers.remove(header::ACCEPT_ENCODING);
        let insert = [("x-forwarded-uri", asked), ("host", host.or(address))];
        for (name, value) in insert {
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        let response = self.send(location, onward).await.map_err(|error| {
            let message = format!("error trying to reach service: {error}");
            ApiError::ServiceUnavailable(message)
        })?;
        Ok(self.finish(response, client))
    }

    fn send(
        &self,
        location: Location,
        request: HttpRequest<crate::Body>,
    ) -> BoxFuture<'static, Result<Response, BoxError>> {
        let (tasks, tls) = (self.tasks.clone(), self.trusting.clone());
        let Location { is_tls, address } = location;
        if is_tls {
            let dialled = dial::tls(address, tls);
            return dialled
                .then(move |stream| match stream {
                    Ok(stream) => pipe::send(&tasks, stream, request),
                    Err(error) => futures::future::err(error.into()).boxed(),
                })
                .boxed();
        }
        dial::tcp(address)
            .then(move |stream| match stream {
                Ok(stream) => pipe::send(&tasks, stream, request),
                Err(error) => futures::future::err(error.into()).boxed(),
            })
            .boxed()
    }
}

/// The reference that stands where `/proxy` requests have a name; else the name.
pub(crate) fn reference(info: &RequestInfo) -> Result<Reference<'_>, ApiError> {
    Reference::parse(&info.name).ok_or_else(|| {
        let (kind, name) = (info.resource.trim_end_matches('s'), &info.name);
        ApiError::BadRequest(format!("invalid {kind} request {name:?}"))
    })
}

/// A path up to `/proxy`, and the rest of it, both as the client escaped them.
fn split<'a>(path: &'a str, info: &RequestInfo) -> (&'a str, &'a str) {
    let segments = if info.namespace.is_empty() {
        CLUSTERED
    } else {
        NAMESPACED
    };
    let mut slashes = path.match_indices('/').map(|(at, _)| at);
    match slashes.nth(segments) {
        Some(at) => path.split_at(at),
        None => (path, ""),
    }
}

fn redirect(location: &str) -> Result<Response, ApiError> {
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    let location = location.parse().map_err(ApiError::internal)?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}
