//! Which config maps and secrets a pod names, anywhere in its spec. Pure.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, PodSpec, Volume};

use crate::pod::ephemeral;

/// Names of config maps and secrets in the pod's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Config maps.
    pub config_maps: BTreeSet<String>,
    /// Secrets.
    pub secrets: BTreeSet<String>,
}

impl References {
    /// All that a pod refers to: in environments, volumes, and as credentials for pulls.
    pub fn of_pod(spec: &PodSpec) -> Self {
        let mut found = Self::default();
        let init = spec.init_containers.iter().flatten();
        for container in init.chain(&spec.containers) {
            found.environment(container);
        }
        for container in &ephemeral::containers(spec) {
            found.environment(container);
        }
        for volume in spec.volumes.iter().flatten() {
            found.volume(volume);
        }
        let pulls = spec.image_pull_secrets.iter().flatten();
        found
            .secrets
            .extend(pulls.map(|secret| secret.name.clone()));
        found
    }

    /// What a container's environment refers to.
    pub fn of_container(container: &Container) -> Self {
        let mut found = Self::default();
        found.environment(container);
        found
    }

    fn environment(&mut self, container: &Container) {
        for source in container.env_from.iter().flatten() {
            let (map, secret) = (&source.config_map_ref, &source.secret_ref);
            self.config_maps
                .extend(map.iter().map(|map| map.name.clone()));
            self.secrets
                .extend(secret.iter().map(|secret| secret.name.clone()));
        }
        let variables = container.env.iter().flatten();
        for source in variables.filter_map(|variable| variable.value_from.as_ref()) {
            let (map, secret) = (&source.config_map_key_ref, &source.secret_key_ref);
            self.config_maps
                .extend(map.iter().map(|map| map.name.clone()));
            self.secrets
                .extend(secret.iter().map(|secret| secret.name.clone()));
        }
    }

    fn volume(&mut self, volume: &Volume) {
        let (map, secret) = (&volume.config_map, &volume.secret);
        self.config_maps
            .extend(map.iter().map(|map| map.name.clone()));
        self.secrets.extend(
            secret
                .iter()
                .filter_map(|secret| secret.secret_name.clone()),
        );
        let projected = volume.projected.as_ref();
        let parts = projected.and_then(|projected| projected.sources.as_deref());
        for part in parts.unwrap_or_default() {
            self.config_maps
                .extend(part.config_map.iter().map(|map| map.name.clone()));
            self.secrets
                .extend(part.secret.iter().map(|secret| secret.name.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_place_that_names_an_object_is_found() {
        let spec = json!({
            "initContainers": [{"name": "i", "envFrom": [{"configMapRef": {"name": "m1"}}]}],
            "containers": [{"name": "c",
                "envFrom": [{"secretRef": {"name": "s1"}}],
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m2", "key": "k"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s2", "key": "k"}}},
                ]}],
            "volumes": [
                {"name": "a", "configMap": {"name": "m3"}},
                {"name": "b", "secret": {"secretName": "s3"}},
                {"name": "c", "projected": {"sources": [
                    {"configMap": {"name": "m4"}}, {"secret": {"name": "s4"}}]}},
                {"name": "d", "emptyDir": {}},
            ],
            "imagePullSecrets": [{"name": "s5"}],
        });
        let found = References::of_pod(&serde_json::from_value(spec).unwrap());
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&found.config_maps), "m1 m2 m3 m4");
        assert_eq!(names(&found.secrets), "s1 s2 s3 s4 s5");
    }
}
