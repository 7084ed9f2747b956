//! Which path of which node a request is really for. Pure: from a pod and a request to an agent's
//! URL.

use form_urlencoded::Serializer;
use k8s_openapi::api::core::v1::{Pod, PodSpec};

use crate::{
    ApiError, RequestInfo,
    error::{Cause, GroupKind},
};

/// A path on a node's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The node's name.
    pub node: String,
    /// The path and query there.
    pub path_and_query: String,
}

impl Target {
    /// Where a pod's subresource is served; `None` for the log of a pod that no node has yet.
    pub fn of_pod(pod: &Pod, info: &RequestInfo) -> Result<Option<Self>, ApiError> {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let spec = pod.spec.clone().unwrap_or_default();
        let container = || container(&spec, name, info.param("container").unwrap_or_default());
        let (path, query) = match info.subresource.as_str() {
            "log" => (
                format!("/containerLogs/{namespace}/{name}/{}", container()?),
                log_query(info)?,
            ),
            "exec" => (
                format!("/exec/{namespace}/{name}/{}", container()?),
                stream_query(info),
            ),
            "attach" => (
                format!("/attach/{namespace}/{name}/{}", container()?),
                stream_query(info),
            ),
            "portforward" => (format!("/portForward/{namespace}/{name}"), port_query(info)),
            _ => return Err(ApiError::NoSuchResource),
        };
        match spec.node_name.filter(|node| !node.is_empty()) {
            Some(node) => Ok(Some(Target {
                node,
                path_and_query: joined(&path, &query),
            })),
            None if info.subresource == "log" => Ok(None),
            None => Err(ApiError::BadRequest(format!(
                "pod {name} does not have a host assigned"
            ))),
        }
    }
}

fn joined(path: &str, query: &str) -> String {
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// The container asked for, if the pod has it; else the only one there is.
fn container(spec: &PodSpec, pod: &str, asked: &str) -> Result<String, ApiError> {
    let initial = spec
        .init_containers
        .iter()
        .flatten()
        .map(|container| container.name.as_str());
    let regular = spec
        .containers
        .iter()
        .map(|container| container.name.as_str());
    let ephemeral = spec
        .ephemeral_containers
        .iter()
        .flatten()
        .map(|container| container.name.as_str());
    let names: Vec<&str> = initial.chain(regular).chain(ephemeral).collect();
    match spec.containers.as_slice() {
        _ if !asked.is_empty() && names.contains(&asked) => Ok(asked.to_owned()),
        _ if !asked.is_empty() => Err(ApiError::BadRequest(format!(
            "container {asked} is not valid for pod {pod}"
        ))),
        [] => Err(ApiError::BadRequest(format!(
            "a container name must be specified for pod {pod}"
        ))),
        [only] => Ok(only.name.clone()),
        _ => {
            let names = names.join(" ");
            let message = format!(
                "a container name must be specified for pod {pod}, choose one of: [{names}]"
            );
            Err(ApiError::BadRequest(message))
        }
    }
}

/// `PodLogOptions`, checked as Kubernetes checks them, so that the agent needn't.
fn log_query(info: &RequestInfo) -> Result<String, ApiError> {
    let mut query = Serializer::new(String::new());
    for flag in ["follow", "previous", "timestamps"] {
        if info.flag(flag) {
            query.append_pair(flag, "true");
        }
    }
    let mut causes = Vec::new();
    for (field, least) in [("sinceSeconds", 1), ("tailLines", 0), ("limitBytes", 1)] {
        let Some(text) = info.param(field).filter(|text| !text.is_empty()) else {
            continue;
        };
        let number: i64 = text.parse().map_err(|_| {
            ApiError::BadRequest(format!(
                "cannot read {field}: {text:?} is not a whole number"
            ))
        })?;
        if number < least {
            let bound = if least == 0 {
                "greater than or equal to 0"
            } else {
                "greater than 0"
            };
            causes.push(invalid(
                field,
                format!("Invalid value: {number}: must be {bound}"),
            ));
        }
        query.append_pair(field, text);
    }
    if let Some(time) = info.param("sinceTime").filter(|time| !time.is_empty()) {
        if info
            .param("sinceSeconds")
            .is_some_and(|seconds| !seconds.is_empty())
        {
            let message = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            causes.push(Cause::new(
                "FieldValueForbidden",
                format!("Forbidden: {message}"),
                "",
            ));
        }
        query.append_pair("sinceTime", time);
    }
    match info.param("stream").unwrap_or_default() {
        "" => {}
        stream @ ("All" | "Stdout" | "Stderr") => drop(query.append_pair("stream", stream)),
        other => {
            let message = format!(
                r#"Unsupported value: {other:?}: supported values: "All", "Stderr", "Stdout""#
            );
            causes.push(Cause::new("FieldValueNotSupported", message, "stream"));
        }
    }
    if causes.is_empty() {
        return Ok(query.finish());
    }
    Err(ApiError::Invalid {
        kind: GroupKind::new("", "PodLogOptions"),
        name: info.name.clone(),
        causes,
    })
}

fn invalid(field: &str, message: String) -> Cause {
    Cause::new("FieldValueInvalid", message, field)
}

/// Streams by the agent's names. Output is always wanted; errors have no stream of their own on a
/// terminal.
fn stream_query(info: &RequestInfo) -> String {
    let mut query = Serializer::new(String::new());
    if info.flag("stdin") {
        query.append_pair("input", "1");
    }
    query.append_pair("output", "1");
    query.append_pair(if info.flag("tty") { "tty" } else { "error" }, "1");
    query.extend_pairs(info.params("command").map(|word| ("command", word)));
    query.finish()
}

fn port_query(info: &RequestInfo) -> String {
    let ports: Vec<&str> = info
        .params("ports")
        .filter(|port| !port.is_empty())
        .collect();
    if ports.is_empty() {
        return String::new();
    }
    Serializer::new(String::new())
        .append_pair("port", &ports.join(","))
        .finish()
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;

    fn pod(node: &str, containers: &[&str]) -> Pod {
        let containers: Vec<_> = containers
            .iter()
            .map(|name| json!({"name": name}))
            .collect();
        serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "a"},
            "spec": {"nodeName": node, "containers": containers, "initContainers": [{"name": "init"}]},
        }))
        .unwrap()
    }

    #[track_caller]
    fn check(pod: &Pod, uri: &str, expected: &str) {
        let uri = format!("/api/v1/namespaces/a/pods/p/{uri}");
        let info = RequestInfo::parse(&Method::GET, &uri.parse().unwrap()).unwrap();
        let found = match Target::of_pod(pod, &info) {
            Ok(Some(target)) => format!("{} {}", target.node, target.path_and_query),
            Ok(None) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{uri}");
    }

    #[test]
    fn each_subresource_has_its_path_on_the_node() {
        let pod = pod("n1", &["web"]);
        check(&pod, "log", "n1 /containerLogs/a/p/web");
        check(
            &pod,
            "log?follow=true&tailLines=5&container=init",
            "n1 /containerLogs/a/p/init?follow=true&tailLines=5",
        );
        check(
            &pod,
            "exec?command=sh&command=-c&command=a+b&stdin=true&stdout=true&stderr=true",
            "n1 /exec/a/p/web?input=1&output=1&error=1&command=sh&command=-c&command=a+b",
        );
        check(
            &pod,
            "exec?command=sh&stdin=1&stdout=1&tty=1",
            "n1 /exec/a/p/web?input=1&output=1&tty=1&command=sh",
        );
        check(
            &pod,
            "attach?stdout=true",
            "n1 /attach/a/p/web?output=1&error=1",
        );
        check(
            &pod,
            "portforward?ports=80&ports=443",
            "n1 /portForward/a/p?port=80%2C443",
        );
        check(&pod, "portforward", "n1 /portForward/a/p");
    }

    #[test]
    fn containers_are_named_unless_there_is_only_one() {
        let pod = pod("n1", &["web", "sidecar"]);
        check(
            &pod,
            "log",
            "a container name must be specified for pod p, choose one of: [init web sidecar]",
        );
        check(
            &pod,
            "log?container=db",
            "container db is not valid for pod p",
        );
        check(
            &pod,
            "log?container=sidecar",
            "n1 /containerLogs/a/p/sidecar",
        );
    }

    #[test]
    fn a_pod_without_a_node_has_an_empty_log_and_nothing_to_exec_in() {
        let pod = pod("", &["web"]);
        check(&pod, "log", "nothing");
        check(
            &pod,
            "exec?command=ls",
            "pod p does not have a host assigned",
        );
    }

    #[test]
    fn log_options_are_checked() {
        let pod = pod("n1", &["web"]);
        check(
            &pod,
            "log?tailLines=-1",
            r#"PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0"#,
        );
        check(
            &pod,
            "log?tailLines=many",
            "cannot read tailLines: \"many\" is not a whole number",
        );
        check(
            &pod,
            "log?sinceSeconds=5&sinceTime=2026-01-01T00:00:00Z",
            "PodLogOptions \"p\" is invalid: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        );
    }
}
