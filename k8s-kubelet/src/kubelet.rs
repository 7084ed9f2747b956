//! The agent: one loop over [`Event`]s that hands pods to their workers.
//!
//! The loop decides nothing about a pod; it only knows who works on what. Whatever the node holds of
//! a pod without a worker, once the API's pods are known, is left over and removed.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{Stream, StreamExt};
use k8s_apimachinery::pod::readiness;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_runtime::{Context, Key};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    agent::Agent,
    allocation,
    config::NodeConfig,
    cri::Runtime,
    error::Error,
    event::Event,
    eviction, image, node,
    pleg::Pleg,
    pod::{cleanup, mailbox::Mailbox, worker::Worker},
    resource::Cgroups,
    rotation,
    server::{Access, Server},
    source::{Manifests, PodSource, annotation},
    volume::{
        csi::{Drivers, node_info::NodeInfo, registration},
        mount,
    },
};

mod static_pod;

use static_pod::Statics;

/// How often leftovers are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(10);
/// Events that may wait for the loop.
const CAPACITY: usize = 256;
/// Workers get this long to come to a stop with the agent.
const STOP: Duration = Duration::from_secs(2);
/// How long the first pods wait for the services that their environment announces.
const SERVICES: Duration = Duration::from_secs(2);

/// The agent of one node.
pub struct Kubelet {
    ctx: Context,
    config: NodeConfig,
    runtime: Arc<dyn Runtime>,
    source: Option<PodSource>,
    server: Option<Server>,
}

impl Kubelet {
    /// An agent that does nothing until it is run. It writes as the context's client, whose identity
    /// should be `system:node:<name>`.
    pub fn new(ctx: Context, config: NodeConfig, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            ctx,
            config,
            runtime,
            source: None,
            server: None,
        }
    }

    /// Takes pods from a source that several nodes share.
    pub fn with_source(mut self, source: PodSource) -> Self {
        self.source = Some(source);
        self
    }

    /// Is served by a server that several nodes share and that the caller runs, instead of by one of
    /// its own.
    pub fn with_server(mut self, server: Server) -> Self {
        self.server = Some(server);
        self
    }

    /// Runs until the context's token is cancelled. Containers run on; the next agent on the same root
    /// directory and runtime adopts them.
    pub async fn run(self) -> Result<(), Error> {
        let Self {
            ctx,
            mut config,
            runtime,
            source,
            server,
        } = self;
        if runtime.is_simulated() {
            // What only pretends to run uses nothing up.
            config.eviction.hard.clear();
            config.eviction.soft.clear();
        }
        std::fs::create_dir_all(&config.root_dir).map_err(|source| Error::Root {
            path: config.root_dir.clone(),
            source,
        })?;
        let thresholds = config.eviction.thresholds()?;
        // As the mount table names it.
        if let Ok(real) = config.root_dir.canonicalize() {
            config.root_dir = real;
        }
        if !runtime.is_simulated() {
            // What is mounted for pods shall be seen by containers, and theirs by the node.
            mount::share(&config.root_dir).map_err(|source| Error::Root {
                path: config.root_dir.clone(),
                source,
            })?;
        }
        let cgroups = match &config.cgroup_root {
            Some(root) if !runtime.is_simulated() => Some(Cgroups::detect(root)?),
            _ => None,
        };
        let mut tasks = JoinSet::new();
        let server = match (server, &config.tls) {
            (Some(shared), _) => Some(shared),
            (None, Some(tls)) => {
                let access = Access::new(ctx.client.clone(), &config.name);
                let server = Server::bind(config.listen, tls, access).await?;
                let (running, cancel) = (server.clone(), ctx.cancel.child_token());
                tasks.spawn(async move { running.run(cancel).await });
                Some(server)
            }
            (None, None) => None,
        };
        if let Some(cidr) = &config.pod_cidr
            && let Err(error) = runtime.set_pod_cidr(cidr).await
        {
            tracing::debug!(%error, "the runtime takes no pod range");
        }
        let pleg = Pleg::new(runtime.clone());
        // What runs already must be known before the first pod is looked at.
        pleg.relist().await?;

        let (events, mut inbox) = mpsc::channel(CAPACITY);
        let drivers = Arc::<Drivers>::default();
        let agent = Agent::start(
            &ctx,
            config,
            runtime,
            pleg.clone(),
            cgroups,
            drivers.clone(),
            events.clone(),
        )
        .await?;
        let agent = Arc::new(agent);
        if let Some(server) = &server {
            server.directory().join(agent.clone());
        }
        let port = server.as_ref().map(|server| server.address().port());
        let node = node::Reporter::new(agent.clone(), port);
        tasks.spawn(node.run(ctx.cancel.child_token()));
        tasks.spawn({
            let cancel = ctx.cancel.child_token();
            async move { pleg.run(events, cancel).await }
        });
        if !agent.runtime.is_simulated() {
            tasks.spawn(rotation::run(agent.clone(), ctx.cancel.child_token()));
            let cancel = ctx.cancel.child_token();
            tasks.spawn(eviction::run(agent.clone(), thresholds, cancel));
            tasks.spawn(image::collect(agent.clone(), ctx.cancel.child_token()));
            tasks.spawn(registration::run(
                agent.config.root_dir.clone(),
                drivers,
                NodeInfo::new(agent.client.clone(), &agent.config.name),
                ctx.cancel.child_token(),
            ));
            let services = ctx.hub.informer::<Service>();
            let _ = tokio::time::timeout(SERVICES, services.synced()).await;
        }
        let source = source.unwrap_or_else(|| PodSource::new(&ctx.hub));
        let mut state = Loop {
            agent: agent.clone(),
            server,
            cancel: ctx.cancel.child_token(),
            workers: HashMap::new(),
            tasks: JoinSet::new(),
            cleaning: HashSet::new(),
            early: Some(Vec::new()),
            statics: Statics::new(agent.config.static_pod_path.is_none()),
            is_unstaging: Arc::default(),
        };
        // Static pods don't wait for the API.
        if let Some(path) = agent.config.static_pod_path.clone() {
            let manifests = Manifests {
                path,
                node: agent.config.name.clone(),
                interval: agent.config.file_check_interval,
                clock: agent.clock.clone(),
            };
            tasks.spawn(manifests.run(agent.events.clone(), ctx.cancel.child_token()));
        }
        let name = agent.config.name.clone();
        let mut pods = pin!(pods_of(&source, &name));
        let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
        loop {
            let event = tokio::select! {
                biased;
                () = ctx.cancel.cancelled() => break,
                Some(event) = pods.next() => event,
                Some(event) = inbox.recv() => event,
                _ = housekeeping.tick() => Event::Housekeeping,
            };
            state.handle(event);
            while state.tasks.try_join_next().is_some() {}
        }
        drop(inbox);
        let stopping = async { while state.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(STOP, stopping).await;
        while tasks.join_next().await.is_some() {}
        state.leave();
        Ok(())
    }
}

/// The changes of a node's pods, once the API has told them all.
fn pods_of(source: &PodSource, node: &str) -> impl Stream<Item = Event> {
    let pods = source.node(node);
    futures::stream::once(pods).flat_map(|receiver| {
        futures::stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        })
    })
}

/// Who works on what.
struct Loop {
    agent: Arc<Agent>,
    server: Option<Server>,
    cancel: CancellationToken,
    /// By pod uid.
    workers: HashMap<String, Arc<Mailbox>>,
    tasks: JoinSet<()>,
    /// Pods whose leftovers are being removed.
    cleaning: HashSet<String>,
    /// Pods that were there when the agent started, until all are known; they are taken in the order of their making.
    early: Option<Vec<Arc<Pod>>>,
    statics: Statics,
    /// Whether devices are being taken from the node.
    is_unstaging: Arc<AtomicBool>,
}

impl Loop {
    fn handle(&mut self, event: Event) {
        match event {
            Event::Pod(pod) if annotation::is_mirror(&pod) => self.mirror(pod),
            Event::Pod(pod) => match &mut self.early {
                Some(early) => early.push(pod),
                None => self.pod(static_pod::sanitize(pod)),
            },
            Event::Static(pods) => self.statics(pods),
            Event::Gone(pod) if annotation::is_mirror(&pod) => self.lose_mirror(&pod),
            Event::Gone(pod) => {
                let uid = pod.metadata.uid.clone().unwrap_or_default();
                if let Some(early) = &mut self.early {
                    early.retain(|early| early.metadata.uid != pod.metadata.uid);
                }
                if let Some(mailbox) = self.workers.get(&uid) {
                    mailbox.gone(pod);
                }
            }
            Event::Synced => {
                let mut early = self.early.take().unwrap_or_default();
                early.sort_by_key(|pod| pod.metadata.creation_timestamp.clone());
                for pod in early {
                    self.pod(static_pod::sanitize(pod));
                }
                self.housekeeping();
            }
            Event::Runtime { uid } | Event::Probe { uid } => {
                if let Some(mailbox) = self.workers.get(&uid) {
                    mailbox.poke();
                }
            }
            Event::Evict { uid, eviction } => {
                if let Some(mailbox) = self.workers.get(&uid) {
                    mailbox.evict(eviction);
                }
            }
            Event::Room => self.retry_resizes(),
            Event::Housekeeping => {
                self.housekeeping();
                self.remove_orphaned_mirrors();
                self.retry_resizes();
            }
            Event::Finished { uid } => {
                self.cleaning.remove(&uid);
                if let (Some(mailbox), Some(server)) = (self.workers.remove(&uid), &self.server) {
                    server.directory().remove(&Key::of(&*mailbox.pod()), &uid);
                }
                self.start_statics();
            }
        }
    }

    fn pod(&mut self, pod: Arc<Pod>) {
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        if let Some(server) = &self.server {
            server.directory().put(pod.clone(), self.agent.clone());
        }
        if let Some(mailbox) = self.workers.get(&uid).cloned() {
            if self.agent.allocations.see(&pod) {
                self.retry_resizes();
            }
            mailbox.put(pod);
            return;
        }
        // One that has ended holds nothing.
        let is_over = readiness::is_terminal(&pod);
        let rejection = match is_over {
            true => None,
            false => self.agent.allocations.admit(&pod).err(),
        };
        let mailbox = Arc::new(Mailbox::new(pod));
        let worker = Worker::new(self.agent.clone(), mailbox.clone(), rejection);
        self.workers.insert(uid, mailbox);
        self.tasks.spawn(worker.run(self.cancel.clone()));
    }

    /// Looks again at the resizes that wait, and tells the workers of those where something changed.
    fn retry_resizes(&self) {
        for (uid, outcome) in self.agent.allocations.retry(self.agent.now()) {
            let Some(mailbox) = self.workers.get(&uid) else {
                continue;
            };
            let pod = mailbox.pod();
            allocation::tell(&self.agent, &pod, &outcome);
            mailbox.poke();
        }
    }

    /// The server, which others may share, serves this node no longer.
    fn leave(&self) {
        if let Some(server) = &self.server {
            server.directory().leave(&self.agent.config.name);
        }
    }

    /// Takes devices from the node whose last pod went while that couldn't be done.
    fn unstage(&mut self) {
        let agent = self.agent.clone();
        if !agent.volumes.has_idle() || self.is_unstaging.swap(true, Ordering::Relaxed) {
            return;
        }
        let (is_unstaging, cancel) = (self.is_unstaging.clone(), self.cancel.clone());
        self.tasks.spawn(async move {
            let work = agent.volumes.unstage_idle();
            cancel.run_until_cancelled(work).await;
            is_unstaging.store(false, Ordering::Relaxed);
        });
    }

    /// Removes what nobody works on.
    fn housekeeping(&mut self) {
        if self.early.is_some() || !self.statics.is_known {
            return;
        }
        self.unstage();
        let found = self
            .agent
            .pleg
            .uids()
            .into_iter()
            .chain(cleanup::traces(&self.agent));
        let leftovers: HashSet<String> = found
            .filter(|uid| !self.workers.contains_key(uid) && !self.cleaning.contains(uid))
            .collect();
        for uid in leftovers {
            self.cleaning.insert(uid.clone());
            let agent = self.agent.clone();
            let cancel = self.cancel.clone();
            self.tasks.spawn(async move {
                tracing::info!(
                    uid,
                    "removing what is left of a pod that the API doesn't know"
                );
                let work = cleanup::leftover(&agent, &uid);
                if let Some(Err(error)) = cancel.run_until_cancelled(work).await {
                    tracing::warn!(uid, %error, "leftovers stay for now");
                }
                let _ = agent.events.send(Event::Finished { uid }).await;
            });
        }
    }
}
