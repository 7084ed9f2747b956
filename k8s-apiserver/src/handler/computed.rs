//! `GET` of what is computed on request: there is no store behind it, and so no revision.

use http::{StatusCode, request::Parts};
use k8s_apimachinery::{Object, Value, scheme::Gvk};
use serde_json::json;

use super::{AnswerKind, Format, MetaVersion, Offer, RowObject, Shape, respond, table};
use crate::{
    ApiError, RequestInfo, Response, Verb,
    error::GroupResource,
    registry::{Registry, VirtualResource},
};

/// Answers with the object of the path, or with all.
pub(crate) async fn read(
    registry: &Registry,
    resource: &VirtualResource,
    info: &RequestInfo,
    parts: &Parts,
) -> Result<Response, ApiError> {
    let answer = match info.verb {
        Verb::Get => AnswerKind::One,
        _ => AnswerKind::List,
    };
    let gvk = Gvk::new(&resource.row.group, &info.version, &resource.row.kind);
    let format = Format::negotiate(&parts.headers, info, Offer::new(&gvk, answer))?;
    let objects = resource.service.list(registry, info).await?;
    let answer = match info.verb {
        Verb::Get => {
            let found = objects
                .into_iter()
                .find(|object| object.name() == info.name);
            let found = found.ok_or_else(|| {
                let row = &resource.row;
                ApiError::not_found(GroupResource::new(&row.group, &row.plural), &info.name)
            })?;
            match format.shape {
                Shape::Whole => found.into_value(),
                Shape::Metadata(version) => table::metadata_only(&found, version),
                Shape::Table(include, version) => {
                    rows(registry, resource, &[found], include, version)
                }
            }
        }
        _ => all(registry, resource, info, objects, format.shape),
    };
    let bytes = respond::encode(&answer, format.encoding)?;
    Ok(respond::respond(StatusCode::OK, bytes, format.encoding))
}

fn all(
    registry: &Registry,
    resource: &VirtualResource,
    info: &RequestInfo,
    objects: Vec<Object>,
    shape: Shape,
) -> Value {
    let list = |kind: String, api_version: &str, items: Vec<Value>| json!({ "kind": kind, "apiVersion": api_version, "metadata": {}, "items": items });
    match shape {
        Shape::Whole => {
            let row = &resource.row;
            let api_version = match row.group.as_str() {
                "" => info.version.clone(),
                group => format!("{group}/{}", info.version),
            };
            let items = objects.into_iter().map(|mut object| {
                object.remove(&["kind"]);
                object.remove(&["apiVersion"]);
                object.into_value()
            });
            list(format!("{}List", row.kind), &api_version, items.collect())
        }
        Shape::Metadata(version) => {
            let items = objects.iter();
            let items = items.map(|object| table::metadata_only(object, version));
            let kind = "PartialObjectMetadataList".to_owned();
            list(kind, version.api_version(), items.collect())
        }
        Shape::Table(include, version) => rows(registry, resource, &objects, include, version),
    }
}

fn rows(
    registry: &Registry,
    resource: &VirtualResource,
    objects: &[Object],
    include: RowObject,
    version: MetaVersion,
) -> Value {
    let now = registry.config().environment.now();
    let service = &resource.service;
    let rows = objects
        .iter()
        .map(|object| table::row_of(service.row(object, now), object, include, version));
    table::table_of(Some(service.columns()), version, "", rows.collect())
}
