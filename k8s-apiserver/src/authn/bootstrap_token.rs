//! Bootstrap tokens: what a machine shows before it has a certificate.
//!
//! A token `id.secret` is the secret `kube-system/bootstrap-token-<id>`; deleting that, or letting it
//! expire, ends it.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use k8s_apimachinery::Object;

use super::{
    BadCredential,
    service_account::CoreObjects,
    token::{Authenticated, TokenAuthenticator},
};
use crate::{User, registry::Environment};

/// Everyone who shows a bootstrap token is in this group.
const GROUP: &str = "system:bootstrappers";
const TYPE: &str = "bootstrap.kubernetes.io/token";

/// Believes bootstrap tokens that allow authentication.
#[derive(Clone)]
pub struct BootstrapTokens {
    objects: Arc<dyn CoreObjects>,
    environment: Arc<dyn Environment>,
}

impl BootstrapTokens {
    /// Tokens as these secrets have them, by this clock.
    pub fn new(objects: Arc<dyn CoreObjects>, environment: Arc<dyn Environment>) -> Self {
        BootstrapTokens {
            objects,
            environment,
        }
    }
}

#[async_trait]
impl TokenAuthenticator for BootstrapTokens {
    async fn authenticate(
        &self,
        token: &str,
        audiences: &[String],
    ) -> Result<Option<Authenticated>, BadCredential> {
        let Some((id, secret)) = parts(token) else {
            return Ok(None);
        };
        let name = format!("bootstrap-token-{id}");
        let held = self.objects.object("secrets", "kube-system", &name);
        let user = held.and_then(|held| user(&held, id, secret, self.environment.now()));
        Ok(user.map(|user| Authenticated {
            user,
            audiences: audiences.to_vec(),
        }))
    }
}

/// `abcdef.0123456789abcdef`: six characters and sixteen.
fn parts(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    let is_plain = |part: &str| {
        part.bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
    };
    (id.len() == 6 && secret.len() == 16 && is_plain(id) && is_plain(secret))
        .then_some((id, secret))
}

/// Whom the secret lets in, if the token is its, it allows this, and its time isn't up.
fn user(held: &Object, id: &str, secret: &str, now: Timestamp) -> Option<User> {
    let data = |key: &str| {
        let bytes = STANDARD.decode(held.str(&["data", key])?).ok()?;
        String::from_utf8(bytes).ok()
    };
    let is_alive = match data("expiration") {
        None => true,
        Some(until) if until.is_empty() => true,
        Some(until) => until.parse::<Timestamp>().is_ok_and(|until| now < until),
    };
    let is_usable = held.str(&["type"]) == Some(TYPE)
        && held.deletion_timestamp().is_none()
        && data("token-id").as_deref() == Some(id)
        && same(data("token-secret")?.as_bytes(), secret.as_bytes())
        && data("usage-bootstrap-authentication").as_deref() == Some("true")
        && is_alive;
    let groups = data("auth-extra-groups").unwrap_or_default();
    let mut groups = groups.split(',').filter(|group| !group.is_empty());
    let user = User::new(format!("system:bootstrap:{id}")).in_group(GROUP);
    let all_fit = groups.clone().all(is_group);
    (is_usable && all_fit).then(|| groups.by_ref().fold(user, User::in_group))
}

/// Whether a token may put its bearer into a group: no group of anyone else's.
fn is_group(group: &str) -> bool {
    let Some(rest) = group.strip_prefix("system:bootstrappers:") else {
        return false;
    };
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b':' | b'-');
    let ends = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    rest.len() <= 256 && rest.bytes().all(fits) && rest.as_bytes().last().is_some_and(ends)
}

/// Compares in a time that tells nothing about where texts differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let differing = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(changes: &[(&str, &str)], want: Option<&[&str]>) {
        let mut data = serde_json::Map::new();
        let usual = [
            ("token-id", "abcdef"),
            ("token-secret", "0123456789abcdef"),
            ("usage-bootstrap-authentication", "true"),
        ];
        for (key, value) in usual.iter().chain(changes) {
            data.insert((*key).to_owned(), STANDARD.encode(value).into());
        }
        let secret = Object::from_value(json!({ "type": TYPE, "data": data })).unwrap();
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let found = user(&secret, "abcdef", "0123456789abcdef", now);
        let groups = found.map(|user| {
            assert_eq!(user.name, "system:bootstrap:abcdef");
            user.groups
        });
        assert_eq!(
            groups.as_deref(),
            want.map(|want| want.iter().map(|&each| each.to_owned()).collect::<Vec<_>>())
                .as_deref()
        );
    }

    #[test]
    fn a_token_lets_in_while_its_secret_says_so() {
        check(&[], Some(&["system:bootstrappers"]));
        check(&[("token-secret", "0123456789abcdeg")], None);
        check(&[("token-id", "abcdeg")], None);
        check(&[("usage-bootstrap-authentication", "false")], None);
        check(&[("expiration", "2026-01-01T00:00:00Z")], None);
        check(&[("expiration", "soon")], None);
        let later = ("expiration", "2026-01-01T00:00:01Z");
        check(&[later], Some(&["system:bootstrappers"]));
    }

    #[test]
    fn a_token_gives_no_group_but_bootstrappers() {
        let nodes = "system:bootstrappers:nodes";
        check(
            &[("auth-extra-groups", nodes)],
            Some(&["system:bootstrappers", nodes]),
        );
        for group in [
            "system:masters",
            "system:bootstrappers:",
            "system:bootstrappers:a-",
        ] {
            check(&[("auth-extra-groups", group)], None);
        }
    }

    #[test]
    fn only_texts_of_the_right_form_are_looked_up() {
        assert_eq!(
            parts("abcdef.0123456789abcdef"),
            Some(("abcdef", "0123456789abcdef"))
        );
        for other in [
            "abcdef",
            "abcde.0123456789abcdef",
            "ABCDEF.0123456789abcdef",
            "a.b.c",
        ] {
            assert_eq!(parts(other), None, "{other}");
        }
    }
}
