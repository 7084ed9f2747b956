//! What the labels of a namespace ask for.

use super::standard::{Level, Standard, Version};
use crate::api::{FieldError, FieldErrorKind};

const PREFIX: &str = "pod-security.kubernetes.io/";

/// The standards that a namespace has its pods held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Pods that violate it are refused.
    pub enforce: Standard,
    /// Violations are noted in the audit log.
    pub audit: Standard,
    /// Clients are told of violations.
    pub warn: Standard,
}

/// Whether a label has a say here.
pub fn is_label(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Nothing is checked.
impl Default for Policy {
    fn default() -> Self {
        Policy {
            enforce: Standard::PRIVILEGED,
            audit: Standard::PRIVILEGED,
            warn: Standard::PRIVILEGED,
        }
    }
}

impl Policy {
    /// The policy that labels ask for, with `defaults` where they say nothing, and the labels that can't be read: what
    /// they say counts as `restricted` where it is enforced, and as nothing elsewhere.
    pub fn of<'a>(
        label: impl Fn(&str) -> Option<&'a str>,
        defaults: Policy,
    ) -> (Policy, Vec<FieldError>) {
        let mut reader = Reader {
            label,
            faults: Vec::new(),
        };
        let mut policy = defaults;
        let enforced = reader.read("enforce", &mut policy.enforce, Level::Restricted);
        reader.read("audit", &mut policy.audit, Level::Privileged);
        let warned = reader.read("warn", &mut policy.warn, Level::Privileged);
        // Whoever is going to be refused pods wants to know it of templates.
        if enforced.level && !warned.level && policy.enforce.level > policy.warn.level {
            policy.warn.level = policy.enforce.level;
            if !warned.version {
                policy.warn.version = policy.enforce.version;
            }
        }
        (policy, reader.faults)
    }

    /// Whether nothing is checked at all.
    pub fn is_privileged(&self) -> bool {
        let all = [self.enforce, self.audit, self.warn];
        all.iter()
            .all(|standard| standard.level == Level::Privileged)
    }
}

/// Which labels of a mode are there.
struct Given {
    level: bool,
    version: bool,
}

struct Reader<F> {
    label: F,
    faults: Vec<FieldError>,
}

impl<'a, F: Fn(&str) -> Option<&'a str>> Reader<F> {
    fn read(&mut self, mode: &str, standard: &mut Standard, unreadable: Level) -> Given {
        let level_key = format!("{PREFIX}{mode}");
        let version_key = format!("{PREFIX}{mode}-version");
        let level = (self.label)(&level_key);
        let version = (self.label)(&version_key);
        if let Some(value) = level {
            standard.level = value.parse().unwrap_or_else(|error| {
                self.fault(&level_key, value, &error);
                unreadable
            });
        }
        if let Some(value) = version {
            standard.version = value.parse().unwrap_or_else(|error| {
                self.fault(&version_key, value, &error);
                Version::Latest
            });
        }
        Given {
            level: level.is_some(),
            version: version.is_some(),
        }
    }

    fn fault(&mut self, key: &str, value: &str, error: &super::NotAStandard) {
        self.faults.push(FieldError {
            field: format!("metadata.labels[{key}]"),
            kind: FieldErrorKind::Invalid,
            bad_value: value.into(),
            detail: error.to_string(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(labels: &[(&str, &str)], want: [&str; 3], faults: &[&str]) {
        let label = |key: &str| {
            let key = key.strip_prefix(PREFIX).expect("a label of ours");
            let found = labels.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| *value)
        };
        let (policy, found) = Policy::of(label, Policy::default());
        let Policy {
            enforce,
            audit,
            warn,
        } = policy;
        assert_eq!([enforce, audit, warn].map(|each| each.to_string()), want);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, faults);
    }

    #[test]
    fn each_mode_has_its_own_labels() {
        let open = "privileged:latest";
        check(&[], [open; 3], &[]);
        check(
            &[
                ("enforce", "baseline"),
                ("enforce-version", "v1.25"),
                ("audit", "restricted"),
                ("warn", "restricted"),
                ("warn-version", "v1.30"),
            ],
            ["baseline:v1.25", "restricted:latest", "restricted:v1.30"],
            &[],
        );
        check(
            &[("audit-version", "v1.3")],
            [open, "privileged:v1.3", open],
            &[],
        );
    }

    #[test]
    fn warnings_follow_what_is_enforced_unless_they_are_said() {
        let open = "privileged:latest";
        check(
            &[("enforce", "baseline"), ("enforce-version", "v1.25")],
            ["baseline:v1.25", open, "baseline:v1.25"],
            &[],
        );
        check(
            &[
                ("enforce", "baseline"),
                ("enforce-version", "v1.25"),
                ("warn-version", "latest"),
            ],
            ["baseline:v1.25", open, "baseline:latest"],
            &[],
        );
        check(
            &[("enforce", "baseline"), ("warn", "privileged")],
            ["baseline:latest", open, open],
            &[],
        );
    }

    #[test]
    fn what_cannot_be_read_is_enforced_strictly_and_else_left_out() {
        check(
            &[
                ("enforce", "high"),
                ("audit", "high"),
                ("warn", "high"),
                ("warn-version", "v2"),
            ],
            [
                "restricted:latest",
                "privileged:latest",
                "privileged:latest",
            ],
            &[
                r#"metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "high": must be one of privileged, baseline, restricted"#,
                r#"metadata.labels[pod-security.kubernetes.io/audit]: Invalid value: "high": must be one of privileged, baseline, restricted"#,
                r#"metadata.labels[pod-security.kubernetes.io/warn]: Invalid value: "high": must be one of privileged, baseline, restricted"#,
                r#"metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "v2": must be "latest" or "v1.x""#,
            ],
        );
    }
}
