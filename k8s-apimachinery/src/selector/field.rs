//! Field selectors: `status.phase=Running,spec.nodeName!=n1`.
//!
//! Which fields a kind can be selected by is the server's to say; here every field can.

use std::{fmt, str::FromStr};

/// A conjunction of terms; without terms it selects everything.
///
/// ```
/// use k8s_apimachinery::selector::FieldSelector;
/// let selector: FieldSelector = "status.phase!=Running,spec.nodeName=n1".parse()?;
/// let lookup = |field: &str| (field == "spec.nodeName").then_some("n1");
/// assert!(selector.matches(lookup));
/// # Ok::<(), k8s_apimachinery::selector::field::FieldSelectorError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSelector {
    terms: Vec<Term>,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// `metadata.name`.
    pub field: String,
    /// `true` for `=` and `==`, `false` for `!=`.
    pub is_equal: bool,
    /// What to compare with.
    pub value: String,
}

/// The text is no field selector; the message is Kubernetes' own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A part without `=`, `==` or `!=`.
    #[error("invalid selector: '{selector}'; can't understand '{part}'")]
    Part {
        /// The whole text.
        selector: String,
        /// The part at fault.
        part: String,
    },
    /// A backslash before anything but `\`, `,` and `=`.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// An `=` or `,` in a value without a backslash before it.
    #[error("invalid field selector: unescaped character in value: {0}")]
    Unescaped(char),
}

impl FieldSelector {
    /// The selector with these terms.
    pub fn new(terms: Vec<Term>) -> Self {
        Self { terms }
    }

    /// Selects everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The terms, all of which must hold.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether an object is selected, given its fields. A field that is absent counts as `""`.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.terms
            .iter()
            .all(|term| (field(&term.field).unwrap_or_default() == term.value) == term.is_equal)
    }

    /// The value that the field must have, when a term says so.
    pub fn exact(&self, field: &str) -> Option<&str> {
        let term = self
            .terms
            .iter()
            .find(|term| term.is_equal && term.field == field)?;
        Some(&term.value)
    }
}

impl FromStr for FieldSelector {
    type Err = FieldSelectorError;

    fn from_str(text: &str) -> Result<Self, FieldSelectorError> {
        let mut terms = Vec::new();
        for part in split_terms(text)
            .into_iter()
            .filter(|part| !part.is_empty())
        {
            let (field, is_equal, value) =
                split_term(part).ok_or_else(|| FieldSelectorError::Part {
                    selector: text.to_owned(),
                    part: part.to_owned(),
                })?;
            terms.push(Term {
                field: field.to_owned(),
                is_equal,
                value: unescape(value)?,
            });
        }
        Ok(Self { terms })
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (
            i,
            Term {
                field,
                is_equal,
                value,
            },
        ) in self.terms.iter().enumerate()
        {
            let comma = if i > 0 { "," } else { "" };
            let operator = if *is_equal { "=" } else { "!=" };
            let value = value
                .replace('\\', "\\\\")
                .replace(',', "\\,")
                .replace('=', "\\=");
            write!(f, "{comma}{field}{operator}{value}")?;
        }
        Ok(())
    }
}

/// Splits at commas that have no backslash before them.
fn split_terms(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut is_escaped) = (0, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ',' => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Splits at the first operator.
fn split_term(part: &str) -> Option<(&str, bool, &str)> {
    (0..part.len())
        .filter(|i| part.is_char_boundary(*i))
        .find_map(|i| {
            let (field, rest) = part.split_at(i);
            if let Some(value) = rest.strip_prefix("!=") {
                return Some((field, false, value));
            }
            let value = rest.strip_prefix("==").or_else(|| rest.strip_prefix('='))?;
            Some((field, true, value))
        })
}

fn unescape(value: &str) -> Result<String, FieldSelectorError> {
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => plain.push(c),
                Some(other) => return Err(FieldSelectorError::Escape(format!("\\{other}"))),
                None => return Err(FieldSelectorError::Escape("\\".to_owned())),
            },
            ',' | '=' => return Err(FieldSelectorError::Unescaped(c)),
            c => plain.push(c),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terms_are_parsed_and_written() {
        for (text, written) in [
            ("", ""),
            ("a=b", "a=b"),
            ("a==b,c!=d", "a=b,c!=d"),
            ("a=", "a="),
            ("a=x\\,y\\=z\\\\", "a=x\\,y\\=z\\\\"),
            (",a=b,", "a=b"),
        ] {
            let selector: FieldSelector = text.parse().unwrap();
            assert_eq!(selector.to_string(), written);
        }
    }

    #[test]
    fn malformed_text_is_refused() {
        let complaint = |text: &str| text.parse::<FieldSelector>().unwrap_err().to_string();
        assert_eq!(
            complaint("a=b,nonsense"),
            "invalid selector: 'a=b,nonsense'; can't understand 'nonsense'"
        );
        assert!(complaint("a=b=c").contains("unescaped"));
        assert!(complaint("a=\\x").contains("escape"));
    }

    #[test]
    fn absent_fields_count_as_empty() {
        let matches = |text: &str| {
            let selector: FieldSelector = text.parse().unwrap();
            selector.matches(|field| (field == "metadata.name").then_some("web"))
        };
        assert!(matches(""));
        assert!(matches("metadata.name=web,spec.nodeName="));
        assert!(matches("spec.nodeName!=n1"));
        assert!(!matches("metadata.name!=web"));
        assert!(!matches("metadata.name=web,spec.nodeName=n1"));
    }

    #[test]
    fn exact_ignores_inequalities() {
        let selector: FieldSelector = "a!=1,b=2".parse().unwrap();
        assert_eq!(
            (selector.exact("a"), selector.exact("b")),
            (None, Some("2"))
        );
    }

    proptest! {
        #[test]
        fn what_is_written_parses_to_the_same(
            terms in prop::collection::vec(("[a-z.]{1,8}", any::<bool>(), "[a-z,=!\\\\ ]{0,8}"), 0..4),
        ) {
            let term = |(field, is_equal, value)| Term { field, is_equal, value };
            let selector = FieldSelector::new(terms.into_iter().map(term).collect());
            prop_assert_eq!(selector.to_string().parse::<FieldSelector>().unwrap(), selector);
        }
    }
}
