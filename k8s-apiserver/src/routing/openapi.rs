//! OpenAPI: the schemas of all kinds, made from `k8s-openapi`'s texts and the project's own structural facts.
//!
//! `kubectl explain` reads the texts, `kubectl apply` the merge keys and whether `PATCH` takes `fieldValidation`. A
//! document is made when it is first asked for and kept compressed, so a server that nobody asks holds none.

mod kinds;
mod message;
mod operation;
mod schema;
mod shelf;
mod structure;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use self::shelf::{Document, Shelf};
use crate::{
    ApiError, RequestInfo, Response, body, handler,
    registry::{KindRow, Resources},
};

/// Answers `/openapi/v2` and `/openapi/v3`, and keeps what it made.
#[derive(Debug, Default)]
pub(super) struct OpenApi {
    shelf: Shelf,
}

/// The two dialects. They differ in where schemas lie and in what may stand beside a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// Swagger 2.0.
    V2,
    /// OpenAPI 3.0.
    V3,
}

impl OpenApi {
    /// Answers what is below `/openapi/`.
    pub(super) fn answer(
        &self,
        resources: &Resources,
        document: &str,
        info: &RequestInfo,
        headers: &HeaderMap,
    ) -> Result<Response, ApiError> {
        let groups = group_versions(resources);
        match document.split_once('/') {
            None if document == "v3" => {
                negotiate(headers, &[JSON])?;
                let mut response = Response::new(body::full(self.index(&groups)?));
                let json = HeaderValue::from_static(JSON);
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                Ok(response)
            }
            None if document == "v2" => {
                let [asked_for, protobuf] = message::MEDIA_TYPES;
                let media_type = match negotiate(headers, &[JSON, asked_for, protobuf])? {
                    JSON => JSON,
                    _ => protobuf,
                };
                let rows: Vec<KindRow> = groups.values().flatten().cloned().collect();
                let document = self.shelf.document(media_type, &rows, || {
                    let groups: Vec<_> = groups.iter().collect();
                    let tree = swagger(&groups);
                    match media_type {
                        JSON => Ok(tree.to_string().into_bytes()),
                        _ => message::encode(&tree).map_err(ApiError::internal),
                    }
                })?;
                respond(headers, &document, media_type)
            }
            Some(("v3", path)) => {
                negotiate(headers, &[JSON])?;
                let rows = groups.get(path).ok_or(ApiError::NoSuchResource)?;
                let document = self.group_version(path, rows)?;
                // The hash is part of the path that the index gave out, so the document never changes. Who has an old
                // one is sent to the new.
                match info.param("hash") {
                    Some(known) if known != document.hash => return moved(path, &document.hash),
                    _ => {}
                }
                let mut response = respond(headers, &document, JSON)?;
                if info.param("hash").is_some() {
                    let forever = HeaderValue::from_static("public, immutable");
                    response
                        .headers_mut()
                        .insert(header::CACHE_CONTROL, forever);
                }
                Ok(response)
            }
            _ => Err(ApiError::NoSuchResource),
        }
    }

    /// The index: one path per group and version, each with the hash of its document. So the first who asks waits for
    /// all of them to be made.
    fn index(&self, groups: &BTreeMap<String, Vec<KindRow>>) -> Result<Bytes, ApiError> {
        let mut paths = Map::new();
        for (path, rows) in groups {
            let url = url(path, &self.group_version(path, rows)?.hash);
            paths.insert(path.clone(), json!({ "serverRelativeURL": url }));
        }
        Ok(json!({ "paths": paths }).to_string().into())
    }

    fn group_version(&self, path: &str, rows: &[KindRow]) -> Result<Document, ApiError> {
        self.shelf.document(path, rows, || {
            Ok(open_api(path, rows).to_string().into_bytes())
        })
    }
}

/// The document, compressed if the client takes it so, or `304` if the client has it.
fn respond(
    request: &HeaderMap,
    document: &Document,
    media_type: &'static str,
) -> Result<Response, ApiError> {
    let etag = format!("\"{}\"", document.hash);
    let is_known = texts(request, header::IF_NONE_MATCH)
        .split(',')
        .any(|tag| tag.trim() == etag);
    let is_gzipped = handler::accepts_gzip(request);
    let mut response = match (is_known, is_gzipped) {
        (true, _) => Response::new(body::empty()),
        (false, true) => Response::new(body::full(document.gzipped())),
        (false, false) => {
            let plain = document.plain().map_err(ApiError::internal)?;
            Response::new(body::full(plain))
        }
    };
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    let vary = HeaderValue::from_static("Accept-Encoding, Accept");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::VARY, vary);
    if is_gzipped && !is_known {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let etag = HeaderValue::from_str(&etag).map_err(ApiError::internal)?;
    headers.insert(header::ETAG, etag);
    Ok(response)
}

/// Where a document is now.
fn moved(path: &str, hash: &str) -> Result<Response, ApiError> {
    let place = HeaderValue::from_str(&url(path, hash)).map_err(ApiError::internal)?;
    let mut response = Response::new(body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    response.headers_mut().insert(header::LOCATION, place);
    Ok(response)
}

fn url(path: &str, hash: &str) -> String {
    format!("/openapi/v3/{path}?hash={hash}")
}

/// The rows by `api/v1`, `apis/apps/v1`.
fn group_versions(resources: &Resources) -> BTreeMap<String, Vec<KindRow>> {
    let mut groups: BTreeMap<String, Vec<KindRow>> = BTreeMap::new();
    for endpoint in resources.all() {
        let row = endpoint.row();
        for version in &row.versions {
            groups
                .entry(operation::root(&row.group, version))
                .or_default()
                .push(row.clone());
        }
    }
    groups
}

fn open_api(path: &str, rows: &[KindRow]) -> Value {
    let version = path.rsplit('/').next().unwrap_or_default();
    let schemas = schema::schemas(Dialect::V3, &[(version, rows)]);
    json!({
        "openapi": "3.0.0",
        "info": information(),
        "paths": operation::paths(Dialect::V3, version, rows),
        "components": { "schemas": schemas },
    })
}

fn swagger(groups: &[(&String, &Vec<KindRow>)]) -> Value {
    let groups: Vec<(&str, &[KindRow])> = groups
        .iter()
        .map(|(path, rows)| (path.rsplit('/').next().unwrap_or_default(), rows.as_slice()))
        .collect();
    let mut paths = Map::new();
    for (version, rows) in &groups {
        paths.extend(operation::paths(Dialect::V2, version, rows));
    }
    json!({
        "swagger": "2.0",
        "info": information(),
        "paths": paths,
        "definitions": schema::schemas(Dialect::V2, &groups),
    })
}

fn information() -> Value {
    json!({ "title": "Kubernetes", "version": "v1.37.0" })
}

const JSON: &str = "application/json";

/// The first media type of those offered that the client accepts.
fn negotiate(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, ApiError> {
    let accept = texts(headers, header::ACCEPT);
    if accept.is_empty() {
        return Ok(JSON);
    }
    let mut accepted = accept.split(',').map(|element| {
        let media_type = element.split(';').next().unwrap_or_default().trim();
        match media_type {
            "*/*" | "application/*" => Some(JSON),
            media_type => offered.iter().copied().find(|each| *each == media_type),
        }
    });
    accepted
        .find_map(|found| found)
        .ok_or_else(|| ApiError::NotAcceptable {
            offered: offered.to_vec(),
        })
}

fn texts(headers: &HeaderMap, name: header::HeaderName) -> String {
    let values = headers.get_all(name);
    let values: Vec<&str> = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    values.join(",")
}
