//! The in-process cluster: a server on a memory store, and the components that a test asks for.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture};
use k8s_apiserver::{ApiError, ApiServer, User, pki::Pki};
use k8s_controllers::local_path;
use k8s_kubelet::{Kubelet, NodeConfig, hollow::HollowRuntime, source::PodSource};
use k8s_runtime::{Context, Hub, Informer, SystemClock, Watched};
use k8s_scheduler::Scheduler;
use k8s_store::memory::MemoryStore;
use kube::{Api, Client};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long [`Cluster::until`] waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The group whose members administer the cluster.
const ADMINISTRATORS: &str = "kubeadm:cluster-admins";

/// Why a cluster did not start, or did not do what a test waited for.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused to start.
    #[error("the API server did not start")]
    Server(#[from] ApiError),
    /// No controller has this name.
    #[error("no controller is named {name}; there are {known}")]
    NoSuchController {
        /// As it was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A hollow node has no directory to live in.
    #[error("cannot make a directory for hollow nodes")]
    Directory(#[source] std::io::Error),
    /// What was waited for did not come.
    #[error("not within {PATIENCE:?}; the {count} objects are {names}")]
    TimedOut {
        /// How many objects there were at the end.
        count: usize,
        /// Their names.
        names: String,
    },
}

/// What goes into a cluster. The default is an API server alone.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Builder {
    controllers: Vec<String>,
    with_scheduler: bool,
    pki: Option<Arc<Pki>>,
    hollow_nodes: usize,
    with_local_path: bool,
}

impl Builder {
    /// Runs these controllers, by their names in [`k8s_controllers::builtins`].
    pub fn controllers(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        for name in names.into_iter().map(Into::into) {
            if !self.controllers.contains(&name) {
                self.controllers.push(name);
            }
        }
        self
    }

    /// Runs all built-in controllers.
    pub fn all_controllers(self) -> Self {
        let names = k8s_controllers::builtins()
            .iter()
            .map(|controller| controller.name);
        self.controllers(names)
    }

    /// Runs the scheduler.
    pub fn scheduler(mut self) -> Self {
        self.with_scheduler = true;
        self
    }

    /// Has the server sign tokens with these keys, and tell aggregated servers of these authorities.
    /// For controllers that sign; what a test runs itself it hands them to as well.
    pub fn pki(mut self, pki: Arc<Pki>) -> Self {
        self.pki = Some(pki);
        self
    }

    /// Runs so many nodes that only say that they run containers, named `hollow-0` and on; and the
    /// controller `node-lifecycle`, since no pod comes to a node that it hasn't seen ready.
    pub fn hollow_nodes(mut self, count: usize) -> Self {
        self.hollow_nodes = count;
        self.controllers(["node-lifecycle"])
    }

    /// Makes volumes in directories of the hollow nodes, and makes that the default class.
    pub fn local_path(mut self) -> Self {
        self.with_local_path = true;
        self
    }

    /// Starts it. The server answers when this returns; the components are starting.
    pub async fn start(self) -> Result<Cluster, Error> {
        let controllers = self.chosen()?;
        let cancel = CancellationToken::new();
        let mut server = ApiServer::builder(Arc::new(MemoryStore::new()))
            .advertise([192, 0, 2, 1].into(), 6443)
            .stop_with(cancel.child_token());
        if !self
            .controllers
            .iter()
            .any(|name| name == "service-account")
        {
            server = server.without_service_accounts();
        }
        if let Some(pki) = &self.pki {
            server = server
                .sign_tokens_with(pki.token_key())
                .publish_authorities(pki);
        }
        let server = server.build().await?;
        let hub = Hub::new(server.client(User::new("system:informer-hub")));
        let mut cluster = Cluster {
            server,
            hub,
            cancel,
            tasks: JoinSet::new(),
            directory: None,
        };
        for controller in controllers {
            let user = User::service_account("kube-system", controller.account);
            cluster.tasks.spawn((controller.run)(cluster.context(user)));
        }
        if self.with_scheduler {
            let ctx = cluster.context(User::new("system:kube-scheduler"));
            cluster
                .tasks
                .spawn(async move { Scheduler::builder(ctx).build().run().await });
        }
        if self.hollow_nodes > 0 {
            let directory = scratch().map_err(Error::Directory)?;
            if self.with_local_path {
                cluster.run_local_path(self.hollow_nodes, &directory);
            }
            cluster.run_hollow_nodes(self.hollow_nodes, directory);
        }
        Ok(cluster)
    }

    fn chosen(&self) -> Result<Vec<&'static k8s_controllers::Builtin>, Error> {
        let all = k8s_controllers::builtins();
        let find = |name: &String| {
            all.iter()
                .find(|controller| controller.name == name)
                .ok_or_else(|| {
                    let known: Vec<&str> = all.iter().map(|controller| controller.name).collect();
                    Error::NoSuchController {
                        name: name.clone(),
                        known: known.join(", "),
                    }
                })
        };
        self.controllers.iter().map(find).collect()
    }
}

/// A running cluster; dropping it stops everything.
pub struct Cluster {
    server: ApiServer,
    hub: Hub,
    cancel: CancellationToken,
    tasks: JoinSet<()>,
    directory: Option<PathBuf>,
}

impl Cluster {
    /// A cluster to be put together.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A client that may do everything, in the namespace `default`.
    pub fn client(&self) -> Client {
        self.client_as(User::new("admin").in_group(ADMINISTRATORS))
    }

    /// A client that may do what RBAC grants this user.
    pub fn client_as(&self, user: User) -> Client {
        self.server.client(user)
    }

    /// The server, for what a client can't reach.
    pub fn server(&self) -> &ApiServer {
        &self.server
    }

    /// What a component needs to run in this cluster: shared informers, and a client of its own.
    pub fn context(&self, user: User) -> Context {
        Context {
            client: self.server.client(user),
            hub: self.hub.clone(),
            cancel: self.cancel.child_token(),
            clock: Arc::new(SystemClock),
        }
    }

    /// Runs a component of the test's own until the cluster stops: an operator under test.
    pub fn run(&mut self, user: User, component: impl FnOnce(Context) -> BoxFuture<'static, ()>) {
        let component = component(self.context(user));
        self.tasks.spawn(component);
    }

    /// Waits until the objects of a collection are as wanted: looks at every change, polls nothing.
    pub async fn until<K: Watched>(
        &self,
        api: &Api<K>,
        wanted: impl Fn(&[Arc<K>]) -> bool,
    ) -> Result<Vec<Arc<K>>, Error> {
        let informer = Informer::new(api.clone());
        let mut changes = informer.subscribe();
        let watching = informer.run(self.cancel.child_token());
        let waiting = async {
            informer.synced().await;
            loop {
                let objects = informer.store().list();
                if wanted(&objects) || changes.next().await.is_none() {
                    return objects;
                }
            }
        };
        let outcome = tokio::select! {
            () = watching => None,
            outcome = tokio::time::timeout(PATIENCE, waiting) => outcome.ok(),
        };
        outcome.ok_or_else(|| {
            let objects = informer.store().list();
            let names = objects
                .iter()
                .map(|object| object.meta().name.clone().unwrap_or_default());
            Error::TimedOut {
                count: objects.len(),
                names: names.collect::<Vec<_>>().join(", "),
            }
        })
    }

    /// Stops all components, then the server; returns when they have ended.
    pub async fn stop(mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.server.stop().await;
    }

    fn run_hollow_nodes(&mut self, count: usize, directory: PathBuf) {
        let source = PodSource::new(&self.hub);
        for index in 0..count {
            let name = hollow(index);
            let cidr = format!("10.{}.{}.0/24", 244 + index / 256, index % 256);
            let mut config = NodeConfig::new(&name, directory.join(&name));
            config.internal_ip = [192, 0, 2, 1].into();
            config.pod_cidr = Some(cidr.clone());
            let ctx = self.context(User::node(&name));
            let node = Kubelet::new(ctx, config, Arc::new(HollowRuntime::new(&cidr)))
                .with_source(source.clone());
            self.tasks.spawn(async move {
                if let Err(error) = node.run().await {
                    tracing::error!(%error, name, "a hollow node ended");
                }
            });
        }
        self.directory = Some(directory);
    }

    fn run_local_path(&mut self, nodes: usize, directory: &Path) {
        let directories = directory.join("volumes");
        let directories = local_path::NodeDirectories::new(directories, (0..nodes).map(hollow));
        let user = User::service_account("kube-system", local_path::ACCOUNT);
        let ctx = self.context(user);
        self.tasks.spawn(async move {
            if let Err(error) = local_path::install(&ctx.client).await {
                tracing::error!(%error, "no class of local volumes");
            }
            local_path::run(ctx, Arc::new(directories)).await;
        });
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.cancel.cancel();
        if let Some(directory) = &self.directory {
            // What is left is a temporary directory without anything in it that matters.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

fn hollow(index: usize) -> String {
    format!("hollow-{index}")
}

/// A directory of this cluster's own among the temporary ones.
fn scratch() -> std::io::Result<PathBuf> {
    use std::sync::atomic::{AtomicU64, Ordering};
    /// Tells several clusters of one process apart.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let directory =
        std::env::temp_dir().join(format!("k8s-testkit-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}
