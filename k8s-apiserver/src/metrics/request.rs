//! Requests by what they asked for: how many, how long they took, how large the answers were, how
//! many are open.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use http::header;
use http_body::Body as _;

use super::{Exposition, Histogram, Metrics};
use crate::{
    ApiError, Request, RequestInfo, Response, Verb, body,
    layer::{Handler, Step},
};

/// Upper bounds of durations, in seconds.
const DURATIONS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
    10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
];
/// Upper bounds of sizes, in bytes.
const SIZES: [f64; 7] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// Counts every request that passes.
#[derive(Debug, Clone)]
pub struct Measure(pub Metrics);

/// What is known of all requests.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// By their labels, joined.
    series: RwLock<BTreeMap<String, Arc<Series>>>,
    reading: AtomicI64,
    changing: AtomicI64,
}

/// The requests that asked for the same.
#[derive(Debug)]
struct Series {
    labels: [(&'static str, String); LABELS.len()],
    codes: Mutex<BTreeMap<u16, u64>>,
    durations: Histogram,
    sizes: Histogram,
    open: AtomicI64,
}

/// The labels of durations, in the order in which they are written. Counts have the code before
/// them.
const LABELS: [&str; 8] = [
    "component",
    "dry_run",
    "group",
    "resource",
    "scope",
    "subresource",
    "verb",
    "version",
];
/// The place of the one that other families lack.
const DRY_RUN: usize = 1;

impl Step for Measure {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let requests = &self.0.requests;
        let info = RequestInfo::of(&request);
        let is_apply = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|content| content.as_bytes().starts_with(b"application/apply-patch"));
        if info.is_long_running() {
            let response = next.run(request).await;
            let series = requests.series_of(&info, is_apply, response.status().as_u16());
            series.count(response.status().as_u16());
            return Ok(series.follow(response));
        }
        let gauge = match info.is_read_only() {
            true => &requests.reading,
            false => &requests.changing,
        };
        let in_flight = InFlight::enter(gauge);
        let start = Instant::now();
        let response = next.run(request).await;
        drop(in_flight);
        Ok(requests.record(&info, is_apply, response, start.elapsed()))
    }
}

/// Counts down again even if the request is dropped halfway.
struct InFlight<'a>(&'a AtomicI64);

impl<'a> InFlight<'a> {
    fn enter(gauge: &'a AtomicI64) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        InFlight(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Requests {
    fn record(
        &self,
        info: &RequestInfo,
        is_apply: bool,
        response: Response,
        took: Duration,
    ) -> Response {
        let code = response.status().as_u16();
        let series = self.series_of(info, is_apply, code);
        series.count(code);
        series.durations.observe_time(took);
        let is_read = matches!(info.verb, Verb::Get | Verb::List);
        match response.body().size_hint().exact() {
            _ if !is_read => response,
            Some(size) => {
                series.sizes.observe(size as f64);
                response
            }
            None => series.weigh(response),
        }
    }

    fn series_of(&self, info: &RequestInfo, is_apply: bool, code: u16) -> Arc<Series> {
        let dry_run = dry_run(info);
        let labels = labels(info, is_apply, code, &dry_run);
        let key = labels.join("\0");
        let known = self.series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(&key) {
            return Arc::clone(series);
        }
        drop(known);
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Series::new(labels));
        Arc::clone(all.entry(key).or_insert_with(new))
    }

    pub(super) fn expose(&self, out: &mut Exposition) {
        let series: Vec<Arc<Series>> = self
            .series
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .cloned()
            .collect();
        out.family(
            "apiserver_request_total",
            "counter",
            "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, \
             component, and HTTP response code.",
        );
        for each in &series {
            let codes = each.codes.lock().unwrap_or_else(PoisonError::into_inner);
            for (code, count) in codes.iter() {
                let code = code.to_string();
                let labels = [&[("code", code.as_str())], &*each.labels()].concat();
                out.sample(&labels, count);
            }
        }
        out.family(
            "apiserver_request_duration_seconds",
            "histogram",
            "Response latency distribution in seconds for each verb, dry run value, group, version, resource, \
             subresource, scope and component.",
        );
        for each in &series {
            if each.durations.snapshot().count > 0 {
                out.histogram(&each.labels(), &each.durations);
            }
        }
        out.family(
            "apiserver_response_sizes",
            "histogram",
            "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and \
             component.",
        );
        for each in &series {
            if each.sizes.snapshot().count > 0 {
                out.histogram(&each.labels_without_dry_run(), &each.sizes);
            }
        }
        out.family(
            "apiserver_longrunning_requests",
            "gauge",
            "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope \
             and component. Not all requests are tracked this way.",
        );
        for each in series.iter().filter(|each| each.is_long_running()) {
            let open = each.open.load(Ordering::Relaxed);
            out.sample(&each.labels_without_dry_run(), open);
        }
        out.family(
            "apiserver_current_inflight_requests",
            "gauge",
            "Number of requests being served by this apiserver per request kind.",
        );
        for (kind, gauge) in [("mutating", &self.changing), ("readOnly", &self.reading)] {
            let count = gauge.load(Ordering::Relaxed);
            out.sample(&[("request_kind", kind)], count);
        }
    }
}

impl Series {
    fn new(values: [&str; LABELS.len()]) -> Self {
        let mut values = values.into_iter();
        Series {
            labels: LABELS.map(|name| (name, values.next().unwrap_or_default().to_owned())),
            codes: Mutex::default(),
            durations: Histogram::new(&DURATIONS),
            sizes: Histogram::new(&SIZES),
            open: AtomicI64::new(0),
        }
    }

    fn count(&self, code: u16) {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        *codes.entry(code).or_default() += 1;
    }

    fn labels(&self) -> Vec<(&str, &str)> {
        let pairs = self.labels.iter();
        pairs.map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn labels_without_dry_run(&self) -> Vec<(&str, &str)> {
        let mut labels = self.labels();
        labels.remove(DRY_RUN);
        labels
    }

    fn is_long_running(&self) -> bool {
        let verb = self.labels.iter().find(|(name, _)| *name == "verb");
        verb.is_some_and(|(_, verb)| matches!(verb.as_str(), "WATCH" | "CONNECT"))
    }

    /// The same response, open until its body has ended.
    fn follow(self: Arc<Self>, response: Response) -> Response {
        self.open.fetch_add(1, Ordering::Relaxed);
        response.map(|body| {
            body::at_end(body, move |_| {
                self.open.fetch_sub(1, Ordering::Relaxed);
            })
        })
    }

    /// The same response, its size counted when its body has ended.
    fn weigh(self: Arc<Self>, response: Response) -> Response {
        response.map(|body| body::at_end(body, move |size| self.sizes.observe(size as f64)))
    }
}

/// The values of [`LABELS`].
///
/// What doesn't exist, or isn't allowed, is counted without its name: else anyone could make any
/// number of series.
fn labels<'a>(
    info: &'a RequestInfo,
    is_apply: bool,
    code: u16,
    dry_run: &'a str,
) -> [&'a str; LABELS.len()] {
    let is_known = !matches!(code, 400..=405);
    let if_known = |text: &'a str| if is_known { text } else { "" };
    let verb = verb(info, is_apply);
    if !info.resource_request {
        let path = if is_known { probe(&info.path) } else { "" };
        return ["", "", "", "", "", path, verb, ""];
    }
    [
        "apiserver",
        dry_run,
        if_known(&info.group),
        if_known(&info.resource),
        scope(info),
        if_known(&info.subresource),
        verb,
        if_known(&info.version),
    ]
}

/// The paths that are no resources and yet told apart.
fn probe(path: &str) -> &str {
    let known = ["/healthz", "/livez", "/readyz", "/metrics", "/version"];
    known.into_iter().find(|each| *each == path).unwrap_or("")
}

/// What a request is about: one object, a namespace's, or the cluster's.
fn scope(info: &RequestInfo) -> &'static str {
    if !info.name.is_empty() || info.verb == Verb::Create {
        "resource"
    } else if !info.namespace.is_empty() {
        "namespace"
    } else {
        "cluster"
    }
}

/// The values of `dryRun`, each once, in order.
fn dry_run(info: &RequestInfo) -> String {
    let asked: BTreeSet<&str> = info.params("dryRun").collect();
    match asked.iter().all(|value| *value == "All") {
        true => Vec::from_iter(asked).join(","),
        false => "invalid".to_owned(),
    }
}

fn verb(info: &RequestInfo, is_apply: bool) -> &'static str {
    match &info.verb {
        Verb::Watch => "WATCH",
        _ if info.is_long_running() => "CONNECT",
        Verb::Get => "GET",
        Verb::List => "LIST",
        Verb::Create => "POST",
        Verb::Update => "PUT",
        Verb::Patch if is_apply => "APPLY",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
        Verb::DeleteCollection => "DELETECOLLECTION",
        Verb::Other(method) => match method.as_str() {
            "get" | "head" => "GET",
            "post" => "POST",
            "put" => "PUT",
            "patch" => "PATCH",
            "delete" => "DELETE",
            _ => "other",
        },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use expect_test::expect;
    use futures::stream;
    use http_body_util::BodyExt;

    use super::*;
    use crate::Body;

    fn info(method: &str, uri: &str) -> RequestInfo {
        RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap()
    }

    fn answer(code: u16, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = code.try_into().unwrap();
        response
    }

    fn shown(requests: &Requests, wanted: impl Fn(&str) -> bool) -> String {
        let mut out = Exposition::default();
        requests.expose(&mut out);
        let text = out.into_text();
        let lines: Vec<&str> = text.lines().filter(|line| wanted(line)).collect();
        lines.join("\n")
    }

    #[test]
    fn requests_are_counted_by_what_they_asked_for() {
        let requests = Requests::default();
        let record = |method: &str, uri: &str, code, millis| {
            let response = answer(code, body::full("1234"));
            let took = Duration::from_millis(millis);
            requests.record(&info(method, uri), false, response, took);
        };
        record("GET", "/api/v1/pods", 200, 3);
        record("GET", "/api/v1/pods", 200, 30);
        record("GET", "/api/v1/no-such-thing", 404, 1);
        record(
            "POST",
            "/apis/apps/v1/namespaces/a/deployments?dryRun=All",
            201,
            1,
        );
        record("GET", "/readyz", 200, 1);
        record("GET", "/readyz/no-such-check", 404, 1);
        let wanted = |line: &str| {
            line.contains("total{") || line.contains("\"0.025\"") || line.contains("_sum{")
        };
        expect![[r#"
            apiserver_request_total{code="404",component="",dry_run="",group="",resource="",scope="",subresource="",verb="GET",version=""} 1
            apiserver_request_total{code="200",component="",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 1
            apiserver_request_total{code="404",component="apiserver",dry_run="",group="",resource="",scope="cluster",subresource="",verb="LIST",version=""} 1
            apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 2
            apiserver_request_total{code="201",component="apiserver",dry_run="All",group="apps",resource="deployments",scope="resource",subresource="",verb="POST",version="v1"} 1
            apiserver_request_duration_seconds_bucket{component="",dry_run="",group="",resource="",scope="",subresource="",verb="GET",version="",le="0.025"} 1
            apiserver_request_duration_seconds_sum{component="",dry_run="",group="",resource="",scope="",subresource="",verb="GET",version=""} 0.001
            apiserver_request_duration_seconds_bucket{component="",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version="",le="0.025"} 1
            apiserver_request_duration_seconds_sum{component="",dry_run="",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 0.001
            apiserver_request_duration_seconds_bucket{component="apiserver",dry_run="",group="",resource="",scope="cluster",subresource="",verb="LIST",version="",le="0.025"} 1
            apiserver_request_duration_seconds_sum{component="apiserver",dry_run="",group="",resource="",scope="cluster",subresource="",verb="LIST",version=""} 0.001
            apiserver_request_duration_seconds_bucket{component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1",le="0.025"} 1
            apiserver_request_duration_seconds_sum{component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 0.033
            apiserver_request_duration_seconds_bucket{component="apiserver",dry_run="All",group="apps",resource="deployments",scope="resource",subresource="",verb="POST",version="v1",le="0.025"} 1
            apiserver_request_duration_seconds_sum{component="apiserver",dry_run="All",group="apps",resource="deployments",scope="resource",subresource="",verb="POST",version="v1"} 0.001
            apiserver_response_sizes_sum{component="apiserver",group="",resource="",scope="cluster",subresource="",verb="LIST",version=""} 4
            apiserver_response_sizes_sum{component="apiserver",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 8"#]].assert_eq(&shown(&requests, wanted));
    }

    #[test]
    fn a_watch_is_open_until_its_body_is_dropped() {
        let requests = Requests::default();
        let watch = info("GET", "/api/v1/namespaces/a/pods?watch=1");
        let series = requests.series_of(&watch, false, 200);
        let open = || shown(&requests, |line| line.starts_with("apiserver_longrunning"));
        let response = series.follow(answer(200, body::stream(stream::pending())));
        expect![[r#"apiserver_longrunning_requests{component="apiserver",group="",resource="pods",scope="namespace",subresource="",verb="WATCH",version="v1"} 1"#]]
        .assert_eq(&open());
        drop(response);
        assert!(open().ends_with(" 0"));
    }

    #[tokio::test]
    async fn a_list_in_pieces_is_weighed_when_it_has_ended() {
        let requests = Requests::default();
        let pieces = stream::iter(["ab", "cde"].map(|piece| Ok(Bytes::from(piece))));
        let response = answer(200, body::stream(pieces));
        let list = info("GET", "/api/v1/pods");
        let response = requests.record(&list, false, response, Duration::ZERO);
        let sum = || {
            shown(&requests, |line| {
                line.starts_with("apiserver_response_sizes_sum")
            })
        };
        assert_eq!(sum(), "");
        response.into_body().collect().await.unwrap();
        assert!(sum().ends_with(" 5"), "{}", sum());
    }
}
