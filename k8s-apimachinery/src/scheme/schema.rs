//! Structural schemas: which fields there are, what each holds, how lists and maps merge.
//!
//! Built-in kinds come from the project's own tables (`table.rs`); a custom resource's schema is built at run time from
//! the same nodes. Nodes are shared and resolved on first use, so recursive types are finite.

use std::sync::{Arc, OnceLock};

use super::{gvk::Gvk, table};

/// One node: the kind of value that stands somewhere in an object.
#[derive(Debug)]
pub struct Schema {
    shape: Shape,
    type_name: Box<str>,
    /// Where a built-in type lives: `apps`; `""` for all others.
    package: &'static str,
}

/// What a value is.
#[derive(Debug)]
pub enum Shape {
    /// A JSON object with known fields.
    Object {
        /// Sorted by name.
        fields: Vec<Field>,
        /// Owned and replaced as a whole (`x-kubernetes-map-type: atomic`).
        is_atomic: bool,
        /// Whether unknown fields are kept (`x-kubernetes-preserve-unknown-fields`).
        keeps_unknown: bool,
    },
    /// A JSON object with free keys.
    Map {
        /// What stands under each key.
        values: Link,
        /// Owned and replaced as a whole.
        is_atomic: bool,
    },
    /// A JSON array.
    List {
        /// What each item is.
        items: Link,
        /// How two lists merge.
        list_type: ListType,
    },
    /// A string.
    String,
    /// A string that holds base64.
    Bytes,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// A number.
    Number,
    /// A boolean.
    Boolean,
    /// An integer or a string.
    IntOrString,
    /// An amount; a string, canonical.
    Quantity,
    /// A time to the second.
    Time,
    /// A time to the microsecond.
    MicroTime,
    /// Any JSON: embedded objects, defaults in schemas, managed fields.
    Any,
}

/// How two lists merge (`x-kubernetes-list-type`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListType {
    /// Replaced as a whole.
    Atomic,
    /// Of scalars, each at most once.
    Set,
    /// Of objects, told apart by these fields.
    Map(Vec<Box<str>>),
}

/// A field of an object.
#[derive(Debug)]
pub struct Field {
    /// As in JSON.
    pub name: Box<str>,
    /// Whether an object without it is invalid.
    pub is_required: bool,
    /// What an empty value (`""`, `0`, `false`, `[]`, `{}` of a map) turns into when the object is stored.
    pub when_empty: WhenEmpty,
    /// What a list map's key field counts as when absent.
    pub key_default: Option<Box<str>>,
    /// How a strategic merge patch treats it.
    pub patch: PatchStrategy,
    pub(super) schema: Link,
}

/// What becomes of an empty value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenEmpty {
    /// It stays: whether it is sent makes a difference, or nothing is known.
    Kept,
    /// It is left out, since Kubernetes' own type can't tell it from absence.
    Omitted,
}

/// How a strategic merge patch treats a field.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PatchStrategy {
    /// Lists merge instead of replacing.
    pub merges: bool,
    /// The field that tells the items of a merging list apart; without it, items are scalars.
    pub merge_key: Option<Box<str>>,
    /// Objects replace instead of merging.
    pub replaces: bool,
    /// `$retainKeys` may name the keys that survive.
    pub retains_keys: bool,
}

/// A schema that may be resolved on first use.
#[derive(Debug)]
pub struct Link {
    resolved: OnceLock<Arc<Schema>>,
    target: Option<table::TypeRef>,
}

impl Link {
    pub(super) fn to_type(target: table::TypeRef) -> Self {
        Self {
            resolved: OnceLock::new(),
            target: Some(target),
        }
    }

    /// The schema behind it.
    pub fn get(&self) -> &Arc<Schema> {
        self.resolved.get_or_init(|| match &self.target {
            Some(target) => target.resolve(),
            None => unreachable!("a link without a target is made resolved"),
        })
    }
}

impl From<Arc<Schema>> for Link {
    fn from(schema: Arc<Schema>) -> Self {
        Self {
            resolved: OnceLock::from(schema),
            target: None,
        }
    }
}

impl Field {
    /// An optional field without special treatment.
    pub fn new(name: &str, schema: impl Into<Link>) -> Self {
        Self {
            name: name.into(),
            is_required: false,
            when_empty: WhenEmpty::Kept,
            key_default: None,
            patch: PatchStrategy::default(),
            schema: schema.into(),
        }
    }

    /// What it holds.
    pub fn schema(&self) -> &Arc<Schema> {
        self.schema.get()
    }
}

impl Schema {
    /// A node of this shape without a type name.
    pub fn new(shape: Shape) -> Self {
        Self::named(shape, "")
    }

    /// A node whose type has a name, which messages mention: `v1.PodSpec`.
    pub fn named(mut shape: Shape, type_name: &str) -> Self {
        if let Shape::Object { fields, .. } = &mut shape {
            fields.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Self {
            shape,
            type_name: type_name.into(),
            package: "",
        }
    }

    pub(super) fn in_package(self, package: &'static str) -> Self {
        Self { package, ..self }
    }

    /// The schema of a built-in kind, or of the list of one.
    ///
    /// ```
    /// use k8s_apimachinery::scheme::{Gvk, Schema};
    /// let deployment = Schema::builtin(&Gvk::new("apps", "v1", "Deployment")).unwrap();
    /// let spec = deployment.field("spec").unwrap().schema();
    /// assert!(spec.field("selector").unwrap().is_required);
    /// ```
    pub fn builtin(gvk: &Gvk) -> Option<Arc<Schema>> {
        table::kind(gvk)
    }

    /// All built-in kinds that have object metadata.
    pub fn builtin_kinds() -> impl Iterator<Item = Gvk> {
        table::kinds()
    }

    /// What a value is.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The name of its type: `v1.PodSpec`; `""` when it has none.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// The name of a built-in type with its package, by which its protobuf message is found: `core/v1.PodSpec`.
    pub(super) fn message_name(&self) -> String {
        format!("{}/{}", self.package, self.type_name)
    }

    /// The known fields of an object, sorted by name.
    pub fn fields(&self) -> &[Field] {
        match &self.shape {
            Shape::Object { fields, .. } => fields,
            _ => &[],
        }
    }

    /// A known field of an object.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let fields = self.fields();
        let i = fields
            .binary_search_by(|field| (*field.name).cmp(name))
            .ok()?;
        Some(&fields[i])
    }

    /// What stands under a name: a field of an object or a key of a map.
    pub fn child(&self, name: &str) -> Option<&Arc<Schema>> {
        match &self.shape {
            Shape::Object { .. } => self.field(name).map(Field::schema),
            Shape::Map { values, .. } => Some(values.get()),
            _ => None,
        }
    }

    /// What the items of a list are.
    pub fn items(&self) -> Option<&Arc<Schema>> {
        match &self.shape {
            Shape::List { items, .. } => Some(items.get()),
            _ => None,
        }
    }

    /// How two lists merge; atomic when this is no list.
    pub fn list_type(&self) -> &ListType {
        match &self.shape {
            Shape::List { list_type, .. } => list_type,
            _ => &ListType::Atomic,
        }
    }

    /// Whether server-side apply owns and replaces the value as a whole: scalars, atomic lists and maps, free JSON.
    pub fn is_atomic(&self) -> bool {
        match &self.shape {
            Shape::Object { is_atomic, .. } | Shape::Map { is_atomic, .. } => *is_atomic,
            Shape::List { list_type, .. } => *list_type == ListType::Atomic,
            _ => true,
        }
    }

    /// The name of the type as Go writes it: `[]v1.Container`, `map[string]string`, `int32`.
    pub fn go_type(&self) -> String {
        match &self.shape {
            Shape::Object { .. } if self.type_name.is_empty() => "map[string]interface {}".into(),
            Shape::Object { .. } => self.type_name.to_string(),
            Shape::Map { values, .. } => format!("map[string]{}", values.get().go_type()),
            Shape::List { items, .. } => format!("[]{}", items.get().go_type()),
            Shape::String | Shape::Time | Shape::MicroTime => "string".into(),
            Shape::Bytes => "[]uint8".into(),
            Shape::Int32 | Shape::IntOrString => "int32".into(),
            Shape::Int64 => "int64".into(),
            Shape::Number => "float64".into(),
            Shape::Boolean => "bool".into(),
            Shape::Quantity => "resource.Quantity".into(),
            Shape::Any => "interface {}".into(),
        }
    }
}

#[cfg(test)]
mod tests;
