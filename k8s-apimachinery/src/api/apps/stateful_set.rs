//! StatefulSet: pods with names, and volumes, of their own.

use super::amount::{check_amount, check_not_more_than_all};
use super::{check_collisions, check_counters, check_not_above, check_selector};
use crate::api::core::{persistent_volume_claim, pod_template};
use crate::api::metadata::{check_annotations, check_labels};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Rules of `apps/v1` `StatefulSet`.
pub struct StatefulSet;

/// What may change in a spec.
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

impl Rules for StatefulSet {
    /// The pods are called like it, with a number behind, and that is their hostname.
    fn name_rule(&self) -> NameRule {
        NameRule::Label
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    fn default(&self, object: &mut Object) {
        let spec = object.as_map_mut().ensure("spec");
        spec.fill("podManagementPolicy", "OrderedReady");
        let strategy = spec.ensure("updateStrategy");
        if strategy.text("type").is_empty() {
            strategy.fill("type", "RollingUpdate");
            strategy.ensure("rollingUpdate");
        }
        if strategy.text("type") == "RollingUpdate"
            && let Some(rolling) = strategy.object("rollingUpdate")
        {
            rolling.fill("partition", 0);
            rolling.fill("maxUnavailable", 1);
        }
        let retention = spec.ensure("persistentVolumeClaimRetentionPolicy");
        retention.fill("whenDeleted", "Retain");
        retention.fill("whenScaled", "Retain");
        spec.fill("replicas", 1);
        spec.fill("revisionHistoryLimit", 10);
        for claim in spec.objects("volumeClaimTemplates") {
            claim.fill("apiVersion", "v1");
            claim.fill("kind", "PersistentVolumeClaim");
            persistent_volume_claim::default(claim);
        }
        pod_template::default(spec.ensure("template"));
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        let policy = spec.get("podManagementPolicy");
        if policy.must_be_set() && !matches!(policy.str(), "OrderedReady" | "Parallel") {
            policy.invalid("must be 'OrderedReady' or 'Parallel'");
        }
        check_strategy(&spec.get("updateStrategy"));
        let retention = spec.get("persistentVolumeClaimRetentionPolicy");
        for when in ["whenDeleted", "whenScaled"] {
            let policy = retention.get(when);
            if !matches!(policy.str(), "Retain" | "Delete") {
                policy.unsupported(&["Retain", "Delete"]);
            }
        }
        spec.get("replicas").must_not_be_negative();
        spec.get("minReadySeconds").must_not_be_negative();
        spec.get("ordinals").get("start").must_not_be_negative();
        spec.get("revisionHistoryLimit").must_not_be_negative();
        let template = spec.get("template");
        if check_selector(&spec, "empty selector is invalid for statefulset", "") {
            check_labels_of(&template);
        }
        check_pods(&template.get("spec"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        let mut names = spec.names().chain(old.names());
        if names.any(|name| !MUTABLE.contains(&name) && !spec.get(name).same_as(&old.get(name))) {
            spec.forbidden("updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden");
        }
    }

    fn check_status(&self, new: &Field, old: &Field) {
        const COUNTERS: [&str; 6] = [
            "replicas",
            "readyReplicas",
            "currentReplicas",
            "updatedReplicas",
            "availableReplicas",
            "observedGeneration",
        ];
        let status = new.get("status");
        check_counters(&status, &COUNTERS);
        for counter in &COUNTERS[1..5] {
            check_not_above(&status, counter, "replicas", "status.replicas");
        }
        let ready = "status.readyReplicas";
        check_not_above(&status, "availableReplicas", "readyReplicas", ready);
        check_collisions(&status, &old.get("status"));
    }
}

fn check_strategy(strategy: &Field) {
    let rolling = strategy.get("rollingUpdate");
    match strategy.get("type").str() {
        "" => strategy.required(""),
        "OnDelete" if rolling.is_set() => {
            rolling.invalid("only allowed for updateStrategy 'RollingUpdate'");
        }
        "OnDelete" => {}
        "RollingUpdate" => {
            rolling.get("partition").must_not_be_negative();
            let unavailable = rolling.get("maxUnavailable");
            if unavailable.is_set() {
                let amount = check_amount(&unavailable);
                if amount == Some(0) {
                    unavailable.invalid("cannot be 0");
                }
                check_not_more_than_all(&unavailable, amount);
            }
        }
        _ => strategy.invalid("must be 'RollingUpdate' or 'OnDelete'"),
    }
}

/// Checks the labels and annotations of the pods.
fn check_labels_of(template: &Field) {
    let metadata = template.get("metadata");
    check_labels(&template.get("labels").holding(&metadata.get("labels")));
    check_annotations(
        &template
            .get("annotations")
            .holding(&metadata.get("annotations")),
    );
}

/// Volumes may come from the claims' templates, so the pods' spec as a whole is checked when they are made.
fn check_pods(spec: &Field) {
    let restart = spec.get("restartPolicy");
    if restart.str() != "Always" {
        restart.unsupported(&["Always"]);
    }
    let deadline = spec.get("activeDeadlineSeconds");
    if deadline.is_set() {
        deadline.forbidden("activeDeadlineSeconds in StatefulSet is not Supported");
    }
}
