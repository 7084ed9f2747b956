//! Which requests a flow schema is about: subjects first, then what they do to what.

use k8s_apimachinery::Value;

use super::Digest;
use crate::{RequestInfo, User};

/// What stands for everything, alone in its list.
const ALL: &str = "*";

/// `PolicyRulesWithSubjects`: these subjects, doing any of this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    subjects: Vec<Subject>,
    resources: Vec<ResourceRule>,
    paths: Vec<PathRule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    User(String),
    Group(String),
    ServiceAccount { namespace: String, name: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ResourceRule {
    verbs: Names,
    groups: Names,
    resources: Names,
    cluster_scope: bool,
    namespaces: Names,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PathRule {
    verbs: Names,
    paths: Vec<String>,
}

/// Names that are meant, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Names {
    All,
    These(Vec<String>),
}

impl Rule {
    /// Reads a rule of a schema's spec. Subjects of unknown kinds are nobody.
    pub(crate) fn read(rule: &Value) -> Self {
        let resource = |rule: &Value| ResourceRule {
            verbs: Names::read(&rule["verbs"]),
            groups: Names::read(&rule["apiGroups"]),
            resources: Names::read(&rule["resources"]),
            cluster_scope: rule["clusterScope"].as_bool().unwrap_or(false),
            namespaces: Names::read(&rule["namespaces"]),
        };
        let path = |rule: &Value| PathRule {
            verbs: Names::read(&rule["verbs"]),
            paths: strings(&rule["nonResourceURLs"]),
        };
        Rule {
            subjects: items(&rule["subjects"]).filter_map(Subject::read).collect(),
            resources: items(&rule["resourceRules"]).map(resource).collect(),
            paths: items(&rule["nonResourceRules"]).map(path).collect(),
        }
    }

    /// Whether it is about a request.
    pub(crate) fn matches(&self, digest: &Digest<'_>) -> bool {
        let Digest { user, info } = *digest;
        self.subjects.iter().any(|subject| subject.is(user))
            && match info.resource_request {
                true => self.resources.iter().any(|rule| rule.matches(info)),
                false => self.paths.iter().any(|rule| rule.matches(info)),
            }
    }
}

impl Subject {
    fn read(subject: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match subject["kind"].as_str()? {
            "User" => text(&subject["user"]["name"]).map(Subject::User),
            "Group" => text(&subject["group"]["name"]).map(Subject::Group),
            "ServiceAccount" => Some(Subject::ServiceAccount {
                namespace: text(&subject["serviceAccount"]["namespace"])?,
                name: text(&subject["serviceAccount"]["name"])?,
            }),
            _ => None,
        }
    }

    fn is(&self, user: &User) -> bool {
        match self {
            Subject::User(name) => name == ALL || *name == user.name,
            Subject::Group(name) => name == ALL || user.is_in(name),
            Subject::ServiceAccount { namespace, name } => user
                .as_service_account()
                .is_some_and(|(ns, account)| ns == namespace && (name == ALL || account == name)),
        }
    }
}

impl ResourceRule {
    fn matches(&self, info: &RequestInfo) -> bool {
        let in_scope = match info.namespace.as_str() {
            "" => self.cluster_scope,
            namespace => self.namespaces.hold(namespace),
        };
        in_scope
            && self.verbs.hold(info.verb.as_str())
            && self.groups.hold(&info.group)
            && self.resources.hold_resource(info)
    }
}

impl PathRule {
    fn matches(&self, info: &RequestInfo) -> bool {
        self.verbs.hold(info.verb.as_str())
            && self.paths.iter().any(|path| covers(path, &info.path))
    }
}

/// Whether a path of a rule is this one, or a part of the way to it: `/healthz` covers
/// `/healthz/etcd`, with or without `/*` behind it.
fn covers(rule: &str, path: &str) -> bool {
    let directory = rule.strip_suffix(ALL).unwrap_or(rule);
    let directory = directory.strip_suffix('/').unwrap_or(directory);
    rule == ALL
        || rule == path
        || path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.starts_with('/'))
}

impl Names {
    fn read(list: &Value) -> Self {
        let names = strings(list);
        match names.as_slice() {
            [only] if only == ALL => Names::All,
            _ => Names::These(names),
        }
    }

    fn hold(&self, name: &str) -> bool {
        match self {
            Names::All => true,
            Names::These(names) => names.iter().any(|each| each == name),
        }
    }

    /// Whether they hold `pods`, or with its subresource `pods/log`.
    fn hold_resource(&self, info: &RequestInfo) -> bool {
        let is_meant = |name: &String| match info.subresource.as_str() {
            "" => *name == info.resource,
            subresource => name
                .strip_prefix(&info.resource)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|rest| rest == subresource),
        };
        match self {
            Names::All => true,
            Names::These(names) => names.iter().any(is_meant),
        }
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn strings(list: &Value) -> Vec<String> {
    let texts = items(list).filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(rule: &Value, user: &User, method: &str, uri: &str, expected: bool) {
        let info = RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap();
        let digest = Digest { user, info: &info };
        let found = Rule::read(rule).matches(&digest);
        assert_eq!(found, expected, "{} {method} {uri}", user.name);
    }

    fn rule(subject: Value, resources: Value, paths: Value) -> Value {
        json!({"subjects": [subject], "resourceRules": resources, "nonResourceRules": paths})
    }

    #[test]
    fn subjects_are_users_groups_and_accounts() {
        let all = json!([{
            "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": true,
        }]);
        let of = |kind: &str, field: &str, name: &str| {
            rule(
                json!({"kind": kind, field: {"name": name}}),
                all.clone(),
                json!([]),
            )
        };
        let jane = User::new("jane").in_group("devs");
        let pods = "/api/v1/pods";
        check(&of("User", "user", "jane"), &jane, "GET", pods, true);
        check(&of("User", "user", "*"), &jane, "GET", pods, true);
        check(&of("User", "user", "joe"), &jane, "GET", pods, false);
        check(&of("Group", "group", "devs"), &jane, "GET", pods, true);
        check(&of("Group", "group", "ops"), &jane, "GET", pods, false);
        check(&of("Robot", "user", "jane"), &jane, "GET", pods, false);

        let account = |namespace: &str, name: &str| {
            let account = json!({"namespace": namespace, "name": name});
            rule(
                json!({"kind": "ServiceAccount", "serviceAccount": account}),
                all.clone(),
                json!([]),
            )
        };
        let dns = User::service_account("kube-system", "coredns");
        check(&account("kube-system", "*"), &dns, "GET", pods, true);
        check(&account("kube-system", "coredns"), &dns, "GET", pods, true);
        check(&account("kube-system", "core"), &dns, "GET", pods, false);
        check(&account("kube", "*"), &dns, "GET", pods, false);
        check(&account("kube-system", "*"), &jane, "GET", pods, false);
    }

    #[test]
    fn resources_match_by_verb_group_resource_and_scope() {
        let leases = |namespaces: Value, cluster: bool| {
            let resources = json!([{
                "verbs": ["get", "update"], "apiGroups": ["coordination.k8s.io"],
                "resources": ["leases", "leases/status"], "namespaces": namespaces, "clusterScope": cluster,
            }]);
            rule(
                json!({"kind": "User", "user": {"name": "*"}}),
                resources,
                json!([]),
            )
        };
        let jane = User::new("jane");
        let lease = "/apis/coordination.k8s.io/v1/namespaces/a/leases/l";
        check(&leases(json!(["a"]), false), &jane, "GET", lease, true);
        check(&leases(json!(["*"]), false), &jane, "PUT", lease, true);
        check(&leases(json!(["b"]), true), &jane, "GET", lease, false);
        check(&leases(json!(["a"]), false), &jane, "DELETE", lease, false);
        let status = "/apis/coordination.k8s.io/v1/namespaces/a/leases/l/status";
        check(&leases(json!(["a"]), false), &jane, "GET", status, true);
        let scale = "/apis/coordination.k8s.io/v1/namespaces/a/leases/l/scale";
        check(&leases(json!(["a"]), false), &jane, "GET", scale, false);
        let other = "/apis/apps/v1/namespaces/a/leases/l";
        check(&leases(json!(["a"]), false), &jane, "GET", other, false);
        let everywhere = "/apis/coordination.k8s.io/v1/leases?fieldSelector=metadata.name%3Dl";
        check(
            &leases(json!(["*"]), false),
            &jane,
            "GET",
            everywhere,
            false,
        );
    }

    #[test]
    fn paths_cover_what_lies_below() {
        let health = |path: &str| {
            let paths = json!([{"verbs": ["get"], "nonResourceURLs": [path]}]);
            rule(
                json!({"kind": "User", "user": {"name": "*"}}),
                json!([]),
                paths,
            )
        };
        let jane = User::new("jane");
        check(&health("/healthz"), &jane, "GET", "/healthz", true);
        check(&health("/healthz"), &jane, "GET", "/healthz/etcd", true);
        check(&health("/healthz/*"), &jane, "GET", "/healthz/etcd", true);
        check(&health("/healthz"), &jane, "GET", "/healthzy", false);
        check(&health("/healthz"), &jane, "POST", "/healthz", false);
        check(&health("*"), &jane, "GET", "/metrics", true);
        check(&health("*"), &jane, "GET", "/api/v1/pods", false);
    }
}
