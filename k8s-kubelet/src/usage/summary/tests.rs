use serde_json::json;

use super::*;
use crate::cri::{self, Sandbox};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn cpu(nanos: u64) -> Cpu {
    Cpu {
        time: at(100),
        usage_nano_cores: None,
        usage_core_nano_seconds: nanos,
    }
}

fn memory(working_set: u64) -> Memory {
    Memory {
        time: at(100),
        working_set_bytes: Some(working_set),
        ..Memory::default()
    }
}

fn node() -> NodeFacts {
    NodeFacts {
        name: "n1".into(),
        since: at(1),
        cpu: cpu(9),
        memory: memory(7),
        network: None,
        disk: Some(Disk {
            time: at(100),
            capacity_bytes: Some(1000),
            used_bytes: Some(400),
            ..Disk::default()
        }),
        images: None,
        processes: Processes {
            time: at(100),
            max_pid: Some(99),
            running: Some(5),
        },
    }
}

/// A pod of two containers, of which the first has a limit of 100 bytes.
fn facts(group: Option<GroupUsage>) -> PodFacts {
    let pod = json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
        "spec": {"containers": [
            {"name": "a", "resources": {"limits": {"memory": "100"}}},
            {"name": "b"},
        ]},
    });
    let container = |name: &str, nanos, working_set| ContainerUsage {
        id: format!("id-{name}"),
        name: name.into(),
        cpu: Some(cpu(nanos)),
        memory: Some(memory(working_set)),
        layer: Some(Size {
            bytes: 10,
            inodes: 1,
        }),
    };
    let run = cri::Container {
        id: "id-a".into(),
        name: "a".into(),
        started_at: Some(at(50)),
        ..cri::Container::default()
    };
    let sandbox = Sandbox {
        created_at: 40_000_000_000,
        ..Sandbox::default()
    };
    let size = |bytes| Size { bytes, inodes: 1 };
    let volume = |name: &str, bytes, is_on_disk| VolumeFacts {
        name: name.into(),
        size: size(bytes),
        is_on_disk,
    };
    PodFacts {
        claims: Vec::new(),
        pod: Arc::new(serde_json::from_value(pod).unwrap()),
        used: PodUsage {
            uid: "u".into(),
            processes: Some(3),
            containers: vec![container("a", 5, 30), container("b", 6, 20)],
            ..PodUsage::default()
        },
        group,
        view: Arc::new(PodView::new(vec![sandbox], vec![run])),
        logs: vec![("a".into(), size(1))],
        volumes: vec![volume("scratch", 100, true), volume("secret", 1000, false)],
    }
}

fn told(group: Option<GroupUsage>) -> serde_json::Value {
    json!(summary(node(), vec![facts(group)], at(100)))
}

#[test]
fn a_pod_reads_as_kubernetes_writes_it() {
    let disk = |used: u64, inodes: u64| {
        json!({
            "time": "1970-01-01T00:01:40Z", "capacityBytes": 1000, "usedBytes": used, "inodesUsed": inodes,
        })
    };
    let volume = |name: &str, used: u64| {
        let mut volume = disk(used, 1);
        volume["name"] = name.into();
        volume
    };
    let now = "1970-01-01T00:01:40Z";
    let expected = json!({
        "podRef": {"name": "p", "namespace": "ns", "uid": "u"},
        "startTime": "1970-01-01T00:00:40Z",
        "containers": [
            {
                "name": "a",
                "startTime": "1970-01-01T00:00:50Z",
                "cpu": {"time": now, "usageCoreNanoSeconds": 5},
                "memory": {"time": now, "availableBytes": 70, "workingSetBytes": 30},
                "rootfs": disk(10, 1),
                "logs": disk(1, 1),
            },
            {
                "name": "b",
                "startTime": now,
                "cpu": {"time": now, "usageCoreNanoSeconds": 6},
                "memory": {"time": now, "workingSetBytes": 20},
                "rootfs": disk(10, 1),
            },
        ],
        "cpu": {"time": now, "usageCoreNanoSeconds": 11},
        "memory": {"time": now, "workingSetBytes": 50},
        "volume": [volume("scratch", 100), volume("secret", 1000)],
        "ephemeral-storage": disk(121, 4),
        "process_stats": {"process_count": 3},
    });
    assert_eq!(told(None)["pods"][0], expected);
}

#[test]
fn a_group_counts_more_than_its_containers() {
    let group = GroupUsage {
        cpu_nanos: 20,
        memory: 90,
        inactive_files: 15,
    };
    let told = told(Some(group));
    let pod = &told["pods"][0];
    assert_eq!(pod["cpu"]["usageCoreNanoSeconds"], 20);
    assert_eq!(pod["memory"]["workingSetBytes"], 75);
    // A container without a limit may use all there is.
    assert_eq!(pod["memory"].get("availableBytes"), None);
}

#[test]
fn the_node_tells_its_disk_and_processes() {
    let told = told(None);
    let node = &told["node"];
    assert_eq!(node["fs"]["usedBytes"], 400);
    assert_eq!(
        node["rlimit"],
        json!({"time": "1970-01-01T00:01:40Z", "maxpid": 99, "curproc": 5})
    );
    assert_eq!(node["runtime"], json!({}));
}

#[test]
fn each_counter_has_a_name_of_its_own() {
    let mut summary = summary(node(), vec![facts(None)], at(100));
    let names: Vec<String> = summary.counters().map(|(name, _)| name).collect();
    assert_eq!(names, ["", "u", "u/a", "u/b"]);
}
