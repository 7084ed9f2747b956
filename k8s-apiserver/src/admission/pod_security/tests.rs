//! Through the registry: what becomes of pods, templates and namespaces, and what is said about it.

use serde_json::json;

use super::*;
use crate::{
    User,
    admission::world::{self, What},
};

struct World(world::World);

/// How a write ended: the refusal, the warnings, the annotations without their prefix.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    refusal: Option<String>,
    warnings: Vec<String>,
    notes: Vec<(String, String)>,
}

const USER: &str = "jane";
const POD: What<'_> = ("", "pods", "", "shop", "p");

impl World {
    /// A world whose namespace `shop` has these labels, of this module's prefix.
    async fn with(labels: &[(&str, &str)]) -> Self {
        let world = World(world::World::start(PodSecurity::default()).await);
        let made = world.namespace("shop", labels).await;
        assert_eq!(made, Outcome::default());
        world
    }

    async fn namespace(&self, name: &str, labels: &[(&str, &str)]) -> Outcome {
        let labels = labels
            .iter()
            .map(|(key, value)| (format!("{ANNOTATION}{key}"), Value::from(*value)));
        let object = json!({"metadata": {"labels": labels.collect::<Map<_, _>>()}});
        self.put(("", "namespaces", "", "", name), object).await
    }

    async fn pod(&self, name: &str, spec: Value) -> Outcome {
        let what = ("", "pods", "", "shop", name);
        self.put(what, json!({"metadata": {}, "spec": spec})).await
    }

    async fn deployment(&self, spec: Value) -> Outcome {
        let labels = json!({"app": "web"});
        let object = json!({
            "metadata": {},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        });
        self.put(("apps", "deployments", "", "shop", "web"), object)
            .await
    }

    async fn put(&self, what: What<'_>, object: Value) -> Outcome {
        let outcome = self.0.put(&User::new(USER), what, object).await;
        let notes = outcome.annotations.into_iter().map(|(key, value)| {
            let key = key.strip_prefix(ANNOTATION).expect("our prefix");
            (key.to_owned(), value)
        });
        Outcome {
            refusal: outcome.result.err().map(|error| error.to_string()),
            warnings: outcome.warnings,
            notes: notes.collect(),
        }
    }
}

fn plain() -> Value {
    json!({"containers": [{"name": "c", "image": "i"}]})
}

fn on_host() -> Value {
    json!({"hostNetwork": true, "containers": [{"name": "c", "image": "i"}]})
}

fn notes(notes: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    notes.iter().map(owned).collect()
}

const LACKING: &str = concat!(
    r#"PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set "#,
    r#"securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set "#,
    r#"securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set "#,
    r#"securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set "#,
    r#"securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")"#,
);

#[tokio::test]
async fn without_labels_everything_passes() {
    let world = World::with(&[]).await;
    let made = world.pod("p", on_host()).await;
    assert_eq!(made.refusal, None);
    assert_eq!(
        made.notes,
        notes(&[("enforce-policy", "privileged:latest")])
    );
    assert_eq!(world.deployment(on_host()).await, Outcome::default());
}

#[tokio::test]
async fn what_is_enforced_refuses_pods_and_warns_of_templates() {
    let world = World::with(&[("enforce", "restricted")]).await;
    let refused = world.pod("p", plain()).await;
    assert_eq!(
        refused.refusal,
        Some(format!(r#"pods "p" is forbidden: violates {LACKING}"#))
    );
    assert_eq!(
        refused.notes,
        notes(&[("enforce-policy", "restricted:latest")])
    );
    assert!(refused.warnings.is_empty());
    let template = world.deployment(plain()).await;
    assert_eq!(template.refusal, None);
    assert_eq!(template.warnings, [format!("would violate {LACKING}")]);

    let fine = json!({
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "c", "image": "i", "securityContext": {
            "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        }}],
    });
    let made = world.pod("p", fine.clone()).await;
    assert_eq!((made.refusal, made.warnings), (None, Vec::new()));
    assert_eq!(world.deployment(fine).await, Outcome::default());
}

#[tokio::test]
async fn audit_and_warn_only_talk() {
    let world = World::with(&[("audit", "baseline"), ("warn", "restricted")]).await;
    let host = r#"PodSecurity "baseline:latest": host namespaces (hostNetwork=true)"#;
    let told = format!("would violate {host}");
    for (made, enforced) in [
        (world.pod("p", on_host()).await, true),
        (world.deployment(on_host()).await, false),
    ] {
        assert_eq!(made.refusal, None);
        assert!(
            made.warnings[0].starts_with(r#"would violate PodSecurity "restricted:latest": host"#)
        );
        let mut expected = vec![("audit-violations", told.as_str())];
        if enforced {
            expected.push(("enforce-policy", "privileged:latest"));
        }
        assert_eq!(made.notes, notes(&expected));
    }
}

#[tokio::test]
async fn labels_must_be_readable_when_they_come() {
    let world = World::with(&[]).await;
    let refused = world
        .namespace("other", &[("enforce", "high"), ("warn-version", "v9")])
        .await;
    assert_eq!(
        refused.refusal.unwrap(),
        r#"Namespace "other" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "high": must be one of privileged, baseline, restricted, metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "v9": must be "latest" or "v1.x"]"#
    );
    let refused = world.namespace("shop", &[("enforce", "high")]).await;
    assert_eq!(
        refused.refusal.unwrap(),
        r#"Namespace "shop" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "high": must be one of privileged, baseline, restricted"#
    );
}

#[tokio::test]
async fn whoever_raises_the_level_hears_of_pods_above_it() {
    let world = World::with(&[]).await;
    for name in ["b", "a", "c"] {
        world.pod(name, on_host()).await;
    }
    world.pod("fine", plain()).await;
    let raised = world.namespace("shop", &[("enforce", "baseline")]).await;
    assert_eq!(raised.refusal, None);
    assert_eq!(
        raised.warnings,
        [
            r#"existing pods in namespace "shop" violate the new PodSecurity enforce level "baseline:latest""#,
            "a (and 2 other pods): host namespaces",
        ]
    );
    let lowered = world.namespace("shop", &[("enforce", "privileged")]).await;
    assert_eq!(lowered, Outcome::default());
    let audited = world.namespace("shop", &[("audit", "restricted")]).await;
    assert_eq!(audited, Outcome::default());
}

#[tokio::test]
async fn an_update_counts_if_it_brings_something_new() {
    let world = World::with(&[]).await;
    world.pod("p", on_host()).await;
    world.namespace("shop", &[("enforce", "baseline")]).await;
    let refusal = |outcome: Outcome| outcome.refusal.unwrap_or_default();
    let pod = |image: &str| {
        json!({
            "metadata": {"labels": {"new": "label"}},
            "spec": {"hostNetwork": true, "containers": [{"name": "c", "image": image}]},
            "status": {"phase": "Running"},
        })
    };
    let through = |part: &'static str| ("", "pods", part, "shop", "p");
    assert_eq!(refusal(world.put(POD, pod("i")).await), "");
    assert_eq!(
        refusal(world.put(through("status"), pod("other")).await),
        ""
    );
    let violates = r#"pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)"#;
    assert_eq!(refusal(world.put(POD, pod("other")).await), violates);
    let mut debugged = pod("i");
    debugged["spec"]["ephemeralContainers"] = json!([{"name": "d", "image": "i"}]);
    let refused = world.put(through("ephemeralcontainers"), debugged).await;
    assert_eq!(refusal(refused), violates);
}

#[tokio::test]
async fn exemptions_are_noted_and_nothing_else() {
    let exempt = |exemptions: Exemptions| PodSecurity {
        exemptions,
        ..PodSecurity::default()
    };
    let just = |text: &str| vec![text.to_owned()];
    for (exemptions, by) in [
        (
            Exemptions {
                users: just(USER),
                ..Exemptions::default()
            },
            "user",
        ),
        (
            Exemptions {
                namespaces: just("shop"),
                ..Exemptions::default()
            },
            "namespace",
        ),
        (
            Exemptions {
                runtime_classes: just("vm"),
                ..Exemptions::default()
            },
            "runtimeClass",
        ),
    ] {
        let world = World(world::World::start(exempt(exemptions)).await);
        world.namespace("shop", &[("enforce", "restricted")]).await;
        let mut spec = on_host();
        spec["runtimeClassName"] = "vm".into();
        let expected = Outcome {
            notes: notes(&[("exempt", by)]),
            ..Outcome::default()
        };
        assert_eq!(world.pod("p", spec.clone()).await, expected);
        assert_eq!(world.deployment(spec).await, expected);
    }
}

#[test]
fn labels_that_cannot_be_read_are_enforced_strictly() {
    let namespace = |labels: Value| {
        let object = json!({"metadata": {"name": "shop", "labels": labels}});
        Object::from_value(object).unwrap()
    };
    let defaults: Standard = "baseline:latest".parse().unwrap();
    let plugin = PodSecurity {
        defaults: Policy {
            enforce: defaults,
            ..Policy::default()
        },
        ..PodSecurity::default()
    };
    let (policy, faults) = plugin.policy(&namespace(json!({})));
    assert_eq!((policy.enforce, faults.len()), (defaults, 0));
    let odd = json!({"pod-security.kubernetes.io/enforce": "high"});
    let (policy, faults) = plugin.policy(&namespace(odd));
    assert_eq!((policy.enforce.level, faults.len()), (Level::Restricted, 1));
}
