//! What a hollow runtime holds: sandboxes, containers and when they end. No I/O, no waiting.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Behaviour, address::Addresses};
use crate::{
    cri::{
        Container, ContainerState, ContainerUsage, PodUsage, RuntimeError, Sandbox,
        api::{ContainerConfig, LinuxContainerResources, NamespaceMode, PodSandboxConfig},
        label,
    },
    usage::{Cpu, Memory},
};

pub(super) struct State {
    /// Part of every id, so that those of two runtimes differ.
    seed: u64,
    made: u64,
    addresses: Addresses,
    sandboxes: BTreeMap<String, Sandbox>,
    containers: BTreeMap<String, Entry>,
    ends: BinaryHeap<Reverse<(Instant, String)>>,
    /// Pods (by uid) in which something happened by itself.
    pub(super) changed: BTreeSet<String>,
}

struct Entry {
    container: Container,
    resources: LinuxContainerResources,
    behaviour: Behaviour,
}

impl State {
    pub(super) fn new(pod_cidr: &str) -> Self {
        let seed = pod_cidr
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
        Self {
            seed,
            made: 0,
            addresses: Addresses::new(pod_cidr),
            sandboxes: BTreeMap::new(),
            containers: BTreeMap::new(),
            ends: BinaryHeap::new(),
            changed: BTreeSet::new(),
        }
    }

    fn new_id(&mut self) -> String {
        self.made += 1;
        format!("{:016x}{:048x}", self.seed, self.made)
    }

    /// Ends the containers whose time has come.
    pub(super) fn settle(&mut self, at: Instant, now: Timestamp) {
        while let Some(Reverse((end, _))) = self.ends.peek()
            && *end <= at
        {
            let Some(Reverse((_, id))) = self.ends.pop() else {
                return;
            };
            let Some(exit_code) = self
                .containers
                .get(&id)
                .map(|entry| entry.behaviour.exit_code)
            else {
                continue;
            };
            self.end(&id, exit_code, "", "", now);
        }
    }

    /// When the next container ends by itself.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.ends.peek().map(|Reverse((end, _))| *end)
    }

    pub(super) fn sandboxes(&self, uid: Option<&str>) -> Vec<Sandbox> {
        let wanted = self
            .sandboxes
            .values()
            .filter(|sandbox| uid.is_none_or(|uid| sandbox.pod_uid == uid));
        wanted.cloned().collect()
    }

    pub(super) fn containers(&self, uid: Option<&str>) -> Vec<Container> {
        let all = self.containers.values().map(|entry| &entry.container);
        all.filter(|container| uid.is_none_or(|uid| container.pod_uid == uid))
            .cloned()
            .collect()
    }

    pub(super) fn container(&self, id: &str) -> Result<&Container, RuntimeError> {
        let entry = self.containers.get(id).map(|entry| &entry.container);
        entry.ok_or_else(|| RuntimeError::NotFound(format!("container {id}")))
    }

    pub(super) fn behaviour(&self, id: &str) -> Result<Behaviour, RuntimeError> {
        let entry = self.containers.get(id).map(|entry| entry.behaviour.clone());
        entry.ok_or_else(|| RuntimeError::NotFound(format!("container {id}")))
    }

    pub(super) fn sandbox_ips(&self, id: &str) -> Result<Vec<String>, RuntimeError> {
        self.sandbox(id).map(|sandbox| sandbox.ips)
    }

    pub(super) fn sandbox(&self, id: &str) -> Result<Sandbox, RuntimeError> {
        let sandbox = self.sandboxes.get(id).cloned();
        sandbox.ok_or_else(|| RuntimeError::NotFound(format!("sandbox {id}")))
    }

    pub(super) fn run_sandbox(
        &mut self,
        config: &PodSandboxConfig,
        now: Timestamp,
    ) -> Result<String, RuntimeError> {
        let meta = config.metadata.clone().unwrap_or_default();
        let options = config
            .linux
            .as_ref()
            .and_then(|linux| linux.security_context.as_ref()?.namespace_options.as_ref());
        let is_on_host = options.is_some_and(|options| options.network() == NamespaceMode::Node);
        let ips = if is_on_host {
            Vec::new()
        } else {
            let ip = self.addresses.take();
            vec![ip.ok_or_else(|| {
                RuntimeError::Failed("no addresses available in the pod range".into())
            })?]
        };
        let id = self.new_id();
        let sandbox = Sandbox {
            id: id.clone(),
            pod_uid: meta.uid,
            namespace: meta.namespace,
            name: meta.name,
            attempt: meta.attempt,
            is_ready: true,
            created_at: nanos(now),
            ips,
        };
        self.sandboxes.insert(id.clone(), sandbox);
        Ok(id)
    }

    pub(super) fn stop_sandbox(&mut self, id: &str, now: Timestamp) {
        let inside: Vec<String> = self
            .containers
            .values()
            .filter(|entry| entry.container.sandbox_id == id)
            .map(|entry| entry.container.id.clone())
            .collect();
        for container in inside {
            self.end(&container, 137, "", "", now);
        }
        let Some(sandbox) = self.sandboxes.get_mut(id) else {
            return;
        };
        if std::mem::take(&mut sandbox.is_ready) {
            for ip in &sandbox.ips {
                self.addresses.give_back(ip);
            }
            self.changed.insert(sandbox.pod_uid.clone());
        }
    }

    pub(super) fn remove_sandbox(&mut self, id: &str, now: Timestamp) {
        self.stop_sandbox(id, now);
        self.sandboxes.remove(id);
        self.containers
            .retain(|_, entry| entry.container.sandbox_id != id);
    }

    pub(super) fn create_container(
        &mut self,
        sandbox_id: &str,
        config: &ContainerConfig,
        behaviour: Behaviour,
        now: Timestamp,
    ) -> Result<String, RuntimeError> {
        let Some(sandbox) = self
            .sandboxes
            .get(sandbox_id)
            .filter(|sandbox| sandbox.is_ready)
        else {
            return Err(RuntimeError::NotFound(format!("sandbox {sandbox_id}")));
        };
        let pod_uid = sandbox.pod_uid.clone();
        let meta = config.metadata.clone().unwrap_or_default();
        let image = config
            .image
            .clone()
            .unwrap_or_default()
            .user_specified_image;
        let id = self.new_id();
        let container = Container {
            id: id.clone(),
            sandbox_id: sandbox_id.to_owned(),
            pod_uid,
            name: meta.name,
            restart_count: meta.attempt,
            hash: config
                .annotations
                .get(label::HASH)
                .cloned()
                .unwrap_or_default(),
            state: ContainerState::Created,
            created_at: nanos(now),
            image_ref: image.clone(),
            image,
            ..Container::default()
        };
        self.containers.insert(
            id.clone(),
            Entry {
                container,
                resources: config
                    .linux
                    .as_ref()
                    .and_then(|linux| linux.resources.clone())
                    .unwrap_or_default(),
                behaviour,
            },
        );
        Ok(id)
    }

    pub(super) fn start(
        &mut self,
        id: &str,
        at: Instant,
        now: Timestamp,
    ) -> Result<(), RuntimeError> {
        let entry = self.containers.get_mut(id);
        let entry = entry.ok_or_else(|| RuntimeError::NotFound(format!("container {id}")))?;
        entry.container.state = ContainerState::Running;
        entry.container.started_at = Some(now);
        if let Some(runs_for) = entry.behaviour.runs_for {
            self.ends.push(Reverse((at + runs_for, id.to_owned())));
        }
        Ok(())
    }

    /// Ends a container unless it has ended.
    pub(super) fn end(
        &mut self,
        id: &str,
        exit_code: i32,
        reason: &str,
        message: &str,
        now: Timestamp,
    ) {
        let Some(entry) = self.containers.get_mut(id) else {
            return;
        };
        let container = &mut entry.container;
        if container.state == ContainerState::Exited {
            return;
        }
        container.state = ContainerState::Exited;
        container.started_at.get_or_insert(now);
        container.finished_at = Some(now);
        container.exit_code = exit_code;
        container.reason = reason.to_owned();
        container.message = message.to_owned();
        self.changed.insert(container.pod_uid.clone());
    }

    pub(super) fn update_container(
        &mut self,
        id: &str,
        resources: &LinuxContainerResources,
    ) -> Result<(), RuntimeError> {
        let entry = self.containers.get_mut(id);
        let entry = entry.ok_or_else(|| RuntimeError::NotFound(format!("container {id}")))?;
        entry.resources = resources.clone();
        Ok(())
    }

    pub(super) fn resources(&self, id: &str) -> Option<LinuxContainerResources> {
        self.containers.get(id).map(|entry| entry.resources.clone())
    }

    pub(super) fn remove_container(&mut self, id: &str) {
        self.containers.remove(id);
    }

    /// What running containers use, as they behave.
    pub(super) fn usage(&self, now: Timestamp) -> Vec<PodUsage> {
        let mut pods: BTreeMap<&str, PodUsage> = BTreeMap::new();
        for entry in self.containers.values() {
            if entry.container.state != ContainerState::Running {
                continue;
            }
            let uid = &entry.container.pod_uid;
            let pod = pods.entry(uid).or_insert_with(|| PodUsage {
                uid: uid.clone(),
                ..PodUsage::default()
            });
            pod.containers.push(entry.usage(now));
        }
        pods.into_values().collect()
    }
}

impl Entry {
    fn usage(&self, now: Timestamp) -> ContainerUsage {
        let usage = self.behaviour.usage;
        let nano_cores = usage.milli_cpu * 1_000_000;
        let started = self.container.started_at.unwrap_or(now);
        let seconds = u64::try_from((now.as_second() - started.as_second()).max(0));
        ContainerUsage {
            id: self.container.id.clone(),
            name: self.container.name.clone(),
            cpu: Some(Cpu {
                time: now,
                usage_nano_cores: Some(nano_cores),
                usage_core_nano_seconds: nano_cores * seconds.unwrap_or_default(),
            }),
            memory: Some(Memory {
                time: now,
                usage_bytes: Some(usage.memory),
                working_set_bytes: Some(usage.memory),
                rss_bytes: Some(usage.memory),
                ..Memory::default()
            }),
            layer: None,
        }
    }
}

fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}
