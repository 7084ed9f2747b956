//! The definition of one column.

use serde::Serialize;

/// A column of a table, as `columnDefinitions` carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnDefinition {
    /// Heading; `kubectl` prints it in capitals.
    pub name: &'static str,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    #[serde(rename = "type")]
    pub type_: &'static str,
    /// `name` marks the column with the object's name; otherwise mostly empty.
    pub format: &'static str,
    /// What the column shows.
    pub description: &'static str,
    /// 0 is always shown; greater ones only by `-o wide`.
    pub priority: i32,
}

impl ColumnDefinition {
    /// The column with the object's name, which every table starts with.
    pub const NAME: Self = Self {
        name: "Name",
        type_: "string",
        format: "name",
        description: "Name must be unique within a namespace, or in the cluster for kinds without one.",
        priority: 0,
    };

    /// The time since the object was created.
    pub const AGE: Self = Self::text("Age", "Time since the object was created.");

    /// A column of text that is always shown.
    pub const fn text(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            type_: "string",
            format: "",
            description,
            priority: 0,
        }
    }

    /// A column of whole numbers that is always shown.
    pub const fn integer(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            type_: "integer",
            format: "",
            description,
            priority: 0,
        }
    }

    /// The same column, shown by `-o wide` only.
    pub const fn wide(mut self) -> Self {
        self.priority = 1;
        self
    }
}
