//! etcd as a child process, in a directory that goes away with it.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use k8s_store::{
    Store,
    etcd::{EtcdOptions, EtcdStore},
};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// One member, which may be stopped and started again.
pub(crate) struct Server {
    name: String,
    dir: TempDir,
    /// What runs etcd: itself, or a program that prepares its surroundings first and becomes it.
    launcher: Vec<String>,
    arguments: Vec<String>,
    url: String,
    child: Option<Child>,
    frozen: bool,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    listener.local_addr().expect("it is bound").port()
}

impl Server {
    /// A cluster of one, running.
    pub(crate) fn start() -> Self {
        Self::start_on("http", &[])
    }

    /// The same over TLS, with the arguments that it takes.
    pub(crate) fn start_securely(arguments: &[String]) -> Self {
        Self::start_on("https", arguments)
    }

    fn start_on(scheme: &str, arguments: &[String]) -> Self {
        let client = format!("{scheme}://127.0.0.1:{}", free_port());
        let peer = format!("http://127.0.0.1:{}", free_port());
        let mut server = Server::new("one", &client, &peer, &format!("one={peer}"));
        server.arguments.extend_from_slice(arguments);
        server.run();
        server
    }

    /// A member of a cluster, not yet running.
    pub(crate) fn new(name: &str, client: &str, peer: &str, cluster: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let options = [
            ("--name", name),
            ("--listen-client-urls", client),
            ("--advertise-client-urls", client),
            ("--listen-peer-urls", peer),
            ("--initial-advertise-peer-urls", peer),
            ("--initial-cluster", cluster),
            ("--log-level", "error"),
        ];
        let arguments = options
            .iter()
            .flat_map(|(name, value)| [name.to_string(), value.to_string()]);
        Server {
            name: name.to_owned(),
            arguments: arguments.collect(),
            dir,
            launcher: vec![std::env::var("ETCD").unwrap_or_else(|_| "etcd".to_owned())],
            url: client.to_owned(),
            child: None,
            frozen: false,
        }
    }

    /// The same through a program that ends as etcd, which it finds with its arguments at the end of its own.
    pub(crate) fn behind(mut self, launcher: &[&str]) -> Self {
        let launcher = launcher.iter().map(|word| word.to_string());
        self.launcher.splice(..0, launcher);
        self
    }

    /// Where its clients find it, if that isn't where it listens.
    pub(crate) fn reached_at(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    pub(crate) fn run(&mut self) {
        let program = &self.launcher[0];
        let log = fs::File::options();
        let log = log
            .clone()
            .create(true)
            .append(true)
            .open(self.dir.path().join("log"));
        let child = Command::new(program)
            .args(&self.launcher[1..])
            .arg("--data-dir")
            .arg(self.dir.path().join("data"))
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(log.expect("a log"))
            .spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
        self.child = Some(child);
    }

    /// Ends it at once; its data stay.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("SIGKILL");
            child.wait().expect("it ends");
        }
    }

    /// Freezes it: its connections stay, and nothing comes out of them.
    pub(crate) fn stop(&mut self) {
        self.signal("STOP");
        self.frozen = true;
    }

    /// Lets it go on where it was.
    pub(crate) fn resume(&mut self) {
        self.signal("CONT");
        self.frozen = false;
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status();
        assert!(sent.expect("a kill program").success());
    }

    /// The process.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some() && !self.frozen
    }

    /// Whether it says that it leads the cluster.
    pub(crate) async fn leads(&self) -> bool {
        let asked = async {
            let mut client = etcd_client::Client::connect([&self.url], None).await?;
            client.status().await
        };
        match timeout(Duration::from_secs(1), asked).await {
            Ok(Ok(status)) => status.leader() == status.header().expect("a header").member_id(),
            _ => false,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// An engine of its own for this server.
    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        Arc::new(connect(&[self]).await)
    }
}

/// An engine for a cluster that compacts nothing by itself.
pub(crate) async fn connect(servers: &[&Server]) -> EtcdStore {
    let mut options = EtcdOptions::new(servers.iter().map(|server| server.url()));
    options.compact_every = None;
    EtcdStore::connect(options).await.unwrap_or_else(|error| {
        let logs = servers.iter().map(|server| {
            let log = fs::read_to_string(server.dir.path().join("log")).unwrap_or_default();
            format!("{}:\n{log}", server.name)
        });
        panic!("{error}\n{}", logs.collect::<String>())
    })
}

/// The number of the member that a majority follows.
pub(crate) async fn leader(members: &[Server]) -> usize {
    loop {
        for (number, member) in members.iter().enumerate() {
            if member.is_running() && member.leads().await {
                return number;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
