//! The command line, which other tools rely on.

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf, str::FromStr};

use clap::{Parser, ValueEnum};

use crate::{network, token::Token};

/// A Kubernetes cluster in one process.
#[derive(Clone, Debug, Parser)]
#[command(name = "cluster", version)]
pub(crate) struct Args {
    /// State directory: objects, keys, and what nodes need
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: PathBuf,
    /// Where the administrator's kubeconfig is written [default: DATA_DIR/kubeconfig]
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Port of the API
    #[arg(long, default_value_t = 6443)]
    pub(crate) port: u16,
    /// Nodes: cri (this machine), hollow or hollow:N (simulated), none
    #[arg(long, default_value = "cri")]
    pub(crate) node: NodeKind,
    /// Objects are kept in: embedded (DATA_DIR), memory, etcd=URL[,URL]
    #[arg(long, default_value = "embedded")]
    pub(crate) store: StoreKind,
    /// Certificate authority of etcd's servers, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) etcd_cafile: Option<PathBuf>,
    /// Certificate to show to etcd, in PEM
    #[arg(long, value_name = "FILE", requires = "etcd_keyfile")]
    pub(crate) etcd_certfile: Option<PathBuf>,
    /// Key of that certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "etcd_certfile")]
    pub(crate) etcd_keyfile: Option<PathBuf>,
    /// Use this containerd rather than one of the cluster's own
    #[arg(long, value_name = "PATH")]
    pub(crate) containerd_socket: Option<PathBuf>,
    /// Image archives (OCI layout in .tar) to load at start [default: images/ beside this program]
    #[arg(long, value_name = "DIR")]
    pub(crate) image_dir: Option<PathBuf>,
    /// Address at which pods reach the API [default: the one of the default route]
    #[arg(long, value_name = "IP")]
    pub(crate) advertise_address: Option<IpAddr>,
    /// Be a node of the cluster whose API is there, and run no control plane
    #[arg(long, value_name = "https://HOST:PORT")]
    pub(crate) join: Option<String>,
    /// Bootstrap token: lets this machine join; without --join, lets others
    #[arg(long, value_name = "ID.SECRET")]
    pub(crate) token: Option<Token>,
    /// This machine's name as a node [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) node_name: Option<String>,
    /// Levels below which the node puts pods out, such as nodefs.available<10% [default: memory.available<100Mi]
    #[arg(long, value_delimiter = ',', value_name = "SIGNAL<LEVEL,...")]
    pub(crate) eviction_hard: Vec<Level>,
    /// Parts to leave out, so that a stock component can take their place
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART,...")]
    pub(crate) without: Vec<Part>,
    /// What the audit log is to hold: a Policy of audit.k8s.io/v1
    #[arg(long, value_name = "FILE", requires = "audit_log_path")]
    pub(crate) audit_policy_file: Option<PathBuf>,
    /// Where the audit log is written, a line of JSON per event; - is standard output
    #[arg(long, value_name = "FILE", requires = "audit_policy_file")]
    pub(crate) audit_log_path: Option<PathBuf>,
    /// Write all objects of the embedded store to this file, also of a running cluster, and exit
    #[arg(long, value_name = "FILE", conflicts_with_all = ["restore", "teardown", "join"])]
    pub(crate) backup: Option<PathBuf>,
    /// Fill the embedded store of a new DATA_DIR from a backup, and exit
    #[arg(long, value_name = "FILE", conflicts_with = "teardown")]
    pub(crate) restore: Option<PathBuf>,
    /// Remove all that earlier runs on DATA_DIR made, except the data, and exit
    #[arg(long)]
    pub(crate) teardown: bool,
}

impl Args {
    /// What this machine is called as a node.
    pub(crate) fn node_name(&self) -> String {
        self.node_name.clone().unwrap_or_else(network::host_name)
    }

    /// Whether a part is to run.
    pub(crate) fn with(&self, part: Part) -> bool {
        !self
            .without
            .iter()
            .copied()
            .collect::<BTreeSet<_>>()
            .contains(&part)
    }
}

/// A part that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Part {
    Scheduler,
    Controllers,
    Kubelet,
    Proxy,
    Dns,
}

/// What `--node` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NodeKind {
    Cri,
    Hollow(usize),
    None,
}

impl FromStr for NodeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "cri" => Ok(NodeKind::Cri),
            None if text == "hollow" => Ok(NodeKind::Hollow(1)),
            None if text == "none" => Ok(NodeKind::None),
            Some(("hollow", count)) => match count.parse() {
                Ok(count @ 1..) => Ok(NodeKind::Hollow(count)),
                _ => Err(format!("{count} is no count of nodes")),
            },
            _ => Err("expected cri, hollow, hollow:N or none".into()),
        }
    }
}

/// A level of `--eviction-hard`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// What is watched.
    pub(crate) signal: String,
    /// An amount or a percentage.
    pub(crate) value: String,
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (signal, value) = text
            .split_once('<')
            .ok_or_else(|| format!("{text} is no SIGNAL<LEVEL"))?;
        Ok(Level {
            signal: signal.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// What `--store` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreKind {
    Embedded,
    Memory,
    Etcd(Vec<String>),
}

impl FromStr for StoreKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "embedded" => Ok(StoreKind::Embedded),
            None if text == "memory" => Ok(StoreKind::Memory),
            Some(("etcd", urls)) if !urls.is_empty() => Ok(StoreKind::Etcd(
                urls.split(',').map(str::to_owned).collect(),
            )),
            _ => Err("expected embedded, memory or etcd=URL[,URL]".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_form_parses() {
        let args = Args::try_parse_from([
            "cluster",
            "--data-dir",
            "/d",
            "--kubeconfig",
            "/k",
            "--port",
            "1",
            "--node",
            "hollow:3",
            "--store",
            "etcd=http://a:1,http://b:2",
            "--containerd-socket",
            "/s",
            "--image-dir",
            "/i",
            "--advertise-address",
            "192.0.2.1",
            "--without",
            "scheduler,dns",
            "--eviction-hard",
            "memory.available<1Gi,nodefs.available<5%",
            "--audit-policy-file",
            "/p",
            "--audit-log-path",
            "-",
            "--token",
            "abcdef.0123456789abcdef",
            "--node-name",
            "n1",
        ])
        .unwrap();
        assert_eq!(args.node, NodeKind::Hollow(3));
        assert_eq!(
            args.store,
            StoreKind::Etcd(vec!["http://a:1".into(), "http://b:2".into()])
        );
        let levels = ["memory.available<1Gi", "nodefs.available<5%"];
        assert_eq!(
            args.eviction_hard,
            levels.map(|level| level.parse().unwrap())
        );
        assert!(!args.with(Part::Dns) && args.with(Part::Kubelet));
    }

    #[test]
    fn one_thing_is_done_at_a_time() {
        let parse =
            |rest: &[&str]| Args::try_parse_from([&["cluster", "--data-dir", "/d"], rest].concat());
        assert!(parse(&["--backup", "/b"]).is_ok() && parse(&["--restore", "/b"]).is_ok());
        assert!(parse(&["--backup", "/b", "--restore", "/b"]).is_err());
        assert!(parse(&["--restore", "/b", "--teardown"]).is_err());
    }

    #[test]
    fn nonsense_is_refused() {
        for node in ["hollow:0", "hollow:x", "docker", ""] {
            assert!(node.parse::<NodeKind>().is_err(), "{node}");
        }
        for token in ["", "abcdef", "abcdef.0123", "ABCDEF.0123456789abcdef"] {
            assert!(token.parse::<Token>().is_err(), "{token}");
        }
        assert!("memory.available=1Gi".parse::<Level>().is_err());
        for store in ["etcd", "etcd=", "redis"] {
            assert!(store.parse::<StoreKind>().is_err(), "{store}");
        }
    }
}
