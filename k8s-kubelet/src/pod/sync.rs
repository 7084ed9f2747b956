//! Doing what a plan says.
//!
//! What fails is noted as the container's waiting reason and tried again later; what can wait for
//! long (pulls, hooks, missing objects) gives way as soon as the pod is to end.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{Pod, PodIP, PodSpec, ResourceRequirements};

use super::{
    actions::{Plan, SandboxAction, Stop},
    backoff::{CrashBackoff, go_duration},
    hosts,
    mailbox::Mailbox,
    resize::Actuated,
    sandbox::{self, Place},
    status::Reason,
};
use crate::{
    agent::Agent,
    cri::{RuntimeError, api::PodSandboxConfig},
    probe::{self, Fatal},
    resource::limit,
    volume::{Failure, Mounted},
};

/// Takes one pod's steps.
pub(super) struct Syncer {
    pub(super) agent: Arc<Agent>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) backoff: CrashBackoff,
    /// Why containers wait, by name.
    pub(super) waiting: BTreeMap<String, Reason>,
    /// The pod's volumes, once they are set up.
    pub(super) mounted: Option<Mounted>,
    /// What containers were given, by the runtime's ids.
    pub(super) actuated: Actuated,
    /// Why a resize fails.
    pub(super) resize_error: Option<String>,
}

/// A step that didn't get through; try again later.
#[derive(Debug)]
pub(super) struct Unfinished;

impl Syncer {
    /// Notes which containers are in back-off, and says so.
    pub(super) fn note_backoff(&mut self, pod: &Pod, plan: &Plan<'_>) {
        self.waiting.retain(|name, reason| {
            reason.reason != "CrashLoopBackOff"
                || plan.waiting.iter().any(|waiting| waiting.name == *name)
        });
        let key = full_name(pod);
        for waiting in &plan.waiting {
            let name = &waiting.name;
            let delay = go_duration(waiting.wait.total);
            let reason = Reason::new(
                "CrashLoopBackOff",
                format!("back-off {delay} restarting failed container={name} pod={key}"),
            );
            let before = self.waiting.insert(name.clone(), reason.clone());
            if before.as_ref() != Some(&reason) {
                let message = format!("Back-off restarting failed container {name} in pod {key}");
                self.agent
                    .warning(probe::about(pod, name), "BackOff", message);
            }
        }
    }

    /// Does what the plan says, in its order.
    pub(super) async fn act(&mut self, pod: &Pod, plan: &Plan<'_>) -> Result<(), Unfinished> {
        let Some(spec) = &pod.spec else {
            return Ok(());
        };
        for id in &plan.stop_sandboxes {
            self.check(self.agent.runtime.stop_sandbox(id).await)?;
        }
        let mut stops = Vec::new();
        for stop in &plan.stop {
            stops.push(self.stop(pod, spec, stop));
        }
        futures::future::try_join_all(stops).await?;
        for id in &plan.remove {
            self.check(self.agent.runtime.remove_container(id).await)?;
        }
        if !plan.resize.is_empty() || plan.resizes_pod {
            self.resize(pod, &plan.resize).await?;
        }
        if plan.start.is_empty() || self.mailbox.stop.is_cancelled() {
            return Ok(());
        }
        let stop = self.mailbox.stop.clone();
        let mounted = match stop.run_until_cancelled(self.prepare(pod)).await {
            Some(prepared) => prepared?,
            None => return Ok(()),
        };
        let (config, sandbox_id, ips) = self.sandbox(pod, spec, plan).await?;
        let pod = with_addresses(pod, &ips, &self.agent.host_ips());
        self.write_hosts(&pod, spec, &ips);
        let mut result = Ok(());
        for start in &plan.start {
            if self.mailbox.stop.is_cancelled() {
                return Ok(());
            }
            let started = self
                .start(&pod, spec, start, &sandbox_id, &config, &mounted)
                .await;
            match started {
                Ok(()) => {
                    self.waiting.remove(&start.container.name);
                }
                Err(reason) => {
                    self.waiting.insert(start.container.name.clone(), reason);
                    result = Err(Unfinished);
                }
            }
        }
        result
    }

    fn check(&self, result: Result<(), RuntimeError>) -> Result<(), Unfinished> {
        result.map_err(|error| {
            tracing::warn!(%error, "runtime call failed");
            Unfinished
        })
    }

    /// Ends a container that is to be started again, or that a probe gave up.
    async fn stop(&self, pod: &Pod, spec: &PodSpec, stop: &Stop) -> Result<(), Unfinished> {
        let mut all = spec
            .containers
            .iter()
            .chain(spec.init_containers.iter().flatten());
        let container = all.find(|container| container.name == stop.name);
        let probe = container.and_then(|container| match stop.probe {
            Some(Fatal::Startup) => container.startup_probe.as_ref(),
            Some(Fatal::Liveness) => container.liveness_probe.as_ref(),
            None => None,
        });
        let own = probe.and_then(|probe| probe.termination_grace_period_seconds);
        let grace = own.or(spec.termination_grace_period_seconds).unwrap_or(30);
        let grace = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
        self.agent.normal(
            probe::about(pod, &stop.name),
            "Killing",
            stop.message.clone(),
        );
        let result =
            super::kill::container(&self.agent, pod, container, &stop.id, grace, true).await;
        self.check(result)
    }

    /// Volumes and cgroups.
    async fn prepare(&mut self, pod: &Pod) -> Result<Mounted, Unfinished> {
        if let Some(mounted) = &self.mounted {
            return Ok(mounted.clone());
        }
        if self.agent.runtime.is_simulated() {
            return Ok(Mounted::new());
        }
        let about = || k8s_runtime::reference(pod);
        if let (Some(groups), Some(group)) = (&self.agent.cgroups, self.agent.cgroup(pod)) {
            groups
                .create(&group, limit::pod_limits(pod))
                .map_err(|error| {
                    let message = format!(
                        "unable to ensure pod container exists: failed to create container: {error}"
                    );
                    self.agent
                        .warning(about(), "FailedCreatePodContainer", message);
                    Unfinished
                })?;
        }
        match self.agent.volumes.set_up(pod).await {
            Ok(mounted) => {
                self.mounted = Some(mounted.clone());
                Ok(mounted)
            }
            Err(Failure { reason, message }) => {
                self.agent.warning(about(), reason, message);
                Err(Unfinished)
            }
        }
    }

    /// Makes a sandbox if the plan says so; returns its configuration, id and addresses.
    async fn sandbox(
        &self,
        pod: &Pod,
        spec: &PodSpec,
        plan: &Plan<'_>,
    ) -> Result<(PodSandboxConfig, String, Vec<String>), Unfinished> {
        let agent = &self.agent;
        let (namespace, name) = names(pod);
        let logs = agent.config.pod_logs(namespace, name, uid(pod));
        let cgroup = agent.cgroup(pod);
        let attempt = match plan.sandbox {
            SandboxAction::Create(attempt) => attempt,
            _ => agent
                .pleg
                .view(uid(pod))
                .sandboxes
                .first()
                .map_or(0, |sandbox| sandbox.attempt),
        };
        let place = Place {
            attempt,
            resolver: &agent.resolver,
            logs: &logs,
            cgroup: cgroup.as_deref(),
            limits: limit::pod_limits(pod),
        };
        let config = sandbox::config(pod, spec, &place);
        if let SandboxAction::Keep(id) = &plan.sandbox {
            let view = agent.pleg.view(uid(pod));
            let ips = view
                .ready_sandbox()
                .map(|sandbox| sandbox.ips.clone())
                .unwrap_or_default();
            return Ok((config, id.clone(), ips));
        }
        if !agent.runtime.is_simulated()
            && let Err(error) = tokio::fs::create_dir_all(&logs).await
        {
            tracing::warn!(%error, path = %logs.display(), "log directory can't be made");
            return Err(Unfinished);
        }
        let made = async {
            let id = agent.runtime.run_sandbox(&config).await?;
            let ips = agent.runtime.sandbox_ips(&id).await?;
            Ok::<_, RuntimeError>((id, ips))
        };
        match made.await {
            Ok((id, ips)) => Ok((config, id, ips)),
            Err(error) => {
                let message = format!("Failed to create pod sandbox: {error}");
                agent.warning(
                    k8s_runtime::reference(pod),
                    "FailedCreatePodSandBox",
                    message,
                );
                Err(Unfinished)
            }
        }
    }

    pub(super) fn hosts_path(&self, pod: &Pod) -> PathBuf {
        self.agent.config.pod_dir(uid(pod)).join("etc-hosts")
    }

    fn write_hosts(&self, pod: &Pod, spec: &PodSpec, ips: &[String]) {
        if self.agent.runtime.is_simulated() {
            return;
        }
        let text = if spec.host_network == Some(true) {
            hosts::of_host(
                spec,
                &std::fs::read_to_string("/etc/hosts").unwrap_or_default(),
            )
        } else {
            let (name, domain) = sandbox::hostname(pod, spec, &self.agent.config.cluster_domain);
            let ip = ips.first().map(String::as_str).unwrap_or_default();
            hosts::of_pod(spec, ip, &name, domain.as_deref())
        };
        let path = self.hosts_path(pod);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "hosts file can't be written");
        }
    }

    /// Notes what a container was given, for later lives of the agent too.
    pub(super) fn note_given(&mut self, pod: &Pod, id: &str, given: ResourceRequirements) {
        self.actuated.insert(id.to_owned(), given);
        let Some(checkpoint) = self.agent.allocations.checkpoint(uid(pod)) else {
            return;
        };
        if let Err(error) = checkpoint.set_actuated(self.actuated.clone()) {
            tracing::warn!(pod = uid(pod), %error, "what a container was given can't be kept");
        }
    }

    /// Brings the volumes up to date that follow the API.
    pub(super) async fn update_volumes(&self, pod: &Pod) {
        if let Err(Failure { reason, message }) = self.agent.volumes.update(pod).await {
            self.agent
                .warning(k8s_runtime::reference(pod), reason, message);
        }
    }

    /// Takes the pod's volumes and group away, after its containers are gone.
    pub(super) async fn release(&mut self, pod: &Pod) -> Result<(), String> {
        if self.agent.runtime.is_simulated() {
            return Ok(());
        }
        self.mounted = None;
        let torn_down = self.agent.volumes.tear_down(uid(pod)).await;
        torn_down.map_err(|error| error.to_string())?;
        if let (Some(groups), Some(group)) = (&self.agent.cgroups, self.agent.cgroup(pod)) {
            groups.remove(&group).map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// The pod with the addresses that it has just got, which the API doesn't know yet.
fn with_addresses(pod: &Pod, ips: &[String], host_ips: &[String]) -> Pod {
    let mut pod = pod.clone();
    let is_on_host = pod
        .spec
        .as_ref()
        .is_some_and(|spec| spec.host_network == Some(true));
    let ips = if is_on_host { host_ips } else { ips };
    let status = pod.status.get_or_insert_default();
    status.pod_ip = ips.first().cloned();
    status.pod_ips = Some(ips.iter().map(|ip| PodIP { ip: ip.clone() }).collect());
    status.host_ip = host_ips.first().cloned();
    status.host_ips = Some(
        host_ips
            .iter()
            .map(|ip| k8s_openapi::api::core::v1::HostIP { ip: ip.clone() })
            .collect(),
    );
    pod
}

/// The pod's uid.
pub(super) fn uid(pod: &Pod) -> &str {
    pod.metadata.uid.as_deref().unwrap_or_default()
}

/// The pod's namespace and name.
pub(super) fn names(pod: &Pod) -> (&str, &str) {
    let meta = &pod.metadata;
    (
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
    )
}

/// `name_namespace(uid)`: how messages name a pod for good.
fn full_name(pod: &Pod) -> String {
    let (namespace, name) = names(pod);
    format!("{name}_{namespace}({})", uid(pod))
}
