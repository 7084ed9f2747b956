//! Methods and paths: a resource that was read names the same once it is written.

use anyhow::{Context, Result, ensure};
use http::{Method, Uri};
use k8s_apiserver::RequestInfo;
use k8s_store::testing::Dice;

use super::{Target, text};
use crate::mutate;

const WORDS: [&str; 34] = [
    "/api",
    "/apis",
    "/v1",
    "/apps",
    "/watch",
    "/namespaces",
    "/default",
    "/pods",
    "/p",
    "/status",
    "/finalize",
    "/log",
    "/proxy",
    "/",
    "//",
    "/..",
    "/%2e%2e",
    "/%2F",
    "/%00",
    "/%ff",
    "%",
    "%zz",
    "?",
    "?watch=1",
    "&",
    "=",
    "fieldSelector=metadata.name%3Da",
    "fieldSelector=metadata.name==",
    "limit=1",
    "+",
    "%3D",
    "/\u{e9}",
    ";",
    "#",
];
const METHODS: [&str; 8] = [
    "GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "FROB",
];

pub(super) struct Paths;

impl Target for Paths {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut text = mutate::pick(dice, &METHODS).as_bytes().to_vec();
        text.push(b' ');
        if dice.one_in(2) {
            text.extend(mutate::pick(dice, &["/api/v1", "/apis/apps/v1"]).bytes());
        }
        text.extend(mutate::sentence(dice, &WORDS, 8));
        text
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Some((method, uri)) = text(input).and_then(|text| text.split_once(' ')) else {
            return Ok(());
        };
        let (Ok(method), Ok(uri)) = (method.parse::<Method>(), uri.parse::<Uri>()) else {
            return Ok(());
        };
        let Ok(info) = RequestInfo::parse(&method, &uri) else {
            return Ok(());
        };
        let _ = (
            info.full_resource(),
            info.is_long_running(),
            info.is_read_only(),
        );
        if !info.resource_request {
            return Ok(());
        }
        ensure!(
            info.path.trim_start_matches('/').starts_with("api"),
            "{info:?}"
        );
        let Some(canonical) = canonical(&info) else {
            return Ok(());
        };
        let again = RequestInfo::parse(&method, &canonical.parse()?).context(canonical.clone())?;
        let parts = |info: &RequestInfo| {
            let parts = [
                &info.group,
                &info.version,
                &info.resource,
                &info.subresource,
                &info.namespace,
                &info.name,
            ];
            parts.map(String::clone)
        };
        ensure!(
            parts(&again) == parts(&info),
            "{info:?}, but {canonical} is {again:?}"
        );
        Ok(())
    }
}

/// The path of a request as a client would write it; none for what no client can write.
fn canonical(info: &RequestInfo) -> Option<String> {
    let parts = [
        &info.version,
        &info.resource,
        &info.subresource,
        &info.namespace,
        &info.name,
    ];
    let is_plain = |part: &&String| {
        part.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let has_gaps = info.path.contains("//");
    if !parts.iter().all(is_plain)
        || matches!(info.resource.as_str(), "namespaces" | "watch")
        || info.resource.is_empty()
        || has_gaps
    {
        return None;
    }
    // A selector may name the object as well.
    if !info.path.split('/').any(|part| part == info.name) {
        return None;
    }
    let mut path = match info.group.as_str() {
        "" => format!("/api/{}", info.version),
        group => format!("/apis/{group}/{}", info.version),
    };
    if !info.namespace.is_empty() {
        path += &format!("/namespaces/{}", info.namespace);
    }
    for part in [&info.resource, &info.name, &info.subresource] {
        if !part.is_empty() {
            path += &format!("/{part}");
        }
    }
    Some(path)
}
