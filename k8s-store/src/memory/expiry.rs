//! Who wakes for deadlines where nothing runs in the background: the watches, which are waiting anyway.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::time::timeout_at;

use super::State;
use crate::WatchStream;

/// A watch that removes what is due while it has nothing to say. Needs a tokio runtime only once
/// something has a deadline.
pub(super) fn sweeping(state: &Arc<State>, changes: WatchStream) -> WatchStream {
    let start = (Arc::clone(state), changes);
    let items = stream::unfold(start, async |(state, mut changes)| {
        let item = loop {
            // Whatever sets an earlier deadline is a commit, which every watch has a word on.
            let Some(due) = state.sweep() else {
                break changes.next().await?;
            };
            if let Ok(item) = timeout_at(due, changes.next()).await {
                break item?;
            }
        };
        Some((item, (state, changes)))
    });
    items.boxed()
}
