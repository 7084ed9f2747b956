//! Every component has an identity of its own, and each is denied what it has no business with.

use anyhow::{Result, ensure};

use crate::{cluster::Cluster, shell::Outcome};

/// Who, in which groups, may, and may not: verb and resource, in the words of `kubectl auth can-i`.
struct Identity {
    user: &'static str,
    groups: &'static [&'static str],
    may: &'static str,
    may_not: &'static [&'static str],
}

const SERVICE_ACCOUNT: &[&str] = &[
    "system:authenticated",
    "system:serviceaccounts",
    "system:serviceaccounts:kube-system",
];

const IDENTITIES: &[Identity] = &[
    Identity {
        user: "system:kube-scheduler",
        groups: &["system:authenticated"],
        may: "create pods/binding",
        may_not: &["delete nodes", "get secrets", "create clusterrolebindings"],
    },
    Identity {
        user: "system:kube-proxy",
        groups: &["system:authenticated"],
        may: "watch endpointslices.discovery.k8s.io",
        may_not: &["get secrets", "delete services", "create pods"],
    },
    Identity {
        user: "system:node:some-node",
        groups: &["system:authenticated", "system:nodes"],
        may: "patch pods/status",
        may_not: &[
            "create deployments.apps",
            "delete namespaces",
            "create clusterrolebindings",
        ],
    },
    Identity {
        user: "system:serviceaccount:kube-system:coredns",
        groups: SERVICE_ACCOUNT,
        may: "list services",
        may_not: &["get secrets", "delete services"],
    },
    Identity {
        user: "system:serviceaccount:kube-system:deployment-controller",
        groups: SERVICE_ACCOUNT,
        may: "create replicasets.apps",
        may_not: &["get secrets", "delete nodes", "create pods/exec"],
    },
    Identity {
        user: "system:serviceaccount:kube-system:replicaset-controller",
        groups: SERVICE_ACCOUNT,
        may: "create pods",
        may_not: &["get secrets", "update deployments.apps"],
    },
    Identity {
        user: "system:serviceaccount:kube-system:endpointslice-controller",
        groups: SERVICE_ACCOUNT,
        may: "create endpointslices.discovery.k8s.io",
        may_not: &["get secrets", "create pods"],
    },
    Identity {
        user: "system:serviceaccount:kube-system:endpoint-controller",
        groups: SERVICE_ACCOUNT,
        may: "create endpoints",
        may_not: &["get secrets", "create pods"],
    },
    Identity {
        user: "system:serviceaccount:kube-system:namespace-controller",
        groups: SERVICE_ACCOUNT,
        may: "delete pods",
        may_not: &["create pods", "create clusterrolebindings"],
    },
    Identity {
        user: "system:serviceaccount:kube-system:generic-garbage-collector",
        groups: SERVICE_ACCOUNT,
        may: "delete pods",
        may_not: &["create pods", "create clusterrolebindings"],
    },
    Identity {
        user: "system:serviceaccount:kube-system:service-account-controller",
        groups: SERVICE_ACCOUNT,
        may: "create serviceaccounts",
        may_not: &["get secrets", "create pods"],
    },
    Identity {
        user: "system:serviceaccount:kube-system:node-controller",
        groups: SERVICE_ACCOUNT,
        may: "patch nodes",
        may_not: &["get secrets", "create pods"],
    },
    Identity {
        user: "system:informer-hub",
        groups: &["system:authenticated"],
        may: "watch pods",
        may_not: &["create pods", "delete pods", "patch nodes"],
    },
];

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let mut cluster = Cluster::start(&data, &["--node", "none", "--store", "memory"])?;
    for identity in IDENTITIES {
        let groups: String = identity
            .groups
            .iter()
            .map(|group| format!(" --as-group={group}"))
            .collect();
        let ask = |what: &str| {
            let (verb, resource) = what.split_once(' ').unwrap_or((what, ""));
            let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
            let sub = if sub.is_empty() {
                String::new()
            } else {
                format!(" --subresource={sub}")
            };
            let line = format!(
                "kubectl auth can-i {verb} {resource}{sub} --namespace=kube-system --as={}{groups}",
                identity.user
            );
            Ok::<_, anyhow::Error>(cluster.bash(&line)?.stdout.trim().to_owned())
        };
        ensure!(
            ask(identity.may)? == "yes",
            "{} may not {}",
            identity.user,
            identity.may
        );
        for what in identity.may_not {
            ensure!(ask(what)? == "no", "{} may {what}", identity.user);
        }
    }
    tokens(&cluster)?;
    cluster.stop()
}

/// A service account's token makes its bearer that account, for as long as there is one.
fn tokens(cluster: &Cluster) -> Result<()> {
    cluster.sh("kubectl create serviceaccount builder")?;
    let token = cluster.sh("kubectl create token builder --duration=10m")?;
    let name = who_am_i(cluster, &token)?.expect_success("whoami")?;
    ensure!(name == "system:serviceaccount:default:builder", "{name}");
    cluster.sh("kubectl delete serviceaccount builder")?;
    let error = who_am_i(cluster, &token)?.expect_failure("a dead account's token")?;
    ensure!(error.contains("Unauthorized"), "{error}");
    Ok(())
}

/// Whom the server takes the bearer of a token for; the administrator's certificate stays out of it.
pub(super) fn who_am_i(cluster: &Cluster, token: &str) -> Result<Outcome> {
    let server = cluster.sh("kubectl config view -o jsonpath='{.clusters[0].cluster.server}'")?;
    cluster.bash(&format!(
        "kubectl auth whoami -o jsonpath='{{.status.userInfo.username}}' --kubeconfig=/dev/null \
         --insecure-skip-tls-verify --server={server} --token={}",
        token.trim()
    ))
}
