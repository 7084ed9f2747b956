//! Reads the project's own tables of the built-in types (`data/*.txt`, one file per API group).
//!
//! A line `@ package version group` says where the types below it live (the core group has none). Every other line is
//! a type: its name, then its fields, separated by spaces.
//!
//! ```text
//! type   = ["*" | "&"] Name ["="] field*      * a kind; apiVersion, kind and metadata are understood
//!                                             & a kind without object metadata; all its fields are listed
//!                                             = owned and replaced as a whole (atomic)
//! field  = name ["*"] ["!" | "?"] ["=" default] ":" value [patch]
//!                                             * required
//!                                             ! left out when empty; for optional lists, maps and bytes understood
//!                                             ? an optional list or map that stays when empty
//!                                             = what a key of a list map counts as when absent
//! value  = "s" string | "y" bytes | "i" int32 | "l" int64 | "f" number | "b" boolean | "q" Quantity
//!        | "x" IntOrString | "t" Time | "u" MicroTime | "r" embedded object | "j" any JSON
//!        | [package "/" version "." | "meta."] Name ["%"]       % not atomic here, though its type is
//!        | "[" value "]" ["#" | "/" key ("," key)*]             a list: atomic, "#" a set, "/" a map by these keys
//!        | "{" value "}" ["="]                                  a map with free keys, "=" atomic
//! patch  = "^" [key] ["+"] | "+" | "~"        ^ merges (by key), + retains keys, ~ replaces
//! ```
//!
//! The list of a kind (`PodList`) is understood as well.

mod line;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, LazyLock, OnceLock},
};

use self::line::{parse_field, scalar, type_name};
use super::{
    gvk::Gvk,
    schema::{Field, Link, Schema, Shape},
};

const TABLES: &[&str] = &[
    include_str!("data/admissionregistration.txt"),
    include_str!("data/apiextensions.txt"),
    include_str!("data/apiregistration.txt"),
    include_str!("data/apiserverinternal.txt"),
    include_str!("data/apps.txt"),
    include_str!("data/authentication.txt"),
    include_str!("data/authorization.txt"),
    include_str!("data/autoscaling.txt"),
    include_str!("data/batch.txt"),
    include_str!("data/certificates.txt"),
    include_str!("data/coordination.txt"),
    include_str!("data/core.txt"),
    include_str!("data/discovery.txt"),
    include_str!("data/events.txt"),
    include_str!("data/flowcontrol.txt"),
    include_str!("data/lifecycle.txt"),
    include_str!("data/meta.txt"),
    include_str!("data/networking.txt"),
    include_str!("data/node.txt"),
    include_str!("data/policy.txt"),
    include_str!("data/rbac.txt"),
    include_str!("data/resource.txt"),
    include_str!("data/scheduling.txt"),
    include_str!("data/storage.txt"),
    include_str!("data/storagemigration.txt"),
];

/// Where types live: a package in a version. Types of the same package and version name each other without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: &'static str,
    version: &'static str,
}

const META: Package = Package {
    name: "meta",
    version: "v1",
};

/// A type by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct TypeRef {
    package: Package,
    name: &'static str,
    is_granular: bool,
}

struct Type {
    line: Cow<'static, str>,
    package: Package,
    schema: OnceLock<Arc<Schema>>,
    /// The same without being atomic, for the fields that ask for it.
    granular: OnceLock<Arc<Schema>>,
}

#[derive(Default)]
struct Table {
    types: BTreeMap<Package, BTreeMap<Cow<'static, str>, Type>>,
    /// Group and version to package.
    packages: BTreeMap<(&'static str, &'static str), Package>,
}

/// Lines are found at once, types are read on first use.
static TABLE: LazyLock<Table> = LazyLock::new(Table::index);

/// The schema of a kind, or of the list of one. `DeleteOptions`, `Status` and such are kinds in every group.
pub(super) fn kind(gvk: &Gvk) -> Option<Arc<Schema>> {
    let package = TABLE.packages.get(&(&*gvk.group, &*gvk.version));
    let own = package.and_then(|package| TABLE.kind(*package, &gvk.kind));
    own.or_else(|| TABLE.kind(META, &gvk.kind))
}

/// All kinds with object metadata.
pub(super) fn kinds() -> impl Iterator<Item = Gvk> {
    TABLE
        .packages
        .iter()
        .flat_map(|((group, version), package)| {
            let types = TABLE.types.get(package).into_iter().flatten();
            let kinds = types.filter(|(_, found)| found.line.starts_with('*'));
            kinds.map(move |(name, _)| Gvk::new(*group, *version, name.as_ref()))
        })
}

impl Table {
    fn index() -> Self {
        let mut table = Table::default();
        for text in TABLES {
            let mut package = META;
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                match line.strip_prefix("@ ") {
                    Some(place) => package = table.enter(place),
                    None => table.add(package, line),
                }
            }
        }
        table
    }

    fn enter(&mut self, place: &'static str) -> Package {
        let mut words = place.split(' ');
        let (name, version) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let package = Package { name, version };
        if package != META {
            self.packages
                .insert((words.next().unwrap_or_default(), version), package);
        }
        package
    }

    fn add(&mut self, package: Package, line: &'static str) {
        let name = type_name(line);
        if line.starts_with('*') {
            let list =
                format!("&{name}List apiVersion:s items*:[{name}] kind:s metadata:meta.ListMeta");
            self.insert(package, format!("{name}List").into(), list.into());
        }
        self.insert(package, name.into(), line.into());
    }

    fn insert(&mut self, package: Package, name: Cow<'static, str>, line: Cow<'static, str>) {
        let found = Type {
            line,
            package,
            schema: OnceLock::new(),
            granular: OnceLock::new(),
        };
        self.types.entry(package).or_default().insert(name, found);
    }

    fn kind(&'static self, package: Package, name: &str) -> Option<Arc<Schema>> {
        let found = self.types.get(&package)?.get(name)?;
        found
            .line
            .starts_with(['*', '&'])
            .then(|| found.schema(false))
    }
}

impl TypeRef {
    pub(super) fn resolve(&self) -> Arc<Schema> {
        let found = TABLE
            .types
            .get(&self.package)
            .and_then(|types| types.get(self.name));
        found
            .unwrap_or_else(|| panic!("the tables define {self:?}"))
            .schema(self.is_granular)
    }
}

impl Type {
    fn schema(&'static self, is_granular: bool) -> Arc<Schema> {
        let cell = if is_granular {
            &self.granular
        } else {
            &self.schema
        };
        cell.get_or_init(|| Arc::new(self.parse(is_granular)))
            .clone()
    }

    fn parse(&'static self, is_granular: bool) -> Schema {
        let mut words = self.line.split(' ');
        let head = words.next().unwrap_or_default();
        let mut fields: Vec<Field> = words.map(|word| parse_field(word, self.package)).collect();
        if head.starts_with('*') {
            let metadata = TypeRef {
                package: META,
                name: "ObjectMeta",
                is_granular: false,
            };
            fields.push(Field::new("apiVersion", scalar("s")));
            fields.push(Field::new("kind", scalar("s")));
            fields.push(Field::new("metadata", Link::to_type(metadata)));
        }
        let is_atomic = head.ends_with('=') && !is_granular;
        let name = format!("{}.{}", self.package.version, type_name(&self.line));
        Schema::named(
            Shape::Object {
                fields,
                is_atomic,
                keeps_unknown: false,
            },
            &name,
        )
        .in_package(self.package.name)
    }
}

#[cfg(test)]
mod tests;
