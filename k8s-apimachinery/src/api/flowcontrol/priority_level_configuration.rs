//! PriorityLevelConfiguration: how many requests run at once, and what becomes of the rest.

use super::{bootstrap, check_conditions, check_mandatory};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

const MAX_QUEUES: i64 = 10_000_000;
/// How many bits of a flow's hash there are to choose its queues by.
const HASH_BITS: i64 = 60;
const NOT_NEGATIVE: &str = "must be a non-negative integer";

/// Rules of `flowcontrol.apiserver.k8s.io/v1` `PriorityLevelConfiguration`.
pub struct PriorityLevelConfiguration;

impl Rules for PriorityLevelConfiguration {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        if spec.text("type") == "Exempt" {
            spec.ensure("exempt");
        }
        if let Some(exempt) = spec.object("exempt") {
            exempt.fill("nominalConcurrencyShares", 0);
            exempt.fill("lendablePercent", 0);
        }
        if let Some(limited) = spec.object("limited") {
            limited.fill("nominalConcurrencyShares", 30);
            limited.fill("lendablePercent", 0);
            let response = limited.object("limitResponse");
            if let Some(queuing) = response.and_then(|response| response.object("queuing")) {
                queuing.fill_zero("queues", 64);
                queuing.fill_zero("handSize", 8);
                queuing.fill_zero("queueLengthLimit", 50);
            }
        }
    }

    fn check(&self, object: &Field) {
        let (metadata, spec) = (object.get("metadata"), object.get("spec"));
        let (name, type_) = (metadata.get("name").str(), spec.get("type"));
        if (name == "exempt") != (type_.str() == "Exempt") {
            type_.invalid_value(
                type_.str(),
                "type must be 'Exempt' if and only if `name` is 'exempt'",
            );
        }
        check_type(&spec);
        // How much the exempt level lends may be changed.
        if name == "catch-all" {
            let spec = bootstrap::mandatory(bootstrap::priority_levels, name);
            check_mandatory(object, spec);
        }
        check_conditions(object);
    }

    fn check_status(&self, new: &Field, _old: &Field) {
        check_conditions(new);
    }
}

fn check_type(spec: &Field) {
    let (type_, exempt, limited) = (spec.get("type"), spec.get("exempt"), spec.get("limited"));
    match type_.str() {
        "Exempt" => {
            if limited.is_set() {
                limited.forbidden("must be nil if the type is not Limited");
            }
            check_shares(&exempt);
        }
        "Limited" => {
            if exempt.is_set() {
                exempt.forbidden("must be nil if the type is Limited");
            }
            match limited.is_set() {
                true => check_limited(&limited),
                false => limited.required("must not be empty when type is Limited"),
            }
        }
        _ => type_.unsupported(&["Exempt", "Limited"]),
    }
}

fn check_shares(level: &Field) {
    let (shares, lendable) = (
        level.get("nominalConcurrencyShares"),
        level.get("lendablePercent"),
    );
    if shares.int().is_some_and(|shares| shares < 0) {
        shares.invalid(NOT_NEGATIVE);
    }
    lendable.must_be_between(0, 100);
}

fn check_limited(limited: &Field) {
    check_shares(limited);
    let borrowing = limited.get("borrowingLimitPercent");
    if borrowing.int().is_some_and(|limit| limit < 0) {
        borrowing.invalid(format!("if specified, {NOT_NEGATIVE}"));
    }
    let response = limited.get("limitResponse");
    let (type_, queuing) = (response.get("type"), response.get("queuing"));
    match type_.str() {
        "Reject" => {
            if queuing.is_set() {
                queuing.forbidden("must be nil if limited.limitResponse.type is not Limited");
            }
        }
        "Queue" => match queuing.is_set() {
            true => check_queuing(&queuing),
            false => {
                queuing.required("must not be empty if limited.limitResponse.type is Limited");
            }
        },
        _ => type_.unsupported(&["Queue", "Reject"]),
    }
}

fn check_queuing(queuing: &Field) {
    let [length, queues, hand] =
        ["queueLengthLimit", "queues", "handSize"].map(|field| queuing.get(field));
    let number = |field: &Field| field.int().unwrap_or(0);
    for field in [&length, &queues, &hand] {
        if number(field) <= 0 {
            field.invalid_value(number(field), "must be positive");
        }
    }
    if number(&queues) > MAX_QUEUES {
        queues.invalid(format!("must not be greater than {MAX_QUEUES}"));
    }
    let (count, size) = (number(&queues), number(&hand));
    if size <= 0 || count <= 0 {
        return;
    }
    if size > count {
        hand.invalid(format!("should not be greater than queues ({count})"));
    } else if entropy_bits(count, size) > HASH_BITS {
        hand.invalid(format!(
            "required entropy bits of deckSize {count} and handSize {size} should not be greater than {HASH_BITS}"
        ));
    }
}

/// How many bits it takes to deal so many cards from a deck.
fn entropy_bits(deck: i64, hand: i64) -> i64 {
    ((deck as f64).log2() * hand as f64).ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_defaults, cluster_wide, object};
    use expect_test::expect;
    use serde_json::{Value, json};

    fn queuing(queuing: Value) -> Object {
        let response = json!({"type": "Queue", "queuing": queuing});
        cluster_wide(json!({"spec": {"type": "Limited", "limited": {"limitResponse": response}}}))
    }

    #[test]
    fn limits_are_filled_in() {
        check_defaults(
            &PriorityLevelConfiguration,
            object(
                json!({"spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Queue", "queuing": {}}}}}),
            ),
            &expect![[r#"
                {
                  "spec": {
                    "limited": {
                      "lendablePercent": 0,
                      "limitResponse": {
                        "queuing": {
                          "handSize": 8,
                          "queueLengthLimit": 50,
                          "queues": 64
                        },
                        "type": "Queue"
                      },
                      "nominalConcurrencyShares": 30
                    },
                    "type": "Limited"
                  }
                }"#]],
        );
    }

    #[test]
    fn only_the_exempt_level_is_exempt() {
        check_create(
            &PriorityLevelConfiguration,
            cluster_wide(json!({"spec": {"type": "Exempt"}})),
            &[
                r#"spec.type: Invalid value: "Exempt": type must be 'Exempt' if and only if `name` is 'exempt'"#,
            ],
        );
        check_create(
            &PriorityLevelConfiguration,
            cluster_wide(json!({"spec": {"type": "Limited", "exempt": {}}})),
            &[
                "spec.exempt: Forbidden: must be nil if the type is Limited",
                "spec.limited: Required value: must not be empty when type is Limited",
            ],
        );
    }

    #[test]
    fn a_hand_is_dealt_from_the_queues() {
        let at = "spec.limited.limitResponse.queuing";
        check_create(&PriorityLevelConfiguration, queuing(json!({})), &[]);
        check_create(
            &PriorityLevelConfiguration,
            queuing(json!({"queues": 4, "handSize": 5})),
            &[&format!(
                "{at}.handSize: Invalid value: 5: should not be greater than queues (4)"
            )],
        );
        check_create(
            &PriorityLevelConfiguration,
            queuing(json!({"queues": 512, "handSize": 8, "queueLengthLimit": -1})),
            &[
                &format!("{at}.queueLengthLimit: Invalid value: -1: must be positive"),
                &format!(
                    "{at}.handSize: Invalid value: 8: required entropy bits of deckSize 512 and handSize 8 should not be greater than 60"
                ),
            ],
        );
    }

    #[test]
    fn the_last_resort_is_fixed() {
        let spec = json!({"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}});
        let last = object(json!({"metadata": {"name": "catch-all"}, "spec": spec}));
        let faults = PriorityLevelConfiguration.validate(&last);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(
            faults[0].detail,
            "spec of 'catch-all' must equal the fixed value"
        );
    }
}
