//! The arrows between the crates, as ARCHITECTURE.md draws them: nothing else may depend on anything.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

/// What each published crate may depend on among ours; development dependencies apart.
const ALLOWED: &[(&str, &[&str])] = &[
    ("k8s-apimachinery", &[]),
    ("k8s-store", &[]),
    ("k8s-apiserver", &["k8s-apimachinery", "k8s-store"]),
    ("k8s-runtime", &[]),
    ("k8s-controllers", &["k8s-apimachinery", "k8s-runtime"]),
    ("k8s-scheduler", &["k8s-apimachinery", "k8s-runtime"]),
    ("k8s-kubelet", &["k8s-apimachinery", "k8s-runtime"]),
    ("k8s-proxy", &["k8s-runtime"]),
    ("k8s-dns", &["k8s-runtime"]),
    (
        "k8s-testkit",
        &[
            "k8s-apiserver",
            "k8s-controllers",
            "k8s-kubelet",
            "k8s-runtime",
            "k8s-scheduler",
            "k8s-store",
        ],
    ),
];

/// Crates that decide without doing: these names must not be among what they depend on.
const ABSENT: &[(&str, &[&str])] = &[
    ("k8s-apimachinery", &["tokio", "kube", "hyper", "futures"]),
    ("k8s-store", &["kube", "k8s-openapi", "serde_json"]),
];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .output()
        .expect("cargo metadata runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies");
            let normal = all.iter().filter(|dependency| dependency["kind"].is_null());
            (name(package), normal.map(name).collect())
        })
        .collect()
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let dependencies = dependencies();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    for (package, uses) in dependencies
        .iter()
        .filter(|(name, _)| name.starts_with("k8s-"))
    {
        // Programs and their tests see everything.
        let Some(allowed) = allowed.get(package.as_str()) else {
            continue;
        };
        for used in uses
            .iter()
            .filter(|used| used.starts_with("k8s-") && *used != "k8s-openapi")
        {
            assert!(
                allowed.contains(&used.as_str()),
                "{package} must not depend on {used}"
            );
        }
    }
    for (package, _) in ALLOWED {
        assert!(
            dependencies.contains_key(*package),
            "{package} is gone: mend this table"
        );
    }
}

#[test]
fn pure_crates_know_neither_network_nor_kubernetes_client() {
    let dependencies = dependencies();
    for (package, absent) in ABSENT {
        for used in &dependencies[*package] {
            assert!(
                !absent.contains(&used.as_str()),
                "{package} must not depend on {used}"
            );
        }
    }
}
