use super::*;
use crate::pod::testing::pod;
use serde_json::{Value, json};

fn container(name: &str, cpu: &str) -> Value {
    json!({"name": name, "resources": {"requests": {"cpu": cpu}}})
}

#[track_caller]
fn check(spec: Value, milli_cpu: i64) {
    assert_eq!(requests(&pod(spec, json!({}))).milli_cpu, milli_cpu);
}

#[test]
fn containers_add_up() {
    check(
        json!({"containers": [container("a", "100m"), container("b", "1")]}),
        1100,
    );
}

#[test]
fn the_greatest_init_container_counts_when_it_exceeds_the_sum() {
    let init = [container("i", "2"), container("j", "500m")];
    check(
        json!({"containers": [container("a", "1")], "initContainers": init}),
        2000,
    );
}

#[test]
fn sidecars_count_for_later_init_containers_and_the_main_phase() {
    let mut sidecar = container("s", "300m");
    sidecar["restartPolicy"] = json!("Always");
    let init = [container("before", "1"), sidecar, container("after", "1")];
    let spec = json!({"containers": [container("a", "500m")], "initContainers": init});
    check(spec, 1300);
}

#[test]
fn overhead_comes_on_top() {
    check(
        json!({"containers": [container("a", "1")], "overhead": {"cpu": "250m"}}),
        1250,
    );
}

#[test]
fn pod_level_requests_replace_the_sum() {
    let spec = json!({
        "containers": [container("a", "1"), container("b", "1")],
        "resources": {"requests": {"cpu": "1500m"}},
    });
    check(spec, 1500);
}

#[test]
fn a_running_resize_counts_with_the_greater_amount() {
    let spec = json!({"containers": [container("a", "1")]});
    let status = json!({"containerStatuses": [{
        "name": "a", "image": "", "imageID": "", "ready": true, "restartCount": 0,
        "allocatedResources": {"cpu": "2"},
    }]});
    assert_eq!(requests(&pod(spec, status)).milli_cpu, 2000);
}

#[test]
fn scoring_assumes_an_amount_for_silent_containers() {
    let pod = pod(json!({"containers": [{"name": "a"}]}), json!({}));
    let scored = requests_for_scoring(&pod);
    assert_eq!(
        (scored.milli_cpu, scored.memory),
        (DEFAULT_MILLI_CPU, DEFAULT_MEMORY)
    );
    assert_eq!(requests(&pod), Resources::default());
}

#[test]
fn overhead_raises_only_what_is_limited() {
    let limits_of = |name: &str| {
        let container = json!({"name": "a", "resources": {"limits": {"memory": "1Gi"}}});
        let overhead = json!({"cpu": "250m", "memory": "1Mi"});
        limits(&pod(
            json!({"containers": [container], "overhead": overhead}),
            json!({}),
        ))
        .get(name)
    };
    assert_eq!(limits_of("memory"), (1 << 30) + (1 << 20));
    assert_eq!(limits_of("cpu"), 0);
}
