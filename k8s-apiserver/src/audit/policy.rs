//! What is kept of which request: a `Policy` of `audit.k8s.io/v1`, the first matching rule of which
//! decides.

use k8s_apimachinery::{Value, scheme::codec};
use serde::{Deserialize, Serialize};

use crate::{RequestInfo, User};

/// How much is kept, ever more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Nothing.
    #[default]
    None,
    /// Who, what, when and how it ended.
    Metadata,
    /// And what was sent.
    Request,
    /// And what came back.
    RequestResponse,
}

/// When an event is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// As soon as it is known who asks.
    RequestReceived,
    /// When the response of a long-running request begins.
    ResponseStarted,
    /// When the response has ended.
    ResponseComplete,
    /// When something went wrong that shouldn't be possible.
    Panic,
}

/// Rules, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Policy {
    rules: Vec<Rule>,
    omit_stages: Vec<Stage>,
    omit_managed_fields: bool,
}

/// What a policy says about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How much is kept.
    pub level: Level,
    /// At which stages nothing is.
    pub omit_stages: Vec<Stage>,
    /// Whether objects are kept without their managed fields.
    pub omit_managed_fields: bool,
}

/// The text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It can't be read.
    #[error("failed decoding: {0}")]
    Malformed(String),
    /// It is something else.
    #[error("{0:?} of {1:?} is no Policy of audit.k8s.io/v1")]
    OtherKind(String, String),
    /// It says nothing.
    #[error("loaded illegal policy with 0 rules")]
    Empty,
    /// A rule contradicts itself.
    #[error("invalid policy: rules[{rule}].{field}: {reason}")]
    Invalid {
        /// Which rule, from 0.
        rule: usize,
        /// Which field of it.
        field: &'static str,
        /// Why.
        reason: &'static str,
    },
}

/// All that is set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    level: Level,
    users: Vec<String>,
    user_groups: Vec<String>,
    verbs: Vec<String>,
    resources: Vec<GroupResources>,
    namespaces: Vec<String>,
    #[serde(rename = "nonResourceURLs")]
    non_resource_urls: Vec<String>,
    omit_stages: Vec<Stage>,
    omit_managed_fields: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GroupResources {
    group: String,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

impl Level {
    pub(super) const ALL: [Level; 4] = [
        Level::Metadata,
        Level::None,
        Level::Request,
        Level::RequestResponse,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::None => "None",
            Level::Metadata => "Metadata",
            Level::Request => "Request",
            Level::RequestResponse => "RequestResponse",
        }
    }
}

impl Policy {
    /// Reads a policy, in YAML or JSON, and checks it as Kubernetes does.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let malformed = |error: String| PolicyError::Malformed(error);
        let (tree, _) =
            codec::decode_yaml(text.as_bytes()).map_err(|error| malformed(error.to_string()))?;
        let field = |name: &str| tree[name].as_str().unwrap_or_default().to_owned();
        let (kind, version) = (field("kind"), field("apiVersion"));
        if (kind.as_str(), version.as_str()) != ("Policy", "audit.k8s.io/v1") {
            return Err(PolicyError::OtherKind(kind, version));
        }
        for (rule, each) in tree["rules"].as_array().into_iter().flatten().enumerate() {
            if each["level"].is_null() {
                return Err(PolicyError::Invalid {
                    rule,
                    field: "level",
                    reason: "Required value",
                });
            }
        }
        let policy: Policy = serde_json::from_value::<Policy>(without_nulls(tree))
            .map_err(|error| malformed(error.to_string()))?;
        policy.check()?;
        Ok(policy)
    }

    /// What is kept of a request. Nobody is its user if it came without valid credentials.
    pub fn decide(&self, user: Option<&User>, info: &RequestInfo) -> Verdict {
        let found = self.rules.iter().find(|rule| rule.matches(user, info));
        let omits = |rule: &Rule| rule.omit_managed_fields;
        Verdict {
            level: found.map_or(Level::None, |rule| rule.level),
            omit_stages: {
                let of_rule = found.map_or(&[][..], |rule| &rule.omit_stages);
                [&self.omit_stages[..], of_rule].concat()
            },
            omit_managed_fields: found.and_then(omits).unwrap_or(self.omit_managed_fields),
        }
    }

    fn check(&self) -> Result<(), PolicyError> {
        if self.rules.is_empty() {
            return Err(PolicyError::Empty);
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let invalid = |field, reason| PolicyError::Invalid {
                rule: index,
                field,
                reason,
            };
            rule.check()
                .map_err(|(field, reason)| invalid(field, reason))?;
        }
        Ok(())
    }
}

impl Rule {
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let is_about_resources = !self.resources.is_empty() || !self.namespaces.is_empty();
        if is_about_resources && !self.non_resource_urls.is_empty() {
            let reason = "rules cannot apply to both regular resources and non-resource URLs";
            return Err(("nonResourceURLs", reason));
        }
        for url in self.non_resource_urls.iter().filter(|url| *url != "*") {
            if !url.starts_with('/') {
                return Err((
                    "nonResourceURLs",
                    "non-resource URL rules must begin with a '/' character",
                ));
            }
            if url.trim_end_matches('*').contains('*') || url.ends_with("**") {
                return Err((
                    "nonResourceURLs",
                    "non-resource URL wildcards '*' must be the final character of the rule",
                ));
            }
        }
        for of_group in &self.resources {
            if of_group.group.contains('/') || of_group.group == "v1" {
                return Err((
                    "resources.group",
                    "must be an API group, without its version",
                ));
            }
            if !of_group.resource_names.is_empty() && of_group.resources.is_empty() {
                let reason = "using resourceNames requires at least one resource";
                return Err(("resources.resourceNames", reason));
            }
        }
        Ok(())
    }

    fn matches(&self, user: Option<&User>, info: &RequestInfo) -> bool {
        let about = |list: &[String], value: &str| list.iter().any(|each| each == value);
        let is_user =
            self.users.is_empty() || user.is_some_and(|user| about(&self.users, &user.name));
        let is_in_group = self.user_groups.is_empty()
            || user.is_some_and(|user| user.groups.iter().any(|it| about(&self.user_groups, it)));
        if !is_user || !is_in_group {
            return false;
        }
        if !self.verbs.is_empty() && !about(&self.verbs, info.verb.as_str()) {
            return false;
        }
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            return info.resource_request
                && (self.namespaces.is_empty() || about(&self.namespaces, &info.namespace))
                && (self.resources.is_empty()
                    || self.resources.iter().any(|each| each.matches(info)));
        }
        self.non_resource_urls.is_empty()
            || !info.resource_request
                && self
                    .non_resource_urls
                    .iter()
                    .any(|url| covers(url, &info.path))
    }
}

impl GroupResources {
    fn matches(&self, info: &RequestInfo) -> bool {
        let is_named =
            || self.resource_names.is_empty() || self.resource_names.contains(&info.name);
        self.group == info.group
            && (self.resources.is_empty()
                || self.resources.iter().any(|each| is_meant(each, info)) && is_named())
    }
}

/// Whether a rule's resource is this one: `pods`, `pods/log`, `pods/*`, `*/log` or `*`.
fn is_meant(rule: &str, info: &RequestInfo) -> bool {
    match rule.split_once('/') {
        None if rule == "*" => true,
        None => info.subresource.is_empty() && rule == info.resource,
        Some((resource, "*")) => resource == info.resource,
        Some((resource, subresource)) => {
            (resource == "*" || resource == info.resource)
                && !info.subresource.is_empty()
                && subresource == info.subresource
        }
    }
}

/// Whether a rule's path is this one; `*` at its end stands for anything.
fn covers(rule: &str, path: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => rule == path,
    }
}

/// Fields that are null are as good as absent.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let fields = map.into_iter().filter(|(_, value)| !value.is_null());
            fields
                .map(|(key, value)| (key, without_nulls(value)))
                .collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  users: [system:kube-proxy]
  verbs: [watch]
  resources:
  - group: ''
    resources: [endpoints, services]
- level: None
  userGroups: [system:authenticated]
  nonResourceURLs: ['/api*', /version]
- level: Request
  omitManagedFields: false
  resources:
  - resources: [configmaps]
    resourceNames: [controller-leader]
  namespaces: [kube-system]
- level: Metadata
  omitStages: [ResponseStarted]
  resources:
  - group: ''
    resources: [secrets, configmaps, pods/log, 'nodes/*', '*/exec']
- level: RequestResponse
  resources:
  - group: apps
";

    #[track_caller]
    fn check(user: &User, method: &str, uri: &str, expected: Level) {
        let policy = Policy::parse(POLICY).unwrap();
        let info = RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap();
        let found = policy.decide(Some(user), &info).level;
        assert_eq!(found, expected, "{} {method} {uri}", user.name);
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let (proxy, jane) = (
            User::new("system:kube-proxy"),
            User::new("jane").in_group("system:authenticated"),
        );
        check(&proxy, "GET", "/api/v1/services?watch=1", Level::None);
        check(&jane, "GET", "/apis", Level::None);
        check(&jane, "GET", "/version", Level::None);
        let leader = "/api/v1/namespaces/kube-system/configmaps/controller-leader";
        check(&jane, "PUT", leader, Level::Request);
        check(
            &jane,
            "GET",
            "/api/v1/namespaces/a/configmaps/x",
            Level::Metadata,
        );
        check(
            &jane,
            "GET",
            "/api/v1/namespaces/a/pods/p/log",
            Level::Metadata,
        );
        check(&jane, "GET", "/api/v1/namespaces/a/pods/p", Level::None);
        check(&jane, "GET", "/api/v1/nodes/n/status", Level::Metadata);
        check(&jane, "GET", "/api/v1/nodes/n", Level::Metadata);
        check(
            &jane,
            "POST",
            "/api/v1/namespaces/a/pods/p/exec",
            Level::Metadata,
        );
        check(
            &jane,
            "POST",
            "/apis/apps/v1/namespaces/a/deployments",
            Level::RequestResponse,
        );
    }

    #[test]
    fn what_is_omitted_adds_up() {
        let policy = Policy::parse(POLICY).unwrap();
        let of = |uri: &str| {
            let info = RequestInfo::parse(&http::Method::GET, &uri.parse().unwrap()).unwrap();
            policy.decide(Some(&User::new("jane")), &info)
        };
        let secrets = of("/api/v1/secrets");
        let both = vec![Stage::RequestReceived, Stage::ResponseStarted];
        assert_eq!(
            (secrets.omit_stages, secrets.omit_managed_fields),
            (both, true)
        );
        let leader = of("/api/v1/namespaces/kube-system/configmaps/controller-leader");
        assert!(!leader.omit_managed_fields);
    }

    #[test]
    fn nobody_matches_only_rules_about_nobody() {
        let policy = Policy::parse(POLICY).unwrap();
        let level = |uri: &str| {
            let info = RequestInfo::parse(&http::Method::GET, &uri.parse().unwrap()).unwrap();
            policy.decide(None, &info).level
        };
        assert_eq!(
            (level("/version"), level("/api/v1/secrets")),
            (Level::None, Level::Metadata)
        );
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |rules: &str| {
            let text = format!("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: {rules}");
            Policy::parse(&text).unwrap_err().to_string()
        };
        assert_eq!(refused("[]"), "loaded illegal policy with 0 rules");
        assert_eq!(
            refused("[{users: [a]}]"),
            "invalid policy: rules[0].level: Required value"
        );
        assert_eq!(
            refused("[{level: None, nonResourceURLs: [/a], namespaces: [b]}]"),
            "invalid policy: rules[0].nonResourceURLs: rules cannot apply to both regular resources and non-resource \
             URLs"
        );
        assert_eq!(
            refused("[{level: None, nonResourceURLs: ['/a*b']}]"),
            "invalid policy: rules[0].nonResourceURLs: non-resource URL wildcards '*' must be the final character of \
             the rule"
        );
        assert!(refused("[{level: Everything}]").starts_with("failed decoding: unknown variant"));
        let other = Policy::parse("apiVersion: v1\nkind: Pod").unwrap_err();
        assert_eq!(other, PolicyError::OtherKind("Pod".into(), "v1".into()));
    }
}
