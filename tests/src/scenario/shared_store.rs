//! Two control planes on one etcd: what is written through one is read through the other at once, either may be
//! killed, and whoever is left runs the controllers.

use std::{
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{cluster::Cluster, shell::eventually};

/// Writes through either server before, between and after the kills.
const ROUNDS: usize = 5;

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name);
    let _etcd = Etcd::start(&at("etcd"))?;
    let store = format!("etcd={CLIENTS}");
    let whole = ["--node", "hollow", "--store", &store];
    let bare = ["--node", "none", "--store", &store, "--port", "6444"];
    let mut one = Cluster::start(&at("one"), &whole)?;
    let mut other = Cluster::start(&at("other"), &bare)?;
    let leads = leader(&one)?;

    other.sh("kubectl create deployment web --image=localhost/none:1 --replicas=2")?;
    one.sh("kubectl rollout status deployment/web --timeout=60s")?;
    let mut written = 0;
    read_after_write(&one, &other, &mut written)?;
    other.kill()?;
    one.sh("kubectl create configmap meanwhile --from-literal=who=one")?;
    other.resume()?;
    other.sh("kubectl get configmap meanwhile")?;
    read_after_write(&one, &other, &mut written)?;
    ensure!(leader(&one)? == leads, "the leader changed");
    one.kill()?;
    other.sh("kubectl delete configmap meanwhile")?;
    // The lease of who was killed stands still for 15 s before another takes it.
    other.sh("kubectl create deployment late --image=localhost/none:1 --replicas=2")?;
    eventually("the pods are made", Duration::from_secs(60), || {
        let pods = other.sh("kubectl get pods -l app=late -o name")?;
        ensure!(pods.lines().count() == 2, "{pods:?}");
        Ok(())
    })?;
    ensure!(leader(&other)? != leads, "nobody took the lease");
    one.resume()?;
    one.sh("kubectl rollout status deployment/late --timeout=60s")?;
    let gone = one.bash("kubectl get configmap meanwhile")?;
    ensure!(!gone.success, "a deleted object is back: {}", gone.stdout);
    read_after_write(&one, &other, &mut written)?;

    let count = "kubectl get configmaps -o name | grep -c shared-";
    for server in [&one, &other] {
        ensure!(server.sh(count)?.trim() == written.to_string(), "{count}");
    }
    other.stop()?;
    one.stop()
}

/// Who runs the controllers.
fn leader(server: &Cluster) -> Result<String> {
    let lease = "kubectl get lease kube-controller-manager -n kube-system";
    server.sh(&format!("{lease} -o jsonpath={{.spec.holderIdentity}}"))
}

/// Each write through one server is read through the other before anything else happens.
fn read_after_write(one: &Cluster, other: &Cluster, written: &mut usize) -> Result<()> {
    for _ in 0..ROUNDS {
        for (writer, reader) in [(one, other), (other, one)] {
            let name = format!("shared-{written}");
            let read = format!("kubectl get configmap {name} -o jsonpath={{.data.n}}");
            writer.sh(&format!(
                "kubectl create configmap {name} --from-literal=n=1"
            ))?;
            ensure!(reader.sh(&read)? == "1", "{name} is stale");
            let change =
                format!("kubectl patch configmap {name} -p '{{\"data\":{{\"n\":\"2\"}}}}'");
            reader.sh(&change)?;
            ensure!(writer.sh(&read)? == "2", "{name} is stale");
            *written += 1;
        }
    }
    Ok(())
}

/// The lane's network is its own, so the ports are free.
const CLIENTS: &str = "http://127.0.0.1:2379";

/// An etcd of one member; ends with its owner.
struct Etcd(Child);

impl Etcd {
    fn start(data: &Path) -> Result<Etcd> {
        let log = std::fs::File::create(data.with_extension("log"))?;
        let mut command = Command::new("etcd");
        command.arg("--data-dir").arg(data);
        command.args(["--listen-client-urls", CLIENTS]);
        command.args(["--advertise-client-urls", CLIENTS]);
        let process = command.stdout(Stdio::null()).stderr(log).spawn();
        let etcd = Etcd(process.context("cannot start etcd")?);
        let address = CLIENTS.trim_start_matches("http://");
        eventually("etcd listens", Duration::from_secs(30), || {
            TcpStream::connect(address)?;
            Ok(())
        })?;
        Ok(etcd)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
