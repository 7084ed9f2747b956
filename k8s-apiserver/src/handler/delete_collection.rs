//! `DELETE` of a collection: each object that is selected, one by one.

use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use crate::{
    ApiError, Response,
    registry::{Deleted, Write, WriteOptions},
};

/// Deletes what is there now; objects that somebody else deletes meanwhile are fine. Answers with the list of them.
pub(crate) async fn delete_collection(call: &Call) -> Result<Response, ApiError> {
    let format = call.format()?;
    let options = call.delete_options()?;
    let request = call.list_request()?;
    let page = call.registry.page(&call.resource, &request).await?;
    let write_options = WriteOptions {
        dry_run: options.dry_run,
        ..WriteOptions::default()
    };
    let mut items: Vec<Value> = Vec::with_capacity(page.items.len());
    for item in &page.items {
        let write = Write {
            namespace: item.entry.namespace(),
            name: item.entry.name(),
            ..call.write(&write_options)
        };
        match call.registry.delete(&write, &options).await {
            Ok(Deleted::Gone(object)) => items.push(call.wire_object(object).into_value()),
            Ok(Deleted::Going(answer)) => {
                items.push(call.wire_object(answer.object()).into_value());
            }
            Err(ApiError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let list = json!({
        "kind": format!("{}List", call.resource.row.kind),
        "apiVersion": call.resource.gvk(&call.info.version).api_version(),
        "metadata": { "resourceVersion": page.revision.to_string() },
        "items": items,
    });
    call.respond_tree(StatusCode::OK, &list, format)
}
