//! Ephemeral containers: added to a pod while it runs, to look into it, and never restarted.
//!
//! All but their target is what other containers have; so they are turned into containers once, and
//! from there on treated as such.

use k8s_openapi::api::core::v1::{Container, EphemeralContainer, PodSpec};
use serde_json::{from_value, to_value};

/// A pod's ephemeral containers as containers.
pub(crate) fn containers(spec: &PodSpec) -> Vec<Container> {
    let listed = spec.ephemeral_containers.iter().flatten();
    listed.filter_map(container).collect()
}

/// The container whose processes an ephemeral container is to see.
pub(crate) fn target<'a>(spec: &'a PodSpec, name: &str) -> Option<&'a str> {
    let mut listed = spec.ephemeral_containers.iter().flatten();
    let found = listed.find(|container| container.name == name)?;
    let target = found.target_container_name.as_deref();
    target.filter(|target| !target.is_empty())
}

/// Whether a container is an ephemeral one.
pub(crate) fn is_ephemeral(spec: &PodSpec, name: &str) -> bool {
    let mut listed = spec.ephemeral_containers.iter().flatten();
    listed.any(|container| container.name == name)
}

/// The types differ by the target alone, so a container can always be read from the other's form.
fn container(ephemeral: &EphemeralContainer) -> Option<Container> {
    from_value(to_value(ephemeral).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_ephemeral_container_is_a_container_with_a_target() {
        let spec = json!({
            "containers": [{"name": "main"}],
            "ephemeralContainers": [
                {"name": "look", "image": "tools", "stdin": true, "targetContainerName": "main",
                 "env": [{"name": "A", "value": "1"}]},
                {"name": "other", "image": "tools"},
            ],
        });
        let spec: PodSpec = from_value(spec).unwrap();
        let found = containers(&spec);
        let names: Vec<_> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["look", "other"]);
        assert_eq!(found[0].stdin, Some(true));
        assert_eq!(found[0].env.as_ref().unwrap()[0].name, "A");
        assert_eq!(target(&spec, "look"), Some("main"));
        assert_eq!(target(&spec, "other"), None);
        assert!(is_ephemeral(&spec, "look") && !is_ephemeral(&spec, "main"));
    }
}
