//! `meta.k8s.io/v1` `Table` and `PartialObjectMetadata`: what `kubectl get` and metadata clients read.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};
use serde_json::json;

use super::RowObject;
use crate::registry::Resource;

/// One row: the cells, and what of the object goes with them.
pub(super) fn row(
    resource: &Resource,
    object: &Object,
    include: RowObject,
    now: Timestamp,
) -> Value {
    row_of(resource.strategy.row(object, now), object, include)
}

/// One row of these cells.
pub(super) fn row_of(cells: Vec<Value>, object: &Object, include: RowObject) -> Value {
    let mut row = json!({ "cells": cells });
    row["object"] = match include {
        RowObject::None => return row,
        RowObject::Metadata => metadata_only(object),
        RowObject::Object => object.clone().into_value(),
    };
    row
}

/// A table of rows. In a watch only the first table carries the columns.
pub(super) fn table(
    resource: &Resource,
    resource_version: &str,
    rows: Vec<Value>,
    with_columns: bool,
) -> Value {
    let columns = with_columns.then(|| resource.strategy.columns());
    table_of(columns, resource_version, rows)
}

/// A table under these columns.
pub(super) fn table_of(
    columns: Option<&[ColumnDefinition]>,
    resource_version: &str,
    rows: Vec<Value>,
) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": { "resourceVersion": resource_version },
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// The object's metadata alone.
pub(super) fn metadata_only(object: &Object) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object.metadata(),
    })
}
