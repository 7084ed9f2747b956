//! Disruption budgets: how many of a set's pods may be taken down on purpose right now.
//!
//! A round gathers the budget's pods and, where the budget counts in shares of a whole, how many pods their
//! controllers want ([`scale`]); [`plan`] makes the status of it, which the eviction subresource goes by. When the
//! numbers can't be found out, the budget allows nothing. Beside it [`stale`] takes back the mark of pods that were to
//! be evicted and are still there.

mod plan;
mod scale;
mod selector;
mod stale;
mod view;

use std::sync::Arc;

use k8s_openapi::api::{core::v1::Pod, policy::v1::PodDisruptionBudget};
use k8s_runtime::{Action, Context, Controller, Event, EventRecorder, Key, Store, reference};
use kube::{Api, api::PostParams};

use plan::{Plan, Trouble};
use scale::Scales;
use view::View;

/// Rounds that may run side by side.
const WORKERS: usize = 4;

/// Runs both halves, budgets and stale marks, until the context is cancelled.
pub async fn run(ctx: Context) {
    tokio::join!(follow_budgets(ctx.clone()), stale::run(ctx));
}

async fn follow_budgets(ctx: Context) {
    let budgets = ctx.hub.informer::<PodDisruptionBudget>();
    let pods = ctx.hub.informer::<Pod>();
    let scales = Scales::new(&ctx);
    let loop_ = Arc::new(Loop {
        budgets: budgets.store(),
        pods: pods.store(),
        events: EventRecorder::new(&ctx, "controllermanager"),
        scales: scales.clone(),
        ctx: ctx.clone(),
    });
    let by_pod = loop_.clone();
    let controller = Controller::new("disruption", ctx)
        .owns_keys(&budgets)
        .on(&pods, move |event| by_pod.of_pod(event));
    scales
        .read_by(controller)
        .run(WORKERS, move |key| {
            let round = loop_.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Loop {
    ctx: Context,
    budgets: Store<PodDisruptionBudget>,
    pods: Store<Pod>,
    events: EventRecorder,
    scales: Scales,
}

/// Why a round is to be repeated.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error("{0}")]
    Trouble(String),
}

impl Loop {
    async fn reconcile(&self, key: Key) -> Result<Action, Error> {
        let Some(budget) = self.budgets.get(&key) else {
            return Ok(Action::Done);
        };
        let pods = self.pods.list_in(&key.namespace);
        let mut view = View::new(budget, &pods);
        if view.needs_scales() {
            view.owners = self.scales.of_all(&view).await;
        }
        let plan = plan::plan(&view, self.ctx.clock.now());
        self.tell(&view, &plan);
        if let Some(status) = plan.status {
            let mut budget = PodDisruptionBudget::clone(&view.budget);
            budget.status = Some(status);
            let api: Api<PodDisruptionBudget> =
                Api::namespaced(self.ctx.client.clone(), &key.namespace);
            let params = PostParams::default();
            match api.replace_status(&key.name, &params, &budget).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                other => drop(other?),
            }
        }
        match plan.trouble {
            Some(Trouble::Scale(message)) => Err(Error::Trouble(message)),
            // Only another selector mends it.
            Some(Trouble::Selector(_)) => Ok(Action::Done),
            None => Ok(plan.again.map_or(Action::Done, Action::After)),
        }
    }

    fn tell(&self, view: &View, plan: &Plan) {
        let budget = &*view.budget;
        for pod in &plan.not_deleted {
            let namespace = budget.metadata.namespace.as_deref().unwrap_or_default();
            let name = budget.metadata.name.as_deref().unwrap_or_default();
            let message =
                format!("Pod was expected by PDB {namespace}/{name} to be deleted but it wasn't");
            self.events
                .warning(reference(&**pod), "NotDeleted", message);
        }
        let about = || reference(budget);
        match &plan.trouble {
            Some(Trouble::Selector(why)) => {
                let message = format!("Failed to get pods: {why}");
                self.events.warning(about(), "NoPods", message);
            }
            Some(Trouble::Scale(why)) => {
                let message = format!("Failed to calculate the number of expected pods: {why}");
                self.events
                    .warning(about(), "CalculateExpectedPodCountFailed", message);
            }
            None if view.pods.is_empty() => {
                self.events
                    .normal(about(), "NoPods", "No matching pods found");
            }
            None => {}
        }
        if plan.has_unmanaged_pods {
            let spec = budget.spec.as_ref();
            let selector = selector::shown(spec.and_then(|spec| spec.selector.as_ref()));
            let message = format!(
                "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a \
                 result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. \
                 To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value."
            );
            self.events.warning(about(), "UnmanagedPods", message);
        }
    }

    /// The budgets over a pod, as it is and as it was.
    fn of_pod(&self, event: &Event<Pod>) -> Vec<Key> {
        let pod = event.object();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let budgets = self.budgets.list_in(namespace);
        let over = |pod: &Pod| -> Vec<Key> {
            let covering = budgets
                .iter()
                .filter(|budget| selector::covers(budget, pod));
            covering.map(|budget| Key::of(&**budget)).collect()
        };
        let mut keys = over(pod);
        if let (Some(first), 2..) = (keys.first(), keys.len()) {
            let name = pod.metadata.name.as_deref().unwrap_or_default();
            let message = format!(
                "Pod {namespace:?}/{name:?} matches multiple PodDisruptionBudgets.  Chose {:?} arbitrarily.",
                first.name
            );
            self.events
                .warning(reference(&**pod), "MultiplePodDisruptionBudgets", message);
        }
        if let Some(old) = event.old() {
            keys.extend(
                over(old)
                    .into_iter()
                    .filter(|key| !keys.contains(key))
                    .collect::<Vec<_>>(),
            );
        }
        keys
    }
}
