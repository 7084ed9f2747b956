//! Containers of all sorts: init, main, ephemeral.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::volume::Volumes;
use super::{env, handler, image, port, probe, resources, security, volume_mount};
use crate::api::edit::Edit;
use crate::api::field::Field;
use crate::name;

/// Where in a pod's life a container has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before the main containers.
    Init,
    /// The pod's purpose.
    Main,
    /// Added to a running pod for debugging.
    Ephemeral,
}

impl Stage {
    pub(crate) const ALL: [Stage; 3] = [Stage::Init, Stage::Main, Stage::Ephemeral];

    /// The field of the spec that lists them.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Stage::Init => "initContainers",
            Stage::Main => "containers",
            Stage::Ephemeral => "ephemeralContainers",
        }
    }
}

/// Fills in one container.
pub(crate) fn default(container: &mut Map<String, Value>) {
    if container.text("imagePullPolicy").is_empty() {
        let policy = image::default_pull_policy(container.text("image"));
        container.insert("imagePullPolicy".to_owned(), policy.into());
    }
    container.fill("terminationMessagePath", "/dev/termination-log");
    container.fill("terminationMessagePolicy", "File");
    container.ensure("resources");
    container.objects("ports").for_each(port::default);
    container.objects("env").for_each(env::default);
    for probe in probe::NAMES {
        container.object(probe).into_iter().for_each(probe::default);
    }
    if let Some(lifecycle) = container.object("lifecycle") {
        for hook in handler::HOOKS {
            lifecycle
                .object(hook)
                .into_iter()
                .for_each(handler::default);
        }
    }
}

/// Checks all containers of a spec.
pub(crate) fn check_all(spec: &Field, volumes: &Volumes) {
    let mut names = HashSet::new();
    let main = spec.get("containers");
    if main.is_empty() {
        main.required("");
    }
    let host_network = spec.get("hostNetwork").is_true();
    let (claims, restarts) = (spec.get("resourceClaims"), spec.get("restartPolicy").str());
    for stage in Stage::ALL {
        let mut host_ports = HashSet::new();
        for container in spec.get(stage.field()).items() {
            let name = container.get("name");
            if name.must_be_set() {
                name.invalid_for(name::dns1123_label(name.str()));
                if !names.insert(name.str()) {
                    name.duplicate();
                }
            }
            check(&container, stage, volumes);
            resources::check_container(&container.get("resources"), &claims);
            resources::check_resize_policies(&container.get("resizePolicy"), restarts);
            let target = container.get("targetContainerName");
            if !target.is_empty() && !names.contains(target.str()) {
                target.not_found();
            }
            let ports = container.get("ports");
            port::check(&ports, host_network);
            if stage == Stage::Main {
                port::check_host_conflicts(&ports, &mut host_ports);
            }
        }
    }
}

fn check(container: &Field, stage: Stage, volumes: &Volumes) {
    image::check(&container.get("image"));
    container
        .get("imagePullPolicy")
        .must_be_one_of(&["Always", "IfNotPresent", "Never"]);
    let message_policy = container.get("terminationMessagePolicy");
    message_policy.must_be_one_of(&["FallbackToLogsOnError", "File"]);
    env::check(container);
    volume_mount::check(container, volumes);
    security::check_container(&container.get("securityContext"));
    let restart_policy = container.get("restartPolicy");
    restart_policy.may_be_one_of(&["Always", "OnFailure", "Never"]);
    match stage {
        Stage::Init if restart_policy.str() != "Always" => {
            let why = "may not be set for init containers without restartPolicy=Always";
            forbid(
                container,
                &[
                    "lifecycle",
                    "livenessProbe",
                    "readinessProbe",
                    "startupProbe",
                ],
                why,
            );
        }
        Stage::Init | Stage::Main => {
            probe::check(container);
            handler::check_lifecycle(&container.get("lifecycle"));
        }
        Stage::Ephemeral => {
            let why = "cannot be set for an Ephemeral Container";
            let unfit = [
                "ports",
                "livenessProbe",
                "readinessProbe",
                "startupProbe",
                "lifecycle",
                "resources",
                "resizePolicy",
            ];
            forbid(container, &unfit, why);
            for mount in container.get("volumeMounts").items() {
                forbid(&mount, &["subPath", "subPathExpr"], why);
            }
        }
    }
}

fn forbid(container: &Field, fields: &[&str], why: &str) {
    for field in fields {
        let field = container.get(field);
        if !field.is_empty() {
            field.forbidden(why);
        }
    }
}
