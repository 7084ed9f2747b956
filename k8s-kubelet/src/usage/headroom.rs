//! What is left of the machine itself: cheap to look at, whatever runs on it.

use std::{os::unix::fs::MetadataExt, path::Path, sync::Arc};

use super::{
    figure::{Disk, Memory, Processes},
    machine,
};
use crate::{agent::Agent, cri::RuntimeError, node};

/// What is left of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Headroom {
    /// Of all the memory that there is, whatever the node is said to have.
    pub(crate) memory: Memory,
    /// Where pods' volumes and logs are.
    pub(crate) disk: Option<Disk>,
    /// Where images and containers' layers are.
    pub(crate) images: Option<Disk>,
    /// Whether those are two file systems.
    pub(crate) is_split: bool,
    /// Process ids.
    pub(crate) processes: Processes,
}

impl Headroom {
    /// Looks at an agent's machine.
    pub(crate) async fn look(agent: &Arc<Agent>) -> Result<Self, RuntimeError> {
        let now = agent.now();
        let root = &agent.config.root_dir;
        let images = agent.runtime.image_disk().await?;
        let images = images.map(|images| images.path);
        let device = |path: &Path| std::fs::metadata(path).ok().map(|meta| meta.dev());
        let is_split = images
            .as_deref()
            .and_then(device)
            .is_some_and(|images| device(root) != Some(images));
        let disk = machine::disk(root, now);
        Ok(Self {
            memory: machine::memory(now, node::total_memory()),
            disk,
            images: images.map_or(disk, |path| machine::disk(&path, now)),
            is_split,
            processes: machine::processes(now),
        })
    }
}
