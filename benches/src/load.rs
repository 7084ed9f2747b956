//! Many clients doing one thing over and over against a cluster without nodes: what the benchmarks of
//! single operations share.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Parser;
use futures::future::try_join_all;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    client::{Client, Target},
    cluster::Cluster,
    process,
    report::Report,
};

/// The collection that all but pods are written to.
pub const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// The collection of pods.
pub const PODS: &str = "/api/v1/namespaces/default/pods";

/// A cluster that has nothing to do but answer.
pub struct Stage {
    pub cluster: Cluster,
    pub target: Target,
    pub data: PathBuf,
    /// On the same disk as the programs: the default place for temporary files may be memory.
    _directory: TempDir,
}

impl Stage {
    /// Starts a cluster without nodes.
    pub fn open(options: &[&str]) -> Result<Stage> {
        let directory = tempfile::tempdir_in(".")?;
        let data = directory.path().canonicalize()?.join("cluster");
        let cluster = Cluster::start(&data, &[&["--node", "none"], options].concat())?;
        let target = Target::from_kubeconfig(&cluster.kubeconfig())?;
        Ok(Stage {
            cluster,
            target,
            data,
            _directory: directory,
        })
    }

    /// A cluster of which only the server runs, so that pods stay as they are.
    pub async fn open_for_pods() -> Result<Stage> {
        let stage = Stage::open(&["--without", "scheduler,controllers"])?;
        // Pods need it, and no controller is there to make it.
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
        let accounts = "/api/v1/namespaces/default/serviceaccounts";
        let mut client = stage.target.connect().await?;
        client
            .call(Method::POST, accounts, account.to_string())
            .await?;
        Ok(stage)
    }

    /// CPU time that the cluster has used.
    pub fn cpu(&self) -> Result<Duration> {
        process::cpu(self.cluster.pid())
    }

    /// Resident memory of the cluster in MiB.
    pub fn rss_mib(&self) -> Result<f64> {
        process::rss_mib(self.cluster.pid())
    }
}

/// How much is done, by how many.
#[derive(Parser)]
pub struct Load {
    /// Operations to measure
    #[arg(long, default_value_t = 20_000)]
    pub count: usize,
    /// Concurrent clients
    #[arg(long, default_value_t = 16)]
    pub clients: usize,
    /// Bytes of each object's value
    #[arg(long, default_value_t = 1024)]
    pub size: usize,
}

/// One operation: the client's number, and how many it has done.
#[derive(Clone, Copy)]
pub struct Turn {
    pub client: usize,
    pub index: usize,
}

/// What a load took.
pub struct Work {
    pub latencies: Vec<Duration>,
    pub elapsed: Duration,
    pub cpu: Duration,
}

/// Objects that each client works on in turn.
const OBJECTS: usize = 100;

impl Turn {
    /// The name of the object that it is about, of those that [`Load::fill`] makes.
    pub fn name(self) -> String {
        format!("bench-{}-{}", self.client, self.index % OBJECTS)
    }

    /// Its path.
    pub fn path(self) -> String {
        format!("{CONFIG_MAPS}/{}", self.name())
    }
}

impl Load {
    /// A ConfigMap with this name and a value that differs from turn to turn.
    pub fn config_map(&self, name: &str, turn: Turn) -> Value {
        let value = format!("{:0>width$}", turn.index, width = self.size);
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": name },
            "data": { "value": value },
        })
    }

    /// Makes the objects to work on.
    pub async fn fill(&self, stage: &Stage) -> Result<()> {
        let all = Load {
            count: self.clients * OBJECTS,
            ..*self
        };
        all.run(stage, async |client, turn| {
            let object = self.config_map(&turn.name(), turn);
            client
                .call(Method::POST, CONFIG_MAPS, object.to_string())
                .await
                .map(drop)
        })
        .await
        .map(drop)
    }

    /// Lets every client do its share, each on a connection of its own.
    pub async fn run(
        &self,
        stage: &Stage,
        operation: impl AsyncFn(&mut Client, Turn) -> Result<()>,
    ) -> Result<Work> {
        let operation = &operation;
        let (before, started) = (stage.cpu()?, Instant::now());
        let shares = (0..self.clients).map(|client| async move {
            let mut connection = stage.target.connect().await?;
            let mut latencies = Vec::with_capacity(self.count / self.clients);
            for index in 0..self.count / self.clients {
                let sent = Instant::now();
                operation(&mut connection, Turn { client, index }).await?;
                latencies.push(sent.elapsed());
            }
            anyhow::Ok(latencies)
        });
        let latencies = try_join_all(shares).await?.concat();
        Ok(Work {
            latencies,
            elapsed: started.elapsed(),
            cpu: stage.cpu()? - before,
        })
    }

    /// Prints the line of a benchmark.
    pub async fn report(&self, name: &str, stage: &Stage, work: Work) -> Result<()> {
        let done = work.latencies.len();
        let mut report = Report::new(name, &stage.data);
        report
            .set("clients", self.clients)
            .set("count", done)
            .set("value_bytes", self.size);
        report.set("per_s", (done as f64 / work.elapsed.as_secs_f64()).round());
        report.set("cpu_us_each", micros_each(work.cpu, done));
        report.set("rss_mib", stage.rss_mib()?.round());
        report.set("fsyncs", stage.cluster.fsyncs().await?);
        report.latencies(work.latencies).print();
        Ok(())
    }
}

/// A whole benchmark of one operation, with the load that the command line asks for.
pub async fn measure(
    name: &str,
    operation: impl AsyncFn(&Load, &mut Client, Turn) -> Result<()>,
) -> Result<()> {
    let load = Load::parse();
    let stage = Stage::open(&[])?;
    load.fill(&stage).await?;
    let work = load.run(&stage, async |client, turn| {
        operation(&load, client, turn).await
    });
    let work = work.await?;
    load.report(name, &stage, work).await
}

/// Microseconds of CPU for each of so many.
pub fn micros_each(cpu: Duration, count: usize) -> f64 {
    (cpu.as_secs_f64() * 1e8 / count as f64).round() / 100.0
}

/// A pod as people write them.
pub fn pod(number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": format!("pod-{number}"), "labels": { "app": "bench" } },
        "spec": { "containers": [{
            "name": "main",
            "image": "localhost/kuard:blue",
            "env": [{ "name": "GREETING", "value": "hello" }],
            "resources": { "requests": { "cpu": "10m", "memory": "16Mi" } },
        }] },
    })
}

/// Makes so many pods with 16 clients.
pub async fn make_pods(stage: &Stage, count: usize) -> Result<()> {
    let load = Load {
        count,
        clients: 16,
        size: 0,
    };
    load.run(stage, async |client, turn| {
        let pod = pod(turn.index * 16 + turn.client);
        client
            .call(Method::POST, PODS, pod.to_string())
            .await
            .map(drop)
    })
    .await
    .map(drop)
}
