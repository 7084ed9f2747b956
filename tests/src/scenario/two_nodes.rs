//! A second machine joins with a token: pods reach pods with their own addresses, every node reaches every service,
//! and kubectl reaches into pods wherever they run.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};

use crate::{
    cluster::Cluster,
    leftovers::Footprint,
    node::Node,
    shell::{Outcome, eventually, setting},
};

const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "joiner.0123456789abcdef";
/// The ends of the link between the machines.
const FIRST: &str = "198.19.77.1";
const SECOND: &str = "198.19.77.2";

pub(crate) fn run() -> Result<()> {
    let before = Footprint::observe()?;
    let directory = tempfile::tempdir()?;
    let machine = Machine::make()?;
    let data = directory.path().join("second");
    let server = format!("https://{FIRST}:6443");
    let mut node = Node::new("node-2", &data, &server).inside(&machine.namespace);
    let options = ["--node-name", "node-1", "--token", TOKEN];
    let options = [&options[..], &["--advertise-address", FIRST]].concat();
    let mut cluster = Cluster::start(&directory.path().join("cluster"), &options)?;
    strangers_are_told_nothing(&node)?;
    node.join(Some(TOKEN))?;
    cluster.sh("until kubectl get node node-2; do sleep 0.2; done 2>&1")?;
    cluster.sh("kubectl wait --for=condition=Ready node/node-1 node/node-2 --timeout=60s")?;
    cluster.sh("kubectl apply -f tests/testdata/two-nodes.yaml")?;
    cluster.sh("kubectl wait --for=condition=Ready pod/one pod/two --timeout=60s")?;
    pods_reach_pods(&cluster)?;
    everybody_reaches_services(&cluster, &node)?;
    for kubectl in ["KUBECTL_32", "KUBECTL"] {
        kubectl_reaches_into(&cluster, &setting(kubectl)?, directory.path())?;
    }
    a_node_comes_back_without_token(&cluster, &mut node)?;
    node.teardown()?;
    cluster.teardown()?;
    drop(machine);
    before.check_nothing_new("by two nodes")
}

/// Who holds no token of the cluster's joins nothing.
fn strangers_are_told_nothing(node: &Node) -> Result<()> {
    let said =
        Outcome::from(node.program()?.output()?).expect_failure("joining without a token")?;
    ensure!(said.contains("--token"), "{said}");
    Ok(())
}

/// With their own addresses, both ways, and by name.
fn pods_reach_pods(cluster: &Cluster) -> Result<()> {
    for (from, to) in [("one", "two"), ("two", "one")] {
        let address = |pod| {
            cluster.sh(&format!(
                "kubectl get pod {pod} -o jsonpath={{.status.podIP}}"
            ))
        };
        let (own, other) = (address(from)?, address(to)?);
        let said = ask_from(cluster, from, &other, 9000)?;
        ensure!(
            said == format!("{own} asks {to}\n"),
            "{from} at {own} is {said}"
        );
        let found = cluster.sh(&format!(
            "kubectl exec {from} -c web -- /kuard resolve mirror.default.svc.cluster.local"
        ))?;
        ensure!(!found.trim().is_empty(), "{from} finds no name");
    }
    Ok(())
}

fn ask_from(cluster: &Cluster, pod: &str, address: &str, port: u16) -> Result<String> {
    let ask = format!("timeout 5 cat < /dev/tcp/{address}/{port}");
    cluster.sh(&format!("kubectl exec {pod} -c mirror -- bash -c '{ask}'"))
}

/// Each pod behind the service answers each pod and each machine, at the service's address and at any node's port.
fn everybody_reaches_services(cluster: &Cluster, node: &Node) -> Result<()> {
    let service = cluster.sh("kubectl get service mirror -o jsonpath={.spec.clusterIP}")?;
    let places = [(&*service, 80), (FIRST, 30900), (SECOND, 30900)];
    for (address, port) in places {
        let ask = format!("timeout 5 cat < /dev/tcp/{address}/{port}");
        let from_one = || cluster.sh(&format!("bash -c '{ask}'"));
        let from_two = || node.sh(&ask);
        both_answer(&format!("node-1 at {address}:{port}"), from_one)?;
        both_answer(&format!("node-2 at {address}:{port}"), from_two)?;
        for pod in ["one", "two"] {
            let from_pod = || ask_from(cluster, pod, address, port);
            both_answer(&format!("pod {pod} at {address}:{port}"), from_pod)?;
        }
    }
    Ok(())
}

/// Asked often enough, both pods have answered.
fn both_answer(who: &str, mut ask: impl FnMut() -> Result<String>) -> Result<()> {
    let (mut one, mut two) = (false, false);
    for _ in 0..60 {
        let said = ask().with_context(|| who.to_owned())?;
        one |= said.ends_with("asks one\n");
        two |= said.ends_with("asks two\n");
        if one && two {
            return Ok(());
        }
    }
    anyhow::bail!("{who}: one answered: {one}, two answered: {two}")
}

/// Exec, logs, files both ways and a forwarded port, for the pod on the machine that joined.
fn kubectl_reaches_into(cluster: &Cluster, kubectl: &Path, directory: &Path) -> Result<()> {
    let kubectl = kubectl.display();
    let sh = |line: &str| cluster.sh(&line.replace("kubectl ", &format!("{kubectl} ")));
    let said = sh("kubectl exec two -c mirror -- bash -c 'echo $HOSTNAME; exit 3' 2>&1; echo $?")?;
    ensure!(said.starts_with("two\n") && said.ends_with("3\n"), "{said}");
    ensure!(sh("kubectl logs two -c mirror")? == "listening\n");
    let (sent, back) = (directory.join("sent"), directory.join("back"));
    let (sent, back) = (sent.display(), back.display());
    sh(&format!("head -c 20000000 /dev/urandom > {sent}"))?;
    sh(&format!("kubectl cp {sent} two:/data/sent -c mirror"))?;
    sh(&format!("kubectl cp two:/data/sent {back} -c mirror 2>&1"))?;
    sh(&format!("cmp {sent} {back}"))?;
    let forwarded = sh(
        "kubectl port-forward pod/two 19000:9000 > /dev/null & trap \"kill $!\" EXIT; \
         for i in {1..100}; do timeout 5 cat < /dev/tcp/127.0.0.1/19000 && break; sleep 0.1; done 2> /dev/null",
    )?;
    ensure!(forwarded.ends_with("asks two\n"), "{forwarded}");
    Ok(())
}

/// Killed, it takes up its pods again with the certificate that it has.
fn a_node_comes_back_without_token(cluster: &Cluster, node: &mut Node) -> Result<()> {
    let started = "kubectl get pod two -o jsonpath='{.status.containerStatuses[*].containerID}'";
    let before = cluster.sh(started)?;
    node.kill()?;
    node.join(None)?;
    eventually("logs through the node that came back", PATIENCE, || {
        cluster.sh("kubectl logs two -c mirror").map(drop)
    })?;
    let after = cluster.sh(started)?;
    ensure!(before == after, "{before} became {after}");
    Ok(())
}

/// Another machine: a network namespace that is linked to this one.
struct Machine {
    namespace: String,
    link: String,
}

impl Machine {
    fn make() -> Result<Machine> {
        let id = std::process::id() % 100_000;
        let machine = Machine {
            namespace: format!("k8s-second-{id}"),
            link: format!("k8s2nd{id}"),
        };
        let (namespace, link) = (&machine.namespace, &machine.link);
        for line in [
            format!("netns add {namespace}"),
            format!("link add {link} type veth peer name eth0 netns {namespace}"),
            format!("address add {FIRST}/24 dev {link}"),
            format!("link set {link} up"),
            format!("-n {namespace} link set lo up"),
            format!("-n {namespace} address add {SECOND}/24 dev eth0"),
            format!("-n {namespace} link set eth0 up"),
            format!("-n {namespace} route add default via {FIRST}"),
        ] {
            ip(&line)?;
        }
        Ok(machine)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // By itself it would go with its other end, but some time after it.
        let _ = ip(&format!("link delete {}", self.link));
        let _ = ip(&format!("netns delete {}", self.namespace));
    }
}

fn ip(line: &str) -> Result<()> {
    let output = Command::new("ip").args(line.split(' ')).output()?;
    Outcome::from(output).expect_success(line).map(drop)
}
