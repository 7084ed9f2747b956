//! Keeps flow control true to the objects that configure it, and the objects true to what they
//! configure.
//!
//! One task watches FlowSchemas and PriorityLevelConfigurations in the cache. Whenever one changes
//! it reads them all, hands them to [`FlowControl`], and says in each schema's status whether its
//! level exists. Between changes it has the seats divided anew, and makes built-in objects again that
//! somebody has deleted.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures::{FutureExt, StreamExt};
use k8s_apimachinery::Object;
use k8s_store::{
    StoreError,
    cache::{WatchRequest, Watcher},
};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::FlowControl;
use crate::{
    ApiError,
    registry::{EntryCodec, Registry, bootstrap::flow_control, key},
    task::Tasks,
};

const GROUP: &str = "flowcontrol.apiserver.k8s.io";
const SCHEMAS: &str = "flowschemas";
const LEVELS: &str = "prioritylevelconfigurations";

/// How often seats are divided anew.
const ADJUSTMENT: Duration = Duration::from_secs(10);
/// After how many divisions the built-in objects are looked after: once a minute.
const UPKEEP: u32 = 6;

/// Follows the objects of one registry, which it doesn't keep alive.
pub(crate) struct Follower {
    registry: Weak<Registry>,
    flow: FlowControl,
    schemas: Watcher<EntryCodec>,
    levels: Watcher<EntryCodec>,
}

/// What there is to do.
enum Turn {
    /// Objects have changed.
    Changed,
    /// Time has passed.
    Elapsed,
    /// History went by too fast: the watches begin anew.
    Lost,
    /// There is nothing to follow any longer.
    Over,
}

impl Follower {
    /// Goes by what there is now, then follows it in a task. Does nothing where these kinds aren't
    /// served.
    pub(crate) async fn start(
        registry: &Arc<Registry>,
        flow: FlowControl,
        tasks: &Tasks,
    ) -> Result<(), ApiError> {
        let Some((schemas, levels)) = watch(registry)? else {
            return Ok(());
        };
        configure(registry, &flow).await;
        let follower = Follower {
            registry: Arc::downgrade(registry),
            flow,
            schemas,
            levels,
        };
        tasks.spawn(follower.run());
        Ok(())
    }

    async fn run(mut self) {
        let mut tick = interval_at(Instant::now() + ADJUSTMENT, ADJUSTMENT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut until_upkeep = UPKEEP;
        loop {
            let turn = tokio::select! {
                biased;
                turn = next(&mut self.schemas) => turn,
                turn = next(&mut self.levels) => turn,
                _ = tick.tick() => Turn::Elapsed,
            };
            let Some(registry) = self.registry.upgrade() else {
                return;
            };
            match turn {
                Turn::Over => return,
                Turn::Changed => configure(&registry, &self.flow).await,
                Turn::Lost => match watch(&registry) {
                    Ok(Some((schemas, levels))) => {
                        (self.schemas, self.levels) = (schemas, levels);
                        configure(&registry, &self.flow).await;
                    }
                    Ok(None) => return,
                    Err(error) => {
                        return tracing::error!(%error, "flow control is no longer followed");
                    }
                },
                Turn::Elapsed => {
                    self.flow.adjust();
                    until_upkeep -= 1;
                    if until_upkeep == 0 {
                        until_upkeep = UPKEEP;
                        look_after(&registry, &self.flow).await;
                    }
                }
            }
        }
    }
}

/// The next thing that a watch tells, and with it all that it could tell at once.
async fn next(watcher: &mut Watcher<EntryCodec>) -> Turn {
    let first = watcher.next().await;
    let turn = turn_of(first.as_ref());
    if matches!(turn, Turn::Changed) {
        while let Some(more) = watcher.next().now_or_never() {
            match turn_of(more.as_ref()) {
                Turn::Changed => {}
                other => return other,
            }
        }
    }
    turn
}

fn turn_of<T>(told: Option<&Result<T, StoreError>>) -> Turn {
    match told {
        Some(Ok(_)) => Turn::Changed,
        Some(Err(StoreError::Compacted { .. })) => Turn::Lost,
        Some(Err(_)) | None => Turn::Over,
    }
}

type Watches = (Watcher<EntryCodec>, Watcher<EntryCodec>);

/// Both watches, from now on.
fn watch(registry: &Registry) -> Result<Option<Watches>, ApiError> {
    let of = |plural: &str| -> Result<Option<Watcher<EntryCodec>>, ApiError> {
        let Some(resource) = registry.resource(GROUP, plural) else {
            return Ok(None);
        };
        let prefix = key::collection(&resource.row, "");
        let cache = registry.cache();
        let request = WatchRequest::new(prefix, cache.revision());
        Ok(Some(cache.watch(request)?))
    };
    Ok(of(SCHEMAS)?.zip(of(LEVELS)?))
}

/// Goes by the objects, then says in them what came of it.
pub(crate) async fn configure(registry: &Registry, flow: &FlowControl) {
    let objects = |plural: &str| -> Vec<Object> {
        let all = registry.list(GROUP, plural, "");
        all.iter().map(|stored| stored.entry.object()).collect()
    };
    let schemas = objects(SCHEMAS);
    flow.configure(&schemas, &objects(LEVELS));
    for schema in &schemas {
        let level = schema
            .str(&["spec", "priorityLevelConfiguration", "name"])
            .unwrap_or_default();
        let marked = flow_control::mark(registry, schema, flow.has_level(level)).await;
        if let Err(error) = marked {
            tracing::warn!(%error, schema = schema.name(), "cannot say whether its priority level exists");
        }
    }
}

async fn look_after(registry: &Registry, flow: &FlowControl) {
    if let Err(error) = flow_control::ensure(registry).await {
        tracing::warn!(%error, "cannot make the built-in flow control objects");
    }
    configure(registry, flow).await;
}

#[cfg(test)]
mod tests;
