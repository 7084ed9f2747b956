//! Ending containers: the hook before the end, the signal, the wait, the kill.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::api::core::v1::{Container as Spec, Pod};
use tokio::time::Instant;

use super::{actions::is_sidecar, hook};
use crate::{
    agent::Agent,
    cri::{Container, RuntimeError},
    pleg::PodView,
    probe,
};

/// What remains for the signal when a hook has used up the grace period.
const MIN_GRACE: Duration = Duration::from_secs(2);

/// Ends one container; `spec` is unknown for leftovers of pods that are gone. Hooks run only when
/// asked for: not again when an end is cut short.
pub(super) async fn container(
    agent: &Agent,
    pod: &Pod,
    spec: Option<&Spec>,
    id: &str,
    grace: Duration,
    with_hook: bool,
) -> Result<(), RuntimeError> {
    let begun = Instant::now();
    let handler = spec.and_then(|spec| spec.lifecycle.as_ref()?.pre_stop.as_ref());
    let mut left = grace;
    if let (Some(handler), Some(spec)) = (handler, spec)
        && with_hook
        && !grace.is_zero()
        && !agent.runtime.is_simulated()
    {
        let ip = pod
            .status
            .as_ref()
            .and_then(|status| status.pod_ip.clone())
            .unwrap_or_default();
        let run = hook::run(&*agent.runtime, handler, spec, id, &ip, grace);
        let result = tokio::time::timeout(grace, run).await;
        let problem = match result {
            Ok(Ok(())) => None,
            Ok(Err(message)) => Some(message),
            Err(_) => Some(format!("hook did not finish within {} s", grace.as_secs())),
        };
        if let Some(message) = problem {
            let message = format!("PreStopHook failed: {message}");
            agent.warning(probe::about(pod, &spec.name), "FailedPreStopHook", message);
        }
        left = grace.saturating_sub(begun.elapsed()).max(MIN_GRACE);
    }
    agent.runtime.stop_container(id, left).await
}

/// The end of a whole pod, which may be cut short and begun again with less grace.
#[derive(Default)]
pub(super) struct Ending {
    /// Containers whose hooks have been begun.
    hooked: Arc<Mutex<HashSet<String>>>,
}

impl Ending {
    /// Ends all containers: the main ones together, then the sidecars, last one first, within one
    /// grace period.
    pub(super) async fn run(
        &self,
        agent: &Agent,
        pod: &Pod,
        view: &PodView,
        grace: Duration,
    ) -> Result<(), RuntimeError> {
        let begun = Instant::now();
        let (main, sidecars) = in_order(pod, view);
        let mut ends = Vec::new();
        for run in main {
            ends.push(self.one(agent, pod, run, grace));
        }
        futures::future::try_join_all(ends).await?;
        for run in sidecars {
            let left = grace.saturating_sub(begun.elapsed());
            let left = if grace.is_zero() {
                grace
            } else {
                left.max(MIN_GRACE)
            };
            self.one(agent, pod, run, left).await?;
        }
        Ok(())
    }

    async fn one(
        &self,
        agent: &Agent,
        pod: &Pod,
        run: &Container,
        grace: Duration,
    ) -> Result<(), RuntimeError> {
        let spec = spec_of(pod, &run.name);
        let is_first = {
            let mut hooked = self.hooked.lock().unwrap_or_else(PoisonError::into_inner);
            hooked.insert(run.id.clone())
        };
        if is_first {
            let about = probe::about(pod, &run.name);
            agent.normal(about, "Killing", format!("Stopping container {}", run.name));
        }
        container(agent, pod, spec, &run.id, grace, is_first).await
    }
}

/// The running containers that end together, and the sidecars that end after them, in order.
fn in_order<'a>(pod: &Pod, view: &'a PodView) -> (Vec<&'a Container>, Vec<&'a Container>) {
    let position = |run: &Container| {
        let mut init = pod
            .spec
            .iter()
            .flat_map(|spec| spec.init_containers.iter().flatten());
        init.position(|spec| spec.name == run.name && is_sidecar(spec))
    };
    let (mut sidecars, main): (Vec<_>, Vec<_>) =
        view.running().partition(|run| position(run).is_some());
    sidecars.sort_by_key(|run| std::cmp::Reverse(position(run)));
    (main, sidecars)
}

fn spec_of<'a>(pod: &'a Pod, name: &str) -> Option<&'a Spec> {
    let spec = pod.spec.as_ref()?;
    let mut all = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten());
    all.find(|spec| spec.name == name)
}
