//! All that is live at one revision: what a snapshot and a backup hold.

use crate::{
    KeyValue, Revision,
    version::{deadline::Deadlines, tree::Tree},
};

/// Keys with their values, and when they go by themselves. Cloning the tree costs nothing.
pub(super) struct State {
    pub(super) tree: Tree<KeyValue>,
    pub(super) deadlines: Deadlines,
    pub(super) revision: Revision,
}
