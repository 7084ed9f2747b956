//! Rules over constants, and the words that they are made of.

use k8s_openapi::api::rbac::v1::PolicyRule;

/// One rule, over constants.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    verbs: &'static [&'static str],
    groups: &'static [&'static str],
    resources: &'static [&'static str],
    names: &'static [&'static str],
    paths: &'static [&'static str],
}

/// These verbs on these resources of these groups.
pub(super) const fn may(verbs: Words, groups: Words, resources: Words) -> Rule {
    Rule {
        verbs,
        groups,
        resources,
        names: &[],
        paths: &[],
    }
}

/// The same, for objects of these names alone.
pub(super) const fn may_named(verbs: Words, groups: Words, resources: Words, names: Words) -> Rule {
    Rule {
        verbs,
        groups,
        resources,
        names,
        paths: &[],
    }
}

/// These verbs on paths that are no resources.
pub(super) const fn may_path(verbs: Words, paths: Words) -> Rule {
    Rule {
        verbs,
        groups: &[],
        resources: &[],
        names: &[],
        paths,
    }
}

pub(super) type Words = &'static [&'static str];

pub(super) const ALL: Words = &["*"];
pub(super) const READ: Words = &["get", "list", "watch"];
pub(super) const FOLLOW: Words = &["list", "watch"];
pub(super) const WRITE: Words = &["create", "update", "patch", "delete", "deletecollection"];
pub(super) const CREATE: Words = &["create"];
pub(super) const GET: Words = &["get"];
pub(super) const UPDATE: Words = &["update"];
pub(super) const CHANGE: Words = &["update", "patch"];

pub(super) const CORE: Words = &[""];
pub(super) const APPS: Words = &["apps"];
pub(super) const AUTHENTICATION: Words = &["authentication.k8s.io"];
pub(super) const AUTHORIZATION: Words = &["authorization.k8s.io"];
pub(super) const AUTOSCALING: Words = &["autoscaling"];
pub(super) const BATCH: Words = &["batch"];
pub(super) const CERTIFICATES: Words = &["certificates.k8s.io"];
pub(super) const COORDINATION: Words = &["coordination.k8s.io"];
pub(super) const DISCOVERY: Words = &["discovery.k8s.io"];
pub(super) const NETWORKING: Words = &["networking.k8s.io"];
pub(super) const NODE_GROUP: Words = &["node.k8s.io"];
pub(super) const POLICY: Words = &["policy"];
pub(super) const RESOURCE: Words = &["resource.k8s.io"];
pub(super) const RBAC: Words = &["rbac.authorization.k8s.io"];
pub(super) const SCHEDULING: Words = &["scheduling.k8s.io"];
pub(super) const STORAGE: Words = &["storage.k8s.io"];

/// Whoever acts on objects reports about them.
pub(super) const EVENTS: Rule = may(
    &["create", "update", "patch"],
    &["", "events.k8s.io"],
    &["events"],
);
/// Whoever serves requests of its own asks the server who calls, and whether they may.
pub(super) const REVIEW_TOKENS: Rule = may(CREATE, AUTHENTICATION, &["tokenreviews"]);
pub(super) const REVIEW_ACCESS: Rule = may(CREATE, AUTHORIZATION, &["subjectaccessreviews"]);

impl From<&Rule> for PolicyRule {
    fn from(rule: &Rule) -> Self {
        let words = |words: Words| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        let some = |list: Words| Some(words(list)).filter(|words| !words.is_empty());
        PolicyRule {
            verbs: words(rule.verbs),
            api_groups: some(rule.groups),
            resources: some(rule.resources),
            resource_names: some(rule.names),
            non_resource_urls: some(rule.paths),
        }
    }
}
