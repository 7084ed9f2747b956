//! Label selectors: `app=web,tier in (front,back),!canary`, and their form in objects, `metav1.LabelSelector`.

mod parse;

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use serde_json::Value;

use crate::name;

/// A conjunction of requirements; without requirements it selects everything.
///
/// ```
/// use k8s_apimachinery::selector::LabelSelector;
/// let selector: LabelSelector = "app=web,tier notin (back)".parse()?;
/// let labels = [("app", "web")];
/// let lookup = |key: &str| labels.iter().find(|(k, _)| *k == key).map(|(_, v)| *v);
/// assert!(selector.matches(lookup));
/// # Ok::<(), k8s_apimachinery::selector::label::LabelSelectorError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
    is_nothing: bool,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How the label's value is compared.
    pub operator: Operator,
    /// What it is compared with: some for `In` and `NotIn`, one for `Equals`, `NotEquals`, `Gt`, `Lt`, else none.
    pub values: Vec<String>,
}

/// How a label's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `key=value`, `key==value`.
    Equals,
    /// `key!=value`; holds when the label is absent.
    NotEquals,
    /// `key in (a,b)`.
    In,
    /// `key notin (a,b)`; holds when the label is absent.
    NotIn,
    /// `key`.
    Exists,
    /// `!key`.
    DoesNotExist,
    /// `key>1`, as integers.
    Gt,
    /// `key<1`, as integers.
    Lt,
}

/// The text or value is no label selector; the message is Kubernetes' own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LabelSelectorError(String);

impl LabelSelector {
    /// The selector with these requirements, checked.
    pub fn try_new(requirements: Vec<Requirement>) -> Result<Self, LabelSelectorError> {
        for requirement in &requirements {
            requirement.check()?;
        }
        Ok(Self::checked(requirements))
    }

    /// Selects everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Selects nothing: what an absent `metav1.LabelSelector` means in most places.
    pub fn nothing() -> Self {
        Self {
            requirements: Vec::new(),
            is_nothing: true,
        }
    }

    /// Reads a `metav1.LabelSelector`. Null selects nothing, `{}` everything.
    pub fn from_value(value: &Value) -> Result<Self, LabelSelectorError> {
        if value.is_null() {
            return Ok(Self::nothing());
        }
        let selector: meta::LabelSelector = serde::Deserialize::deserialize(value)
            .map_err(|e| LabelSelectorError(e.to_string()))?;
        Self::from_type(Some(&selector))
    }

    /// Reads a `metav1.LabelSelector`. `None` selects nothing, an empty one everything.
    pub fn from_type(selector: Option<&meta::LabelSelector>) -> Result<Self, LabelSelectorError> {
        let Some(selector) = selector else {
            return Ok(Self::nothing());
        };
        let equalities = selector
            .match_labels
            .iter()
            .flatten()
            .map(|(key, value)| Requirement {
                key: key.clone(),
                operator: Operator::Equals,
                values: vec![value.clone()],
            });
        let mut requirements: Vec<_> = equalities.collect();
        for expression in selector.match_expressions.iter().flatten() {
            let operator = match expression.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    return Err(LabelSelectorError(format!(
                        "{other:?} is not a valid label selector operator"
                    )));
                }
            };
            let values = expression.values.clone().unwrap_or_default();
            requirements.push(Requirement {
                key: expression.key.clone(),
                operator,
                values,
            });
        }
        Self::try_new(requirements)
    }

    /// Selects objects that have all of these labels, as `spec.selector` of a Service does. An empty set selects
    /// everything; what it means to a Service is the Service's affair.
    pub fn from_set<K: Into<String>, V: Into<String>>(
        labels: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let equals = |(key, value): (K, V)| Requirement {
            key: key.into(),
            operator: Operator::Equals,
            values: vec![value.into()],
        };
        Self::checked(labels.into_iter().map(equals).collect())
    }

    /// Whether it selects everything.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty() && !self.is_nothing
    }

    /// Whether it selects nothing, by construction.
    pub fn is_nothing(&self) -> bool {
        self.is_nothing
    }

    /// The requirements, all of which must hold.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether an object is selected, given its labels.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        !self.is_nothing
            && self
                .requirements
                .iter()
                .all(|requirement| requirement.matches(label(&requirement.key)))
    }

    /// The value that the label must have, when a requirement allows just one.
    pub fn exact(&self, key: &str) -> Option<&str> {
        let requirement = self
            .requirements
            .iter()
            .find(|requirement| requirement.key == key)?;
        match (requirement.operator, requirement.values.as_slice()) {
            (Operator::Equals | Operator::In, [value]) => Some(value),
            _ => None,
        }
    }

    fn checked(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self {
            requirements,
            is_nothing: false,
        }
    }
}

impl Requirement {
    /// Whether a label with this value, or its absence, is allowed.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let is_listed = |value: &str| self.values.iter().any(|listed| listed == value);
        match self.operator {
            Operator::Equals | Operator::In => value.is_some_and(is_listed),
            Operator::NotEquals | Operator::NotIn => !value.is_some_and(is_listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => self.compare(value, |a, b| a > b),
            Operator::Lt => self.compare(value, |a, b| a < b),
        }
    }

    fn compare(&self, value: Option<&str>, holds: fn(i64, i64) -> bool) -> bool {
        let bound = self.values.first().and_then(|bound| bound.parse().ok());
        let value = value.and_then(|value| value.parse().ok());
        value
            .zip(bound)
            .is_some_and(|(value, bound)| holds(value, bound))
    }

    fn check(&self) -> Result<(), LabelSelectorError> {
        let mut faults: Vec<String> = Vec::new();
        let key_faults = name::label_key(&self.key);
        if !key_faults.is_empty() {
            faults.push(format!(
                "key: Invalid value: {:?}: {}",
                self.key,
                key_faults.join("; ")
            ));
        }
        let count_fault = match (self.operator, self.values.len()) {
            (Operator::In | Operator::NotIn, 0) => {
                Some("for 'in', 'notin' operators, values set can't be empty")
            }
            (Operator::Equals | Operator::NotEquals, n) if n != 1 => {
                Some("exact-match compatibility requires one single value")
            }
            (Operator::Exists | Operator::DoesNotExist, 1..) => {
                Some("values set must be empty for exists and does not exist")
            }
            (Operator::Gt | Operator::Lt, n) if n != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            _ => None,
        };
        if let Some(fault) = count_fault {
            let values = serde_json::to_string(&self.values).unwrap_or_default();
            faults.push(format!("values: Invalid value: {values}: {fault}"));
        }
        for (i, value) in self.values.iter().enumerate() {
            let is_number = value.parse::<i64>().is_ok();
            if matches!(self.operator, Operator::Gt | Operator::Lt) && !is_number {
                let fault = "for 'Gt', 'Lt' operators, the value must be an integer";
                faults.push(format!("values[{i}]: Invalid value: {value:?}: {fault}"));
            }
            let value_faults = name::label_value(value);
            if !value_faults.is_empty() {
                let key = &self.key;
                faults.push(format!(
                    "values[{i}][{key}]: Invalid value: {value:?}: {}",
                    value_faults.join("; ")
                ));
            }
        }
        match faults.as_slice() {
            [] => Ok(()),
            [only] => Err(LabelSelectorError(only.clone())),
            many => Err(LabelSelectorError(format!("[{}]", many.join(", ")))),
        }
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let key = &self.key;
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::Gt => write!(f, "{key}>{values}"),
            Operator::Lt => write!(f, "{key}<{values}"),
        }
    }
}

#[cfg(test)]
mod tests;
