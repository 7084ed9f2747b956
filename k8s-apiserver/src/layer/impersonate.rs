//! Lets a user act as another, if RBAC grants the verb `impersonate` on every part of that
//! identity.
//!
//! `Impersonate-User` names the user; `-Group`, `-Uid` and `-Extra-<key>` add to it and mean
//! nothing without it. The headers stop here: what is below sees only the identity acted as.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, HeaderName};
use percent_encoding::percent_decode_str;

use super::{Handler, Step};
use crate::{
    ApiError, Request, Response, User,
    audit::Ledger,
    authz::{Attributes, Authorizer},
    user::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED},
};

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";

/// The group of the resources that are no API: uids and extras.
const AUTHENTICATION: &str = "authentication.k8s.io";

/// Replaces the request's user by the one that it asks to act as.
#[derive(Clone)]
pub struct Impersonate(pub Arc<dyn Authorizer>);

impl Step for Impersonate {
    async fn handle<N: Handler>(
        &self,
        mut request: Request,
        next: N,
    ) -> Result<Response, ApiError> {
        if let Some(wanted) = wanted(request.headers())? {
            let user = User::of(&request);
            for part in parts(&user, &wanted) {
                self.0.require(&part).await?;
            }
            let acted_as = Arc::new(completed(wanted));
            Ledger::note(&request, |notes| {
                notes.impersonated = Some(Arc::clone(&acted_as));
            });
            request.extensions_mut().insert(acted_as);
            strip(request.headers_mut());
        }
        Ok(next.run(request).await)
    }
}

/// The name of the user that a request asks to act as.
pub(super) fn asked_for(headers: &HeaderMap) -> Option<&str> {
    headers.get(USER)?.to_str().ok()
}

/// The identity that the headers spell out; an error if they add to a user that they don't name.
fn wanted(headers: &HeaderMap) -> Result<Option<User>, ApiError> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let mut extra = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
            extra.entry(key).or_default().push(text(value));
        }
    }
    let user = User {
        name: headers.get(USER).map(text).unwrap_or_default(),
        uid: headers.get(UID).map(text).unwrap_or_default(),
        groups: headers.get_all(GROUP).iter().map(text).collect(),
        extra,
    };
    if user == User::default() {
        return Ok(None);
    }
    if user.name.is_empty() {
        return Err(ApiError::BadRequest(
            "requested groups, uid or extra without impersonating a user".into(),
        ));
    }
    Ok(Some(user))
}

/// What the user must be allowed to impersonate: the name and every group, uid and extra value.
fn parts<'a>(user: &'a User, wanted: &'a User) -> Vec<Attributes<'a>> {
    let part = |group, resource, name| Attributes {
        verb: "impersonate",
        group,
        resource,
        name,
        ..Attributes::resource(user)
    };
    let mut parts = vec![match wanted.as_service_account() {
        Some((namespace, name)) => Attributes {
            namespace,
            ..part("", "serviceaccounts", name)
        },
        None => part("", "users", &wanted.name),
    }];
    parts.extend(wanted.groups.iter().map(|group| part("", "groups", group)));
    for (key, values) in &wanted.extra {
        parts.extend(values.iter().map(|value| Attributes {
            subresource: key,
            ..part(AUTHENTICATION, "userextras", value)
        }));
    }
    if !wanted.uid.is_empty() {
        parts.push(part(AUTHENTICATION, "uids", &wanted.uid));
    }
    parts
}

/// The groups that go without saying: a service account's own, and whether the user is known at
/// all.
fn completed(mut wanted: User) -> User {
    if wanted.groups.is_empty()
        && let Some((namespace, name)) = wanted.as_service_account()
    {
        wanted.groups = User::service_account(namespace, name).groups;
    }
    let known = if wanted.name == ANONYMOUS {
        UNAUTHENTICATED
    } else {
        AUTHENTICATED
    };
    if wanted.is_in(UNAUTHENTICATED) {
        wanted
    } else {
        wanted.in_group(known)
    }
}

fn strip(headers: &mut HeaderMap) {
    let ours = |name: &HeaderName| {
        let name = name.as_str();
        name == USER || name == GROUP || name == UID || name.starts_with(EXTRA)
    };
    let names: Vec<HeaderName> = headers.keys().filter(|name| ours(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}
