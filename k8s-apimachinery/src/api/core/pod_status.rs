//! What a pod's status may say: what ended stays ended, and what the server decided stays.

use std::collections::HashSet;

use super::pod_spec::{self, Stage};
use crate::api::{Field, IMMUTABLE};
use crate::name;

/// Conditions that nodes and the scheduler set; others are somebody's own.
const SYSTEM_CONDITIONS: [&str; 3] = ["PodScheduled", "Ready", "Initialized"];
/// The statuses of containers, and the containers that they are of.
const STATUSES: [(&str, Stage); 3] = [
    ("containerStatuses", Stage::Main),
    ("initContainerStatuses", Stage::Init),
    ("ephemeralContainerStatuses", Stage::Ephemeral),
];

/// Checks an update of the status.
pub(super) fn check(new: &Field, old: &Field) {
    let (spec, old_spec) = (new.get("spec"), old.get("spec"));
    let (status, old) = (new.get("status"), old.get("status"));
    check_conditions(&new.get("metadata"), &status.get("conditions"));
    let node_name = spec.get("nodeName");
    if !node_name.same_as(&old_spec.get("nodeName")) {
        // Kubernetes reports it as if it stood in the status.
        status
            .get("nodeName")
            .forbidden("may not be changed directly");
    }
    let nominated = status.get("nominatedNodeName");
    if !nominated.is_empty() && !nominated.same_as(&old.get("nominatedNodeName")) {
        nominated.invalid_for(name::dns1123_subdomain(nominated.str()));
    }
    for (list, stage) in STATUSES {
        check_transitions(&status.get(list), &old.get(list), &old_spec, stage);
    }
    check_claims(&status.get("resourceClaimStatuses"), &spec);
    for (list, first) in [("podIPs", ""), ("hostIPs", "hostIP")] {
        check_addresses(&status, list, first);
    }
    let (class, old_class) = (status.get("qosClass"), old.get("qosClass"));
    if !old_class.is_empty() && !class.same_as(&old_class) {
        class.invalid(IMMUTABLE);
    }
}

/// Kubernetes reports these as if they stood in the metadata, and spells the field as its own type does.
fn check_conditions(metadata: &Field, conditions: &Field) {
    let shown = metadata.get("conditions");
    for (index, condition) in conditions.items().enumerate() {
        let type_ = condition.get("type").str();
        if !SYSTEM_CONDITIONS.contains(&type_) {
            for message in name::qualified_name(type_) {
                shown.at(index).get("Type").invalid_value(type_, message);
            }
        }
    }
}

/// A container that has ended for good doesn't come back.
fn check_transitions(list: &Field, old_list: &Field, spec: &Field, stage: Stage) {
    for (index, was) in old_list.items().enumerate() {
        let name = was.get("name").str();
        let ended = was.get("state");
        let ended = ended.get("terminated");
        if !ended.is_set() || may_run_again(spec, stage, name, ended.get("exitCode").int()) {
            continue;
        }
        for now in list.items().filter(|now| now.get("name").str() == name) {
            if !now.get("state").get("terminated").is_set() {
                let state = list.at(index);
                state
                    .get("state")
                    .forbidden("may not be transitioned to non-terminated state");
            }
        }
    }
}

/// Whether a container that has ended may be started again, by its own rules or by those of its pod.
fn may_run_again(spec: &Field, stage: Stage, name: &str, code: Option<i64>) -> bool {
    if let Stage::Ephemeral = stage {
        return false;
    }
    let code = code.unwrap_or(0);
    let policy = spec.get("restartPolicy").str();
    let allows = |policy: &str| policy == "Always" || policy == "OnFailure" && code != 0;
    let containers = spec.get(stage.field());
    let own = containers
        .items()
        .find(|container| container.get("name").str() == name);
    let own = own.map(|container| {
        let own = container.get("restartPolicy").str();
        let rules = container.get("restartPolicyRules");
        let is_told = rules
            .items()
            .any(|rule| matches_code(&rule.get("exitCodes"), code));
        is_told || allows(if own.is_empty() { policy } else { own })
    });
    policy == "Always" || own.unwrap_or_else(|| allows(policy))
}

fn matches_code(codes: &Field, code: i64) -> bool {
    let is_listed = codes
        .get("values")
        .items()
        .any(|value| value.int() == Some(code));
    match codes.get("operator").str() {
        "In" => is_listed,
        "NotIn" => !is_listed,
        _ => false,
    }
}

/// What became of the pod's claims is told of each once.
fn check_claims(statuses: &Field, spec: &Field) {
    let claims = spec.get("resourceClaims");
    let mut seen = HashSet::new();
    for status in statuses.items() {
        let (name, made) = (status.get("name"), status.get("resourceClaimName"));
        if !claims
            .items()
            .any(|claim| claim.get("name").str() == name.str())
        {
            name.invalid_value(
                name.str(),
                "must match the name of an entry in `spec.resourceClaims`",
            );
        }
        if !seen.insert(name.str()) {
            name.duplicate();
        }
        if made.is_set() {
            // Kubernetes reports it at the name.
            name.holding(&made)
                .invalid_for(name::dns1123_subdomain(made.str()));
        }
    }
}

/// Addresses of a pod or its host: one of each family at most, the first of them also in a field of its own.
fn check_addresses(status: &Field, list: &str, first: &str) {
    let list = status.get(list);
    let mut seen = Vec::new();
    for (index, item) in list.items().enumerate() {
        let address = item.get("ip");
        if index == 0 && !first.is_empty() && address.str() != status.get(first).str() {
            address.invalid_value(address.str(), format!("must be equal to `{first}`"));
        }
        pod_spec::check_ip(&item.holding(&address));
        if seen.contains(&address.str()) {
            item.duplicate();
        }
        seen.push(address.str());
    }
    let families = |wanted: bool| seen.iter().filter(|it| it.contains(':') == wanted).count();
    if families(true) > 1 || families(false) > 1 {
        list.invalid("may specify no more than one IP for each IP family");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::collect_update;
    use crate::api::testing::named;
    use serde_json::{Value, json};

    #[track_caller]
    fn check_change(spec: Value, old: Value, new: Value, want: &[&str]) {
        let pod = |status: Value| named(json!({"spec": spec, "status": status}));
        let faults = collect_update(&pod(new), &pod(old), check);
        let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(texts, want);
    }

    fn state(list: &str, state: Value) -> Value {
        json!({list: [{"name": "a", "state": state}]})
    }

    #[test]
    fn what_ended_for_good_stays_ended() {
        let ended = |list: &str, code: i64| state(list, json!({"terminated": {"exitCode": code}}));
        let running = |list: &str| state(list, json!({"running": {}}));
        let forbidden = |list: &str| {
            format!(
                "status.{list}[0].state: Forbidden: may not be transitioned to non-terminated state"
            )
        };
        let never = json!({"restartPolicy": "Never"});
        for (list, _) in STATUSES {
            check_change(never.clone(), running(list), ended(list, 1), &[]);
            check_change(
                never.clone(),
                ended(list, 1),
                running(list),
                &[&forbidden(list)],
            );
        }
        let main = "containerStatuses";
        let on_failure = json!({"restartPolicy": "OnFailure"});
        check_change(on_failure.clone(), ended(main, 1), running(main), &[]);
        check_change(
            on_failure,
            ended(main, 0),
            running(main),
            &[&forbidden(main)],
        );
        let sidecar = json!({
            "restartPolicy": "Never", "initContainers": [{"name": "a", "restartPolicy": "Always"}],
        });
        let init = "initContainerStatuses";
        check_change(sidecar, ended(init, 1), running(init), &[]);
        let codes = json!({"operator": "In", "values": [42]});
        let ruled = json!({"restartPolicy": "Never", "containers": [{
            "name": "a", "restartPolicy": "Never",
            "restartPolicyRules": [{"action": "Restart", "exitCodes": codes}],
        }]});
        check_change(ruled.clone(), ended(main, 42), running(main), &[]);
        check_change(ruled, ended(main, 1), running(main), &[&forbidden(main)]);
    }

    #[test]
    fn claims_are_those_of_the_spec() {
        let statuses = |names: &[&str]| {
            let all: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
            json!({"resourceClaimStatuses": all})
        };
        let spec = json!({"resourceClaims": [{"name": "a"}]});
        check_change(spec.clone(), json!({}), statuses(&["a"]), &[]);
        check_change(
            spec,
            json!({}),
            statuses(&["a", "b", "a"]),
            &[
                r#"status.resourceClaimStatuses[1].name: Invalid value: "b": must match the name of an entry in `spec.resourceClaims`"#,
                r#"status.resourceClaimStatuses[2].name: Duplicate value: "a""#,
            ],
        );
    }

    #[test]
    fn the_class_and_the_names_of_conditions_are_checked() {
        let status = |class: &str, condition: &str| json!({"qosClass": class, "conditions": [{"type": condition, "status": "True"}]});
        check_change(
            json!({}),
            status("Burstable", "Ready"),
            status("Burstable", "example.com/a"),
            &[],
        );
        let faults = collect_update(
            &named(json!({"status": status("Guaranteed", "-")})),
            &named(json!({"status": status("Burstable", "Ready")})),
            check,
        );
        let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["metadata.conditions[0].Type", "status.qosClass"]);
    }
}
