//! Removing every trace of a pod: after its end, or when it is found without belonging to one.

use std::time::Duration;

use super::sync::{names, uid};
use crate::{
    agent::Agent,
    cri::{ContainerState, Runtime, RuntimeError},
    pleg::PodView,
    volume::{VolumeError, mount},
};
use k8s_openapi::api::core::v1::Pod;

/// What leftovers get between signal and kill.
const GRACE: Duration = Duration::from_secs(2);

/// A pod whose traces can't be removed yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CleanupError {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    Volume(#[from] VolumeError),
    #[error(transparent)]
    Cgroup(#[from] crate::resource::CgroupError),
}

/// Ends and removes what the runtime has of a pod.
pub(crate) async fn runtime_part(
    runtime: &dyn Runtime,
    view: &PodView,
    grace: Duration,
) -> Result<(), RuntimeError> {
    let mut stops = Vec::new();
    for run in view.running() {
        stops.push(runtime.stop_container(&run.id, grace));
    }
    futures::future::try_join_all(stops).await?;
    for sandbox in &view.sandboxes {
        runtime.stop_sandbox(&sandbox.id).await?;
        runtime.remove_sandbox(&sandbox.id).await?;
    }
    // Containers whose sandbox is gone already.
    for container in &view.containers {
        runtime.remove_container(&container.id).await?;
    }
    Ok(())
}

/// Removes a pod that the API doesn't know, by its uid.
pub(crate) async fn leftover(agent: &Agent, uid: &str) -> Result<(), CleanupError> {
    let view = agent.pleg.refresh(uid).await?;
    runtime_part(&*agent.runtime, &view, GRACE).await?;
    host_part(agent, uid).await?;
    if !agent.runtime.is_simulated() {
        let logs = std::fs::read_dir(agent.config.logs())
            .into_iter()
            .flatten()
            .flatten();
        for entry in logs.filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .ends_with(&format!("_{uid}"))
        }) {
            mount::remove(&entry.path())?;
        }
    }
    agent.pleg.refresh(uid).await?;
    Ok(())
}

/// Removes a pod that has ended, after the API has let go of it.
pub(crate) async fn ended(agent: &Agent, pod: &Pod) -> Result<(), CleanupError> {
    let view = agent.pleg.refresh(uid(pod)).await?;
    runtime_part(&*agent.runtime, &view, GRACE).await?;
    host_part(agent, uid(pod)).await?;
    if !agent.runtime.is_simulated() {
        let (namespace, name) = names(pod);
        mount::remove(&agent.config.pod_logs(namespace, name, uid(pod)))?;
    }
    agent.pleg.refresh(uid(pod)).await?;
    Ok(())
}

/// Removes the containers that have ended of pods that have: their status is told, their logs are all that is lost.
pub(crate) async fn dead_containers(agent: &Agent) {
    for uid in agent.pleg.uids() {
        if agent.allocations.is_active(&uid) {
            continue;
        }
        let view = agent.pleg.view(&uid);
        let dead = view
            .containers
            .iter()
            .filter(|run| run.state == ContainerState::Exited);
        for run in dead {
            if let Err(error) = agent.runtime.remove_container(&run.id).await {
                tracing::warn!(uid, %error, "a dead container stays");
            }
        }
    }
}

async fn host_part(agent: &Agent, uid: &str) -> Result<(), CleanupError> {
    if agent.runtime.is_simulated() {
        return Ok(());
    }
    let dir = agent.config.pod_dir(uid);
    agent.volumes.tear_down(uid).await?;
    mount::remove(&dir)?;
    if let Some(groups) = &agent.cgroups {
        for (_, group) in groups.pods().into_iter().filter(|(known, _)| known == uid) {
            groups.remove(&group)?;
        }
    }
    Ok(())
}

/// The pods (by uid) that have traces on the node outside the runtime.
pub(crate) fn traces(agent: &Agent) -> Vec<String> {
    if agent.runtime.is_simulated() {
        return Vec::new();
    }
    let dirs = std::fs::read_dir(agent.config.root_dir.join("pods"))
        .into_iter()
        .flatten()
        .flatten();
    let mut uids: Vec<String> = dirs
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    if let Some(groups) = &agent.cgroups {
        uids.extend(groups.pods().into_iter().map(|(uid, _)| uid));
    }
    uids
}
