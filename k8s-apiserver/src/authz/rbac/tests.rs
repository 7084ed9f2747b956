use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;
use crate::{RequestInfo, authz::Decision};

fn named(namespace: &str, name: &str) -> ObjectMeta {
    let namespace = Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty());
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace,
        ..ObjectMeta::default()
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// `verbs | groups | resources | names`, groups with `core` for the empty one.
fn rule(text: &str) -> PolicyRule {
    let parts: Vec<&str> = text.split('|').collect();
    let groups = words(parts[1]).into_iter().map(|group| {
        if group == "core" {
            String::new()
        } else {
            group
        }
    });
    PolicyRule {
        verbs: words(parts[0]),
        api_groups: Some(groups.collect()),
        resources: Some(words(parts[2])),
        resource_names: parts.get(3).map(|names| words(names)),
        non_resource_urls: None,
    }
}

fn subject(kind: &str, namespace: Option<&str>, name: &str) -> Subject {
    Subject {
        kind: kind.into(),
        name: name.into(),
        namespace: namespace.map(str::to_owned),
        api_group: None,
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: None,
        kind: kind.into(),
        name: name.into(),
    }
}

/// Jane reads all pods; in namespace `a`, bob edits config maps, and the account `a/builder` runs
/// jobs.
fn rules() -> MemoryRules {
    let rules = MemoryRules::default();
    rules.add_cluster_role(ClusterRole {
        metadata: named("", "pod-reader"),
        rules: Some(vec![
            rule("get list watch | core | pods"),
            rule("get | core | */status"),
        ]),
        aggregation_rule: None,
    });
    rules.add_cluster_role_binding(ClusterRoleBinding {
        metadata: named("", "readers"),
        role_ref: role_ref("ClusterRole", "pod-reader"),
        subjects: Some(vec![
            subject("User", None, "jane"),
            subject("Group", None, "devs"),
        ]),
    });
    rules.add_role(Role {
        metadata: named("a", "editor"),
        rules: Some(vec![
            rule("* | core | configmaps | one two"),
            rule("create | batch | jobs"),
        ]),
    });
    rules.add_role_binding(RoleBinding {
        metadata: named("a", "editors"),
        role_ref: role_ref("Role", "editor"),
        subjects: Some(vec![
            subject("User", None, "bob"),
            subject("ServiceAccount", None, "builder"),
        ]),
    });
    rules.add_role_binding(RoleBinding {
        metadata: named("a", "dangling"),
        role_ref: role_ref("Role", "gone"),
        subjects: Some(vec![subject("User", None, "eve")]),
    });
    rules
}

fn decide(user: User, method: &str, uri: &str) -> Decision {
    let info = RequestInfo::parse(&method.parse().unwrap(), &uri.parse().unwrap()).unwrap();
    futures::executor::block_on(
        Rbac::new(Arc::new(rules())).authorize(&Attributes::of(&user, &info)),
    )
}

#[track_caller]
fn allowed(user: User, method: &str, uri: &str) {
    let decision = decide(user, method, uri);
    assert!(
        matches!(decision, Decision::Allow(_)),
        "{method} {uri}: {decision:?}"
    );
}

#[track_caller]
fn not_allowed(user: User, method: &str, uri: &str) {
    let decision = decide(user, method, uri);
    assert!(
        matches!(decision, Decision::NoOpinion(_)),
        "{method} {uri}: {decision:?}"
    );
}

#[test]
fn cluster_bindings_hold_everywhere() {
    let jane = || User::new("jane");
    allowed(jane(), "GET", "/api/v1/pods");
    allowed(jane(), "GET", "/api/v1/namespaces/a/pods/p");
    allowed(
        User::new("tom").in_group("devs"),
        "GET",
        "/api/v1/namespaces/b/pods?watch=1",
    );
    not_allowed(jane(), "DELETE", "/api/v1/namespaces/a/pods/p");
    not_allowed(jane(), "GET", "/apis/metrics.k8s.io/v1/pods");
}

#[test]
fn a_resource_does_not_include_its_subresources() {
    not_allowed(User::new("jane"), "GET", "/api/v1/namespaces/a/pods/p/log");
    allowed(
        User::new("jane"),
        "GET",
        "/api/v1/namespaces/a/pods/p/status",
    );
    allowed(User::new("jane"), "GET", "/api/v1/nodes/n/status");
    not_allowed(User::new("jane"), "GET", "/api/v1/nodes/n");
}

#[test]
fn bindings_hold_in_their_namespace_alone() {
    allowed(User::new("bob"), "POST", "/apis/batch/v1/namespaces/a/jobs");
    not_allowed(User::new("bob"), "POST", "/apis/batch/v1/namespaces/b/jobs");
    not_allowed(User::new("bob"), "GET", "/apis/batch/v1/jobs");
}

#[test]
fn names_narrow_a_rule() {
    let bob = || User::new("bob");
    allowed(bob(), "DELETE", "/api/v1/namespaces/a/configmaps/one");
    not_allowed(bob(), "DELETE", "/api/v1/namespaces/a/configmaps/three");
    not_allowed(bob(), "GET", "/api/v1/namespaces/a/configmaps");
    allowed(
        bob(),
        "GET",
        "/api/v1/namespaces/a/configmaps?watch=1&fieldSelector=metadata.name%3Done",
    );
}

#[test]
fn accounts_without_a_namespace_are_the_bindings_own() {
    allowed(
        User::service_account("a", "builder"),
        "POST",
        "/apis/batch/v1/namespaces/a/jobs",
    );
    not_allowed(
        User::service_account("b", "builder"),
        "POST",
        "/apis/batch/v1/namespaces/a/jobs",
    );
}

#[test]
fn masters_need_no_rule() {
    allowed(
        User::new("root").in_group("system:masters"),
        "DELETE",
        "/api/v1/nodes/n",
    );
}

#[test]
fn reasons_name_the_grant_or_what_is_missing() {
    let granted = decide(
        User::service_account("a", "builder"),
        "POST",
        "/apis/batch/v1/namespaces/a/jobs",
    );
    let reason = r#"RBAC: allowed by RoleBinding "editors/a" of Role "editor" to ServiceAccount "builder/a""#;
    assert_eq!(granted, Decision::Allow(reason.into()));
    let dangling = decide(User::new("eve"), "GET", "/api/v1/namespaces/a/pods");
    let reason = r#"RBAC: role.rbac.authorization.k8s.io "gone" not found"#;
    assert_eq!(dangling, Decision::NoOpinion(reason.into()));
}

#[test]
fn paths_match_exactly_or_by_prefix() {
    let rule = PolicyRule {
        verbs: words("get"),
        non_resource_urls: Some(words("/healthz /api/*")),
        ..PolicyRule::default()
    };
    let user = User::new("jane");
    let covers = |path| {
        allows(
            &rule,
            &Attributes {
                verb: "get",
                resource_request: false,
                path,
                ..Attributes::resource(&user)
            },
        )
    };
    assert!(covers("/healthz") && covers("/api/v1"));
    assert!(!covers("/healthz/ping") && !covers("/apis"));
}
