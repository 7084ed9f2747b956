//! What a claim was given, as its status says.

use std::collections::HashSet;

use serde_json::json;

use super::claim::{RequestNames, check_reference, check_references};
use super::identifier::{check_driver, check_label, check_pool, check_uuid};
use super::{must_be_short, must_differ, selector, taint};
use crate::api::Field;
use crate::api::condition::check_conditions;
use crate::api::metadata::check_label_key;
use crate::api::selector::check_node_selector_term;
use crate::ip::Network;

const MAX_RESULTS: usize = 32;
const MAX_CONFIGS: usize = 64;
const MAX_BINDING_CONDITIONS: usize = 4;
const MAX_CONDITIONS: usize = 8;
const MAX_DATA: usize = 10 * 1024;
const MAX_INTERFACE: usize = 256;
const MAX_HARDWARE: usize = 128;
const MAX_ADDRESSES: usize = 16;

/// Checks a new allocation.
pub(super) fn check(allocation: &Field, names: &RequestNames) {
    let devices = allocation.get("devices");
    let results = devices.get("results");
    if must_be_short(&results, MAX_RESULTS) {
        results
            .items()
            .for_each(|result| check_result(&result, names));
    }
    let configs = devices.get("config");
    if must_be_short(&configs, MAX_CONFIGS) {
        for config in configs.items() {
            config
                .get("source")
                .must_be_one_of(&["FromClaim", "FromClass"]);
            check_references(&config.get("requests"), names);
            selector::check_configuration(&config);
        }
    }
    for term in allocation
        .get("nodeSelector")
        .get("nodeSelectorTerms")
        .items()
    {
        check_node_selector_term(&term);
    }
}

fn check_result(result: &Field, names: &RequestNames) {
    check_reference(&result.get("request"), names);
    check_driver(&result.get("driver"));
    check_pool(&result.get("pool"));
    check_label(&result.get("device"));
    check_binding_conditions(result);
    for toleration in result.get("tolerations").items() {
        taint::check_toleration(&toleration);
    }
    let share = result.get("shareID");
    if share.is_set() {
        check_uuid(&share);
    }
    check_skipped(&result.get("skipNodeOperations"));
}

/// A pod waits until all binding conditions hold, or one of the failure conditions does: one needs the other.
pub(super) fn check_binding_conditions(device: &Field) {
    let (awaited, failed) = (
        device.get("bindingConditions"),
        device.get("bindingFailureConditions"),
    );
    for conditions in [&awaited, &failed] {
        if must_be_short(conditions, MAX_BINDING_CONDITIONS) {
            conditions
                .items()
                .for_each(|condition| check_label_key(&condition, condition.str()));
        }
        must_differ(conditions, "");
    }
    for condition in failed.items() {
        if awaited.items().any(|each| each.str() == condition.str()) {
            condition.invalid("bindingFailureConditions must not overlap with bindingConditions");
        }
    }
    match (awaited.is_empty(), failed.is_empty()) {
        (true, false) => {
            awaited.invalid("bindingConditions are required to use bindingFailureConditions");
        }
        (false, true) => {
            failed.invalid("bindingFailureConditions are required to use bindingConditions");
        }
        _ => {}
    }
}

/// What was never undone must not be skipped to do.
pub(super) fn check_skipped(operations: &Field) {
    let has = |operation: &str| operations.items().any(|each| each.str() == operation);
    if has("NodePrepareResources") && !has("NodeUnprepareResources") && !has("*") {
        operations.invalid(
            "NodePrepareResources cannot be skipped unless NodeUnprepareResources is also skipped",
        );
    }
}

/// Checks what drivers report of the devices that a claim was given.
pub(super) fn check_devices(devices: &Field, allocation: &Field) {
    let given: HashSet<_> = {
        let results = allocation.get("devices");
        let results = results.get("results");
        results.items().map(|result| key(&result)).collect()
    };
    let mut seen = HashSet::new();
    for device in devices.items() {
        check_driver(&device.get("driver"));
        check_pool(&device.get("pool"));
        check_label(&device.get("device"));
        let share = device.get("shareID");
        if share.is_set() {
            check_uuid(&share);
        }
        let [driver, pool, name, share] = key(&device);
        let id = json!({"Driver": driver, "Pool": pool, "Device": name, "ShareID": share});
        if !given.contains(&key(&device)) {
            device.invalid_value(id.clone(), "must be an allocated device in the claim");
        }
        if !seen.insert(key(&device)) {
            device.duplicate_value(id);
        }
        let conditions = device.get("conditions");
        must_be_short(&conditions, MAX_CONDITIONS);
        check_conditions(&conditions);
        let data = device.get("data");
        if data.is_set() {
            selector::check_raw(&data, MAX_DATA);
        }
        check_network(&device.get("networkData"));
    }
}

/// What tells the shares of devices apart.
fn key<'v>(device: &Field<'_, 'v>) -> [&'v str; 4] {
    ["driver", "pool", "device", "shareID"].map(|field| device.get(field).str())
}

fn check_network(network: &Field) {
    for (field, max) in [
        ("interfaceName", MAX_INTERFACE),
        ("hardwareAddress", MAX_HARDWARE),
    ] {
        let field = network.get(field);
        if field.str().len() > max {
            field.too_long(max);
        }
    }
    let addresses = network.get("ips");
    if !must_be_short(&addresses, MAX_ADDRESSES) {
        return;
    }
    for address in addresses.items() {
        match address.str().parse::<Network>() {
            Err(fault) => address.invalid(fault.to_string()),
            Ok(parsed) if parsed.to_string() != address.str() => {
                address.invalid(format!("must be in canonical form (\"{parsed}\")"));
            }
            Ok(_) => {}
        }
    }
    must_differ(&addresses, "");
}
