//! CEL expressions and what is named after them.

use crate::api::Field;
use crate::name;

const MAX_CONDITIONS: usize = 64;
const RESERVED: [&str; 22] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
    "",
];

/// Conditions under which a webhook or policy is asked at all.
pub(super) fn check_match_conditions(conditions: &Field) {
    if conditions.len() > MAX_CONDITIONS {
        conditions.too_many(MAX_CONDITIONS);
    }
    for condition in conditions.items() {
        must_say_something(&condition.get("expression"), "");
        let name = condition.get("name");
        if name.must_be_set() {
            name.invalid_for(name::qualified_name(name.str()));
        }
    }
    conditions.must_differ_in("name");
}

/// Values that other expressions may use by name.
pub(super) fn check_variables(variables: &Field) {
    for variable in variables.items() {
        let name = variable.get("name");
        if must_say_something(&name, "name is not specified") && !is_identifier(name.str()) {
            name.invalid("name is not a valid CEL identifier");
        }
        must_say_something(&variable.get("expression"), "expression is not specified");
    }
}

/// The text is there and isn't blank. Says whether it is so.
pub(super) fn must_say_something(text: &Field, otherwise: &str) -> bool {
    let is_blank = text.str().trim().is_empty();
    if is_blank {
        text.required(otherwise);
    }
    !is_blank
}

fn is_identifier(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().all(is_word)
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !RESERVED.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_words_that_mean_nothing_yet() {
        let good = ["a", "_a1", "trueish"];
        let bad = ["", "1a", "a-b", "true", "namespace"];
        assert!(good.into_iter().all(is_identifier));
        assert!(!bad.into_iter().any(is_identifier));
    }
}
