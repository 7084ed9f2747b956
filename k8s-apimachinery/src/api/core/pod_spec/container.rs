//! Containers of all sorts: init, main, ephemeral.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::volume::Volumes;
use super::{env, handler, image, port, probe, resources, restart, security, volume_mount};
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
    let mut names: Vec<&str> = Vec::new();
    let main = spec.get("containers");
    if main.is_empty() {
        main.required("");
    }
    let pod = Pod {
        volumes,
        claims: spec.get("resourceClaims"),
        restarts: spec.get("restartPolicy").str(),
        grace: spec.get("terminationGracePeriodSeconds").int(),
        os: spec.get("os").get("name").str(),
    };
    for stage in [Stage::Main, Stage::Init, Stage::Ephemeral] {
        let targets = names.len();
        let mut host_ports = HashSet::new();
        for container in spec.get(stage.field()).items() {
            check(&container, stage, &pod);
            let name = container.get("name");
            let target = container.get("targetContainerName");
            if !name.is_empty() && names.contains(&name.str()) {
                name.duplicate();
            }
            names.push(name.str());
            if !target.is_empty() && !names[..targets].contains(&target.str()) {
                target.not_found();
            }
            if stage == Stage::Init {
                host_ports.clear();
            }
            port::check_host_conflicts(&container.get("ports"), &mut host_ports);
        }
    }
    if spec.get("hostNetwork").is_true() {
        for container in main.items() {
            port::check_on_host(&container.get("ports"));
        }
    }
}

/// What a container's rules need to know of its pod.
struct Pod<'a, 'p, 'v> {
    volumes: &'a Volumes<'v>,
    claims: Field<'p, 'v>,
    restarts: &'a str,
    grace: Option<i64>,
    os: &'a str,
}

fn check(container: &Field, stage: Stage, pod: &Pod) {
    let name = container.get("name");
    if name.must_be_set() {
        name.invalid_for(name::dns1123_label(name.str()));
    }
    container.get("image").must_be_set();
    let message_policy = container.get("terminationMessagePolicy");
    message_policy.must_be_one_of(&["FallbackToLogsOnError", "File"]);
    port::check(&container.get("ports"));
    env::check(container);
    volume_mount::check(container, pod.volumes);
    container
        .get("imagePullPolicy")
        .must_be_one_of(&["Always", "IfNotPresent", "Never"]);
    resources::check_container(&container.get("resources"), &pod.claims);
    resources::check_resize_policies(&container.get("resizePolicy"), pod.restarts);
    security::check_container(&container.get("securityContext"));
    match stage {
        Stage::Init if container.get("restartPolicy").str() != "Always" => {
            restart::check(container);
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
            restart::check(container);
            handler::check_lifecycle(&container.get("lifecycle"), pod.grace, pod.os);
            probe::check(container);
        }
        Stage::Ephemeral => {
            image::check_trimmed(&container.get("image"));
            let why = "cannot be set for an Ephemeral Container";
            let unfit = [
                "ports",
                "resources",
                "resizePolicy",
                "restartPolicy",
                "restartPolicyRules",
                "livenessProbe",
                "readinessProbe",
                "startupProbe",
                "lifecycle",
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
