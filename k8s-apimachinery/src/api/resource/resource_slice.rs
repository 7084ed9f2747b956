//! ResourceSlice: devices that a driver offers, on a node or on several.

use super::device::{self, check_nodes};
use super::identifier::{check_driver, check_fully_qualified, check_label, check_pool};
use super::{allocation, must_be_short, must_differ};
use crate::api::{Field, NameRule, Rules};
use crate::name;

const MAX_DEVICES: usize = 128;
/// As many fit if any device has what is costly to allocate: taints, counters, lists of values.
const MAX_COSTLY_DEVICES: usize = 64;
const MAX_COUNTER_SETS: usize = 8;

/// Rules of `resource.k8s.io/v1` `ResourceSlice`.
pub struct ResourceSlice;

impl Rules for ResourceSlice {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        false
    }

    fn check(&self, object: &Field) {
        let spec = object.get("spec");
        check_driver(&spec.get("driver"));
        check_resource_pool(&spec.get("pool"));
        check_place(&spec);
        let (devices, counters) = (spec.get("devices"), spec.get("sharedCounters"));
        if devices.is_set() && counters.is_set() {
            spec.invalid_value("", "only one of `sharedCounters` or `devices` is allowed");
        }
        let most = match devices.items().any(|device| is_costly(&device)) {
            true => MAX_COSTLY_DEVICES,
            false => MAX_DEVICES,
        };
        if must_be_short(&devices, most) {
            let has_own_place = spec.get("perDeviceNodeSelection").is_true();
            for each in devices.items() {
                device::check(&each, has_own_place);
            }
            must_differ(&devices, "name");
        }
        if must_be_short(&counters, MAX_COUNTER_SETS) {
            for set in counters.items() {
                let name = set.get("name");
                if name.must_be_set() {
                    check_label(&name);
                }
                device::check_counters(&set.get("counters"));
            }
            must_differ(&counters, "name");
        }
        check_partition_type(&spec);
        allocation::check_skipped(&spec.get("skipNodeOperations"));
    }

    fn check_update(&self, new: &Field, old: &Field) {
        let (spec, old) = (new.get("spec"), old.get("spec"));
        let (pool, old_pool) = (spec.get("pool"), old.get("pool"));
        pool.get("name").must_not_change(&old_pool.get("name"));
        for field in ["driver", "nodeName"] {
            spec.get(field).must_not_change(&old.get(field));
        }
    }
}

fn check_resource_pool(pool: &Field) {
    check_pool(&pool.get("name"));
    let (count, generation) = (pool.get("resourceSliceCount"), pool.get("generation"));
    if count.int().unwrap_or(0) <= 0 {
        count.invalid_value(count.int().unwrap_or(0), "must be greater than zero");
    }
    if generation.int().is_some_and(|generation| generation < 0) {
        generation.invalid("must be greater than or equal to zero");
    }
}

fn check_place(spec: &Field) {
    const ONE: &str = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    let (node, selector) = (spec.get("nodeName"), spec.get("nodeSelector"));
    let mut places = Vec::new();
    if node.is_set() {
        match node.is_empty() {
            true => node.invalid("must be either unset or set to a non-empty string"),
            false => {
                places.push("`nodeName`");
                node.invalid_for(name::dns1123_subdomain(node.str()));
            }
        }
    }
    if selector.is_set() {
        places.push("`nodeSelector`");
        check_nodes(&selector);
        let terms = selector.get("nodeSelectorTerms");
        if terms.len() != 1 {
            terms.invalid("must have exactly one node selector term");
        }
    }
    for (field, quoted) in [
        ("allNodes", "`allNodes`"),
        ("perDeviceNodeSelection", "`perDeviceNodeSelection`"),
    ] {
        let field = spec.get(field);
        if field.is_true() {
            places.push(quoted);
        } else if field.is_set() {
            field.invalid("must be either unset or set to true");
        }
    }
    match places.len() {
        0 => spec.required(ONE),
        1 => {}
        _ => spec.invalid_value(
            format!("{{{}}}", places.join(", ")),
            format!("{ONE}, but multiple fields are set"),
        ),
    }
}

fn is_costly(device: &Field) -> bool {
    let lists = ["bools", "ints", "strings", "versions"];
    let has_list = |attribute: &Field| lists.iter().any(|list| attribute.get(list).is_set());
    !device.get("taints").is_empty()
        || !device.get("consumesCounters").is_empty()
        || device
            .get("attributes")
            .entries()
            .any(|(_, attribute)| has_list(&attribute))
}

/// The attribute that tells partitions apart is a text of every device that is one.
fn check_partition_type(spec: &Field) {
    let attribute = spec.get("partitionTypeAttribute");
    if !attribute.is_set() {
        return;
    }
    check_fully_qualified(&attribute);
    let devices = spec.get("devices");
    let is_partition = |device: &Field| !device.get("consumesCounters").is_empty();
    if !devices.items().any(|device| is_partition(&device)) {
        return attribute
            .invalid("may only be set on a slice which declares devices that consume counters");
    }
    // In the driver's own domain, a device may leave the domain out.
    let name = attribute.str();
    let own_domain = format!("{}/", spec.get("driver").str());
    let bare = name.strip_prefix(&own_domain).unwrap_or(name);
    for device in devices.items().filter(is_partition) {
        let attributes = device.get("attributes");
        let (full, short) = (attributes.key(name), attributes.key(bare));
        let found = if full.is_set() { &full } else { &short };
        if !found.is_set() {
            full.required("device consumes counters and `partitionTypeAttribute` names this attribute, so it must be set");
        } else if !found.get("string").is_set() {
            full.holding(found).invalid(
                "must be a string value because `partitionTypeAttribute` names this attribute",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_update, cluster_wide};
    use crate::object::Object;
    use serde_json::{Value, json};

    fn slice(fields: Value) -> Object {
        let mut spec = json!({
            "driver": "gpu.example.com",
            "pool": {"name": "n1", "generation": 1, "resourceSliceCount": 1},
            "nodeName": "n1",
        });
        for (field, value) in fields.as_object().expect("an object") {
            spec[field] = value.clone();
        }
        cluster_wide(json!({"spec": spec}))
    }

    #[test]
    fn devices_are_in_one_place() {
        check_create(&ResourceSlice, slice(json!({})), &[]);
        check_create(
            &ResourceSlice,
            slice(json!({"nodeName": null})),
            &[
                "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required",
            ],
        );
        check_create(
            &ResourceSlice,
            slice(json!({"allNodes": true})),
            &[
                r#"spec: Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set"#,
            ],
        );
    }

    #[test]
    fn attributes_have_one_value() {
        let device = json!({"name": "gpu-0", "attributes": {
            "none": {}, "two": {"int": 1, "bool": true}, "version": {"version": "1"},
        }});
        check_create(
            &ResourceSlice,
            slice(json!({"devices": [device]})),
            &[
                r#"spec.devices[0].attributes[none]: Invalid value: "": exactly one value must be specified"#,
                r#"spec.devices[0].attributes[two]: Invalid value: {"bool":true,"int":1}: exactly one value must be specified"#,
                r#"spec.devices[0].attributes[version].version: Invalid value: "1": must be a string compatible with semver.org spec 2.0.0"#,
            ],
        );
    }

    #[test]
    fn fewer_devices_fit_when_any_is_costly() {
        let devices = |taints: Value| -> Vec<_> {
            let device = |at| json!({"name": format!("d{at}"), "taints": taints});
            (0..65).map(device).collect()
        };
        let taint = json!([{"key": "a", "effect": "NoSchedule"}]);
        check_create(
            &ResourceSlice,
            slice(json!({"devices": devices(json!([]))})),
            &[],
        );
        check_create(
            &ResourceSlice,
            slice(json!({"devices": devices(taint)})),
            &["spec.devices: Too many: 65: must have at most 64 items"],
        );
    }

    #[test]
    fn partitions_say_of_which_type_they_are() {
        let consumed = json!([{"counterSet": "set", "counters": {"memory": {"value": "1Gi"}}}]);
        let device = json!({"name": "a", "consumesCounters": consumed});
        check_create(
            &ResourceSlice,
            slice(json!({"devices": [device], "partitionTypeAttribute": "gpu.example.com/type"})),
            &[
                "spec.devices[0].attributes[gpu.example.com/type]: Required value: device consumes counters and `partitionTypeAttribute` names this attribute, so it must be set",
            ],
        );
    }

    #[test]
    fn a_slice_stays_in_its_pool() {
        let pool = json!({"name": "n2", "generation": 1, "resourceSliceCount": 1});
        check_update(
            &ResourceSlice,
            slice(json!({})),
            slice(json!({"pool": pool, "driver": "tpu.example.com"})),
            &[
                r#"spec.pool.name: Invalid value: "n2": field is immutable"#,
                r#"spec.driver: Invalid value: "tpu.example.com": field is immutable"#,
            ],
        );
    }
}
