//! PrioritySort: higher priority first, then who has waited longer.

use std::{cmp::Ordering, sync::Arc};

use crate::{
    framework::{Plugin, Points, QueueSortPlugin},
    queue::QueuedPod,
};

/// The plugin's name.
pub const NAME: &str = "PrioritySort";

/// Orders the queue by `spec.priority`, then by when each pod was queued.
pub struct PrioritySort;

impl Plugin for PrioritySort {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.queue_sort(self);
    }
}

impl QueueSortPlugin for PrioritySort {
    fn compare(&self, a: &QueuedPod, b: &QueuedPod) -> Ordering {
        let by_priority = b.info.priority.cmp(&a.info.priority);
        by_priority.then_with(|| a.queued_at.cmp(&b.queued_at))
    }
}
