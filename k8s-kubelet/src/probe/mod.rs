//! Probes: asking containers how they are.
//!
//! One task per probe of a running container; `Probes` belongs to the pod's worker, which reads
//! the [`Verdicts`] when it plans and reports. A changed verdict wakes the worker at once.

mod exec;
mod grpc;
mod http;
mod prober;
mod tcp;
mod verdict;

use k8s_openapi::{api::core::v1::Container, apimachinery::pkg::util::intstr::IntOrString};

pub(crate) use http::get as http_get;
pub(crate) use prober::{Probes, about};
pub use verdict::{Fatal, Verdict, Verdicts};

/// What one attempt found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    /// The container says, or shows, that it is not well.
    Failure(String),
    /// The attempt itself went wrong: it counts as neither.
    Error(String),
}

/// A port's number: given, or a name among the container's ports.
pub(crate) fn port(port: &IntOrString, container: &Container) -> Result<u16, String> {
    let number = match port {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(name) => {
            let mut ports = container.ports.iter().flatten();
            let named = ports.find(|port| port.name.as_deref() == Some(name));
            named
                .map(|port| port.container_port)
                .or_else(|| name.parse().ok())
        }
    };
    let number = number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| *number > 0);
    number.ok_or_else(|| match port {
        IntOrString::Int(number) => format!("invalid port number: {number}"),
        IntOrString::String(name) => format!(
            "couldn't find port {name:?} of container {:?}",
            container.name
        ),
    })
}
