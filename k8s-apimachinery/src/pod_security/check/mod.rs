//! The checks: one file each, and a line in the table here.

mod allow_privilege_escalation;
mod app_armor_profile;
mod capabilities_baseline;
mod capabilities_restricted;
mod host_namespaces;
mod host_path_volumes;
mod host_ports;
mod host_probes;
mod privileged;
mod proc_mount;
mod restricted_volumes;
mod run_as_non_root;
mod run_as_user;
mod se_linux_options;
mod seccomp_profile;
mod seccomp_profile_baseline;
mod seccomp_profile_restricted;
mod sysctls;
mod windows_host_process;

use super::{
    standard::{Level, Standard, Version},
    subject::Subject,
    violation::Violation,
};

/// One thing that pods may not do.
struct Check {
    /// As Kubernetes calls it.
    id: &'static str,
    /// From which level on.
    level: Level,
    /// What was looked at from which minor version on, in order.
    revisions: &'static [(u32, Run)],
    /// The laxer check that this one makes superfluous where both would run.
    replaces: &'static str,
}

/// Looks at a pod.
type Run = fn(&Subject) -> Option<Violation>;

const fn baseline(id: &'static str, revisions: &'static [(u32, Run)]) -> Check {
    Check {
        id,
        level: Level::Baseline,
        revisions,
        replaces: "",
    }
}

const fn restricted(id: &'static str, revisions: &'static [(u32, Run)]) -> Check {
    Check {
        level: Level::Restricted,
        ..baseline(id, revisions)
    }
}

const fn instead_of(replaces: &'static str, check: Check) -> Check {
    Check { replaces, ..check }
}

/// In the order in which violations are told.
const CHECKS: [Check; 19] = [
    baseline("appArmorProfile", &[(0, app_armor_profile::check)]),
    baseline(
        "capabilities_baseline",
        &[(0, capabilities_baseline::check)],
    ),
    baseline("hostNamespaces", &[(0, host_namespaces::check)]),
    baseline("hostPathVolumes", &[(0, host_path_volumes::check)]),
    baseline("hostPorts", &[(0, host_ports::check)]),
    baseline("hostProbesAndHostLifecycle", &[(34, host_probes::check)]),
    baseline("privileged", &[(0, privileged::check)]),
    baseline(
        "procMount",
        &[(0, proc_mount::check), (35, proc_mount::check_host_users)],
    ),
    baseline(
        "seLinuxOptions",
        &[
            (0, se_linux_options::check),
            (31, se_linux_options::check_with_engines),
        ],
    ),
    baseline(
        "seccompProfile_baseline",
        &[
            (0, seccomp_profile_baseline::check_annotations),
            (19, seccomp_profile_baseline::check),
        ],
    ),
    baseline(
        "sysctls",
        &[
            (0, sysctls::check),
            (27, sysctls::check_27),
            (29, sysctls::check_29),
            (32, sysctls::check_32),
        ],
    ),
    baseline("windowsHostProcess", &[(0, windows_host_process::check)]),
    restricted(
        "allowPrivilegeEscalation",
        &[
            (8, allow_privilege_escalation::check),
            (25, allow_privilege_escalation::check_but_windows),
        ],
    ),
    instead_of(
        "capabilities_baseline",
        restricted(
            "capabilities_restricted",
            &[
                (22, capabilities_restricted::check),
                (25, capabilities_restricted::check_but_windows),
            ],
        ),
    ),
    // A pod with users of its own may do at the level of baseline what remains forbidden here.
    instead_of(
        "procMount",
        restricted("procMount_restricted", &[(35, proc_mount::check)]),
    ),
    instead_of(
        "hostPathVolumes",
        restricted("restrictedVolumes", &[(0, restricted_volumes::check)]),
    ),
    restricted(
        "runAsNonRoot",
        &[
            (0, run_as_non_root::check),
            (35, run_as_non_root::check_host_users),
        ],
    ),
    restricted(
        "runAsUser",
        &[
            (23, run_as_user::check),
            (35, run_as_user::check_host_users),
        ],
    ),
    instead_of(
        "seccompProfile_baseline",
        restricted(
            "seccompProfile_restricted",
            &[
                (19, seccomp_profile_restricted::check),
                (25, seccomp_profile_restricted::check_but_windows),
            ],
        ),
    ),
];

impl Check {
    /// What is looked at in that version, if anything yet.
    fn at(&self, version: Version) -> Option<Run> {
        let mut known = self.revisions.iter().rev();
        let found = known.find(|(since, _)| Version::Minor(*since) <= version);
        found.map(|(_, run)| *run)
    }
}

/// What the pod does that the standard forbids.
pub fn evaluate(standard: Standard, subject: &Subject<'_>) -> Vec<Violation> {
    let Standard { level, version } = standard;
    let active = || {
        let checks = CHECKS.iter().filter(|check| check.level <= level);
        checks.filter_map(|check| Some((check, check.at(version)?)))
    };
    let is_replaced = |id: &str| active().any(|(check, _)| check.replaces == id);
    let run = active().filter(|(check, _)| !is_replaced(check.id));
    run.filter_map(|(_, run)| run(subject)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pod_security::{reasons, testing::found};

    #[test]
    fn checks_are_in_order_and_replace_what_there_is() {
        for level in [Level::Baseline, Level::Restricted] {
            let ids = CHECKS.iter().filter(|check| check.level == level);
            assert!(ids.map(|check| check.id).is_sorted(), "{level}");
        }
        assert!(CHECKS.is_sorted_by_key(|check| check.level));
        for check in &CHECKS {
            assert!(
                check.revisions.is_sorted_by_key(|(since, _)| *since),
                "{}",
                check.id
            );
            let is_known = CHECKS.iter().any(|other| other.id == check.replaces);
            assert!(check.replaces.is_empty() || is_known, "{}", check.id);
        }
    }

    #[test]
    fn each_level_adds_to_the_one_before_and_names_nothing_twice() {
        let everything = json!({
            "hostNetwork": true,
            "volumes": [{"name": "v", "hostPath": {}}],
            "containers": [{"name": "c", "securityContext": {
                "capabilities": {"add": ["SYS_ADMIN"]},
                "seccompProfile": {"type": "Unconfined"},
            }}],
        });
        let at = |standard: &str| reasons(&found(standard, everything.clone()));
        assert_eq!(at("privileged:latest"), "");
        assert_eq!(
            at("baseline:latest"),
            "non-default capabilities, host namespaces, hostPath volumes, seccompProfile"
        );
        assert_eq!(
            at("restricted:latest"),
            "host namespaces, allowPrivilegeEscalation != false, unrestricted capabilities, restricted volume types, \
             runAsNonRoot != true, seccompProfile"
        );
        assert_eq!(
            at("restricted:v1.0"),
            "non-default capabilities, host namespaces, restricted volume types, runAsNonRoot != true"
        );
    }

    #[test]
    fn a_version_to_come_has_the_newest_checks() {
        let pod =
            json!({"securityContext": {"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]}});
        assert!(found("baseline:v1.99", pod.clone()).is_empty());
        assert!(found("baseline:latest", pod.clone()).is_empty());
        assert!(!found("baseline:v1.31", pod).is_empty());
    }
}
