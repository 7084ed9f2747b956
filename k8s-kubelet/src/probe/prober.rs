//! The tasks that probe one pod's running containers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::core::v1::{Container, ObjectReference, Pod, Probe},
    jiff::Timestamp,
};
use k8s_runtime::EventRecorder;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{Fatal, Outcome, Verdict, Verdicts, exec, grpc, http, port, tcp};
use crate::{
    cri::{ContainerState, Runtime},
    event::Event,
    pleg::PodView,
    pod::ephemeral,
};

/// The probes of one pod. Dropping it ends them.
pub(crate) struct Probes {
    runtime: Arc<dyn Runtime>,
    recorder: EventRecorder,
    events: mpsc::Sender<Event>,
    uid: String,
    verdicts: Arc<Mutex<HashMap<String, Verdict>>>,
    /// By runtime container id.
    tasks: HashMap<String, JoinSet<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Startup,
    Liveness,
    Readiness,
}

impl Probes {
    pub(crate) fn new(
        uid: &str,
        runtime: Arc<dyn Runtime>,
        recorder: EventRecorder,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            runtime,
            recorder,
            events,
            uid: uid.to_owned(),
            verdicts: Arc::default(),
            tasks: HashMap::new(),
        }
    }

    /// Probes exactly the containers that run now. `pod_ip` is asked by probes that name no host.
    pub(crate) fn follow(&mut self, pod: &Pod, view: &PodView, pod_ip: &str) {
        let is_running = |id: &str| {
            let container = view.container(id);
            container.is_some_and(|container| container.state == ContainerState::Running)
        };
        self.tasks.retain(|id, _| is_running(id));
        self.verdicts().retain(|id, _| is_running(id));
        let Some(spec) = &pod.spec else { return };
        for container in spec
            .init_containers
            .iter()
            .flatten()
            .chain(&spec.containers)
        {
            let probes = [
                (Purpose::Startup, &container.startup_probe),
                (Purpose::Liveness, &container.liveness_probe),
                (Purpose::Readiness, &container.readiness_probe),
            ];
            if probes.iter().all(|(_, probe)| probe.is_none()) {
                continue;
            }
            let Some(run) = view
                .latest(&container.name)
                .filter(|run| is_running(&run.id))
            else {
                continue;
            };
            if self.tasks.contains_key(&run.id) {
                continue;
            }
            let has_startup = container.startup_probe.is_some();
            let verdict = Verdict {
                is_started: !has_startup,
                is_ready: container.readiness_probe.is_none(),
                fatal: None,
            };
            self.verdicts().insert(run.id.clone(), verdict);
            let (started, _) = watch::channel(!has_startup);
            let started = Arc::new(started);
            let mut tasks = JoinSet::new();
            for (purpose, probe) in probes {
                let Some(probe) = probe else { continue };
                let prober = Prober {
                    purpose,
                    probe: probe.clone(),
                    container: container.clone(),
                    id: run.id.clone(),
                    pod_ip: pod_ip.to_owned(),
                    since: run.started_at,
                    about: about(pod, &container.name),
                    uid: self.uid.clone(),
                    runtime: self.runtime.clone(),
                    recorder: self.recorder.clone(),
                    events: self.events.clone(),
                    verdicts: self.verdicts.clone(),
                    started: started.clone(),
                };
                tasks.spawn(prober.run());
            }
            self.tasks.insert(run.id.clone(), tasks);
        }
    }

    /// What the probes have found so far.
    pub(crate) fn snapshot(&self) -> Verdicts {
        Verdicts(self.verdicts().clone())
    }

    fn verdicts(&self) -> std::sync::MutexGuard<'_, HashMap<String, Verdict>> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reference to a container within its pod, as events carry it.
pub(crate) fn about(pod: &Pod, name: &str) -> ObjectReference {
    let spec = pod.spec.as_ref();
    let is_init = spec.is_some_and(|spec| {
        let mut init = spec.init_containers.iter().flatten();
        init.any(|other| other.name == name)
    });
    let is_ephemeral = spec.is_some_and(|spec| ephemeral::is_ephemeral(spec, name));
    let list = match (is_init, is_ephemeral) {
        (true, _) => "initContainers",
        (_, true) => "ephemeralContainers",
        _ => "containers",
    };
    ObjectReference {
        field_path: Some(format!("spec.{list}{{{name}}}")),
        ..k8s_runtime::reference(pod)
    }
}

/// One probe of one run of a container.
struct Prober {
    purpose: Purpose,
    probe: Probe,
    container: Container,
    id: String,
    pod_ip: String,
    since: Option<Timestamp>,
    about: ObjectReference,
    uid: String,
    runtime: Arc<dyn Runtime>,
    recorder: EventRecorder,
    events: mpsc::Sender<Event>,
    verdicts: Arc<Mutex<HashMap<String, Verdict>>>,
    started: Arc<watch::Sender<bool>>,
}

impl Prober {
    async fn run(self) {
        if self.purpose != Purpose::Startup {
            // The startup probe gates the others.
            let mut started = self.started.subscribe();
            let _ = started.wait_for(|is_started| *is_started).await;
        }
        let seconds = |value: Option<i32>, default: i32| {
            let value = value.filter(|value| *value > 0).unwrap_or(default);
            Duration::from_secs(u64::try_from(value).unwrap_or(1))
        };
        let delay = seconds(self.probe.initial_delay_seconds, 0);
        let age = self
            .since
            .map(|since| Timestamp::now().duration_since(since));
        let age = age
            .and_then(|age| Duration::try_from(age).ok())
            .unwrap_or_default();
        tokio::time::sleep(delay.saturating_sub(age)).await;

        let period = seconds(self.probe.period_seconds, 10);
        let threshold = |value: Option<i32>, default: u32| {
            value
                .and_then(|value| u32::try_from(value).ok())
                .filter(|value| *value > 0)
                .unwrap_or(default)
        };
        let needed = threshold(self.probe.success_threshold, 1);
        let allowed = threshold(self.probe.failure_threshold, 3);
        let (mut successes, mut failures) = (0, 0);
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.attempt(seconds(self.probe.timeout_seconds, 1)).await {
                Outcome::Success => (successes, failures) = (successes + 1, 0),
                Outcome::Failure(message) => {
                    (successes, failures) = (0, failures + 1);
                    let purpose = self.name();
                    let message = format!("{purpose} probe failed: {message}");
                    self.recorder
                        .warning(self.about.clone(), "Unhealthy", message);
                }
                Outcome::Error(message) => {
                    let purpose = self.name();
                    let message =
                        format!("{purpose} probe errored and resulted in unknown state: {message}");
                    self.recorder
                        .warning(self.about.clone(), "Unhealthy", message);
                    continue;
                }
            }
            if successes >= needed {
                self.conclude(true).await;
                if self.purpose == Purpose::Startup {
                    self.started.send_replace(true);
                    return;
                }
            }
            if failures >= allowed {
                self.conclude(false).await;
                if self.purpose != Purpose::Readiness {
                    return;
                }
            }
        }
    }

    fn name(&self) -> &'static str {
        match self.purpose {
            Purpose::Startup => "Startup",
            Purpose::Liveness => "Liveness",
            Purpose::Readiness => "Readiness",
        }
    }

    async fn attempt(&self, timeout: Duration) -> Outcome {
        let probe = &self.probe;
        if let Some(action) = &probe.exec {
            let command = action.command.clone().unwrap_or_default();
            return exec::run(&*self.runtime, &self.id, &command, timeout).await;
        }
        if let Some(action) = &probe.http_get {
            return http::get(action, &self.container, &self.pod_ip, timeout).await;
        }
        if let Some(action) = &probe.tcp_socket {
            let host = action.host.as_deref().filter(|host| !host.is_empty());
            return match port(&action.port, &self.container) {
                Ok(port) => tcp::dial(host.unwrap_or(&self.pod_ip), port, timeout).await,
                Err(message) => Outcome::Error(message),
            };
        }
        if let Some(action) = &probe.grpc {
            let service = action.service.as_deref().unwrap_or_default();
            let port = u16::try_from(action.port).unwrap_or_default();
            return grpc::check(&self.pod_ip, port, service, timeout).await;
        }
        Outcome::Error("missing probe handler".into())
    }

    /// Notes a finding; wakes the worker if it is news.
    async fn conclude(&self, is_well: bool) {
        let is_news = {
            let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(verdict) = verdicts.get_mut(&self.id) else {
                return;
            };
            let before = *verdict;
            match (self.purpose, is_well) {
                (Purpose::Readiness, is_well) => verdict.is_ready = is_well,
                (Purpose::Startup, true) => verdict.is_started = true,
                (Purpose::Startup, false) => verdict.fatal = Some(Fatal::Startup),
                (Purpose::Liveness, true) => {}
                (Purpose::Liveness, false) => verdict.fatal = Some(Fatal::Liveness),
            }
            *verdict != before
        };
        if is_news {
            let uid = self.uid.clone();
            let _ = self.events.send(Event::Probe { uid }).await;
        }
    }
}
