//! `meta.k8s.io` `Table` and `PartialObjectMetadata`: what `kubectl get` and metadata clients read.

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};
use serde_json::json;

use super::{MetaVersion, RowObject};
use crate::registry::Resource;

/// One row: the cells, and what of the object goes with them.
pub(super) fn row(
    resource: &Resource,
    object: &Object,
    include: RowObject,
    version: MetaVersion,
    now: Timestamp,
) -> Value {
    row_of(resource.strategy.row(object, now), object, include, version)
}

/// One row of these cells.
pub(super) fn row_of(
    cells: Vec<Value>,
    object: &Object,
    include: RowObject,
    version: MetaVersion,
) -> Value {
    let mut row = json!({ "cells": cells });
    row["object"] = match include {
        RowObject::None => return row,
        RowObject::Metadata => metadata_only(object, version),
        RowObject::Object => object.clone().into_value(),
    };
    row
}

/// A table of rows. In a watch only the first table carries the columns.
pub(super) fn table(
    resource: &Resource,
    version: MetaVersion,
    resource_version: &str,
    rows: Vec<Value>,
    with_columns: bool,
) -> Value {
    let columns = with_columns.then(|| resource.strategy.columns());
    table_of(columns, version, resource_version, rows)
}

/// A table under these columns.
pub(super) fn table_of(
    columns: Option<&[ColumnDefinition]>,
    version: MetaVersion,
    resource_version: &str,
    rows: Vec<Value>,
) -> Value {
    json!({
        "kind": "Table",
        "apiVersion": version.api_version(),
        "metadata": { "resourceVersion": resource_version },
        "columnDefinitions": columns,
        "rows": rows,
    })
}

/// The object's metadata alone.
pub(super) fn metadata_only(object: &Object, version: MetaVersion) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": version.api_version(),
        "metadata": object.metadata(),
    })
}
