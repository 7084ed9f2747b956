//! StorageVersionMigration: rewrites all objects of a resource in the version that is stored now (KEP-4192).

use crate::api::condition::check_conditions;
use crate::api::{Field, NameRule, Rules};

/// Rules of `storagemigration.k8s.io/v1` `StorageVersionMigration`.
pub struct StorageVersionMigration;

impl Rules for StorageVersionMigration {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let resource = spec.get("resource").get("resource").str();
        if resource.is_empty() {
            let parent = spec.get("resource");
            parent.get("resource").required("resource is required");
        }
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        let (resource, old) = (spec.get("resource"), old.get("resource"));
        for field in ["group", "resource"] {
            let (value, old) = (resource.get(field), old.get(field));
            // Kubernetes reports them without their parents.
            new.get(field).holding(&value).must_not_change(&old);
        }
    }

    fn check_status(&self, new: &Field, old: &Field) {
        let (status, old) = (new.get("status"), old.get("status"));
        let (version, old_version) = (status.get("resourceVersion"), old.get("resourceVersion"));
        match version.str().parse::<i64>() {
            _ if version.is_empty() => {}
            Ok(number) if number < 0 => {
                version.invalid_value(number, "must be greater than or equal to 0");
            }
            Ok(_) => {}
            Err(_) => version.invalid(format!(
                "failed to parse resource version {0:?}: strconv.ParseInt: parsing {0:?}: invalid syntax",
                version.str()
            )),
        }
        let conditions = status.get("conditions");
        check_conditions(&conditions);
        if !old_version.is_empty() && !version.same_as(&old_version) {
            version.invalid_value(version.str(), "cannot be updated");
        }
        check_outcome(&conditions, &old.get("conditions"));
    }
}

/// A migration runs, then succeeds or fails, and that is that.
fn check_outcome(conditions: &Field, old: &Field) {
    let is_true = |conditions: &Field, type_: &str| {
        conditions.items().any(|condition| {
            condition.get("type").str() == type_ && condition.get("status").str() == "True"
        })
    };
    let [running, succeeded, failed] =
        ["Running", "Succeeded", "Failed"].map(|type_| is_true(conditions, type_));
    let faults = [
        (
            succeeded && failed,
            "Both success and failed conditions cannot be true at the same time",
        ),
        (
            succeeded && running,
            "Running condition cannot be true when success condition is true",
        ),
        (
            failed && running,
            "Running condition cannot be true when failed condition is true",
        ),
        (
            is_true(old, "Succeeded") && !succeeded,
            "Success condition cannot be set to false once it is true",
        ),
        (
            is_true(old, "Failed") && !failed,
            "Failed condition cannot be set to false once it is true",
        ),
    ];
    for (_, message) in faults.iter().filter(|(is_wrong, _)| *is_wrong) {
        conditions.invalid(*message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, cluster_wide};
    use crate::object::Object;
    use serde_json::{Value, json};

    fn migration(resource: &str) -> Object {
        cluster_wide(json!({"spec": {"resource": {"group": "apps", "resource": resource}}}))
    }

    #[test]
    fn the_resource_stays() {
        check_create(&StorageVersionMigration, migration("deployments"), &[]);
        check_create(
            &StorageVersionMigration,
            migration(""),
            &["spec.resource.resource: Required value: resource is required"],
        );
        check_update(
            &StorageVersionMigration,
            migration("a"),
            migration("b"),
            &[r#"resource: Invalid value: "b": field is immutable"#],
        );
    }

    #[test]
    fn the_outcome_stays() {
        let with = |type_: &str, version: Value| {
            let condition = json!({
                "type": type_, "status": "True", "reason": "R", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            });
            let mut object = migration("a");
            object.set(
                &["status"],
                json!({"conditions": [condition], "resourceVersion": version}),
            );
            object
        };
        let faults = StorageVersionMigration
            .validate_status_update(&with("Running", json!("x")), &with("Succeeded", json!("5")));
        let details: Vec<_> = faults.iter().map(|fault| fault.detail.as_str()).collect();
        assert_eq!(
            details,
            [
                r#"failed to parse resource version "x": strconv.ParseInt: parsing "x": invalid syntax"#,
                "cannot be updated",
                "Success condition cannot be set to false once it is true",
            ]
        );
    }
}
