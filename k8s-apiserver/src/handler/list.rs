//! `GET` of a collection: the bytes of its objects one behind the other, with a list round them.

use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;
use k8s_apimachinery::{
    Object, Value,
    selector::{field::FieldSelector, label::LabelSelector},
};
use k8s_store::Revision;
use serde_json::json;

use super::{Call, Encoding, Format, Shape, respond, table};
use crate::{
    ApiError, Response,
    registry::{ListRequest, ListResult, RevisionMatch, Selection, parse_revision},
};

/// Answers with a page of the collection.
pub(crate) async fn list(call: &Call) -> Result<Response, ApiError> {
    let format = call.format()?;
    let request = call.list_request()?;
    let page = call.registry.page(&call.resource, &request).await?;
    let bytes = match format == Format::JSON && call.is_stored_form() {
        true => concatenate(call, &page),
        false => respond::encode(&tree(call, &page, format), format.encoding),
    };
    Ok(respond::respond(StatusCode::OK, bytes, format.encoding))
}

/// No object is parsed: items are copied with their revisions spliced in.
fn concatenate(call: &Call, page: &ListResult) -> Bytes {
    let items: usize = page.items.iter().map(|item| item.entry.size_hint()).sum();
    let mut out = BytesMut::with_capacity(items + page.items.len() + 256);
    let gvk = call.resource.gvk(&call.info.version);
    let (kind, api_version) = (&gvk.kind, gvk.api_version());
    let metadata = list_metadata(page);
    let head = format!(
        r#"{{"kind":"{kind}List","apiVersion":"{api_version}","metadata":{metadata},"items":["#
    );
    out.put_slice(head.as_bytes());
    for (index, item) in page.items.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        item.entry.write_item(&mut out);
    }
    out.put_slice(b"]}");
    out.freeze()
}

fn list_metadata(page: &ListResult) -> Value {
    let mut metadata = json!({ "resourceVersion": page.revision.to_string() });
    if !page.continue_token.is_empty() {
        metadata["continue"] = page.continue_token.as_str().into();
    }
    if let Some(remaining) = page.remaining {
        metadata["remainingItemCount"] = remaining.into();
    }
    metadata
}

/// The forms that need the objects as trees.
fn tree(call: &Call, page: &ListResult, format: Format) -> Value {
    let objects = page
        .items
        .iter()
        .map(|item| call.wire_object(item.entry.object()));
    match format.shape {
        Shape::Whole => json!({
            "kind": format!("{}List", call.resource.row.kind),
            "apiVersion": call.resource.gvk(&call.info.version).api_version(),
            "metadata": list_metadata(page),
            "items": objects.map(without_kind).collect::<Vec<_>>(),
        }),
        Shape::Metadata => json!({
            "kind": "PartialObjectMetadataList",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": list_metadata(page),
            "items": objects.map(|object| table::metadata_only(&object)).collect::<Vec<_>>(),
        }),
        Shape::Table(include) => {
            let now = call.registry.config().environment.now();
            let rows = objects.map(|object| table::row(&call.resource, &object, include, now));
            let version = page.revision.to_string();
            let mut table = table::table(&call.resource, &version, rows.collect(), true);
            table["metadata"] = list_metadata(page);
            table
        }
    }
}

/// Items of a list leave kind and version to the list.
fn without_kind(mut object: Object) -> Value {
    object.remove(&["kind"]);
    object.remove(&["apiVersion"]);
    object.into_value()
}

impl Call {
    /// The query of a list.
    pub(super) fn list_request(&self) -> Result<ListRequest, ApiError> {
        let limit = match self.info.param("limit") {
            None | Some("") => 0,
            Some(text) => text
                .parse()
                .map_err(|_| ApiError::BadRequest(format!("invalid limit: {text:?}")))?,
        };
        let request = ListRequest {
            namespace: self.namespace().to_owned(),
            selection: self.selection()?,
            limit,
            continue_token: self.info.param("continue").unwrap_or_default().to_owned(),
            revision: self.list_revision()?,
        };
        if !request.continue_token.is_empty()
            && request
                .revision
                .is_some_and(|(revision, _)| revision != Revision::ZERO)
        {
            return Err(ApiError::BadRequest(
                "specifying resource version is not allowed when using continue".to_owned(),
            ));
        }
        Ok(request)
    }

    fn list_revision(&self) -> Result<Option<(Revision, RevisionMatch)>, ApiError> {
        let version = self.info.param("resourceVersion").unwrap_or_default();
        let matching = self.info.param("resourceVersionMatch").unwrap_or_default();
        let revision = match version {
            "" if !matching.is_empty() => {
                return Err(ApiError::BadRequest(
                    "resourceVersionMatch is forbidden unless resourceVersion is provided"
                        .to_owned(),
                ));
            }
            "" => return Ok(None),
            version => parse_revision(version)?,
        };
        let matching = match matching {
            "Exact" if revision == Revision::ZERO => {
                return Err(ApiError::BadRequest(
                    "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\""
                        .to_owned(),
                ));
            }
            "Exact" => RevisionMatch::Exact,
            // With a limit and no word on the match, the version is exact: so pages fit together.
            "" if revision != Revision::ZERO
                && self.info.param("limit").is_some_and(|it| it != "0") =>
            {
                RevisionMatch::Exact
            }
            "" | "NotOlderThan" => RevisionMatch::NotOlderThan,
            other => {
                return Err(ApiError::BadRequest(format!(
                    "resourceVersionMatch: Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\""
                )));
            }
        };
        Ok(Some((revision, matching)))
    }

    /// The selectors of a list or a watch.
    pub(super) fn selection(&self) -> Result<Selection, ApiError> {
        let labels = match self.info.param("labelSelector") {
            None | Some("") => None,
            Some(text) => Some(text.parse::<LabelSelector>().map_err(|error| {
                ApiError::BadRequest(format!("unable to parse requirement: {error}"))
            })?),
        };
        let fields = match self.info.param("fieldSelector") {
            None | Some("") => None,
            Some(text) => Some(self.field_selector(text)?),
        };
        Ok(Selection { labels, fields })
    }

    fn field_selector(&self, text: &str) -> Result<FieldSelector, ApiError> {
        let selector: FieldSelector = text
            .parse()
            .map_err(|error| ApiError::BadRequest(format!("invalid field selector: {error}")))?;
        let offered = self.resource.strategy.selectable();
        for path in selector.terms().iter().map(|term| term.field.as_str()) {
            if !matches!(path, "metadata.name" | "metadata.namespace") && !offered.contains(&path) {
                return Err(ApiError::BadRequest(format!(
                    "Unable to find {:?} that match label selector \"\", field selector {text:?}: field label not \
                     supported: {path}",
                    self.resource.gvk(&self.info.version).api_version()
                        + ", Kind="
                        + &self.resource.row.kind,
                )));
            }
        }
        Ok(selector)
    }

    /// How text is laid out; watches are never pretty.
    pub(super) fn is_json(format: Format) -> bool {
        matches!(format.encoding, Encoding::Json { .. })
    }
}
