//! The binding cycle: what happens between a decision and the API's confirmation.
//!
//! It runs in a task of its own, many at a time, so that the rate of scheduling isn't bound by the
//! latency of a write. The pod is assumed on its node meanwhile.

use std::sync::Arc;

use futures::future::BoxFuture;

use crate::{
    cache::{PodInfo, Snapshot},
    config::Profile,
    framework::Verdict,
    waiting::WaitingPods,
};

/// A pod on its way to a node.
pub(crate) struct Binding {
    pub(crate) pod: Arc<PodInfo>,
    pub(crate) node: String,
    pub(crate) profile: Arc<Profile>,
}

/// How it ended.
pub(crate) struct Bound {
    pub(crate) binding: Binding,
    pub(crate) result: Result<(), Refusal>,
}

/// Why a chosen node was given up.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A plugin turned the pod away: it waits for that plugin's events.
    Rejected {
        plugin: &'static str,
        message: String,
    },
    /// Something failed: it is tried again soon.
    Failed(String),
}

/// A permission that is still awaited.
pub(crate) type Pending = (&'static str, BoxFuture<'static, Result<(), String>>);

impl Binding {
    /// Reserve and Permit: still part of the scheduling cycle, before anything else is decided.
    pub(crate) fn claim(
        &self,
        waiting: &WaitingPods,
        snapshot: &Snapshot,
    ) -> Result<Vec<Pending>, Refusal> {
        for served in &self.profile.points.reserve {
            let verdict = served.plugin.reserve(&self.pod, &self.node, snapshot);
            judge("Reserve", served.name, verdict)?;
        }
        let mut pending = Vec::new();
        for served in &self.profile.points.permit {
            match served.plugin.permit(&self.pod, &self.node) {
                Verdict::Wait(limit) => {
                    let answer = waiting.wait(&self.pod.key, limit);
                    pending.push((served.name, Box::pin(answer) as BoxFuture<'static, _>));
                }
                verdict => judge("Permit", served.name, verdict)?,
            }
        }
        Ok(pending)
    }

    /// Takes reservations back, last first.
    pub(crate) fn release(&self) {
        for served in self.profile.points.reserve.iter().rev() {
            served.plugin.unreserve(&self.pod, &self.node);
        }
    }

    /// Waits for permission, then PreBind, Bind and PostBind.
    pub(crate) async fn run(self, pending: Vec<Pending>) -> Bound {
        let result = self.bind(pending).await;
        Bound {
            binding: self,
            result,
        }
    }

    async fn bind(&self, pending: Vec<Pending>) -> Result<(), Refusal> {
        for (plugin, answer) in pending {
            let answer = answer.await;
            answer.map_err(|message| Refusal::Rejected { plugin, message })?;
        }
        let points = &self.profile.points;
        for served in &points.pre_bind {
            let verdict = served.plugin.pre_bind(&self.pod, &self.node).await;
            judge("PreBind", served.name, verdict)?;
        }
        for served in &points.bind {
            let verdict = served.plugin.bind(&self.pod, &self.node).await;
            if verdict == Verdict::Skip {
                continue;
            }
            judge("Bind", served.name, verdict)?;
            for served in &points.post_bind {
                served.plugin.post_bind(&self.pod, &self.node).await;
            }
            return Ok(());
        }
        Err(Refusal::Failed("no plugin bound the pod".to_owned()))
    }
}

fn judge(point: &str, plugin: &'static str, verdict: Verdict) -> Result<(), Refusal> {
    match verdict {
        Verdict::Success | Verdict::Skip => Ok(()),
        Verdict::Error(message) => Err(Refusal::Failed(format!(
            "running {point} plugin {plugin:?}: {message}"
        ))),
        rejection => Err(Refusal::Rejected {
            plugin,
            message: rejection.to_string(),
        }),
    }
}
