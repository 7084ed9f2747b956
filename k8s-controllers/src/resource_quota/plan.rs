//! From what was seen to what the quota's status should say; pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_apimachinery::{
    ResourceList,
    quota::{Evaluator, Quota, count},
};
use k8s_openapi::{api::core::v1::ResourceQuotaStatus, apimachinery::pkg::api::resource::Quantity};

use super::observe::Observed;

/// What counts for a quota.
pub(super) fn evaluators(quota: &Quota) -> BTreeSet<Evaluator> {
    quota
        .wanted
        .names()
        .filter_map(Evaluator::for_name)
        .collect()
}

/// The status to write; none, if it says so already. What couldn't be counted stays as it was.
pub(super) fn plan(quota: &Quota, all: &[Observed]) -> Option<ResourceQuotaStatus> {
    let mut used = quota.used.only(|name| quota.wanted.contains(name));
    for seen in all {
        for (name, amount) in count(quota, &seen.evaluator, &seen.footprints).iter() {
            used.insert(name, amount);
        }
    }
    let is_said = quota.hard == quota.wanted && quota.used == used;
    (!is_said).then(|| ResourceQuotaStatus {
        hard: Some(typed(&quota.wanted)),
        used: Some(typed(&used)),
    })
}

fn typed(list: &ResourceList) -> BTreeMap<String, Quantity> {
    list.iter()
        .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_string())))
        .collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_apimachinery::Object;
    use serde_json::{Value, json};

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a JSON object")
    }

    fn quota(hard: Value, status: Value) -> Quota {
        Quota::read(&object(json!({"spec": {"hard": hard}, "status": status})))
    }

    fn seen(group: &str, plural: &str, count: usize) -> Observed {
        let evaluator = Evaluator::of(group, plural).expect("a counted kind");
        let one = evaluator.footprint(&object(json!({})), Timestamp::UNIX_EPOCH);
        Observed {
            footprints: vec![one; count],
            overdue: None,
            evaluator,
        }
    }

    #[track_caller]
    fn check(quota: Quota, all: &[Observed], want: Option<Value>) {
        let status = plan(&quota, all);
        let status = status.map(|status| serde_json::to_value(status).expect("a tree"));
        assert_eq!(status, want);
    }

    #[test]
    fn new_limits_come_into_force_with_what_is_used() {
        let wanted = quota(json!({"secrets": "5", "count/jobs.batch": "1"}), json!({}));
        let all = [seen("", "secrets", 2), seen("batch", "jobs", 0)];
        check(
            wanted,
            &all,
            Some(json!({
                "hard": {"secrets": "5", "count/jobs.batch": "1"},
                "used": {"secrets": "2", "count/jobs.batch": "0"},
            })),
        );
    }

    #[test]
    fn nothing_is_written_that_is_said_already() {
        let status = json!({"hard": {"secrets": "5"}, "used": {"secrets": "2"}});
        let quota = quota(json!({"secrets": "5"}), status);
        check(quota.clone(), &[seen("", "secrets", 2)], None);
        check(
            quota,
            &[seen("", "secrets", 1)],
            Some(json!({"hard": {"secrets": "5"}, "used": {"secrets": "1"}})),
        );
    }

    #[test]
    fn what_cannot_be_counted_stays_and_what_is_not_wanted_goes() {
        let status = json!({
            "hard": {"secrets": "5", "pods": "1"},
            "used": {"secrets": "2", "pods": "1"},
        });
        let quota = quota(
            json!({"secrets": "5", "count/widgets.example.com": "1"}),
            status,
        );
        let want = json!({
            "hard": {"secrets": "5", "count/widgets.example.com": "1"},
            "used": {"secrets": "2"},
        });
        check(quota, &[], Some(want));
    }

    #[test]
    fn each_kind_is_looked_at_once() {
        let hard = json!({"cpu": "1", "limits.cpu": "1", "services": "1", "count/jobs.batch": "1", "odd": "1"});
        let found = evaluators(&quota(hard, json!({})));
        let plurals: Vec<&str> = found.iter().map(|each| each.plural.as_str()).collect();
        assert_eq!(plurals, ["pods", "services", "jobs"]);
    }
}
