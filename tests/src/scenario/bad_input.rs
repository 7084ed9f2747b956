//! Kubernetes' own answers to bad input: codes, reasons and sentences.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cluster::Cluster;

/// What is sent and what must come back.
struct Case {
    name: &'static str,
    /// curl's arguments behind the credentials.
    request: &'static str,
    code: u64,
    reason: &'static str,
    message: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "malformed JSON",
        request: "-X POST $S/api/v1/namespaces/default/configmaps -H content-type:application/json -d '{\"kind\":'",
        code: 400,
        reason: "BadRequest",
        message: "",
    },
    Case {
        name: "malformed YAML",
        request: "-X POST $S/api/v1/namespaces/default/configmaps -H content-type:application/yaml --data-binary 'a: [b'",
        code: 400,
        reason: "BadRequest",
        message: "",
    },
    Case {
        name: "unknown resource",
        request: "$S/api/v1/namespaces/default/gadgets",
        code: 404,
        reason: "NotFound",
        message: "the server could not find the requested resource",
    },
    Case {
        name: "missing object",
        request: "$S/api/v1/namespaces/default/pods/nobody",
        code: 404,
        reason: "NotFound",
        message: "pods \"nobody\" not found",
    },
    Case {
        name: "wrong verb",
        request: "-X DELETE $S/version",
        code: 405,
        reason: "MethodNotAllowed",
        message: "",
    },
    Case {
        name: "failed validation",
        request: "-X POST $S/api/v1/namespaces/default/pods -H content-type:application/json -d '{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"Bad_Name\"},\"spec\":{\"containers\":[{\"name\":\"a\"}]}}'",
        code: 422,
        reason: "Invalid",
        message: "spec.containers[0].image: Required value",
    },
    Case {
        name: "name taken",
        request: "-X POST $S/api/v1/namespaces -H content-type:application/json -d '{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"default\"}}'",
        code: 409,
        reason: "AlreadyExists",
        message: "namespaces \"default\" already exists",
    },
    Case {
        name: "stale resourceVersion",
        request: "-X PUT $S/api/v1/namespaces/default/configmaps/stale -H content-type:application/json -d '{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"stale\",\"resourceVersion\":\"1\"}}'",
        code: 409,
        reason: "Conflict",
        message: "Operation cannot be fulfilled on configmaps \"stale\": the object has been modified; please apply your changes to the latest version and try again",
    },
    Case {
        name: "unsupported content type",
        request: "-X POST $S/api/v1/namespaces/default/configmaps -H content-type:text/plain -d hello",
        code: 415,
        reason: "UnsupportedMediaType",
        message: "",
    },
    Case {
        name: "body over 3 MiB",
        request: "-X POST $S/api/v1/namespaces/default/configmaps -H content-type:application/json --data-binary @$BIG",
        code: 413,
        reason: "RequestEntityTooLarge",
        message: "",
    },
];

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &["--node", "none", "--store", "memory"])?;
    cluster.sh("kubectl create configmap stale --from-literal=a=b")?;
    let big = directory.path().join("big");
    std::fs::write(&big, vec![b' '; (3 << 20) + 1])?;
    let setup = credentials(directory.path(), &big);

    for case in CASES {
        let printed = cluster.sh(&format!("{setup} curl -sS $TLS {}", case.request))?;
        let status: Value = serde_json::from_str(&printed)
            .with_context(|| format!("{}: no JSON: {printed}", case.name))?;
        ensure!(status["kind"] == "Status", "{}: {printed}", case.name);
        ensure!(status["code"] == case.code, "{}: {printed}", case.name);
        ensure!(status["reason"] == case.reason, "{}: {printed}", case.name);
        let message = status["message"].as_str().unwrap_or_default();
        ensure!(message.contains(case.message), "{}: {printed}", case.name);
    }
    validation_names_every_cause(&cluster, &setup)?;
    strangers_are_refused(&cluster, &setup)?;
    cluster.stop()
}

/// The administrator's credentials as files, for curl; `$S` is the server.
fn credentials(directory: &std::path::Path, big: &std::path::Path) -> String {
    let at = |name: &str| directory.join(name).display().to_string();
    let get = |path: &str, file: &str| {
        format!(
            "kubectl config view --raw -o jsonpath='{{{path}}}' | base64 -d > {};",
            at(file)
        )
    };
    format!(
        "{} {} {} S=$(kubectl config view --raw -o jsonpath='{{.clusters[0].cluster.server}}'); \
         TLS='--cacert {} --cert {} --key {}'; BIG={};",
        get(".clusters[0].cluster.certificate-authority-data", "ca"),
        get(".users[0].user.client-certificate-data", "cert"),
        get(".users[0].user.client-key-data", "key"),
        at("ca"),
        at("cert"),
        at("key"),
        big.display(),
    )
}

fn validation_names_every_cause(cluster: &Cluster, setup: &str) -> Result<()> {
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"Bad_Name"},"spec":{"restartPolicy":"Sometimes","containers":[{"name":"a"}]}}"#;
    let printed = cluster.sh(&format!(
        "{setup} curl -sS $TLS -X POST $S/api/v1/namespaces/default/pods -H content-type:application/json -d '{pod}'"
    ))?;
    let status: Value = serde_json::from_str(&printed)?;
    let causes = status["details"]["causes"].as_array().context("causes")?;
    let fields: Vec<&str> = causes
        .iter()
        .filter_map(|cause| cause["field"].as_str())
        .collect();
    for field in [
        "metadata.name",
        "spec.containers[0].image",
        "spec.restartPolicy",
    ] {
        ensure!(
            fields.contains(&field),
            "{field} is not among the causes: {printed}"
        );
    }
    Ok(())
}

fn strangers_are_refused(cluster: &Cluster, setup: &str) -> Result<()> {
    let anonymous = cluster.sh(&format!("{setup} curl -sSk $S/api/v1/pods"))?;
    let status: Value = serde_json::from_str(&anonymous)?;
    ensure!(status["code"] == 403, "{anonymous}");
    ensure!(
        status["message"]
            == "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \"\" at the cluster scope",
        "{anonymous}"
    );
    let forged = cluster.sh(&format!(
        "{setup} curl -sSk -H 'Authorization: Bearer forged' $S/api/v1/pods"
    ))?;
    let status: Value = serde_json::from_str(&forged)?;
    ensure!(
        status["code"] == 401 && status["reason"] == "Unauthorized",
        "{forged}"
    );
    Ok(())
}
