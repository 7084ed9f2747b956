//! What the runtime has of one pod.

use std::cmp::Reverse;

use crate::cri::{Container, ContainerState, Sandbox};

/// A pod's sandboxes and containers, dead ones included, each newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodView {
    /// Its sandboxes.
    pub sandboxes: Vec<Sandbox>,
    /// Its containers.
    pub containers: Vec<Container>,
}

impl PodView {
    /// Puts what a runtime listed in order.
    pub fn new(mut sandboxes: Vec<Sandbox>, mut containers: Vec<Container>) -> Self {
        sandboxes.sort_by_key(|sandbox| Reverse((sandbox.attempt, sandbox.created_at)));
        containers.sort_by_key(|run| Reverse((run.created_at, run.restart_count)));
        Self {
            sandboxes,
            containers,
        }
    }

    /// Whether the runtime has nothing of the pod.
    pub fn is_empty(&self) -> bool {
        self.sandboxes.is_empty() && self.containers.is_empty()
    }

    /// The newest sandbox, if it stands.
    pub fn ready_sandbox(&self) -> Option<&Sandbox> {
        self.sandboxes.first().filter(|sandbox| sandbox.is_ready)
    }

    /// The runs of a container, newest first.
    pub fn runs<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Container> {
        self.containers
            .iter()
            .filter(move |container| container.name == name)
    }

    /// The newest run of a container.
    pub fn latest(&self, name: &str) -> Option<&Container> {
        self.containers
            .iter()
            .find(|container| container.name == name)
    }

    /// A container by its runtime id.
    pub fn container(&self, id: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.id == id)
    }

    /// The containers whose processes run, or may run.
    pub fn running(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| {
            matches!(
                container.state,
                ContainerState::Running | ContainerState::Unknown
            )
        })
    }
}
