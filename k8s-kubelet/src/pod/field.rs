//! Facts about a pod by their paths: what `fieldRef` and `resourceFieldRef` name. Pure.

use std::collections::BTreeMap;

use k8s_apimachinery::quantity::Quantity;
use k8s_openapi::api::core::v1::{Container, Pod, ResourceFieldSelector};

/// The text of a field such as `metadata.name`, `metadata.labels['app']` or `status.podIP`.
pub(crate) fn of_pod(pod: &Pod, path: &str) -> Result<String, String> {
    let meta = &pod.metadata;
    let text = |text: &Option<String>| Ok(text.clone().unwrap_or_default());
    if let Some((map, key)) = path
        .strip_suffix("']")
        .and_then(|path| path.split_once("['"))
    {
        let map = match map {
            "metadata.labels" => &meta.labels,
            "metadata.annotations" => &meta.annotations,
            _ => return Err(format!("invalid fieldPath with subscript: {path}")),
        };
        return Ok(map
            .as_ref()
            .and_then(|map| map.get(key))
            .cloned()
            .unwrap_or_default());
    }
    let spec = pod.spec.clone().unwrap_or_default();
    let status = pod.status.as_ref();
    match path {
        "metadata.name" => text(&meta.name),
        "metadata.namespace" => text(&meta.namespace),
        "metadata.uid" => text(&meta.uid),
        "metadata.labels" => Ok(lines(meta.labels.as_ref())),
        "metadata.annotations" => Ok(lines(meta.annotations.as_ref())),
        "spec.nodeName" => text(&spec.node_name),
        "spec.serviceAccountName" => text(&spec.service_account_name),
        "status.hostIP" => text(&status.and_then(|status| status.host_ip.clone())),
        "status.hostIPs" => {
            let ips = status
                .and_then(|status| status.host_ips.clone())
                .unwrap_or_default();
            Ok(ips
                .into_iter()
                .map(|ip| ip.ip)
                .collect::<Vec<_>>()
                .join(","))
        }
        "status.podIP" => text(&status.and_then(|status| status.pod_ip.clone())),
        "status.podIPs" => {
            let ips = status
                .and_then(|status| status.pod_ips.clone())
                .unwrap_or_default();
            Ok(ips
                .into_iter()
                .map(|ip| ip.ip)
                .collect::<Vec<_>>()
                .join(","))
        }
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

fn lines(map: Option<&BTreeMap<String, String>>) -> String {
    let lines = map
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={value:?}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The text of a container's request or limit, in units of the divisor, rounded up. What isn't
/// limited may use what the node allocates: `allocatable` in millicores and bytes.
pub(crate) fn of_resources(
    pod: &Pod,
    selector: &ResourceFieldSelector,
    own: Option<&Container>,
    allocatable: (i64, i64),
) -> Result<String, String> {
    let named = selector
        .container_name
        .as_deref()
        .filter(|name| !name.is_empty());
    let spec = pod.spec.as_ref();
    let all = spec.into_iter().flat_map(|spec| {
        spec.containers
            .iter()
            .chain(spec.init_containers.iter().flatten())
    });
    let container = match named {
        Some(name) => all.into_iter().find(|container| container.name == name),
        None => own,
    };
    let container =
        container.ok_or_else(|| format!("container {} not found", named.unwrap_or_default()))?;
    let (list, resource) = selector
        .resource
        .split_once('.')
        .unwrap_or(("", &selector.resource));
    let resources = container.resources.as_ref();
    let list = match list {
        "limits" => resources.and_then(|all| all.limits.as_ref()),
        "requests" => resources.and_then(|all| all.requests.as_ref()),
        _ => {
            return Err(format!(
                "unsupported container resource : {}",
                selector.resource
            ));
        }
    };
    let amount = list
        .and_then(|list| list.get(resource))
        .and_then(|amount| amount.0.parse::<Quantity>().ok());
    let is_limit = selector.resource.starts_with("limits.");
    let divisor = selector
        .divisor
        .as_ref()
        .and_then(|divisor| divisor.0.parse::<Quantity>().ok());
    let (amount, divisor) = if resource == "cpu" {
        let fallback = if is_limit { allocatable.0 } else { 0 };
        let divisor = divisor.map_or(1000, |divisor| divisor.milli_value());
        (
            amount.map_or(fallback, |amount| amount.milli_value()),
            divisor,
        )
    } else {
        let fallback = if is_limit && resource == "memory" {
            allocatable.1
        } else {
            0
        };
        let divisor = divisor.map_or(1, |divisor| divisor.value());
        (amount.map_or(fallback, |amount| amount.value()), divisor)
    };
    // An absent divisor may also be spelt "0".
    let divisor = match (divisor, resource) {
        (0, "cpu") => 1000,
        (0, _) => 1,
        (divisor, _) => divisor,
    };
    Ok(((amount + divisor - 1) / divisor).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "ns", "labels": {"b": "2", "a": "x\"y"}},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "resources": {
                "limits": {"cpu": "1500m"}, "requests": {"memory": "100Mi"}}}]},
            "status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd::1"}]},
        }))
        .unwrap()
    }

    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(of_pod(&pod(), path).unwrap(), expected, "{path}");
    }

    #[test]
    fn fields_read_as_the_downward_api_writes_them() {
        check("metadata.name", "web");
        check("metadata.labels", "a=\"x\\\"y\"\nb=\"2\"");
        check("metadata.labels['b']", "2");
        check("metadata.annotations['none']", "");
        check("spec.nodeName", "n1");
        check("status.podIPs", "10.0.0.1,fd::1");
        assert!(of_pod(&pod(), "spec.nope").is_err());
    }

    #[track_caller]
    fn resource(selector: serde_json::Value, expected: &str) {
        let selector: ResourceFieldSelector = serde_json::from_value(selector).unwrap();
        let text = of_resources(&pod(), &selector, None, (4000, 1 << 30)).unwrap();
        assert_eq!(text, expected);
    }

    #[test]
    fn resources_round_up_and_fall_back_to_the_node() {
        resource(json!({"containerName": "c", "resource": "limits.cpu"}), "2");
        resource(
            json!({"containerName": "c", "resource": "limits.cpu", "divisor": "1m"}),
            "1500",
        );
        resource(
            json!({"containerName": "c", "resource": "requests.memory", "divisor": "1Mi"}),
            "100",
        );
        resource(
            json!({"containerName": "c", "resource": "limits.memory"}),
            "1073741824",
        );
        resource(
            json!({"containerName": "c", "resource": "requests.cpu"}),
            "0",
        );
    }
}
