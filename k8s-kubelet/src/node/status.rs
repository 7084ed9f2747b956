//! The status that a node reports. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerImage, DaemonEndpoint, NodeAddress, NodeCondition, NodeDaemonEndpoints, NodeStatus,
    },
    apimachinery::pkg::{api::resource::Quantity, apis::meta::v1::Time},
};

use super::{allocatable::allocatable, machine::Machine};
use crate::{
    config::NodeConfig,
    cri::{Image, RuntimeCondition, RuntimeError, Version},
    eviction::{Pressure, Pressures},
    pod::status::second,
    volume::Device,
};

/// Images beyond this number are not listed.
const MAX_IMAGES: usize = 50;

/// All that a node's status rests on.
pub(super) struct Facts<'a> {
    pub(super) config: &'a NodeConfig,
    pub(super) machine: &'a Machine,
    pub(super) port: Option<u16>,
    pub(super) runtime: &'a Result<Vec<RuntimeCondition>, RuntimeError>,
    pub(super) version: &'a Version,
    pub(super) images: &'a [Image],
    /// What the node is short of.
    pub(super) pressures: &'a Pressures,
    /// Devices that others attached to the node and that pods use.
    pub(super) volumes: &'a BTreeSet<Device>,
    /// What was last reported.
    pub(super) base: &'a NodeStatus,
    pub(super) now: Timestamp,
}

/// The node's status now.
pub(super) fn status(facts: &Facts<'_>) -> NodeStatus {
    let capacity = capacity(facts.config, facts.machine);
    let allocatable = allocatable(facts.config, &capacity);
    let mut info = facts.machine.info.clone();
    info.container_runtime_version = format!("{}://{}", facts.version.name, facts.version.version);
    let address = |type_: &str, address: String| NodeAddress {
        type_: type_.into(),
        address,
    };
    NodeStatus {
        addresses: Some(vec![
            address("InternalIP", facts.config.internal_ip.to_string()),
            address("Hostname", facts.config.name.clone()),
        ]),
        allocatable: Some(allocatable),
        capacity: Some(capacity),
        conditions: Some(conditions(facts)),
        daemon_endpoints: facts.port.map(|port| NodeDaemonEndpoints {
            kubelet_endpoint: Some(DaemonEndpoint { port: port.into() }),
        }),
        images: Some(images(facts.images)),
        node_info: Some(info),
        volumes_in_use: Some(facts.volumes.iter().map(Device::unique_name).collect()),
        ..NodeStatus::default()
    }
}

/// Whether the node is ready, as the status says.
pub(super) fn is_ready(status: &NodeStatus) -> bool {
    let mut conditions = status.conditions.iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether two statuses differ in more than the times of their heartbeats.
pub(super) fn differs(old: &NodeStatus, new: &NodeStatus) -> bool {
    let timeless = |status: &NodeStatus| {
        let ours = status
            .conditions
            .iter()
            .flatten()
            .filter(|condition| CONDITIONS.contains(&condition.type_.as_str()));
        let mut ours: Vec<NodeCondition> = ours.cloned().collect();
        ours.sort_by(|a, b| a.type_.cmp(&b.type_));
        for condition in &mut ours {
            condition.last_heartbeat_time = None;
        }
        NodeStatus {
            conditions: Some(ours),
            addresses: status.addresses.clone(),
            allocatable: status.allocatable.clone(),
            capacity: status.capacity.clone(),
            daemon_endpoints: status.daemon_endpoints.clone(),
            // An absent list and an empty one are the same to the API.
            images: status.images.clone().filter(|images| !images.is_empty()),
            node_info: status.node_info.clone(),
            volumes_in_use: status
                .volumes_in_use
                .clone()
                .filter(|list| !list.is_empty()),
            ..NodeStatus::default()
        }
    };
    timeless(old) != timeless(new)
}

/// What the machine has, and what it is said to have.
pub(super) fn capacity(config: &NodeConfig, machine: &Machine) -> BTreeMap<String, Quantity> {
    let cpu = match machine.milli_cpu % 1000 {
        0 => (machine.milli_cpu / 1000).to_string(),
        _ => format!("{}m", machine.milli_cpu),
    };
    let found = [
        ("cpu", cpu),
        ("memory", format!("{}Ki", machine.memory / 1024)),
        ("ephemeral-storage", format!("{}Ki", machine.disk / 1024)),
        ("pods", config.max_pods.to_string()),
    ];
    let given = config
        .capacity
        .iter()
        .map(|(name, amount)| (name.as_str(), amount.clone()));
    found
        .into_iter()
        .chain(given)
        .map(|(name, amount)| (name.to_owned(), Quantity(amount)))
        .collect()
}

fn images(images: &[Image]) -> Vec<ContainerImage> {
    let mut images: Vec<&Image> = images.iter().collect();
    images.sort_by(|a, b| (b.size, &a.id).cmp(&(a.size, &b.id)));
    let listed = images
        .into_iter()
        .take(MAX_IMAGES)
        .map(|image| ContainerImage {
            names: Some(image.digests.iter().chain(&image.tags).cloned().collect()),
            size_bytes: i64::try_from(image.size).ok(),
        });
    listed.collect()
}

const CONDITIONS: [&str; 4] = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];

fn conditions(facts: &Facts<'_>) -> Vec<NodeCondition> {
    let ready = match problem(facts.runtime) {
        None => (
            "Ready",
            "True",
            "KubeletReady",
            "kubelet is posting ready status".to_owned(),
        ),
        Some(problem) => ("Ready", "False", "KubeletNotReady", problem),
    };
    let claims = [
        pressure(facts, Pressure::Memory),
        pressure(facts, Pressure::Disk),
        pressure(facts, Pressure::Pid),
        ready,
    ];
    let now = second(facts.now);
    claims
        .into_iter()
        .map(|(type_, status, reason, message)| NodeCondition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            reason: Some(reason.to_owned()),
            message: Some(message),
            last_heartbeat_time: Some(now.clone()),
            last_transition_time: Some(
                since(facts.base, type_, status).unwrap_or_else(|| now.clone()),
            ),
        })
        .collect()
}

type Claim = (&'static str, &'static str, &'static str, String);

/// Whether the node is short of something.
fn pressure(facts: &Facts<'_>, pressure: Pressure) -> Claim {
    let is_short = facts.pressures.has(pressure);
    let (reason, message) = match (pressure, is_short) {
        (Pressure::Memory, false) => (
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available",
        ),
        (Pressure::Memory, true) => (
            "KubeletHasInsufficientMemory",
            "kubelet has insufficient memory available",
        ),
        (Pressure::Disk, false) => ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        (Pressure::Disk, true) => ("KubeletHasDiskPressure", "kubelet has disk pressure"),
        (Pressure::Pid, false) => (
            "KubeletHasSufficientPID",
            "kubelet has sufficient PID available",
        ),
        (Pressure::Pid, true) => (
            "KubeletHasInsufficientPID",
            "kubelet has insufficient PID available",
        ),
    };
    let status = if is_short { "True" } else { "False" };
    (pressure.as_str(), status, reason, message.to_owned())
}

/// Since when the condition has had this status.
fn since(base: &NodeStatus, type_: &str, status: &str) -> Option<Time> {
    let mut known = base.conditions.iter().flatten();
    let known = known.find(|known| known.type_ == type_ && known.status == status)?;
    known.last_transition_time.clone()
}

/// Why pods can't run, if they can't.
fn problem(runtime: &Result<Vec<RuntimeCondition>, RuntimeError>) -> Option<String> {
    let conditions = match runtime {
        Ok(conditions) => conditions,
        Err(error) => return Some(format!("container runtime is down: {error}")),
    };
    let check = |type_: &str, what: &str| {
        let found = conditions.iter().find(|condition| condition.type_ == type_);
        match found {
            Some(condition) if condition.is_true => None,
            Some(condition) => Some(format!(
                "{what} not ready: {type_}=false reason:{} message:{}",
                condition.reason, condition.message
            )),
            None => Some(format!("{what} not ready: {type_} is unknown")),
        }
    };
    let problems = [
        check("RuntimeReady", "container runtime"),
        check("NetworkReady", "container runtime network"),
    ];
    let problems: Vec<_> = problems.into_iter().flatten().collect();
    (!problems.is_empty()).then(|| format!("[{}]", problems.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(
        runtime: Result<Vec<RuntimeCondition>, RuntimeError>,
        base: &NodeStatus,
        now: i64,
    ) -> NodeStatus {
        let config = NodeConfig::new("n1", "/tmp");
        let machine = Machine {
            milli_cpu: 2500,
            memory: 1 << 30,
            ..Machine::default()
        };
        status(&Facts {
            config: &config,
            machine: &machine,
            port: Some(10250),
            runtime: &runtime,
            version: &Version::default(),
            images: &[],
            pressures: &[Pressure::Disk]
                .into_iter()
                .filter(|_| now >= 100)
                .collect(),
            volumes: &BTreeSet::new(),
            base,
            now: Timestamp::from_second(now).unwrap(),
        })
    }

    fn conditions(network: bool) -> Vec<RuntimeCondition> {
        let condition = |type_: &str, is_true| RuntimeCondition {
            type_: type_.into(),
            is_true,
            reason: "R".into(),
            message: "m".into(),
        };
        vec![
            condition("RuntimeReady", true),
            condition("NetworkReady", network),
        ]
    }

    #[test]
    fn a_node_is_ready_when_its_runtime_and_network_are() {
        let base = NodeStatus::default();
        assert!(is_ready(&report(Ok(conditions(true)), &base, 1)));
        let status = report(Ok(conditions(false)), &base, 1);
        let ready = status.conditions.unwrap().pop().unwrap();
        assert_eq!(
            ready.message.unwrap(),
            "[container runtime network not ready: NetworkReady=false reason:R message:m]"
        );
        assert!(!is_ready(&report(
            Err(RuntimeError::Unsupported("x")),
            &base,
            1
        )));
    }

    #[test]
    fn a_heartbeat_alone_is_no_difference_and_keeps_the_transition_time() {
        let first = report(Ok(conditions(true)), &NodeStatus::default(), 10);
        let second = report(Ok(conditions(true)), &first, 20);
        assert!(!differs(&first, &second));
        assert!(differs(
            &second,
            &report(Ok(conditions(false)), &second, 30)
        ));
        let times = |status: &NodeStatus| {
            let ready = status.conditions.as_ref().unwrap()[3].clone();
            (
                ready.last_transition_time.unwrap().0.as_second(),
                ready.last_heartbeat_time.unwrap().0.as_second(),
            )
        };
        assert_eq!(times(&second), (10, 20));
    }

    #[test]
    fn what_the_node_is_short_of_is_told() {
        let first = report(Ok(conditions(true)), &NodeStatus::default(), 10);
        let second = report(Ok(conditions(true)), &first, 100);
        assert!(differs(&first, &second));
        let disk = second.conditions.unwrap()[1].clone();
        assert_eq!(
            (
                disk.type_.as_str(),
                disk.status.as_str(),
                disk.reason.unwrap().as_str()
            ),
            ("DiskPressure", "True", "KubeletHasDiskPressure")
        );
        assert_eq!(disk.last_transition_time.unwrap().0.as_second(), 100);
    }

    #[test]
    fn fractions_of_a_core_are_told_in_millicores() {
        let capacity = report(Ok(conditions(true)), &NodeStatus::default(), 1)
            .capacity
            .unwrap();
        assert_eq!(
            (capacity["cpu"].0.as_str(), capacity["memory"].0.as_str()),
            ("2500m", "1048576Ki")
        );
    }
}
