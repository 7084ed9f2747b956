//! The Pod Security Standards: what a pod may ask for at a level of trust, as it was at a version of Kubernetes.
//!
//! [`evaluate`] runs the checks of a [`Standard`] over a pod or the template of one, [`Policy`] reads the labels of a
//! namespace, [`survey`] tells what pods that run already would violate. All pure, so that manifests can be checked
//! where there is no server.
//!
//! ```
//! use k8s_apimachinery::{Object, pod_security::{Subject, evaluate, told}};
//!
//! let pod = serde_json::json!({"spec": {"hostNetwork": true, "containers": [{"name": "c"}]}});
//! let pod = Object::from_value(pod).expect("an object");
//! let found = evaluate("baseline:v1.30".parse().expect("a standard"), &Subject::new(pod.as_map()));
//! assert_eq!(told(&found), "host namespaces (hostNetwork=true)");
//! ```

mod check;
mod policy;
mod standard;
mod subject;
mod survey;
#[cfg(test)]
mod testing;
mod violation;

pub use check::evaluate;
pub use policy::{Policy, is_label};
pub use standard::{Level, NotAStandard, Standard, Version};
pub use subject::Subject;
pub use survey::survey;
pub use violation::{Violation, reasons, told};
