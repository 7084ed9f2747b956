//! `GET` of a collection: the bytes of its objects one behind the other, with a list round them.

use bytes::{BufMut, Bytes, BytesMut};
use http::StatusCode;
use k8s_apimachinery::{
    Object, Value,
    scheme::protobuf::{self, Part, ProtobufError},
};
use serde_json::json;

use super::{Call, Encoding, Format, Shape, respond, table};
use crate::{
    ApiError, Response,
    registry::{Entry, ListResult},
};

/// Answers with a page of the collection.
pub(crate) async fn list(call: &Call) -> Result<Response, ApiError> {
    let format = call.format()?;
    let request = call.list_request()?;
    let page = call.registry.page(&call.resource, &request).await?;
    if format.encoding == Encoding::Protobuf && call.is_stored_form() {
        prepare(&page).await;
    }
    let bytes = match stored(call, &page, format)? {
        Some(bytes) => bytes,
        None => respond::encode(&tree(call, &page, format), format.encoding)?,
    };
    Ok(call.send(StatusCode::OK, bytes, format.encoding))
}

/// Makes the messages that nobody has asked for yet, a few at a time, so that other requests have their turn.
async fn prepare(page: &ListResult) {
    for items in page.items.chunks(128) {
        for item in items {
            // A kind without messages is dealt with where they are put together.
            let _ = item.entry.protobuf();
        }
        tokio::task::yield_now().await;
    }
}

/// The forms for which no object is parsed: items are copied with their revisions spliced in.
fn stored(call: &Call, page: &ListResult, format: Format) -> Result<Option<Bytes>, ApiError> {
    if !call.is_stored_form() {
        return Ok(None);
    }
    let gvk = call.resource.gvk(&call.info.version);
    let (kind, api_version) = (format!("{}List", gvk.kind), gvk.api_version());
    let json = Encoding::Json { pretty: false };
    Ok(match (format.encoding, format.shape) {
        (encoding, Shape::Whole) if encoding == json => {
            Some(concatenate(page, &kind, &api_version, |item, out| {
                item.write_item(out);
            }))
        }
        (encoding, Shape::Metadata(version)) if encoding == json => {
            let (kind, api_version) = (METADATA_LIST, version.api_version());
            Some(concatenate(page, kind, api_version, |item, out| {
                item.write_metadata(api_version, item.revision(), out);
            }))
        }
        (Encoding::Protobuf, Shape::Whole) => {
            Some(messages(page, Part::Whole, &kind, &api_version).map_err(ApiError::internal)?)
        }
        // A kind may have no message of its own: then its metadata is taken from the tree.
        (Encoding::Protobuf, Shape::Metadata(version)) => {
            messages(page, Part::Metadata, METADATA_LIST, version.api_version()).ok()
        }
        _ => None,
    })
}

const METADATA_LIST: &str = "PartialObjectMetadataList";

fn concatenate(
    page: &ListResult,
    kind: &str,
    api_version: &str,
    write: impl Fn(&Entry, &mut BytesMut),
) -> Bytes {
    let items: usize = page.items.iter().map(|item| item.entry.size_hint()).sum();
    let mut out = BytesMut::with_capacity(items + page.items.len() + 256);
    let metadata = list_metadata(page);
    let head = format!(
        r#"{{"kind":"{kind}","apiVersion":"{api_version}","metadata":{metadata},"items":["#
    );
    out.put_slice(head.as_bytes());
    for (index, item) in page.items.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        write(&item.entry, &mut out);
    }
    out.put_slice(b"]}");
    out.freeze()
}

fn messages(
    page: &ListResult,
    part: Part,
    kind: &str,
    api_version: &str,
) -> Result<Bytes, ProtobufError> {
    let items = page.items.iter().map(|item| {
        let version = item.entry.revision().to_string();
        Ok((item.entry.protobuf()?, version))
    });
    let items: Vec<_> = items.collect::<Result<_, ProtobufError>>()?;
    let list = protobuf::list(part, api_version, kind, &list_metadata(page), &items)?;
    Ok(list.into())
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
        Shape::Metadata(version) => json!({
            "kind": METADATA_LIST,
            "apiVersion": version.api_version(),
            "metadata": list_metadata(page),
            "items": objects.map(|object| table::metadata_only(&object, version)).collect::<Vec<_>>(),
        }),
        Shape::Table(include, meta) => {
            let now = call.registry.config().environment.now();
            let rows =
                objects.map(|object| table::row(&call.resource, &object, include, meta, now));
            let version = page.revision.to_string();
            let mut table = table::table(&call.resource, meta, &version, rows.collect(), true);
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
