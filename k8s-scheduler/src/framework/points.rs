//! The extension points of a profile: which plugins serve each, in order.

use std::sync::Arc;

use super::plugin::*;

/// A plugin at one extension point.
pub(crate) struct Served<T: ?Sized> {
    pub(crate) name: &'static str,
    pub(crate) weight: i64,
    pub(crate) plugin: Arc<T>,
}

macro_rules! points {
    ($($(#[$doc:meta])* $point:ident: $role:ident,)*) => {
        /// The lists that plugins register in, one per extension point.
        #[derive(Default)]
        pub struct Points {
            name: &'static str,
            weight: i64,
            $(pub(crate) $point: Vec<Served<dyn $role>>,)*
        }

        impl Points {
            $($(#[$doc])*
            pub fn $point(&mut self, plugin: Arc<impl $role>) -> &mut Self {
                let (name, weight) = (self.name, self.weight);
                self.$point.push(Served { name, weight, plugin });
                self
            })*

            /// Takes a plugin out of every list.
            pub(crate) fn remove(&mut self, name: &str) {
                $(self.$point.retain(|served| served.name != name);)*
            }
        }
    };
}

points! {
    /// Serves PreEnqueue.
    pre_enqueue: PreEnqueuePlugin,
    /// Serves QueueSort.
    queue_sort: QueueSortPlugin,
    /// Serves PreFilter.
    pre_filter: PreFilterPlugin,
    /// Serves Filter.
    filter: FilterPlugin,
    /// Serves PostFilter.
    post_filter: PostFilterPlugin,
    /// Serves PreScore.
    pre_score: PreScorePlugin,
    /// Serves Score and NormalizeScore.
    score: ScorePlugin,
    /// Serves Reserve.
    reserve: ReservePlugin,
    /// Serves Permit.
    permit: PermitPlugin,
    /// Serves PreBind.
    pre_bind: PreBindPlugin,
    /// Serves Bind.
    bind: BindPlugin,
    /// Serves PostBind.
    post_bind: PostBindPlugin,
}

impl Points {
    /// Whose registrations follow.
    pub(crate) fn begin(&mut self, name: &'static str, weight: i64) -> &mut Self {
        (self.name, self.weight) = (name, weight);
        self
    }
}
