//! TokenRequest: asks for a token of a service account.

use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// How long a token lives when nobody says, in seconds.
const EXPIRATION: i64 = 3600;

/// Rules of `authentication.k8s.io/v1` `TokenRequest`. Its metadata is that of the account.
pub struct TokenRequest;

impl Rules for TokenRequest {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        if !spec.contains_key("expirationSeconds") {
            spec.insert("expirationSeconds".to_owned(), EXPIRATION.into());
        }
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let expiration = spec.get("expirationSeconds");
        match expiration.int().unwrap_or_default() {
            ..600 => expiration.invalid("may not specify a duration less than 10 minutes"),
            4_294_967_297.. => {
                expiration.invalid("may not specify a duration larger than 2^32 seconds");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, named};
    use serde_json::json;

    #[test]
    fn a_token_lives_ten_minutes_at_least() {
        let lasting = |seconds: i64| named(json!({"spec": {"expirationSeconds": seconds}}));
        check_create(&TokenRequest, named(json!({})), &[]);
        check_create(&TokenRequest, lasting(600), &[]);
        check_create(&TokenRequest, lasting(1 << 32), &[]);
        check_create(
            &TokenRequest,
            lasting(599),
            &[
                "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 minutes",
            ],
        );
        check_create(
            &TokenRequest,
            lasting((1 << 32) + 1),
            &[
                "spec.expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds",
            ],
        );
    }
}
