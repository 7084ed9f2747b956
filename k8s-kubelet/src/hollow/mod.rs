//! A runtime without containers: for scale, for tests, and for machines without root.
//!
//! Every image 'runs'. Containers that are restarted whenever they end run on; all others exit with 0
//! after 100 ms, unless told otherwise. Nothing ticks: a container's end is a point in time that
//! is found to have passed, and one stream per runtime sleeps until the next.

mod address;
mod forward;
mod state;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt;
use k8s_runtime::{Clock, SystemClock};
use tokio::{io::DuplexStream, sync::Notify, time::Instant};

use crate::cri::{
    Change, Changes, Container, ExecOutput, Features, Image, ImageDisk, PodUsage, Runtime,
    RuntimeCondition, RuntimeError, Sandbox, StreamServer, Streams, Version,
    api::{self, ContainerConfig, PodSandboxConfig},
    label,
};
use state::State;

/// How a pretended container behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// How long its start takes.
    pub start_delay: Duration,
    /// The start fails, with this message.
    pub start_failure: Option<String>,
    /// How long it runs; for ever when `None`.
    pub runs_for: Option<Duration>,
    /// What it exits with by itself.
    pub exit_code: i32,
    /// What it uses while it runs.
    pub usage: Usage,
}

/// What a pretended container uses while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, in thousandths of a core.
    pub milli_cpu: u64,
    /// Memory, in bytes.
    pub memory: u64,
}

impl Behaviour {
    /// Starts at once and runs until stopped.
    pub fn run_on() -> Self {
        Self {
            start_delay: Duration::ZERO,
            start_failure: None,
            runs_for: None,
            exit_code: 0,
            usage: Usage::default(),
        }
    }

    /// Starts at once and exits with `exit_code` after a time.
    pub fn exit_after(runs_for: Duration, exit_code: i32) -> Self {
        Self {
            runs_for: Some(runs_for),
            exit_code,
            ..Self::run_on()
        }
    }

    /// The default: containers that are restarted whenever they end run on, others exit with 0 after
    /// 100 ms.
    pub fn usual(config: &ContainerConfig) -> Self {
        match config
            .annotations
            .get(label::RESTART_POLICY)
            .map(String::as_str)
        {
            None | Some("Always") => Self::run_on(),
            Some(_) => Self::exit_after(Duration::from_millis(100), 0),
        }
    }
}

type Behave = Arc<dyn Fn(&ContainerConfig) -> Behaviour + Send + Sync>;

/// Who listens on a sandbox's ports: the near end of a connection, if anybody does.
pub type Listeners = Arc<dyn Fn(&Sandbox, u16) -> Option<DuplexStream> + Send + Sync>;

/// The runtime of a hollow node. Cheap to clone; all clones are one runtime.
#[derive(Clone)]
pub struct HollowRuntime {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    news: Notify,
    behave: Behave,
    listeners: Listeners,
    clock: Arc<dyn Clock>,
}

impl HollowRuntime {
    /// A runtime that gives pods distinct addresses out of a range such as `10.244.1.0/24`.
    pub fn new(pod_cidr: &str) -> Self {
        Self::with(pod_cidr, Behaviour::usual, Arc::new(SystemClock))
    }

    /// A runtime whose containers behave as told, dated by a clock. Nobody listens on their ports.
    pub fn with(
        pod_cidr: &str,
        behave: impl Fn(&ContainerConfig) -> Behaviour + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self::listening(pod_cidr, behave, Arc::new(|_, _| None), clock)
    }

    /// A runtime on whose pods' ports somebody listens.
    pub fn listening(
        pod_cidr: &str,
        behave: impl Fn(&ContainerConfig) -> Behaviour + Send + Sync + 'static,
        listeners: Listeners,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::new(pod_cidr)),
                news: Notify::new(),
                behave: Arc::new(behave),
                listeners,
                clock,
            }),
        }
    }

    /// The resources that a container was made with or given later.
    pub fn resources(&self, id: &str) -> Option<api::LinuxContainerResources> {
        self.state().resources(id)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self
            .shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.settle(Instant::now(), self.shared.clock.now());
        state
    }

    async fn next_change(&self) -> Change {
        loop {
            let next = {
                let mut state = self.state();
                if let Some(uid) = state.changed.pop_first() {
                    return Change::Pod(uid);
                }
                state.next_end()
            };
            let end = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.shared.news.notified() => {}
                () = end => {}
            }
        }
    }
}

#[async_trait]
impl Runtime for HollowRuntime {
    fn is_simulated(&self) -> bool {
        true
    }

    async fn version(&self) -> Result<Version, RuntimeError> {
        Ok(Version {
            name: "hollow".into(),
            version: env!("CARGO_PKG_VERSION").into(),
        })
    }

    async fn features(&self) -> Result<Features, RuntimeError> {
        // Nothing is easier than to pretend.
        Ok(Features {
            recursive_read_only: true,
            image_volumes: true,
        })
    }

    async fn conditions(&self) -> Result<Vec<RuntimeCondition>, RuntimeError> {
        let holds = |type_: &str| RuntimeCondition {
            type_: type_.into(),
            is_true: true,
            ..RuntimeCondition::default()
        };
        Ok(vec![holds("RuntimeReady"), holds("NetworkReady")])
    }

    async fn set_pod_cidr(&self, _: &str) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn changes(&self) -> Option<Changes> {
        let changes = futures::stream::unfold(self.clone(), |runtime| async move {
            let change = runtime.next_change().await;
            Some((change, runtime))
        });
        Some(changes.boxed())
    }

    async fn sandboxes(&self, pod_uid: Option<&str>) -> Result<Vec<Sandbox>, RuntimeError> {
        Ok(self.state().sandboxes(pod_uid))
    }

    async fn containers(&self, pod_uid: Option<&str>) -> Result<Vec<Container>, RuntimeError> {
        Ok(self.state().containers(pod_uid))
    }

    async fn sandbox_ips(&self, id: &str) -> Result<Vec<String>, RuntimeError> {
        self.state().sandbox_ips(id)
    }

    async fn complete(&self, container: &mut Container) -> Result<(), RuntimeError> {
        *container = self.state().container(&container.id)?.clone();
        Ok(())
    }

    async fn run_sandbox(&self, config: &PodSandboxConfig) -> Result<String, RuntimeError> {
        let now = self.shared.clock.now();
        self.state().run_sandbox(config, now)
    }

    async fn stop_sandbox(&self, id: &str) -> Result<(), RuntimeError> {
        let now = self.shared.clock.now();
        self.state().stop_sandbox(id, now);
        self.shared.news.notify_one();
        Ok(())
    }

    async fn remove_sandbox(&self, id: &str) -> Result<(), RuntimeError> {
        let now = self.shared.clock.now();
        self.state().remove_sandbox(id, now);
        Ok(())
    }

    async fn create_container(
        &self,
        sandbox_id: &str,
        config: &ContainerConfig,
        _: &PodSandboxConfig,
    ) -> Result<String, RuntimeError> {
        let behaviour = (self.shared.behave)(config);
        let now = self.shared.clock.now();
        self.state()
            .create_container(sandbox_id, config, behaviour, now)
    }

    async fn start_container(&self, id: &str) -> Result<(), RuntimeError> {
        let behaviour = self.state().behaviour(id)?;
        if !behaviour.start_delay.is_zero() {
            tokio::time::sleep(behaviour.start_delay).await;
        }
        let now = self.shared.clock.now();
        if let Some(message) = behaviour.start_failure {
            self.state().end(id, 128, "StartError", &message, now);
            return Err(RuntimeError::Failed(message));
        }
        self.state().start(id, Instant::now(), now)?;
        self.shared.news.notify_one();
        Ok(())
    }

    async fn stop_container(&self, id: &str, _: Duration) -> Result<(), RuntimeError> {
        let now = self.shared.clock.now();
        self.state().end(id, 0, "", "", now);
        self.shared.news.notify_one();
        Ok(())
    }

    async fn remove_container(&self, id: &str) -> Result<(), RuntimeError> {
        self.state().remove_container(id);
        Ok(())
    }

    async fn update_container(
        &self,
        id: &str,
        resources: &api::LinuxContainerResources,
    ) -> Result<(), RuntimeError> {
        self.state().update_container(id, resources)
    }

    async fn reopen_log(&self, _: &str) -> Result<(), RuntimeError> {
        Ok(())
    }

    async fn exec_sync(
        &self,
        id: &str,
        _: &[String],
        _: Duration,
    ) -> Result<ExecOutput, RuntimeError> {
        self.state().container(id)?;
        Ok(ExecOutput::default())
    }

    async fn exec(&self, _: &str, _: &[String], _: Streams) -> Result<StreamServer, RuntimeError> {
        Err(RuntimeError::Unsupported("exec into a hollow pod"))
    }

    async fn attach(&self, _: &str, _: Streams) -> Result<StreamServer, RuntimeError> {
        Err(RuntimeError::Unsupported("attaching to a hollow pod"))
    }

    async fn port_forward(
        &self,
        sandbox_id: &str,
        _: &[u16],
    ) -> Result<StreamServer, RuntimeError> {
        let sandbox = self.state().sandbox(sandbox_id)?;
        let listeners = self.shared.listeners.clone();
        Ok(StreamServer::Pipe(forward::serve(sandbox, listeners)))
    }

    async fn usage(&self) -> Result<Vec<PodUsage>, RuntimeError> {
        let now = self.shared.clock.now();
        Ok(self.state().usage(now))
    }

    async fn image_disk(&self) -> Result<Option<ImageDisk>, RuntimeError> {
        Ok(None)
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>, RuntimeError> {
        Ok(Some(Image {
            id: reference.to_owned(),
            tags: vec![reference.to_owned()],
            uid: Some(65532),
            ..Image::default()
        }))
    }

    async fn images(&self) -> Result<Vec<Image>, RuntimeError> {
        Ok(Vec::new())
    }

    async fn pull(
        &self,
        reference: &str,
        _: Option<api::AuthConfig>,
        _: &PodSandboxConfig,
    ) -> Result<String, RuntimeError> {
        Ok(reference.to_owned())
    }

    async fn remove_image(&self, _: &str) -> Result<(), RuntimeError> {
        Ok(())
    }
}
