//! In process, through the server: what becomes of pods.

use std::sync::Arc;

use k8s_store::memory::MemoryStore;
use serde_json::{Value, json};

use super::super::testing::{Cluster, merge};
use crate::ApiServer;

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";

/// A server whose namespace `default` has an account `default`, with these fields.
async fn start(account: Value) -> Cluster {
    let cluster = Cluster::of(ApiServer::builder(Arc::new(MemoryStore::new()))).await;
    let mut object = json!({ "metadata": { "name": "default" } });
    merge(&mut object, account);
    cluster.post(ACCOUNTS, object).await.unwrap();
    cluster
}

#[tokio::test]
async fn a_pod_finds_token_authority_and_namespace_in_a_volume() {
    let cluster = start(json!({})).await;
    let init = json!([{ "name": "i", "image": "i" }]);
    let pod = cluster
        .pod(json!({ "spec": { "initContainers": init } }))
        .await;
    let pod = pod.unwrap();
    let volume = &pod["spec"]["volumes"][0];
    let name = volume["name"].as_str().unwrap();
    assert_eq!(name.strip_prefix("kube-api-access-").unwrap().len(), 5);
    assert_eq!(
        volume["projected"],
        json!({
            "defaultMode": 420,
            "sources": [
                { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } },
                { "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{ "key": "ca.crt", "path": "ca.crt" }],
                } },
                { "downwardAPI": { "items": [{
                    "path": "namespace",
                    "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" },
                }] } },
            ],
        })
    );
    let path = "/var/run/secrets/kubernetes.io/serviceaccount";
    for containers in ["containers", "initContainers"] {
        assert_eq!(
            pod["spec"][containers][0]["volumeMounts"],
            json!([{ "name": name, "readOnly": true, "mountPath": path }])
        );
    }
}

#[tokio::test]
async fn pod_and_account_may_decline_the_volume_and_the_pod_has_the_last_word() {
    let cases = [
        (json!({}), json!({}), true),
        (
            json!({ "automountServiceAccountToken": false }),
            json!({}),
            false,
        ),
        (
            json!({ "automountServiceAccountToken": false }),
            json!({ "automountServiceAccountToken": true }),
            true,
        ),
        (
            json!({}),
            json!({ "automountServiceAccountToken": false }),
            false,
        ),
    ];
    for (account, spec, want) in cases {
        let cluster = start(account.clone()).await;
        let pod = cluster.pod(json!({ "spec": spec })).await.unwrap();
        assert_eq!(pod["spec"]["volumes"].is_array(), want, "{account} {spec}");
    }
}

#[tokio::test]
async fn a_mount_of_ones_own_stays_and_a_volume_of_ones_own_is_used() {
    let cluster = start(json!({})).await;
    let path = "/var/run/secrets/kubernetes.io/serviceaccount";
    let own = json!([{ "name": "mine", "mountPath": path }]);
    let spec = json!({
        "containers": [{ "name": "c", "image": "i", "volumeMounts": own }],
        "volumes": [{ "name": "mine", "emptyDir": {} }],
    });
    let pod = cluster.pod(json!({ "spec": spec })).await.unwrap();
    assert_eq!(pod["spec"]["volumes"].as_array().unwrap().len(), 1);
    assert_eq!(
        pod["spec"]["containers"][0]["volumeMounts"][0]["name"],
        "mine"
    );

    let volumes = json!([{ "name": "kube-api-access-own", "emptyDir": {} }]);
    let fields = json!({ "metadata": { "name": "q" }, "spec": { "volumes": volumes } });
    let pod = cluster.pod(fields).await.unwrap();
    let mounts = &pod["spec"]["containers"][0]["volumeMounts"];
    assert_eq!(mounts[0]["name"], "kube-api-access-own");
    assert_eq!(pod["spec"]["volumes"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pull_secrets_of_the_account_are_for_pods_that_name_none() {
    let pulls = json!([{ "name": "registry" }]);
    let cluster = start(json!({ "imagePullSecrets": pulls })).await;
    let pod = cluster.pod(json!({})).await.unwrap();
    assert_eq!(pod["spec"]["imagePullSecrets"], pulls);
    let own = json!([{ "name": "own" }]);
    let fields = json!({ "metadata": { "name": "q" }, "spec": { "imagePullSecrets": own } });
    let pod = cluster.pod(fields).await.unwrap();
    assert_eq!(pod["spec"]["imagePullSecrets"], own);
}

#[tokio::test]
async fn mirror_pods_have_neither_account_nor_secrets() {
    let cluster = start(json!({})).await;
    let mirror = |spec: Value| {
        json!({
            "metadata": { "annotations": { "kubernetes.io/config.mirror": "hash" } },
            "spec": spec,
        })
    };
    let refusal = |why: &str| Err(format!("pods \"p\" is forbidden: {why}"));
    let refused = cluster
        .pod(mirror(json!({ "serviceAccountName": "default" })))
        .await;
    assert_eq!(
        refused,
        refusal("a mirror pod may not reference service accounts")
    );
    let volumes = json!([{ "name": "v", "secret": { "secretName": "s" } }]);
    let refused = cluster.pod(mirror(json!({ "volumes": volumes }))).await;
    assert_eq!(refused, refusal("a mirror pod may not reference secrets"));
    let sources = json!([{ "serviceAccountToken": { "path": "t" } }]);
    let volumes = json!([{ "name": "v", "projected": { "sources": sources } }]);
    let refused = cluster.pod(mirror(json!({ "volumes": volumes }))).await;
    assert_eq!(
        refused,
        refusal("a mirror pod may not use ServiceAccountToken volume projections")
    );
    let pod = cluster.pod(mirror(json!({}))).await.unwrap();
    assert_eq!(pod["spec"].get("serviceAccountName"), None);
    assert_eq!(pod["spec"].get("volumes"), None);
}

#[tokio::test]
async fn an_account_may_limit_its_pods_to_its_own_secrets() {
    let account = json!({
        "metadata": { "annotations": { "kubernetes.io/enforce-mountable-secrets": "true" } },
        "secrets": [{ "name": "known" }],
        "imagePullSecrets": [{ "name": "registry" }],
    });
    let cluster = start(account).await;
    let refusal = |why: &str| {
        Err(format!(
            "pods \"p\" is forbidden: {why} is not allowed because service account default does not reference that \
             {}",
            if why.starts_with("imagePull") {
                "imagePullSecret"
            } else {
                "secret"
            }
        ))
    };
    let volumes =
        |name: &str| json!({ "volumes": [{ "name": "v", "secret": { "secretName": name } }] });
    assert_eq!(
        cluster.pod(json!({ "spec": volumes("other") })).await,
        refusal("volume with secret.secretName=\"other\"")
    );
    let key = json!({ "secretKeyRef": { "name": "other", "key": "k" } });
    let env = json!([{ "name": "E", "valueFrom": key }]);
    let containers = json!([{ "name": "c", "image": "i", "env": env }]);
    assert_eq!(
        cluster
            .pod(json!({ "spec": { "containers": containers } }))
            .await,
        refusal("container c with envVar E referencing secret.secretName=\"other\"")
    );
    let pulls = json!([{ "name": "other" }]);
    assert_eq!(
        cluster
            .pod(json!({ "spec": { "imagePullSecrets": pulls } }))
            .await,
        refusal("imagePullSecrets[0].name=\"other\"")
    );
    cluster
        .pod(json!({ "spec": volumes("known") }))
        .await
        .unwrap();
}

#[tokio::test]
async fn old_clients_name_the_account_in_the_old_field() {
    let cluster = start(json!({})).await;
    let other = json!({ "metadata": { "name": "other" } });
    cluster.post(ACCOUNTS, other).await.unwrap();
    let pod = cluster
        .pod(json!({ "spec": { "serviceAccount": "other" } }))
        .await
        .unwrap();
    assert_eq!(pod["spec"]["serviceAccountName"], "other");
}

#[tokio::test]
async fn an_account_that_is_not_there_runs_nothing() {
    let cluster = start(json!({})).await;
    assert_eq!(
        cluster.pod(json!({ "spec": { "serviceAccountName": "nobody" } })).await,
        Err(
            "pods \"p\" is forbidden: error looking up service account default/nobody: serviceaccount \"nobody\" not \
             found"
                .to_owned()
        )
    );
}

#[tokio::test(start_paused = true)]
async fn the_default_account_is_waited_for_and_not_for_ever() {
    let cluster = Cluster::of(ApiServer::builder(Arc::new(MemoryStore::new()))).await;
    let refused = cluster.pod(json!({})).await.unwrap_err();
    assert!(refused.ends_with("serviceaccount \"default\" not found"));
    let account = async {
        tokio::time::sleep(super::INTERVAL).await;
        let object = json!({ "metadata": { "name": "default" } });
        cluster.post(ACCOUNTS, object).await
    };
    let (pod, account) = tokio::join!(cluster.pod(json!({})), account);
    account.unwrap();
    assert_eq!(pod.unwrap()["spec"]["serviceAccountName"], "default");
}
