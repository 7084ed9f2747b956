//! The priority levels and flow schemas that every cluster has: two of each are mandatory and can't be changed, the
//! others are suggestions that stay as their owner leaves them.

use serde_json::{Value, json};

/// One object that every cluster has.
#[derive(Clone, Debug, PartialEq)]
pub struct Bootstrap {
    /// Its name.
    pub name: &'static str,
    /// Its spec, complete with defaults.
    pub spec: Value,
    /// Whether it must be there with just this spec.
    pub is_mandatory: bool,
}

struct Level {
    name: &'static str,
    shares: u32,
    lendable: u32,
    /// How many queues, how many of them a flow may use, how long each is; none refuses what exceeds the limit.
    queues: Option<[u32; 3]>,
}

const LEVELS: [Level; 7] = [
    level("catch-all", 5, 0, None),
    level("system", 30, 33, Some([64, 6, 50])),
    level("node-high", 40, 25, Some([64, 6, 50])),
    level("leader-election", 10, 0, Some([16, 4, 50])),
    level("workload-high", 40, 50, Some([128, 6, 50])),
    level("workload-low", 100, 90, Some([128, 6, 50])),
    level("global-default", 20, 50, Some([128, 6, 50])),
];

const fn level(name: &'static str, shares: u32, lendable: u32, queues: Option<[u32; 3]>) -> Level {
    Level {
        name,
        shares,
        lendable,
        queues,
    }
}

/// The `PriorityLevelConfiguration`s of every cluster.
pub fn priority_levels() -> Vec<Bootstrap> {
    let exempt = Bootstrap {
        name: "exempt",
        spec: json!({
            "type": "Exempt",
            "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0},
        }),
        is_mandatory: true,
    };
    let limited = LEVELS.iter().map(|level| {
        let response = match level.queues {
            None => json!({"type": "Reject"}),
            Some([queues, hand, length]) => json!({
                "type": "Queue",
                "queuing": {"queues": queues, "handSize": hand, "queueLengthLimit": length},
            }),
        };
        let limited = json!({
            "nominalConcurrencyShares": level.shares,
            "lendablePercent": level.lendable,
            "limitResponse": response,
        });
        Bootstrap {
            name: level.name,
            spec: json!({"type": "Limited", "limited": limited}),
            is_mandatory: level.name == "catch-all",
        }
    });
    std::iter::once(exempt).chain(limited).collect()
}

/// The `FlowSchema`s of every cluster, in the order in which they are asked.
pub fn flow_schemas() -> Vec<Bootstrap> {
    let everybody = || {
        vec![
            group("system:unauthenticated"),
            group("system:authenticated"),
        ]
    };
    let controllers = || user("system:kube-controller-manager");
    let scheduler = || user("system:kube-scheduler");
    let leases = |namespaces: &str| {
        resources(
            &["get", "create", "update"],
            "coordination.k8s.io",
            &["leases"],
            namespaces,
        )
    };
    let endpoints = resources(&["get", "create", "update"], "", &["endpoints"], "*");
    let mut nodes = resources(&["*"], "", &["nodes", "nodes/status"], "*");
    nodes["clusterScope"] = true.into();
    let node_leases = resources(&["*"], "coordination.k8s.io", &["leases"], "*");
    let health = json!({
        "verbs": ["get"],
        "nonResourceURLs": ["/healthz", "/readyz", "/livez"],
    });
    vec![
        schema(
            "exempt",
            "exempt",
            1,
            "",
            all(vec![group("system:masters")]),
        ),
        schema(
            "probes",
            "exempt",
            2,
            "",
            json!({"subjects": everybody(), "nonResourceRules": [health]}),
        ),
        schema(
            "system-leader-election",
            "leader-election",
            100,
            "ByUser",
            some(
                vec![controllers(), scheduler(), account("*")],
                vec![leases("*")],
            ),
        ),
        schema(
            "endpoint-controller",
            "workload-high",
            150,
            "ByUser",
            some(
                vec![
                    controllers(),
                    account("endpoint-controller"),
                    account("endpointslicemirroring-controller"),
                ],
                vec![endpoints],
            ),
        ),
        schema(
            "workload-leader-election",
            "leader-election",
            200,
            "ByUser",
            some(vec![account("*")], vec![leases("*")]),
        ),
        schema(
            "system-node-high",
            "node-high",
            400,
            "ByUser",
            some(vec![group("system:nodes")], vec![nodes, node_leases]),
        ),
        schema(
            "system-nodes",
            "system",
            500,
            "ByUser",
            all(vec![group("system:nodes")]),
        ),
        schema(
            "kube-controller-manager",
            "workload-high",
            800,
            "ByNamespace",
            all(vec![controllers()]),
        ),
        schema(
            "kube-scheduler",
            "workload-high",
            800,
            "ByNamespace",
            all(vec![scheduler()]),
        ),
        schema(
            "kube-system-service-accounts",
            "workload-high",
            900,
            "ByNamespace",
            all(vec![account("*")]),
        ),
        schema(
            "service-accounts",
            "workload-low",
            9000,
            "ByUser",
            all(vec![group("system:serviceaccounts")]),
        ),
        schema(
            "global-default",
            "global-default",
            9900,
            "ByUser",
            all(everybody()),
        ),
        schema("catch-all", "catch-all", 10_000, "ByUser", all(everybody())),
    ]
}

/// The spec that an object must have because of its name.
pub(super) fn mandatory(all: fn() -> Vec<Bootstrap>, name: &str) -> Option<Value> {
    if !matches!(name, "exempt" | "catch-all") {
        return None;
    }
    let mut found = all().into_iter().filter(|object| object.is_mandatory);
    found
        .find(|object| object.name == name)
        .map(|object| object.spec)
}

fn schema(
    name: &'static str,
    level: &str,
    precedence: u32,
    distinguisher: &str,
    rule: Value,
) -> Bootstrap {
    let mut spec = json!({
        "matchingPrecedence": precedence,
        "priorityLevelConfiguration": {"name": level},
        "rules": [rule],
    });
    if !distinguisher.is_empty() {
        spec["distinguisherMethod"] = json!({"type": distinguisher});
    }
    Bootstrap {
        name,
        spec,
        is_mandatory: matches!(name, "exempt" | "catch-all"),
    }
}

fn all(subjects: Vec<Value>) -> Value {
    let mut everything = resources(&["*"], "*", &["*"], "*");
    everything["clusterScope"] = true.into();
    json!({
        "subjects": subjects,
        "resourceRules": [everything],
        "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
    })
}

fn some(subjects: Vec<Value>, rules: Vec<Value>) -> Value {
    json!({"subjects": subjects, "resourceRules": rules})
}

fn resources(verbs: &[&str], group: &str, resources: &[&str], namespaces: &str) -> Value {
    json!({
        "verbs": verbs,
        "apiGroups": [group],
        "resources": resources,
        "namespaces": [namespaces],
    })
}

fn group(name: &str) -> Value {
    json!({"kind": "Group", "group": {"name": name}})
}

fn user(name: &str) -> Value {
    json!({"kind": "User", "user": {"name": name}})
}

fn account(name: &str) -> Value {
    let account = json!({"name": name, "namespace": "kube-system"});
    json!({"kind": "ServiceAccount", "serviceAccount": account})
}

#[cfg(test)]
mod tests {
    use super::super::flow_schema::FlowSchema;
    use super::super::priority_level_configuration::PriorityLevelConfiguration;
    use super::*;
    use crate::api::Rules;
    use crate::api::testing::object;

    /// Its rules accept it, and add nothing to it.
    #[track_caller]
    fn check(rules: &dyn Rules, bootstrap: Bootstrap) {
        let Bootstrap { name, spec, .. } = bootstrap;
        let mut made = object(json!({"metadata": {"name": name}, "spec": spec}));
        rules.default(&mut made);
        assert_eq!(made.get(&["spec"]), Some(&spec), "{name} is complete");
        assert_eq!(rules.validate(&made), [], "{name}");
    }

    #[test]
    fn all_of_them_are_complete_and_valid() {
        for level in priority_levels() {
            check(&PriorityLevelConfiguration, level);
        }
        for schema in flow_schemas() {
            check(&FlowSchema, schema);
        }
    }

    #[test]
    fn each_schema_leads_to_a_level() {
        let levels: Vec<_> = priority_levels().iter().map(|level| level.name).collect();
        for schema in flow_schemas() {
            let level = schema.spec["priorityLevelConfiguration"]["name"].as_str();
            assert!(
                level.is_some_and(|level| levels.contains(&level)),
                "{}",
                schema.name
            );
        }
    }
}
