//! Every pod has a priority, and at most one class is for those that name none.

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};

use super::{Admission, Operation, Review};
use crate::{
    ApiError,
    registry::{Effects, keep},
};

const GROUP: &str = "scheduling.k8s.io";
const CLASSES: &str = "priorityclasses";
const PREEMPT: &str = "PreemptLowerPriority";

/// Resolves `spec.priorityClassName` to `spec.priority` and `spec.preemptionPolicy`; without a class both take the
/// values of the global default class, or of none: 0 and `PreemptLowerPriority`. Refuses a second global default.
#[derive(Debug, Clone, Copy)]
pub struct Priority;

#[async_trait]
impl Admission for Priority {
    fn name(&self) -> &'static str {
        "Priority"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        if !review.is("", "pods") {
            return Ok(());
        }
        match review.old {
            None => resolve(review, pod),
            Some(old) => {
                // Whoever replaces a pod need not know what was computed.
                for field in ["priority", "preemptionPolicy"] {
                    let path = ["spec", field];
                    if pod.get(&path).is_none() {
                        keep(pod, old, &path);
                    }
                }
                Ok(())
            }
        }
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        class: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let is_written = matches!(review.operation, Operation::Create | Operation::Update);
        let is_default = class.is_some_and(is_global_default);
        if is_written && is_default && review.is(GROUP, CLASSES) {
            let other = default_class(review).filter(|other| other.name() != review.name);
            if let Some(other) = other {
                return Err(review.forbidden(format!(
                    "PriorityClass {} is already marked as default. Only one default can exist",
                    other.name()
                )));
            }
        }
        Ok(Effects::default())
    }
}

fn resolve(review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
    let name = pod.str(&["spec", "priorityClassName"]).unwrap_or_default();
    let class = match name {
        "" => default_class(review),
        name => Some(named_class(review, name)?),
    };
    let (priority, policy) = class.as_ref().map_or((0, PREEMPT), values);
    if let Some(class) = &class {
        pod.set(&["spec", "priorityClassName"], class.name().into());
    }
    let given = pod.get(&["spec", "priority"]).and_then(Value::as_i64);
    if let Some(given) = given.filter(|given| *given != priority) {
        return Err(review.forbidden(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller \
             computed {priority} from the given PriorityClass name"
        )));
    }
    let given = pod.str(&["spec", "preemptionPolicy"]);
    if let Some(given) = given.filter(|given| *given != policy) {
        return Err(review.forbidden(format!(
            "the string value of PreemptionPolicy ({given}) must not be provided in pod spec; priority admission \
             controller computed {policy} from the given PriorityClass name"
        )));
    }
    pod.set(&["spec", "priority"], priority.into());
    pod.set(&["spec", "preemptionPolicy"], policy.into());
    Ok(())
}

fn named_class(review: &Review<'_>, name: &str) -> Result<Object, ApiError> {
    let class = review.view.get(GROUP, CLASSES, "", name);
    class.ok_or_else(|| review.forbidden(format!("no PriorityClass with name {name} was found")))
}

/// The class marked as global default, if there is one; among several the lowest wins.
fn default_class(review: &Review<'_>) -> Option<Object> {
    let classes = review.view.list(GROUP, CLASSES, "");
    let classes = classes.iter().map(|class| class.entry.object());
    classes
        .filter(is_global_default)
        .min_by_key(|class| values(class).0)
}

fn is_global_default(class: &Object) -> bool {
    class.get(&["globalDefault"]) == Some(&Value::Bool(true))
}

fn values(class: &Object) -> (i64, &str) {
    let priority = class.get(&["value"]).and_then(Value::as_i64).unwrap_or(0);
    (
        priority,
        class.str(&["preemptionPolicy"]).unwrap_or(PREEMPT),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{Cluster, merge};
    use super::*;

    const URI: &str = "/apis/scheduling.k8s.io/v1/priorityclasses";

    async fn class(cluster: &Cluster, name: &str, fields: Value) -> Result<Value, String> {
        let mut class = json!({ "metadata": { "name": name }, "value": 5 });
        merge(&mut class, fields);
        cluster.post(URI, class).await
    }

    /// Class, priority and policy of a pod with these fields in its spec.
    async fn resolved(cluster: &Cluster, spec: Value) -> Result<Value, String> {
        let pod = json!({ "metadata": { "name": null, "generateName": "p-" }, "spec": spec });
        let pod = cluster.pod(pod).await?;
        let spec = &pod["spec"];
        Ok(json!([
            spec["priorityClassName"],
            spec["priority"],
            spec["preemptionPolicy"]
        ]))
    }

    #[tokio::test]
    async fn a_pod_has_the_values_of_its_class_or_of_the_default_one() {
        let cluster = Cluster::start().await;
        let none = resolved(&cluster, json!({})).await;
        assert_eq!(none, Ok(json!([null, 0, PREEMPT])));
        let fields = json!({ "preemptionPolicy": "Never" });
        class(&cluster, "low", fields).await.unwrap();
        let fields = json!({ "value": 7, "globalDefault": true });
        class(&cluster, "usual", fields).await.unwrap();
        let system = "system-node-critical";
        for (spec, want) in [
            (json!({}), json!(["usual", 7, PREEMPT])),
            (
                json!({ "priorityClassName": "low" }),
                json!(["low", 5, "Never"]),
            ),
            (
                json!({ "priorityClassName": "low", "priority": 5 }),
                json!(["low", 5, "Never"]),
            ),
            (
                json!({ "priorityClassName": system }),
                json!([system, 2_000_001_000, PREEMPT]),
            ),
        ] {
            let found = resolved(&cluster, spec.clone()).await;
            assert_eq!(found, Ok(want), "{spec}");
        }
    }

    #[tokio::test]
    async fn a_pod_does_not_choose_its_own_priority() {
        let cluster = Cluster::start().await;
        class(&cluster, "low", json!({})).await.unwrap();
        for (spec, why) in [
            (
                json!({ "priorityClassName": "absent" }),
                "no PriorityClass with name absent was found",
            ),
            (
                json!({ "priorityClassName": "low", "priority": 6 }),
                "the integer value of priority (6) must not be provided in pod spec; priority admission controller \
                 computed 5 from the given PriorityClass name",
            ),
            (
                json!({ "priorityClassName": "low", "preemptionPolicy": "Never" }),
                "the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission \
                 controller computed PreemptLowerPriority from the given PriorityClass name",
            ),
        ] {
            let refusal = cluster.pod(json!({ "spec": spec })).await.unwrap_err();
            assert_eq!(refusal, format!(r#"pods "p" is forbidden: {why}"#));
        }
    }

    #[tokio::test]
    async fn one_class_is_the_default_one() {
        let cluster = Cluster::start().await;
        let default = json!({ "globalDefault": true });
        let first = class(&cluster, "first", default.clone()).await.unwrap();
        let refused = |name: &str| {
            Err(format!(
                r#"priorityclasses.scheduling.k8s.io "{name}" is forbidden: PriorityClass first is already marked as default. Only one default can exist"#
            ))
        };
        let second = class(&cluster, "second", default).await;
        assert_eq!(second, refused("second"));
        let mut third = class(&cluster, "third", json!({})).await.unwrap();
        third["globalDefault"] = json!(true);
        let uri = format!("{URI}/third");
        assert_eq!(cluster.put(&uri, third.clone()).await, refused("third"));
        let mut first = cluster.put(&format!("{URI}/first"), first).await.unwrap();
        first["globalDefault"] = json!(false);
        cluster.put(&format!("{URI}/first"), first).await.unwrap();
        cluster.put(&uri, third).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_replaces_a_pod_need_not_know_what_was_computed() {
        let cluster = Cluster::start().await;
        let mut pod = cluster.pod(json!({})).await.unwrap();
        for field in ["priority", "preemptionPolicy"] {
            pod["spec"].as_object_mut().unwrap().remove(field);
        }
        let uri = "/api/v1/namespaces/default/pods/p";
        let pod = cluster.put(uri, pod).await.unwrap();
        assert_eq!(pod["spec"]["priority"], 0);
        assert_eq!(pod["spec"]["preemptionPolicy"], PREEMPT);
    }
}
