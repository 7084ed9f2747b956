//! OpenAPI: the schemas of all kinds, made from `k8s-openapi`'s texts and the project's own structural facts.
//!
//! `kubectl explain` reads the texts, `kubectl apply` the merge keys and whether `PATCH` takes `fieldValidation`. A
//! document is made when it is first asked for and kept compressed, so a server that nobody asks holds none.

mod kinds;
mod message;
mod operation;
mod schema;
mod structure;

use std::{
    collections::{BTreeMap, HashMap},
    io::{Read, Write},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    ApiError, RequestInfo, Response, body, handler,
    registry::{KindRow, Resources},
};

/// Answers `/openapi/v2` and `/openapi/v3`, and keeps what it made.
#[derive(Debug, Default)]
pub(super) struct OpenApi {
    /// By path and hash, gzipped.
    documents: Mutex<HashMap<(String, String), Bytes>>,
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
                Ok(respond(headers, index(&groups), JSON, None))
            }
            None if document == "v2" => {
                let [asked_for, protobuf] = message::MEDIA_TYPES;
                let media_type = match negotiate(headers, &[JSON, asked_for, protobuf])? {
                    JSON => JSON,
                    _ => protobuf,
                };
                let rows: Vec<KindRow> = groups.values().flatten().cloned().collect();
                // Another form of the same has another tag.
                let hash = match media_type {
                    JSON => hash_of(&rows),
                    _ => format!("{}-PB", hash_of(&rows)),
                };
                let document = self.document(media_type, &hash, headers, || {
                    let groups: Vec<_> = groups.iter().collect();
                    let tree = swagger(&groups);
                    match media_type {
                        JSON => Ok(tree.to_string().into_bytes()),
                        _ => message::encode(&tree).map_err(ApiError::internal),
                    }
                })?;
                Ok(respond(headers, document, media_type, Some(&hash)))
            }
            Some(("v3", path)) => {
                negotiate(headers, &[JSON])?;
                let rows = groups.get(path).ok_or(ApiError::NoSuchResource)?;
                let hash = hash_of(rows);
                // The hash is part of the path that the index gave out, so the document never changes. Who has an old
                // one is sent to the new.
                match info.param("hash") {
                    Some(known) if known != hash => return moved(path, &hash),
                    _ => {}
                }
                let document = self.document(path, &hash, headers, || {
                    Ok(open_api(path, rows).to_string().into_bytes())
                })?;
                let mut response = respond(headers, document, JSON, Some(&hash));
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

    /// A kept document, or a new one; compressed if the client takes it so.
    fn document(
        &self,
        path: &str,
        hash: &str,
        headers: &HeaderMap,
        make: impl FnOnce() -> Result<Vec<u8>, ApiError>,
    ) -> Result<Document, ApiError> {
        let key = (path.to_owned(), hash.to_owned());
        let kept = self.lock().get(&key).cloned();
        let gzipped = match kept {
            Some(gzipped) => gzipped,
            None => {
                let gzipped = gzip(&make()?).map_err(ApiError::internal)?;
                let mut documents = self.lock();
                documents.retain(|(other, _), _| other != path);
                documents.insert(key, gzipped.clone());
                gzipped
            }
        };
        if handler::accepts_gzip(headers) {
            return Ok(Document {
                bytes: gzipped,
                gzipped: true,
            });
        }
        let mut plain = Vec::with_capacity(gzipped.len() * 8);
        GzDecoder::new(&*gzipped)
            .read_to_end(&mut plain)
            .map_err(ApiError::internal)?;
        Ok(Document {
            bytes: Bytes::from(plain),
            gzipped: false,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Bytes>> {
        self.documents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes to be sent.
struct Document {
    bytes: Bytes,
    gzipped: bool,
}

/// The document, or `304` if the client has it.
fn respond(
    request: &HeaderMap,
    document: Document,
    media_type: &'static str,
    etag: Option<&str>,
) -> Response {
    let etag = etag.map(|etag| format!("\"{etag}\""));
    let is_known = etag.as_ref().is_some_and(|etag| {
        let known = texts(request, header::IF_NONE_MATCH);
        known.split(',').any(|tag| tag.trim() == etag)
    });
    let mut response = match is_known {
        true => Response::new(body::empty()),
        false => Response::new(body::full(document.bytes)),
    };
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    let vary = HeaderValue::from_static("Accept-Encoding, Accept");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::VARY, vary);
    if document.gzipped && !is_known {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(&etag).ok()) {
        headers.insert(header::ETAG, etag);
    }
    response
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

/// The index: one path per group and version, each with the hash of its content.
fn index(groups: &BTreeMap<String, Vec<KindRow>>) -> Document {
    let paths: Map<String, Value> = groups
        .iter()
        .map(|(path, rows)| {
            let url = url(path, &hash_of(rows));
            (path.clone(), json!({ "serverRelativeURL": url }))
        })
        .collect();
    let bytes = Bytes::from(json!({ "paths": paths }).to_string());
    Document {
        bytes,
        gzipped: false,
    }
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

/// What a document depends on: the rows, and the texts that this build carries.
fn hash_of(rows: &[KindRow]) -> String {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(format!("{rows:?}"));
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
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

fn gzip(document: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(document)?;
    encoder.finish().map(Bytes::from)
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
