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
    /// What was looked at when, in order.
    revisions: &'static [Revision],
    /// The laxer check that this one makes superfluous where both would run.
    replaces: &'static str,
}

/// What a check looks at from a minor version on.
struct Revision {
    since: u32,
    run: Run,
    /// Pods that it leaves alone.
    spares: fn(&Subject) -> bool,
}

/// Looks at a pod.
type Run = fn(&Subject) -> Option<Violation>;

const fn baseline(id: &'static str, revisions: &'static [Revision]) -> Check {
    Check {
        id,
        level: Level::Baseline,
        revisions,
        replaces: "",
    }
}

const fn restricted(id: &'static str, revisions: &'static [Revision]) -> Check {
    Check {
        level: Level::Restricted,
        ..baseline(id, revisions)
    }
}

const fn instead_of(replaces: &'static str, check: Check) -> Check {
    Check { replaces, ..check }
}

const fn since(since: u32, run: Run) -> Revision {
    Revision {
        since,
        run,
        spares: |_| false,
    }
}

/// Windows knows nothing of what the check is about.
const fn but_windows(revision: Revision) -> Revision {
    Revision {
        spares: |subject| subject.is_for_windows(),
        ..revision
    }
}

/// What the check is about is harmless where the pod's users are nobody on the host.
const fn but_own_users(revision: Revision) -> Revision {
    Revision {
        spares: |subject| subject.has_own_users(),
        ..revision
    }
}

/// In the order in which violations are told.
const CHECKS: [Check; 19] = [
    baseline("appArmorProfile", &[since(0, app_armor_profile::check)]),
    baseline(
        "capabilities_baseline",
        &[since(0, capabilities_baseline::check)],
    ),
    baseline("hostNamespaces", &[since(0, host_namespaces::check)]),
    baseline("hostPathVolumes", &[since(0, host_path_volumes::check)]),
    baseline("hostPorts", &[since(0, host_ports::check)]),
    baseline(
        "hostProbesAndHostLifecycle",
        &[since(34, host_probes::check)],
    ),
    baseline("privileged", &[since(0, privileged::check)]),
    baseline(
        "procMount",
        &[
            since(0, proc_mount::check),
            but_own_users(since(35, proc_mount::check)),
        ],
    ),
    baseline(
        "seLinuxOptions",
        &[
            since(0, se_linux_options::check),
            since(31, se_linux_options::check_with_engines),
        ],
    ),
    baseline(
        "seccompProfile_baseline",
        &[
            since(0, seccomp_profile_baseline::check_annotations),
            since(19, seccomp_profile_baseline::check),
        ],
    ),
    baseline(
        "sysctls",
        &[
            since(0, sysctls::check),
            since(27, sysctls::check_27),
            since(29, sysctls::check_29),
            since(32, sysctls::check_32),
        ],
    ),
    baseline(
        "windowsHostProcess",
        &[since(0, windows_host_process::check)],
    ),
    restricted(
        "allowPrivilegeEscalation",
        &[
            since(8, allow_privilege_escalation::check),
            but_windows(since(25, allow_privilege_escalation::check)),
        ],
    ),
    instead_of(
        "capabilities_baseline",
        restricted(
            "capabilities_restricted",
            &[
                since(22, capabilities_restricted::check),
                but_windows(since(25, capabilities_restricted::check)),
            ],
        ),
    ),
    // A pod with users of its own may do at the level of baseline what remains forbidden here.
    instead_of(
        "procMount",
        restricted("procMount_restricted", &[since(35, proc_mount::check)]),
    ),
    instead_of(
        "hostPathVolumes",
        restricted("restrictedVolumes", &[since(0, restricted_volumes::check)]),
    ),
    restricted(
        "runAsNonRoot",
        &[
            since(0, run_as_non_root::check),
            but_own_users(since(35, run_as_non_root::check)),
        ],
    ),
    restricted(
        "runAsUser",
        &[
            since(23, run_as_user::check),
            but_own_users(since(35, run_as_user::check)),
        ],
    ),
    instead_of(
        "seccompProfile_baseline",
        restricted(
            "seccompProfile_restricted",
            &[
                since(19, seccomp_profile_restricted::check),
                but_windows(since(25, seccomp_profile_restricted::check)),
            ],
        ),
    ),
];

impl Check {
    /// What is looked at in that version, if anything yet.
    fn at(&self, version: Version) -> Option<&'static Revision> {
        let mut known = self.revisions.iter().rev();
        known.find(|revision| Version::Minor(revision.since) <= version)
    }
}

impl Revision {
    fn look(&self, subject: &Subject<'_>) -> Option<Violation> {
        match (self.spares)(subject) {
            true => None,
            false => (self.run)(subject),
        }
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
    run.filter_map(|(_, revision)| revision.look(subject))
        .collect()
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
            let revisions = check.revisions.iter();
            assert!(revisions.map(|it| it.since).is_sorted(), "{}", check.id);
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
    fn pods_for_windows_are_spared_what_it_does_not_know() {
        let pod = |os: &str| json!({"os": {"name": os}, "containers": [{"name": "c"}]});
        let at = |standard: &str, os: &str| reasons(&found(standard, pod(os)));
        let all = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile";
        assert_eq!(at("restricted:latest", "linux"), all);
        assert_eq!(at("restricted:v1.24", "windows"), all);
        assert_eq!(at("restricted:v1.25", "windows"), "runAsNonRoot != true");
    }

    #[test]
    fn pods_with_users_of_their_own_may_be_root_but_see_no_more() {
        let pod = json!({"hostUsers": false, "containers": [{"name": "c", "securityContext": {
            "runAsUser": 0, "procMount": "Unmasked", "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "Localhost"},
        }}]});
        let at = |standard: &str| reasons(&found(standard, pod.clone()));
        assert_eq!(at("baseline:v1.34"), "procMount");
        assert_eq!(at("baseline:v1.35"), "");
        assert_eq!(
            at("restricted:v1.34"),
            "procMount, runAsNonRoot != true, runAsUser=0"
        );
        assert_eq!(at("restricted:v1.35"), "procMount");
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
