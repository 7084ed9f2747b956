//! Giving running containers the resources that their pod was allocated.
//!
//! A group never holds more than the one above it: the pod's group is loosened first, containers follow (those
//! that give memory up before those that get some), and the pod's group is tightened last.

use k8s_openapi::api::core::v1::Pod;

use super::{
    resize::Resize,
    sync::{Syncer, Unfinished, uid},
};
use crate::{
    allocation::{ResizeEvent, message},
    resource::{Cgroups, limit},
};

impl Syncer {
    /// Resizes containers in place, and the pod's group with them or with those that were ended for it.
    pub(super) async fn resize(
        &mut self,
        pod: &Pod,
        resizes: &[Resize<'_>],
    ) -> Result<(), Unfinished> {
        match self.try_resize(pod, resizes).await {
            Ok(()) => {
                self.resize_error = None;
                Ok(())
            }
            Err(error) => {
                tracing::warn!(pod = uid(pod), error, "not resized");
                if self.resize_error.as_ref() != Some(&error) {
                    let event = ResizeEvent::Error;
                    let text = message(event, pod, pod.metadata.generation, &error);
                    self.agent
                        .warning(k8s_runtime::reference(pod), event.reason(), text);
                }
                self.resize_error = Some(error);
                Err(Unfinished)
            }
        }
    }

    async fn try_resize(&mut self, pod: &Pod, resizes: &[Resize<'_>]) -> Result<(), String> {
        let agent = self.agent.clone();
        let target = limit::pod_limits(pod);
        let group = agent.cgroups.as_ref().zip(agent.cgroup(pod));
        if let Some((groups, group)) = &group {
            check_memory(groups, group, target.memory, resizes)?;
            let loosened = groups.limits(group).loosened(target);
            let set = groups.set_limits(group, loosened);
            set.map_err(|error| error.to_string())?;
        }
        let (shrinking, growing): (Vec<_>, Vec<_>) =
            resizes.iter().partition(|resize| resize.is_shrinking);
        for resize in shrinking.into_iter().chain(growing) {
            let container = resize.container;
            let limits = limit::container_limits(pod, container, agent.machine.memory);
            let updated = agent.runtime.update_container(&resize.id, &limits).await;
            updated.map_err(|error| error.to_string())?;
            let given = container.resources.clone().unwrap_or_default();
            self.note_given(pod, &resize.id, given);
        }
        if let Some((groups, group)) = &group {
            let set = groups.set_limits(group, target);
            set.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

/// Nothing is limited to less memory than it uses: under v2 the kernel would kill for it.
fn check_memory(
    groups: &Cgroups,
    group: &str,
    pod_limit: i64,
    resizes: &[Resize<'_>],
) -> Result<(), String> {
    let uses_more = |group: &str, limit: i64| {
        let limit = u64::try_from(limit).ok().filter(|limit| *limit > 0)?;
        let used = groups.usage(group)?.memory;
        (used > limit).then(|| format!("({limit}) below current usage ({used})"))
    };
    let shrinking: Vec<_> = resizes
        .iter()
        .filter(|resize| resize.is_shrinking)
        .collect();
    if shrinking.is_empty() {
        return Ok(());
    }
    let mut problems = Vec::new();
    if let Some(excess) = uses_more(group, pod_limit) {
        problems.push(format!("attempting to set pod memory limit {excess}"));
    }
    for resize in shrinking {
        let container = resize.container;
        let wanted = limit::numbers(container.resources.as_ref()).memory;
        if let Some(excess) = uses_more(&format!("{group}/{}", resize.id), wanted) {
            let name = &container.name;
            problems.push(format!(
                "attempting to set container \"{name}\" memory limit {excess}"
            ));
        }
    }
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(format!("cannot decrease memory limits: {one}")),
        several => Err(format!(
            "cannot decrease memory limits: [{}]",
            several.join(", ")
        )),
    }
}
