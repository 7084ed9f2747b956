//! `/metrics`: what was asked for, how often, and how long it took, in Prometheus' text form and
//! Kubernetes' names.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{HeaderValue, Method, header};

use crate::{
    ApiError, Request, RequestInfo, Response, Verb, body,
    layer::{Handler, Step},
};

/// Upper bounds of the durations counted apart, in seconds.
const BUCKETS: [f64; 10] = [0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The counts of one server; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Arc<Counts>, Vec<Counter>);

/// A count that somebody else keeps.
#[derive(Clone)]
struct Counter {
    name: &'static str,
    help: &'static str,
    read: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, (self.read)())
    }
}

impl Metrics {
    /// Shows one more counter, read whenever somebody asks.
    #[must_use]
    pub fn counter(
        mut self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> Self {
        let read = Arc::new(read);
        self.1.push(Counter { name, help, read });
        self
    }
}

#[derive(Debug, Default)]
struct Counts {
    requests: Mutex<BTreeMap<Labels, Series>>,
    reading: AtomicI64,
    changing: AtomicI64,
}

/// Counts every request that passes.
#[derive(Debug, Clone)]
pub struct Measure(pub Metrics);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    verb: &'static str,
    group: String,
    version: String,
    resource: String,
    subresource: String,
    code: u16,
}

#[derive(Debug, Default)]
struct Series {
    count: u64,
    seconds: f64,
    buckets: [u64; BUCKETS.len()],
}

impl Step for Measure {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        let counts = &self.0.0;
        let gauge = if info.is_read_only() {
            &counts.reading
        } else {
            &counts.changing
        };
        let _in_flight = InFlight::enter(gauge);
        let start = Instant::now();
        let response = next.run(request).await;
        counts.record(&info, response.status().as_u16(), start.elapsed());
        Ok(response)
    }
}

/// Answers `/metrics`.
impl Step for Metrics {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        if RequestInfo::of(&request).path != "/metrics" {
            return Ok(next.run(request).await);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(ApiError::MethodNotAllowed);
        }
        let mut response = Response::new(body::full(self.to_string()));
        let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        Ok(response)
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

impl Counts {
    fn record(&self, info: &RequestInfo, code: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let series = requests.entry(Labels::of(info, code)).or_default();
        series.count += 1;
        // How long a watch was open says nothing about the server.
        if !info.is_long_running() {
            series.seconds += took.as_secs_f64();
            if let Some(bucket) = BUCKETS
                .iter()
                .position(|bound| took.as_secs_f64() <= *bound)
            {
                series.buckets[bucket] += 1;
            }
        }
    }
}

impl Labels {
    /// What doesn't exist, or isn't allowed, is counted without its name: else anyone could make
    /// any number of series.
    fn of(info: &RequestInfo, code: u16) -> Self {
        let is_known = info.resource_request && !matches!(code, 400..=405);
        let text = |text: &str| {
            if is_known {
                text.to_owned()
            } else {
                String::new()
            }
        };
        Labels {
            verb: verb(info),
            group: text(&info.group),
            version: text(&info.version),
            resource: text(&info.resource),
            subresource: text(&info.subresource),
            code,
        }
    }
}

fn verb(info: &RequestInfo) -> &'static str {
    match &info.verb {
        Verb::Watch => "WATCH",
        _ if info.is_long_running() => "CONNECT",
        Verb::Get => "GET",
        Verb::List => "LIST",
        Verb::Create => "POST",
        Verb::Update => "PUT",
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

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = self
            .0
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        head(
            f,
            "apiserver_request_total",
            "counter",
            "Requests by verb, resource and code.",
        )?;
        for (labels, series) in requests.iter() {
            writeln!(
                f,
                "apiserver_request_total{{code=\"{}\",{labels}}} {}",
                labels.code, series.count
            )?;
        }
        const SECONDS: &str = "apiserver_request_duration_seconds";
        head(
            f,
            SECONDS,
            "histogram",
            "Time to answer, of requests that aren't long-running.",
        )?;
        for (labels, series) in by_resource(&requests) {
            let mut below = 0;
            for (bound, count) in BUCKETS.iter().zip(series.buckets) {
                below += count;
                writeln!(f, "{SECONDS}_bucket{{{labels},le=\"{bound}\"}} {below}")?;
            }
            writeln!(
                f,
                "{SECONDS}_bucket{{{labels},le=\"+Inf\"}} {}",
                series.count
            )?;
            writeln!(f, "{SECONDS}_sum{{{labels}}} {}", series.seconds)?;
            writeln!(f, "{SECONDS}_count{{{labels}}} {}", series.count)?;
        }
        for Counter { name, help, read } in &self.1 {
            head(f, name, "counter", help)?;
            writeln!(f, "{name} {}", read())?;
        }
        const IN_FLIGHT: &str = "apiserver_current_inflight_requests";
        head(f, IN_FLIGHT, "gauge", "Requests being served.")?;
        for (kind, gauge) in [
            ("mutating", &self.0.changing),
            ("readOnly", &self.0.reading),
        ] {
            writeln!(
                f,
                "{IN_FLIGHT}{{request_kind=\"{kind}\"}} {}",
                gauge.load(Ordering::Relaxed)
            )?;
        }
        Ok(())
    }
}

/// The durations of all codes together, of what isn't long-running.
fn by_resource(requests: &BTreeMap<Labels, Series>) -> BTreeMap<String, Series> {
    let mut sums = BTreeMap::<String, Series>::new();
    for (labels, series) in requests
        .iter()
        .filter(|(labels, _)| !matches!(labels.verb, "WATCH" | "CONNECT"))
    {
        let sum = sums.entry(labels.to_string()).or_default();
        sum.count += series.count;
        sum.seconds += series.seconds;
        for (sum, count) in sum.buckets.iter_mut().zip(series.buckets) {
            *sum += count;
        }
    }
    sums
}

impl fmt::Display for Labels {
    /// All but the code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Labels {
            verb,
            group,
            version,
            resource,
            subresource,
            ..
        } = self;
        let pairs = [
            ("verb", *verb),
            ("group", group),
            ("version", version),
            ("resource", resource),
            ("subresource", subresource),
        ];
        for (index, (name, value)) in pairs.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{name}=\"")?;
            for character in value.chars() {
                match character {
                    '"' | '\\' => write!(f, "\\{character}")?,
                    '\n' => f.write_str("\\n")?,
                    other => f.write_char(other)?,
                }
            }
            f.write_char('"')?;
        }
        Ok(())
    }
}

fn head(f: &mut fmt::Formatter<'_>, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(f, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn requests_are_counted_by_what_they_asked_for() {
        let metrics = Metrics::default();
        let record = |method: &str, uri: &str, code, millis| {
            let info = RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap();
            metrics.0.record(&info, code, Duration::from_millis(millis));
        };
        record("GET", "/api/v1/pods", 200, 3);
        record("GET", "/api/v1/pods", 200, 30);
        record("GET", "/api/v1/no-such-thing", 404, 1);
        record("GET", "/api/v1/pods?watch=1", 200, 60_000);
        let shown: Vec<String> = metrics.to_string().lines().map(str::to_owned).collect();
        let chosen: Vec<&str> = shown
            .iter()
            .map(String::as_str)
            .filter(|line| {
                line.contains("total{") || line.contains("0.025\"") || line.contains("_sum")
            })
            .collect();
        expect![[r#"
            apiserver_request_total{code="404",verb="LIST",group="",version="",resource="",subresource=""} 1
            apiserver_request_total{code="200",verb="LIST",group="",version="v1",resource="pods",subresource=""} 2
            apiserver_request_total{code="200",verb="WATCH",group="",version="v1",resource="pods",subresource=""} 1
            apiserver_request_duration_seconds_bucket{verb="LIST",group="",version="",resource="",subresource="",le="0.025"} 1
            apiserver_request_duration_seconds_sum{verb="LIST",group="",version="",resource="",subresource=""} 0.001
            apiserver_request_duration_seconds_bucket{verb="LIST",group="",version="v1",resource="pods",subresource="",le="0.025"} 1
            apiserver_request_duration_seconds_sum{verb="LIST",group="",version="v1",resource="pods",subresource=""} 0.033"#]]
        .assert_eq(&chosen.join("\n"));
    }
}
