//! One pod's worker: looks, plans, acts, reports, and waits for the next news.
//!
//! A pod runs until it is deleted, finished or failed; then it *ends* (containers, volumes, group),
//! stays as a terminal pod until the API lets go of it, and is *removed* with its last traces.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, PodStatus};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    actions::{self, Observed},
    backoff::CrashBackoff,
    cleanup, ephemeral,
    kill::Ending,
    last_words,
    mailbox::Mailbox,
    mirror::{self, MirrorAction},
    report::Reporter,
    resize,
    status::{self, Facts, Reason},
    sync::{Syncer, names, uid},
};
use crate::{
    agent::Agent,
    allocation::{self, Allocation, Rejection, ResizeEvent},
    cri::ContainerState,
    event::Event,
    pleg::PodView,
    probe::Probes,
    rotation,
    source::{Following, annotation},
};

/// How often volumes are brought up to date that follow something which tells nobody: tokens grow old.
const VOLUME_UPDATE: Duration = Duration::from_secs(30);
/// The waits after steps that failed.
const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(20);
/// A step follows a step without waiting at most so often: a bound on what a broken runtime costs.
const MAX_STEPS: usize = 16;

/// The worker's state.
pub(crate) struct Worker {
    agent: Arc<Agent>,
    mailbox: Arc<Mailbox>,
    /// Why the node doesn't take the pod, if it doesn't.
    rejection: Option<Rejection>,
    /// The pod as it was last told.
    told: Arc<Pod>,
    /// The pod with the resources that it was promised.
    pod: Arc<Pod>,
    allocation: Allocation,
    /// Whether containers were on their way to other resources.
    is_resizing: bool,
    syncer: Syncer,
    reporter: Reporter,
    probes: Probes,
    /// The pod's ephemeral containers, as containers.
    ephemeral: Arc<[Container]>,
    following: Following,
    /// When the volumes are to be brought up to date.
    volumes_due: Instant,
    last_words: BTreeMap<String, String>,
    /// Why the agent failed the pod, if it did.
    failure: Option<Reason>,
    retry: Duration,
}

impl Worker {
    /// A worker for a pod that the node takes, or doesn't.
    pub(crate) fn new(
        agent: Arc<Agent>,
        mailbox: Arc<Mailbox>,
        rejection: Option<Rejection>,
    ) -> Self {
        let pod = mailbox.pod();
        let checkpoint = agent.allocations.checkpoint(uid(&pod));
        let kept = checkpoint.map(|checkpoint| checkpoint.read());
        Self {
            syncer: Syncer {
                agent: agent.clone(),
                mailbox: mailbox.clone(),
                backoff: CrashBackoff::default(),
                waiting: BTreeMap::new(),
                mounted: None,
                actuated: kept.map(|kept| kept.actuated).unwrap_or_default(),
                resize_error: None,
            },
            reporter: Reporter::new(agent.client.clone(), &pod),
            probes: Probes::new(
                uid(&pod),
                agent.runtime.clone(),
                agent.recorder.clone(),
                agent.events.clone(),
            ),
            ephemeral: Arc::default(),
            following: Following::default(),
            volumes_due: Instant::now() + VOLUME_UPDATE,
            last_words: BTreeMap::new(),
            failure: None,
            retry: FIRST_RETRY,
            agent,
            mailbox,
            rejection,
            told: pod.clone(),
            allocation: Allocation::default(),
            is_resizing: false,
            pod,
        }
    }

    /// Works until the pod is gone, or the agent stops; then leaves everything as it is.
    pub(crate) async fn run(mut self, cancel: CancellationToken) {
        let id = uid(&self.pod).to_owned();
        let events = self.agent.events.clone();
        let work = async {
            if self.is_taken().await {
                self.live().await;
                self.end().await;
                self.agent.allocations.release(uid(&self.pod));
                let _ = self.agent.events.send(Event::Room).await;
            } else {
                self.reject().await;
            }
            self.wait_for_removal().await;
        };
        if cancel.run_until_cancelled(work).await.is_some() {
            let _ = events.send(Event::Finished { uid: id }).await;
        }
    }

    /// Whether the node takes the pod. Labels that were changed a moment ago may not have been seen yet, so they are
    /// looked up before a pod is refused for them.
    async fn is_taken(&mut self) -> bool {
        let Some(rejection) = &self.rejection else {
            return true;
        };
        if rejection.is_about_labels()
            && let Ok(node) = self.agent.node().await
        {
            self.agent.allocations.set_node(Arc::new(node));
            self.rejection = self.agent.allocations.admit(&self.pod).err();
        }
        self.rejection.is_none()
    }

    /// Fails a pod that the node doesn't take.
    async fn reject(&mut self) {
        let Some(rejection) = &self.rejection else {
            return;
        };
        self.mailbox.stop.cancel();
        let about = k8s_runtime::reference(&*self.pod);
        let message = rejection.message.clone();
        self.agent.warning(about, &rejection.reason, message);
        let message = format!("Pod was rejected: {}", rejection.message);
        if !self.agent.pleg.view(uid(&self.pod)).is_empty() {
            // It ran in an earlier life of the agent.
            self.failure = Some(Reason::new(&rejection.reason, message));
            return self.end().await;
        }
        let status = PodStatus {
            phase: Some("Failed".into()),
            reason: Some(rejection.reason.clone()),
            message: Some(message),
            qos_class: Some(k8s_apimachinery::pod::qos::class(&self.pod).to_string()),
            observed_generation: self.pod.metadata.generation,
            ..PodStatus::default()
        };
        while !self.mailbox.is_gone() {
            let pod = self.mailbox.pod();
            if self.reporter.publish(&pod, &status).await.is_ok() {
                return;
            }
            self.rest(Some(Duration::from_secs(1))).await;
        }
    }

    /// Keeps the pod running until it is to end.
    async fn live(&mut self) {
        loop {
            self.see(self.mailbox.pod());
            let untold = self.tend_mirror().await;
            if self.mailbox.stop.is_cancelled() || self.has_ended() {
                return;
            }
            let mut wake = self.steps().await;
            if self.mailbox.stop.is_cancelled() || self.is_over() {
                return;
            }
            wake = earlier(wake, self.update_volumes().await);
            wake = earlier(wake, self.deadline());
            self.rest(earlier(wake, untold)).await;
        }
    }

    /// Sees to it that the API has an image of the pod, if it is a static one; returns when to try again.
    async fn tend_mirror(&mut self) -> Option<Duration> {
        if !annotation::is_static(&self.told) {
            return None;
        }
        let mirror = self.mailbox.mirror();
        match mirror::decide(&self.told, mirror.as_deref()) {
            MirrorAction::Keep => {
                if let Some(mirror) = mirror {
                    self.reporter.follow(&mirror);
                }
                None
            }
            MirrorAction::Create => {
                let image = mirror::image(&self.told, &self.agent.allocations.node());
                let Some(image) = image else {
                    return Some(FIRST_RETRY);
                };
                match self.reporter.create(&image).await {
                    Ok(made) => {
                        self.reporter.follow(&made);
                        self.mailbox.set_mirror(Some(Arc::new(made)));
                        None
                    }
                    Err(_) => Some(LONGEST_RETRY),
                }
            }
            MirrorAction::Delete => {
                let deleted = match mirror {
                    Some(mirror) => self.reporter.delete(&mirror).await,
                    None => Ok(()),
                };
                deleted.err().map(|_| Duration::from_secs(1))
            }
        }
    }

    /// Takes note of the pod's newest state, and of what it refers to.
    fn see(&mut self, pod: Arc<Pod>) {
        if !self.agent.runtime.is_simulated() {
            self.agent.objects.follow(&pod, &mut self.following);
        }
        self.allocation = self.agent.allocations.of(&pod);
        if !Arc::ptr_eq(&pod, &self.told) {
            // Files may show the pod's own labels and annotations.
            self.volumes_due = Instant::now();
        }
        self.ephemeral = pod.spec.iter().flat_map(ephemeral::containers).collect();
        self.reporter.see(&pod);
        self.told = pod;
        self.pod = self.allocation.pod.clone();
    }

    /// Brings volumes up to date that follow the API, if it is time; returns when it will be again.
    async fn update_volumes(&mut self) -> Option<Duration> {
        let view = self.agent.pleg.view(uid(&self.pod));
        let is_real = !self.agent.runtime.is_simulated();
        // Without a sandbox they aren't there yet.
        let is_up = is_real && view.ready_sandbox().is_some();
        if !is_up || !self.agent.volumes.is_live(&self.pod) {
            return None;
        }
        if self.volumes_due <= Instant::now() {
            self.syncer.update_volumes(&self.pod).await;
            self.volumes_due = Instant::now() + VOLUME_UPDATE;
        }
        Some(self.volumes_due.saturating_duration_since(Instant::now()))
    }

    async fn rest(&mut self, wake: Option<Duration>) {
        let timer = async {
            match wake {
                Some(wake) => tokio::time::sleep(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.mailbox.changed() => {}
            () = self.following.changed() => self.volumes_due = Instant::now(),
            () = timer => {}
        }
    }

    /// Steps until there is nothing to do now; returns when to look again.
    async fn steps(&mut self) -> Option<Duration> {
        let (pod, ephemeral) = (self.pod.clone(), self.ephemeral.clone());
        for _ in 0..MAX_STEPS {
            let view = self.look();
            let verdicts = self.probes.snapshot();
            let backoff = self.syncer.backoff.clone();
            let actuated = self.syncer.actuated.clone();
            self.note_resize(&view);
            let plan = actions::plan(Observed {
                pod: &pod,
                ephemeral: &ephemeral,
                view: &view,
                verdicts: &verdicts,
                backoff: &backoff,
                actuated: &actuated,
                now: self.agent.now(),
            });
            self.syncer.note_backoff(&pod, &plan);
            let status = self.status(&view, false);
            if plan.is_idle() {
                self.retry = FIRST_RETRY;
                let told = self.reporter.publish(&pod, &status).await;
                return earlier(plan.wake(), told.err().map(|_| FIRST_RETRY));
            }
            // The API learns what is going on while it goes on.
            let (told, done) = tokio::join!(
                self.reporter.publish(&pod, &status),
                self.syncer.act(&pod, &plan)
            );
            let seen = self.agent.pleg.refresh(uid(&pod)).await;
            if told.is_err() || done.is_err() || seen.is_err() {
                let view = self.look();
                let status = self.status(&view, false);
                let _ = self.reporter.publish(&pod, &status).await;
                let retry = self.retry;
                self.retry = (retry * 2).min(LONGEST_RETRY);
                return Some(retry);
            }
            if self.mailbox.stop.is_cancelled() || self.mailbox.pod() != self.told {
                return Some(Duration::ZERO);
            }
            self.forget_old_runs().await;
        }
        Some(FIRST_RETRY)
    }

    /// Notices when a resize has come to its end.
    fn note_resize(&mut self, view: &PodView) {
        let was_resizing = self.is_resizing;
        self.is_resizing = resize::is_in_progress(&self.pod, view, &self.syncer.actuated);
        if was_resizing && !self.is_resizing {
            let event = ResizeEvent::Completed;
            let generation = self.allocation.generation.or(self.pod.metadata.generation);
            let text = allocation::message(event, &self.pod, generation, "");
            let about = k8s_runtime::reference(&*self.pod);
            self.agent.normal(about, event.reason(), text);
        }
    }

    /// The runtime's newest state, with probes and last words following it.
    fn look(&mut self) -> Arc<PodView> {
        let view = self.agent.pleg.view(uid(&self.pod));
        if self.agent.runtime.is_simulated() {
            return view;
        }
        let is_on_host = self
            .pod
            .spec
            .as_ref()
            .is_some_and(|spec| spec.host_network == Some(true));
        let own = view
            .ready_sandbox()
            .and_then(|sandbox| sandbox.ips.first().cloned());
        let host = self.agent.host_ips().into_iter().next();
        let ip = if is_on_host { host } else { own }.unwrap_or_default();
        self.probes.follow(&self.pod, &view, &ip);

        self.last_words.retain(|id, _| view.container(id).is_some());
        let (namespace, name) = names(&self.pod);
        let config = &self.agent.config;
        let logs = config.pod_logs(namespace, name, uid(&self.pod));
        for run in view
            .containers
            .iter()
            .filter(|run| run.state == ContainerState::Exited)
        {
            self.last_words.entry(run.id.clone()).or_insert_with(|| {
                let log = config.container_log(&logs, &run.name, run.restart_count);
                last_words::read(&config.pod_dir(uid(&self.pod)), run, &log)
            });
        }
        view
    }

    fn status(&self, view: &PodView, is_ending: bool) -> PodStatus {
        let facts = Facts {
            pod: &self.pod,
            ephemeral: &self.ephemeral,
            base: &self.reporter.base,
            view,
            verdicts: &self.probes.snapshot(),
            waiting: &self.syncer.waiting,
            last_words: &self.last_words,
            actuated: &self.syncer.actuated,
            allocation: &self.allocation,
            resize_error: self.syncer.resize_error.as_deref(),
            disruption: self.disruption(),
            host_ips: &self.agent.host_ips(),
            runtime: &self.agent.runtime_name,
            can_recursive_read_only: self.agent.features.recursive_read_only,
            is_ending,
            failure: self.failure.as_ref(),
            now: self.agent.now(),
        };
        status::status(&facts)
    }

    /// Why the pod is put out, if that is because the node is short of something.
    fn disruption(&self) -> Option<String> {
        let eviction = self.mailbox.eviction()?;
        eviction.is_disruption.then_some(eviction.reason.message)
    }

    /// Whether the API says that the pod ended in an earlier life of the agent.
    fn has_ended(&self) -> bool {
        matches!(
            self.reporter.base.phase.as_deref(),
            Some("Succeeded" | "Failed")
        )
    }

    /// Whether the pod has nothing more to run, or has run for too long.
    fn is_over(&mut self) -> bool {
        if self.deadline().is_some_and(|left| left.is_zero()) {
            let message = "Pod was active on the node longer than the specified deadline";
            self.failure = Some(Reason::new("DeadlineExceeded", message));
            self.agent.normal(
                k8s_runtime::reference(&*self.pod),
                "DeadlineExceeded",
                message,
            );
            return true;
        }
        let view = self.agent.pleg.view(uid(&self.pod));
        let spec = self.pod.spec.as_ref();
        spec.is_some_and(|spec| actions::is_finished(spec, &view))
    }

    /// What is left of the pod's active deadline.
    fn deadline(&self) -> Option<Duration> {
        let allowed = self.pod.spec.as_ref()?.active_deadline_seconds?;
        let started = self.reporter.base.start_time.as_ref()?.0;
        let end = Timestamp::from_second(started.as_second().saturating_add(allowed)).ok()?;
        Some(
            end.duration_since(self.agent.now())
                .try_into()
                .unwrap_or_default(),
        )
    }

    /// Keeps the newest run of each container and the one before; removes older ones and their logs.
    async fn forget_old_runs(&mut self) {
        let view = self.agent.pleg.view(uid(&self.pod));
        let given = &mut self.syncer.actuated;
        given.retain(|id, _| view.container(id).is_some());
        let (namespace, name) = names(&self.pod);
        let logs = self.agent.config.pod_logs(namespace, name, uid(&self.pod));
        for (i, run) in view.containers.iter().enumerate() {
            let newer = view.containers[..i]
                .iter()
                .filter(|other| other.name == run.name)
                .count();
            if newer < 2 || run.state != ContainerState::Exited {
                continue;
            }
            if self.agent.runtime.remove_container(&run.id).await.is_ok()
                && !self.agent.runtime.is_simulated()
            {
                let log = self
                    .agent
                    .config
                    .container_log(&logs, &run.name, run.restart_count);
                let _ = rotation::remove(&log);
            }
        }
        for sandbox in view
            .sandboxes
            .iter()
            .skip(1)
            .filter(|sandbox| !sandbox.is_ready)
        {
            let is_empty = view
                .containers
                .iter()
                .all(|run| run.sandbox_id != sandbox.id);
            if is_empty && let Err(error) = self.agent.runtime.remove_sandbox(&sandbox.id).await {
                tracing::debug!(%error, "an old sandbox stays for now");
            }
        }
    }

    /// Ends the pod's containers, then gives back its volumes and group, and reports its end.
    async fn end(&mut self) {
        self.mailbox.stop.cancel();
        let eviction = self.mailbox.eviction();
        if let Some(eviction) = &eviction {
            self.failure.get_or_insert(eviction.reason.clone());
        }
        let ending = Ending::default();
        loop {
            let agent = self.agent.clone();
            if let Err(error) = agent.pleg.refresh(uid(&self.pod)).await {
                tracing::warn!(%error, "the runtime can't be looked at");
                tokio::time::sleep(FIRST_RETRY).await;
                continue;
            }
            self.see(self.mailbox.pod());
            let pod = self.pod.clone();
            let view = agent.pleg.view(uid(&pod));
            let grace = grace(&pod, self.mailbox.is_gone());
            let grace = eviction.as_ref().map_or(grace, |by| by.grace.min(grace));
            let result = tokio::select! {
                result = ending.run(&agent, &pod, &view, grace) => result,
                () = self.shorter(grace) => continue,
            };
            let result = match result {
                Ok(()) => self.stop_sandboxes(&view).await,
                failed => failed,
            };
            match result {
                Ok(()) => break,
                Err(error) => {
                    let message = format!("error killing pod: {error}");
                    agent.warning(k8s_runtime::reference(&*pod), "FailedKillPod", message);
                    tokio::time::sleep(self.retry).await;
                    self.retry = (self.retry * 2).min(LONGEST_RETRY);
                }
            }
        }
        self.release().await;
        self.report_end().await;
    }

    /// Waits until the pod shall end sooner than after `grace`; meanwhile reports how it goes.
    async fn shorter(&mut self, now: Duration) {
        loop {
            let view = self.look();
            let status = self.status(&view, false);
            let _ = self.reporter.publish(&self.pod.clone(), &status).await;
            self.mailbox.changed().await;
            let pod = self.mailbox.pod();
            if grace(&pod, self.mailbox.is_gone()) < now {
                return;
            }
        }
    }

    async fn stop_sandboxes(&self, view: &PodView) -> Result<(), crate::cri::RuntimeError> {
        for sandbox in view.sandboxes.iter().filter(|sandbox| sandbox.is_ready) {
            self.agent.runtime.stop_sandbox(&sandbox.id).await?;
        }
        self.agent.pleg.refresh(uid(&self.pod)).await?;
        Ok(())
    }

    /// Volumes and group; processes may take a moment to leave the group.
    async fn release(&mut self) {
        for wait in [0, 20, 50, 100, 300, 1000, 2000] {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            match self.syncer.release(&self.pod.clone()).await {
                Ok(()) => return,
                Err(error) => tracing::debug!(error, "volumes or group stay for now"),
            }
        }
        tracing::warn!(
            pod = names(&self.pod).1,
            "volumes or group are left to housekeeping"
        );
    }

    async fn report_end(&mut self) {
        loop {
            let view = self.look();
            let status = self.status(&view, true);
            let pod = self.pod.clone();
            let is_over = self.mailbox.is_gone() || self.mailbox.is_withdrawn();
            if is_over || self.reporter.publish(&pod, &status).await.is_ok() {
                return;
            }
            self.rest(Some(Duration::from_secs(1))).await;
        }
    }

    /// Waits until the API lets go of the pod (and asks it to, once deletion has begun), then
    /// removes the last traces.
    async fn wait_for_removal(&mut self) {
        let mut is_asked = false;
        while !self.mailbox.is_gone() && !self.mailbox.is_withdrawn() {
            self.pod = self.mailbox.pod();
            let untold = self.tend_mirror().await;
            let is_deleted = self.pod.metadata.deletion_timestamp.is_some();
            if is_deleted && !is_asked {
                is_asked = self.reporter.delete(&self.pod).await.is_ok();
            }
            let is_pending = is_deleted && !is_asked;
            let wake = is_pending.then_some(Duration::from_secs(1));
            self.rest(earlier(wake, untold)).await;
        }
        if let Some(mirror) = self.mailbox.mirror() {
            // If it stays, the agent's housekeeping finds it without a pod.
            let _ = self.reporter.delete(&mirror).await;
        }
        while let Err(error) = cleanup::ended(&self.agent, &self.pod).await {
            tracing::warn!(pod = names(&self.pod).1, %error, "traces of a pod stay for now");
            tokio::time::sleep(self.retry).await;
            self.retry = (self.retry * 2).min(LONGEST_RETRY);
        }
    }
}

/// How long the pod's containers may take to end.
fn grace(pod: &Pod, is_gone: bool) -> Duration {
    let spec = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.termination_grace_period_seconds);
    let seconds = match pod.metadata.deletion_grace_period_seconds {
        // Deleted by force: nobody waits for it.
        _ if is_gone && pod.metadata.deletion_timestamp.is_none() => 1,
        Some(seconds) => seconds,
        None => spec.unwrap_or(30),
    };
    let seconds = if is_gone { seconds.min(1) } else { seconds };
    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
