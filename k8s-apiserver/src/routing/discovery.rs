//! Discovery: which groups, versions and resources there are, derived from the table of resources.
//!
//! Clients since 1.27 read everything in two requests in the aggregated form; older ones walk the tree of groups.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    ApiError, RequestInfo, Response, body, handler,
    registry::{KindRow, Resources, SubresourceRow},
};

/// Answers discovery, and keeps the aggregated documents until the table changes.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    aggregated: Mutex<Option<(u64, Arc<Aggregated>)>>,
}

/// The aggregated documents: of the core group, and of all others.
#[derive(Debug)]
struct Aggregated {
    core: Document,
    named: Document,
}

#[derive(Debug)]
struct Document {
    /// By version of the discovery API itself, [`VERSIONS`].
    bytes: [Bytes; 2],
    etag: String,
}

/// The versions of the aggregated form.
const VERSIONS: [&str; 2] = ["v2", "v2beta1"];

/// One API group with its versions, in the order of the table.
struct Group {
    name: String,
    versions: Vec<String>,
    rows: Vec<KindRow>,
}

impl Discovery {
    /// Answers `/api`, `/apis` and what is below.
    pub(super) fn answer(
        &self,
        resources: &Resources,
        path: &str,
        info: &RequestInfo,
        headers: &HeaderMap,
    ) -> Result<Response, ApiError> {
        let document = |tree: &Value| handler::document(StatusCode::OK, tree, headers, info);
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let groups = || groups(resources);
        match *parts.as_slice() {
            ["api"] | ["apis"] if aggregated_version(headers).is_some() => {
                let documents = self.aggregated(resources);
                let version = aggregated_version(headers).unwrap_or(0);
                let document = match parts[0] {
                    "api" => &documents.core,
                    _ => &documents.named,
                };
                Ok(document.response(version, headers))
            }
            ["api"] => document(&api_versions(&groups())),
            ["api", version] => {
                let groups = groups();
                let core = groups.iter().find(|group| group.name.is_empty());
                document(&resource_list(core, version)?)
            }
            ["apis"] => {
                let groups: Vec<Value> = groups()
                    .iter()
                    .filter(|group| !group.name.is_empty())
                    .map(api_group)
                    .collect();
                document(&json!({
                    "kind": "APIGroupList", "apiVersion": "v1", "groups": groups,
                }))
            }
            ["apis", name] => {
                let groups = groups();
                let group = groups
                    .iter()
                    .find(|group| group.name == name && !name.is_empty());
                let mut answer = api_group(group.ok_or(ApiError::NoSuchResource)?);
                answer["kind"] = "APIGroup".into();
                answer["apiVersion"] = "v1".into();
                document(&answer)
            }
            ["apis", name, version] => {
                let groups = groups();
                let group = groups
                    .iter()
                    .find(|group| group.name == name && !name.is_empty());
                document(&resource_list(group, version)?)
            }
            _ => Err(ApiError::NoSuchResource),
        }
    }

    fn aggregated(&self, resources: &Resources) -> Arc<Aggregated> {
        let mut kept = self
            .aggregated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let generation = resources.generation();
        if let Some((made_at, documents)) = &*kept
            && *made_at == generation
        {
            return documents.clone();
        }
        let groups = groups(resources);
        let (core, named): (Vec<_>, Vec<_>) =
            groups.iter().partition(|group| group.name.is_empty());
        let documents = Arc::new(Aggregated {
            core: Document::new(&core),
            named: Document::new(&named),
        });
        *kept = Some((generation, documents.clone()));
        documents
    }
}

impl Document {
    fn new(groups: &[&Group]) -> Self {
        let items: Vec<Value> = groups.iter().map(|group| discovered_group(group)).collect();
        let bytes = VERSIONS.map(|version| {
            let list = json!({
                "kind": "APIGroupDiscoveryList",
                "apiVersion": format!("apidiscovery.k8s.io/{version}"),
                "metadata": {},
                "items": items,
            });
            Bytes::from(list.to_string())
        });
        let hash = Sha256::digest(&bytes[0]);
        let etag: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        Document {
            bytes,
            etag: format!("\"{etag}\""),
        }
    }

    /// The document, or `304` if the client has it.
    fn response(&self, version: usize, headers: &HeaderMap) -> Response {
        let known = headers
            .get(header::IF_NONE_MATCH)
            .and_then(|value| value.to_str().ok());
        let is_known = known == Some(self.etag.as_str());
        let mut response = match is_known {
            true => Response::new(body::empty()),
            false => Response::new(body::full(self.bytes[version].clone())),
        };
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let content_type = format!(
            "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList",
            VERSIONS[version]
        );
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, content_type.as_str()),
            (header::ETAG, self.etag.as_str()),
            (header::CACHE_CONTROL, "public"),
            (header::VARY, "Accept"),
        ] {
            headers.insert(name, HeaderValue::from_str(value).expect("plain ASCII"));
        }
        response
    }
}

/// The version of the aggregated form that the client accepts first, as an index into [`VERSIONS`].
fn aggregated_version(headers: &HeaderMap) -> Option<usize> {
    let accept = headers.get_all(header::ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(",");
    for element in accept.split(',') {
        let parts: Vec<&str> = element.split(';').map(str::trim).collect();
        let has = |part: &str| parts.contains(&part);
        if !has("application/json") && !has("*/*") {
            continue;
        }
        if !has("as=APIGroupDiscoveryList") {
            return None;
        }
        let found = VERSIONS
            .iter()
            .position(|version| has(&format!("v={version}")));
        if found.is_some() && has("g=apidiscovery.k8s.io") {
            return found;
        }
    }
    None
}

/// The rows by group, groups and versions in the order in which they first appear.
fn groups(resources: &Resources) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for endpoint in resources.all() {
        let row = endpoint.row().clone();
        let index = groups.iter().position(|group| group.name == row.group);
        let index = index.unwrap_or_else(|| {
            groups.push(Group {
                name: row.group.clone(),
                versions: Vec::new(),
                rows: Vec::new(),
            });
            groups.len() - 1
        });
        let group = &mut groups[index];
        for version in &row.versions {
            if !group.versions.contains(version) {
                group.versions.push(version.clone());
            }
        }
        group.rows.push(row);
    }
    for group in &mut groups {
        group.rows.sort_by(|a, b| a.plural.cmp(&b.plural));
    }
    groups
}

fn api_versions(groups: &[Group]) -> Value {
    let core = groups.iter().find(|group| group.name.is_empty());
    json!({
        "kind": "APIVersions",
        "versions": core.map(|group| group.versions.clone()).unwrap_or_default(),
        "serverAddressByClientCIDRs": [],
    })
}

fn api_group(group: &Group) -> Value {
    let version = |version: &String| json!({ "groupVersion": format!("{}/{version}", group.name), "version": version });
    let versions: Vec<Value> = group.versions.iter().map(version).collect();
    json!({
        "name": group.name,
        "preferredVersion": versions.first(),
        "versions": versions,
    })
}

/// The resources of one group and version, subresources as entries of their own.
fn resource_list(group: Option<&Group>, version: &str) -> Result<Value, ApiError> {
    let group = group
        .filter(|group| group.versions.iter().any(|each| each == version))
        .ok_or(ApiError::NoSuchResource)?;
    let mut resources = Vec::new();
    for row in group
        .rows
        .iter()
        .filter(|row| row.versions.iter().any(|each| each == version))
    {
        let mut resource = json!({
            "name": row.plural,
            "singularName": row.singular,
            "namespaced": row.namespaced,
            "kind": row.kind,
            "verbs": row.verbs,
        });
        if !row.short_names.is_empty() {
            resource["shortNames"] = json!(row.short_names);
        }
        if !row.categories.is_empty() {
            resource["categories"] = json!(row.categories);
        }
        resources.push(resource);
        resources.extend(
            row.subresources
                .iter()
                .map(|sub| listed_subresource(row, sub)),
        );
    }
    let group_version = match group.name.as_str() {
        "" => version.to_owned(),
        name => format!("{name}/{version}"),
    };
    Ok(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }))
}

fn listed_subresource(row: &KindRow, subresource: &SubresourceRow) -> Value {
    let mut listed = json!({
        "name": format!("{}/{}", row.plural, subresource.name),
        "singularName": "",
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": subresource.verbs,
    });
    if let Some(gvk) = &subresource.kind {
        listed["kind"] = gvk.kind.as_str().into();
        if gvk.group != row.group {
            listed["group"] = gvk.group.as_str().into();
            listed["version"] = gvk.version.as_str().into();
        }
    }
    listed
}

fn discovered_group(group: &Group) -> Value {
    let version = |version: &String| {
        let rows = group
            .rows
            .iter()
            .filter(|row| row.versions.contains(version));
        let resources: Vec<Value> = rows.map(|row| discovered_resource(row, version)).collect();
        json!({ "version": version, "resources": resources, "freshness": "Current" })
    };
    json!({
        "metadata": { "name": group.name, "creationTimestamp": null },
        "versions": group.versions.iter().map(version).collect::<Vec<_>>(),
    })
}

fn discovered_resource(row: &KindRow, version: &str) -> Value {
    let kind = json!({ "group": row.group, "version": version, "kind": row.kind });
    let subresources: Vec<Value> = row
        .subresources
        .iter()
        .map(|subresource| {
            let kind = match &subresource.kind {
                Some(gvk) => {
                    json!({ "group": gvk.group, "version": gvk.version, "kind": gvk.kind })
                }
                None => kind.clone(),
            };
            json!({
                "subresource": subresource.name,
                "responseKind": kind,
                "verbs": subresource.verbs,
            })
        })
        .collect();
    let mut resource = json!({
        "resource": row.plural,
        "responseKind": kind,
        "scope": if row.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": row.singular,
        "verbs": row.verbs,
    });
    for (field, texts) in [
        ("shortNames", &row.short_names),
        ("categories", &row.categories),
    ] {
        if !texts.is_empty() {
            resource[field] = json!(texts);
        }
    }
    if !subresources.is_empty() {
        resource["subresources"] = subresources.into();
    }
    resource
}
