//! What a request asks for, read from its method and path alone.
//!
//! Everything after this layer (audit, flow control, authorization, routing) goes by
//! [`RequestInfo`] and never looks at the path again, so nobody is authorized for one thing and
//! served another. The rules are those of Kubernetes' `RequestInfoFactory`, the old
//! `/api/v1/watch/...` prefix included.

use std::{fmt, sync::Arc};

use http::Method;
use percent_encoding::percent_decode_str;

use super::{Handler, Step};
use crate::{ApiError, Request, Response};

/// What is to be done, in RBAC's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verb {
    /// One object, read.
    Get,
    /// A collection, read.
    List,
    /// A collection or an object, followed.
    Watch,
    /// An object, made; also a subresource posted to.
    Create,
    /// An object, replaced.
    Update,
    /// An object, changed in part.
    Patch,
    /// One object, removed.
    Delete,
    /// A collection, removed.
    DeleteCollection,
    /// Paths that are no resources, by lower-case HTTP method; and the verbs that exist only in
    /// RBAC.
    Other(String),
}

/// The request, taken apart. In the request's extensions as `Arc<RequestInfo>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestInfo {
    /// Whether this is about a resource (`/api/v1/pods`) rather than a path (`/healthz`, `/apis`).
    pub resource_request: bool,
    /// What is to be done.
    pub verb: Verb,
    /// The API group, empty for the core group and for paths.
    pub group: String,
    /// The API version, without the group.
    pub version: String,
    /// The plural resource.
    pub resource: String,
    /// `status`, `log`, `scale`...; empty for the object itself.
    pub subresource: String,
    /// Empty for cluster-scoped requests and for collections across namespaces.
    pub namespace: String,
    /// Empty for collections, and for creates of objects.
    pub name: String,
    /// The decoded path.
    pub path: String,
    /// The decoded query, in order.
    pub query: Vec<(String, String)>,
}

/// What is between resource and subresource names is a namespace's own subresource only for these.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

/// Subresources whose requests stay open for as long as both sides like.
const LONG_RUNNING: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];

/// Puts the request's [`RequestInfo`] into its extensions, or refuses a path that can't be read.
#[derive(Debug, Clone, Copy)]
pub struct Annotate;

impl Step for Annotate {
    async fn handle<N: Handler>(
        &self,
        mut request: Request,
        next: N,
    ) -> Result<Response, ApiError> {
        let info = RequestInfo::parse(request.method(), request.uri())?;
        request.extensions_mut().insert(Arc::new(info));
        Ok(next.run(request).await)
    }
}

impl RequestInfo {
    /// Reads a method and a URI; fails on paths that aren't UTF-8 and on a `/watch/` that names no
    /// resource.
    pub fn parse(method: &Method, uri: &http::Uri) -> Result<Self, ApiError> {
        let path = percent_decode_str(uri.path())
            .decode_utf8()
            .map_err(|_| ApiError::BadRequest("the request path is not valid UTF-8".into()))?
            .into_owned();
        let query: Vec<(String, String)> =
            form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let mut info = RequestInfo {
            resource_request: false,
            verb: Verb::Other(method.as_str().to_ascii_lowercase()),
            group: String::new(),
            version: String::new(),
            resource: String::new(),
            subresource: String::new(),
            namespace: String::new(),
            name: String::new(),
            path,
            query,
        };
        let path = std::mem::take(&mut info.path);
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let parsed = info.parse_resource(method, &parts);
        info.path = path;
        parsed.map(|()| info)
    }

    /// `/api/<version>/...` and `/apis/<group>/<version>/...`; anything shorter or other is a plain
    /// path.
    fn parse_resource(&mut self, method: &Method, parts: &[&str]) -> Result<(), ApiError> {
        let mut parts = match *parts {
            ["api", version, ref rest @ ..] if !rest.is_empty() => {
                self.version = version.to_owned();
                rest
            }
            ["apis", group, version, ref rest @ ..] if !rest.is_empty() => {
                self.group = group.to_owned();
                self.version = version.to_owned();
                rest
            }
            _ => return Ok(()),
        };
        self.resource_request = true;
        self.verb = match *method {
            Method::GET | Method::HEAD => Verb::Get,
            Method::POST => Verb::Create,
            Method::PUT => Verb::Update,
            Method::PATCH => Verb::Patch,
            Method::DELETE => Verb::Delete,
            _ => Verb::Other(String::new()),
        };
        if let ["watch", ref rest @ ..] = *parts {
            if rest.is_empty() {
                return Err(ApiError::BadRequest(
                    "unable to determine kind and namespace from url".into(),
                ));
            }
            self.verb = Verb::Watch;
            parts = rest;
        }
        if let ["namespaces", namespace, ref rest @ ..] = *parts {
            self.namespace = namespace.to_owned();
            if rest
                .first()
                .is_some_and(|next| !NAMESPACE_SUBRESOURCES.contains(next))
            {
                parts = rest;
            }
        }
        let part = |index: usize| {
            parts
                .get(index)
                .map(|part| (*part).to_owned())
                .unwrap_or_default()
        };
        self.resource = part(0);
        self.name = part(1);
        self.subresource = part(2);
        self.parse_collection();
        Ok(())
    }

    /// A read without a name is a list or a watch; a delete without a name is of the collection.
    ///
    /// Selecting `metadata.name` names the object, so RBAC rules with `resourceNames` cover such
    /// lists and watches.
    fn parse_collection(&mut self) {
        let is_read = matches!(self.verb, Verb::Get | Verb::Watch);
        if self.name.is_empty() && is_read {
            if self.verb == Verb::Get {
                self.verb = if self.flag("watch") {
                    Verb::Watch
                } else {
                    Verb::List
                };
            }
            if let Some(name) = self.param("fieldSelector").and_then(selected_name) {
                self.name = name.to_owned();
            }
        }
        if self.name.is_empty() && self.verb == Verb::Delete {
            self.verb = Verb::DeleteCollection;
        }
    }

    /// What this layer found out about a request.
    ///
    /// # Panics
    ///
    /// If the request came round this layer, which no request inside the stack can.
    pub fn of<B>(request: &http::Request<B>) -> Arc<RequestInfo> {
        let info = request.extensions().get::<Arc<RequestInfo>>();
        Arc::clone(info.expect("the request_info layer is outside of all that ask"))
    }

    /// The first value of a query parameter.
    pub fn param(&self, key: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a query parameter, in order.
    pub fn params<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.query
            .iter()
            .filter(move |(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a boolean parameter is set: present and neither `false` nor `0`.
    pub fn flag(&self, key: &str) -> bool {
        self.param(key)
            .is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
    }

    /// Whether the request may stay open: such requests have no deadline and don't count as in
    /// flight.
    pub fn is_long_running(&self) -> bool {
        self.resource_request
            && (self.verb == Verb::Watch || LONG_RUNNING.contains(&self.subresource.as_str()))
    }

    /// Whether the request changes nothing.
    pub fn is_read_only(&self) -> bool {
        match &self.verb {
            Verb::Get | Verb::List | Verb::Watch => true,
            Verb::Other(method) => matches!(method.as_str(), "get" | "head" | "options"),
            _ => false,
        }
    }

    /// `pods`, or with its subresource `pods/log`: how RBAC rules name it.
    pub fn full_resource(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }

    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }
}

/// The name that a field selector asks for exactly.
fn selected_name(selector: &str) -> Option<&str> {
    selector
        .split(',')
        .filter_map(|term| term.split_once('='))
        .find(|(field, _)| *field == "metadata.name")
        .map(|(_, value)| value.trim_start_matches('='))
        .filter(|name| !name.is_empty())
}

impl Verb {
    /// RBAC's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
            Verb::Other(verb) => verb,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `verb group/version resource/subresource ns name`, with `-` for what is empty.
    #[track_caller]
    fn check(method: &str, uri: &str, expected: &str) {
        let info = RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap();
        let dash = |text: &str| {
            if text.is_empty() {
                "-".to_owned()
            } else {
                text.to_owned()
            }
        };
        let found = if info.resource_request {
            let (ns, name) = (dash(&info.namespace), dash(&info.name));
            format!(
                "{} {} {} {ns} {name}",
                info.verb,
                info.api_version(),
                info.full_resource()
            )
        } else {
            format!("{} path {}", info.verb, info.path)
        };
        assert_eq!(found, expected, "{method} {uri}");
    }

    #[test]
    fn methods_and_names_make_verbs() {
        check("GET", "/api/v1/pods", "list v1 pods - -");
        check("GET", "/api/v1/namespaces/a/pods", "list v1 pods a -");
        check("GET", "/api/v1/namespaces/a/pods/p", "get v1 pods a p");
        check("HEAD", "/api/v1/namespaces/a/pods/p", "get v1 pods a p");
        check("POST", "/api/v1/namespaces/a/pods", "create v1 pods a -");
        check(
            "PUT",
            "/apis/apps/v1/namespaces/a/deployments/d",
            "update apps/v1 deployments a d",
        );
        check(
            "PATCH",
            "/apis/apps/v1/namespaces/a/deployments/d",
            "patch apps/v1 deployments a d",
        );
        check(
            "DELETE",
            "/api/v1/namespaces/a/pods/p",
            "delete v1 pods a p",
        );
        check(
            "DELETE",
            "/api/v1/namespaces/a/pods",
            "deletecollection v1 pods a -",
        );
    }

    #[test]
    fn subresources_follow_the_name() {
        check(
            "GET",
            "/api/v1/namespaces/a/pods/p/log?follow=true",
            "get v1 pods/log a p",
        );
        check(
            "POST",
            "/api/v1/namespaces/a/pods/p/binding",
            "create v1 pods/binding a p",
        );
        check(
            "PUT",
            "/apis/apps/v1/namespaces/a/deployments/d/scale",
            "update apps/v1 deployments/scale a d",
        );
        check(
            "GET",
            "/api/v1/nodes/n/proxy/stats/summary",
            "get v1 nodes/proxy - n",
        );
    }

    #[test]
    fn a_namespace_is_in_itself() {
        check("GET", "/api/v1/namespaces", "list v1 namespaces - -");
        check("GET", "/api/v1/namespaces/a", "get v1 namespaces a a");
        check(
            "PUT",
            "/api/v1/namespaces/a/finalize",
            "update v1 namespaces/finalize a a",
        );
        check(
            "PATCH",
            "/api/v1/namespaces/a/status",
            "patch v1 namespaces/status a a",
        );
    }

    #[test]
    fn watches_come_by_parameter_or_prefix() {
        check("GET", "/api/v1/pods?watch=true", "watch v1 pods - -");
        check("GET", "/api/v1/pods?watch=1", "watch v1 pods - -");
        check("GET", "/api/v1/pods?watch", "watch v1 pods - -");
        check("GET", "/api/v1/pods?watch=false", "list v1 pods - -");
        check(
            "GET",
            "/api/v1/watch/namespaces/a/pods/p",
            "watch v1 pods a p",
        );
        check(
            "GET",
            "/apis/apps/v1/watch/deployments",
            "watch apps/v1 deployments - -",
        );
    }

    #[test]
    fn selecting_the_name_names_the_object() {
        check(
            "GET",
            "/api/v1/namespaces/a/secrets?fieldSelector=metadata.name%3Ds",
            "list v1 secrets a s",
        );
        check(
            "GET",
            "/api/v1/namespaces/a/secrets?fieldSelector=metadata.name!=s",
            "list v1 secrets a -",
        );
        check(
            "GET",
            "/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn",
            "watch v1 pods - -",
        );
    }

    #[test]
    fn short_and_foreign_paths_are_no_resources() {
        check("GET", "/", "get path /");
        check("GET", "/healthz", "get path /healthz");
        check("GET", "/api", "get path /api");
        check("GET", "/api/v1", "get path /api/v1");
        check("GET", "/api/v1/", "get path /api/v1/");
        check("GET", "/apis/apps", "get path /apis/apps");
        check("GET", "/apis/apps/v1", "get path /apis/apps/v1");
        check("POST", "/openapi/v2", "post path /openapi/v2");
    }

    #[test]
    fn a_bare_watch_prefix_is_refused() {
        let parsed = RequestInfo::parse(&Method::GET, &"/api/v1/watch".parse().unwrap());
        assert!(matches!(parsed, Err(ApiError::BadRequest(_))));
    }
}
