//! Figures as Prometheus reads them: `/metrics/resource`, and the agent's own under `/metrics`.

use std::fmt::{Display, Write};

use jiff::Timestamp;

use super::figure::{Cpu, Memory, Summary};
use crate::cri::ContainerState;

/// The media type of the text.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Families of samples, written out.
#[derive(Default)]
struct Text(String);

/// Names with values, in their order.
type Labels<'a> = &'a [(&'a str, &'a str)];

impl Text {
    fn family(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(
        &mut self,
        name: &str,
        labels: Labels<'_>,
        value: impl Display,
        at: Option<Timestamp>,
    ) {
        self.0 += name;
        for (number, (label, value)) in labels.iter().enumerate() {
            self.0.push(if number == 0 { '{' } else { ',' });
            let value = value
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.0, "{label}=\"{value}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = write!(self.0, "{close} {value}");
        if let Some(at) = at {
            let _ = write!(self.0, " {}", at.as_millisecond());
        }
        self.0.push('\n');
    }

    fn cpu(&mut self, name: &str, labels: Labels<'_>, cpu: Option<Cpu>) {
        if let Some(cpu) = cpu {
            let seconds = cpu.usage_core_nano_seconds as f64 / 1e9;
            self.sample(name, labels, seconds, Some(cpu.time));
        }
    }

    fn memory(&mut self, name: &str, labels: Labels<'_>, memory: Option<Memory>) {
        if let Some(memory) = memory
            && let Some(bytes) = memory.working_set_bytes
        {
            self.sample(name, labels, bytes, Some(memory.time));
        }
    }
}

/// What metrics servers ask for: processor time and memory of containers, pods and node (KEP-2371's predecessor, the
/// resource metrics endpoint). Without a summary only that it failed.
pub(crate) fn resource(summary: Option<&Summary>) -> String {
    let mut text = Text::default();
    if let Some(summary) = summary {
        containers(&mut text, summary);
        node_and_pods(&mut text, summary);
    }
    let name = "resource_scrape_error";
    let help = "1 if there was an error while getting container metrics, 0 otherwise";
    text.family(name, help, "gauge");
    text.sample(name, &[], u8::from(summary.is_none()), None);
    text.0
}

fn containers(text: &mut Text, summary: &Summary) {
    let all = || {
        summary.pods.iter().flat_map(|pod| {
            pod.containers.iter().map(|container| {
                let labels = [
                    ("container", container.name.as_str()),
                    ("namespace", &pod.pod_ref.namespace),
                    ("pod", &pod.pod_ref.name),
                ];
                (container, labels)
            })
        })
    };
    let name = "container_cpu_usage_seconds_total";
    let help = "Cumulative cpu time consumed by the container in core-seconds";
    text.family(name, help, "counter");
    for (container, labels) in all() {
        text.cpu(name, &labels, container.cpu);
    }
    let name = "container_memory_working_set_bytes";
    let help = "Current working set of the container in bytes";
    text.family(name, help, "gauge");
    for (container, labels) in all() {
        text.memory(name, &labels, container.memory);
    }
    let name = "container_start_time_seconds";
    let help = "Start time of the container since unix epoch in seconds";
    text.family(name, help, "gauge");
    for (container, labels) in all() {
        let seconds = container.start_time.as_nanosecond() as f64 / 1e9;
        text.sample(name, &labels, seconds, None);
    }
}

fn node_and_pods(text: &mut Text, summary: &Summary) {
    let node = &summary.node;
    let name = "node_cpu_usage_seconds_total";
    let help = "Cumulative cpu time consumed by the node in core-seconds";
    text.family(name, help, "counter");
    text.cpu(name, &[], Some(node.cpu));
    let name = "node_memory_working_set_bytes";
    let help = "Current working set of the node in bytes";
    text.family(name, help, "gauge");
    text.memory(name, &[], Some(node.memory));
    let all = || {
        summary.pods.iter().map(|pod| {
            let labels = [
                ("namespace", pod.pod_ref.namespace.as_str()),
                ("pod", &pod.pod_ref.name),
            ];
            (pod, labels)
        })
    };
    let name = "pod_cpu_usage_seconds_total";
    let help = "Cumulative cpu time consumed by the pod in core-seconds";
    text.family(name, help, "counter");
    for (pod, labels) in all() {
        text.cpu(name, &labels, pod.cpu);
    }
    let name = "pod_memory_working_set_bytes";
    let help = "Current working set of the pod in bytes";
    text.family(name, help, "gauge");
    for (pod, labels) in all() {
        text.memory(name, &labels, pod.memory);
    }
}

/// What the agent tells of itself: `/metrics`.
pub(crate) fn agent(node: &str, pods: usize, containers: &[ContainerState]) -> String {
    let mut text = Text::default();
    let name = "kubelet_node_name";
    text.family(name, "The node's name. The count is always 1.", "gauge");
    text.sample(name, &[("node", node)], 1, None);
    let name = "kubelet_running_pods";
    let help = "Number of pods that have a running pod sandbox";
    text.family(name, help, "gauge");
    text.sample(name, &[], pods, None);
    let name = "kubelet_running_containers";
    text.family(name, "Number of containers currently running", "gauge");
    for (state, word) in [
        (ContainerState::Created, "created"),
        (ContainerState::Exited, "exited"),
        (ContainerState::Running, "running"),
        (ContainerState::Unknown, "unknown"),
    ] {
        let count = containers.iter().filter(|each| **each == state).count();
        if count > 0 {
            text.sample(name, &[("container_state", word)], count, None);
        }
    }
    text.0
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Expect) {
        expected.assert_eq(text);
    }

    #[test]
    fn the_agent_counts_containers_by_what_they_do() {
        use ContainerState::{Exited, Running};
        let text = agent("a\"b", 2, &[Running, Exited, Running]);
        check(
            &text,
            &expect![[r#"
                # HELP kubelet_node_name The node's name. The count is always 1.
                # TYPE kubelet_node_name gauge
                kubelet_node_name{node="a\"b"} 1
                # HELP kubelet_running_pods Number of pods that have a running pod sandbox
                # TYPE kubelet_running_pods gauge
                kubelet_running_pods 2
                # HELP kubelet_running_containers Number of containers currently running
                # TYPE kubelet_running_containers gauge
                kubelet_running_containers{container_state="exited"} 1
                kubelet_running_containers{container_state="running"} 2
            "#]],
        );
    }

    #[test]
    fn a_failed_look_is_told() {
        check(
            &resource(None),
            &expect![[r#"
                # HELP resource_scrape_error 1 if there was an error while getting container metrics, 0 otherwise
                # TYPE resource_scrape_error gauge
                resource_scrape_error 1
            "#]],
        );
    }
}
