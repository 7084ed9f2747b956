//! What is wrong with one field, in Kubernetes' words.

use std::fmt;

use serde_json::Value;

/// One fault of an object. Its `Display` is the text that users see, for instance
/// `spec.replicas: Invalid value: -1: must be greater than or equal to 0`.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldError {
    /// Path of the field, as in `spec.containers[0].image` or `metadata.labels[app]`.
    pub field: String,
    /// What sort of fault it is.
    pub kind: FieldErrorKind,
    /// The value found there; null when it plays no part in the message.
    pub bad_value: Value,
    /// What would have been right; may be empty.
    pub detail: String,
}

/// Sorts of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldErrorKind {
    /// The field refers to something that isn't there.
    NotFound,
    /// The field must be set.
    Required,
    /// The value must be unique among its siblings.
    Duplicate,
    /// The value is malformed or out of bounds.
    Invalid,
    /// The value is malformed as a whole, and not shown.
    InvalidWhole,
    /// The value is none of those allowed.
    NotSupported,
    /// The field must not be set, or not be changed.
    Forbidden,
    /// The value has too many bytes.
    TooLong,
    /// The list has too many items.
    TooMany,
    /// The value has the wrong type.
    TypeInvalid,
    /// Validation itself failed.
    Internal,
}

impl FieldErrorKind {
    /// The words that open the message.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::InvalidWhole | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }

    /// The machine-readable `reason` of a cause in `metav1.Status`.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid | Self::InvalidWhole => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Internal => "InternalError",
        }
    }

    fn shows_value(self) -> bool {
        !matches!(
            self,
            Self::Required
                | Self::InvalidWhole
                | Self::Forbidden
                | Self::TooLong
                | Self::TypeInvalid
                | Self::Internal
        )
    }
}

impl FieldError {
    /// The machine-readable `reason` of the cause in `metav1.Status`.
    pub fn reason(&self) -> &'static str {
        self.kind.reason()
    }

    /// The message without the path, as the cause in `metav1.Status` carries it.
    pub fn message(&self) -> String {
        let mut message = self.kind.words().to_owned();
        if self.kind.shows_value() {
            message.push_str(": ");
            message += &match &self.bad_value {
                Value::Null => "\"null\"".to_owned(),
                value => value.to_string(),
            };
        }
        if !self.detail.is_empty() {
            message.push_str(": ");
            message += &self.detail;
        }
        message
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message())
    }
}

impl std::error::Error for FieldError {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(kind: FieldErrorKind, bad_value: Value, detail: &str, want: &str) {
        let error = FieldError {
            field: "spec.x".to_owned(),
            kind,
            bad_value,
            detail: detail.to_owned(),
        };
        assert_eq!(error.to_string(), want);
    }

    #[test]
    fn messages_read_as_kubernetes_words_them() {
        use FieldErrorKind as Kind;
        check(Kind::Required, json!(""), "", "spec.x: Required value");
        check(
            Kind::Required,
            json!(""),
            "for ports",
            "spec.x: Required value: for ports",
        );
        check(
            Kind::Invalid,
            json!(-1),
            "must be greater than or equal to 0",
            "spec.x: Invalid value: -1: must be greater than or equal to 0",
        );
        check(
            Kind::NotSupported,
            json!("x"),
            r#"supported values: "A", "B""#,
            r#"spec.x: Unsupported value: "x": supported values: "A", "B""#,
        );
        check(
            Kind::Duplicate,
            json!("a"),
            "",
            r#"spec.x: Duplicate value: "a""#,
        );
        check(
            Kind::TooLong,
            json!("aaa"),
            "may not be more than 253 bytes",
            "spec.x: Too long: may not be more than 253 bytes",
        );
        check(
            Kind::Forbidden,
            json!("a"),
            "may not be set",
            "spec.x: Forbidden: may not be set",
        );
        check(
            Kind::Invalid,
            Value::Null,
            "field is immutable",
            r#"spec.x: Invalid value: "null": field is immutable"#,
        );
    }
}
