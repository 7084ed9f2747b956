//! Starting one container: its image, its environment, its configuration, its hook.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod, PodSpec, Secret, Service};

use super::{
    actions::Start,
    container::{self, Parts},
    env, ephemeral, hook, last_words,
    status::Reason,
    sync::{Syncer, names, uid},
};
use crate::{
    cri::{
        Image,
        api::{ContainerConfig, PodSandboxConfig},
    },
    image::Pull,
    probe,
    source::{References, SourceError},
    volume::{Mounted, MountedVolume, bind_parts},
};

/// How long a hook after the start may take.
const POST_START_TIMEOUT: Duration = Duration::from_secs(600);

impl Syncer {
    /// Has the image fetched, makes the container, starts it and runs its hook; says why not, as the
    /// container's waiting state shows it.
    pub(super) async fn start(
        &mut self,
        pod: &Pod,
        spec: &PodSpec,
        start: &Start<'_>,
        sandbox_id: &str,
        sandbox: &PodSandboxConfig,
        mounted: &Mounted,
    ) -> Result<(), Reason> {
        let agent = self.agent.clone();
        let container = start.container;
        let about = probe::about(pod, &container.name);
        let pull = Pull {
            pod,
            about: about.clone(),
            sandbox,
            runtime: &*agent.runtime,
            recorder: &agent.recorder,
            objects: &agent.objects,
        };
        let ensured = self
            .mailbox
            .stop
            .run_until_cancelled(agent.images.ensure(container, &pull));
        let image = match ensured.await {
            Some(image) => image?,
            None => return Err(Reason::new("ContainerCreating", "")),
        };
        let images = self.image_volumes(container, mounted, spec, &pull).await?;
        let fail = |reason: &str, message: String| {
            agent.warning(about.clone(), "Failed", format!("Error: {message}"));
            Reason::new(reason, message)
        };
        let config = self
            .configure(pod, spec, start, &image, mounted, &images)
            .await;
        let config = config.map_err(|message| fail("CreateContainerConfigError", message))?;
        let runtime = &agent.runtime;
        let created = runtime.create_container(sandbox_id, &config, sandbox).await;
        let id = created.map_err(|error| fail("CreateContainerError", error.to_string()))?;
        self.note_given(pod, &id, container.resources.clone().unwrap_or_default());
        if let Some(ended) = start.after {
            self.backoff.restarted(&container.name, ended, agent.now());
        }
        agent.normal(about.clone(), "Created", "Container created");
        if let Err(error) = runtime.start_container(&id).await {
            return Err(fail("RunContainerError", error.to_string()));
        }
        agent.normal(about.clone(), "Started", "Container started");
        self.post_start(pod, container, &id).await
    }

    async fn configure(
        &self,
        pod: &Pod,
        spec: &PodSpec,
        start: &Start<'_>,
        image: &Image,
        mounted: &Mounted,
        images: &BTreeMap<String, String>,
    ) -> Result<ContainerConfig, String> {
        let agent = &self.agent;
        let container = start.container;
        let dir = agent.config.pod_dir(uid(pod));
        let last_words = last_words::path(&dir, &container.name, start.restart_count);
        let is_simulated = agent.runtime.is_simulated();
        let mut env = Vec::new();
        let mut bound = BTreeMap::new();
        if !is_simulated {
            env = self.environment(pod, spec, container).await?;
            let parts = container::parts(container, &env)?;
            bound = bind_parts(mounted, &parts, &dir, &container.name)?;
            make_last_words(&last_words)
                .map_err(|error| format!("{}: {error}", last_words.display()))?;
            let log = agent
                .config
                .pod_logs(names(pod).0, names(pod).1, uid(pod))
                .join(&container.name);
            std::fs::create_dir_all(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        }
        let mut simulated;
        let mounted = match is_simulated {
            true => {
                // Nothing is mounted, and nothing looks.
                let names = container
                    .volume_mounts
                    .iter()
                    .flatten()
                    .map(|mount| mount.name.clone());
                let nothing = || MountedVolume::managed(Path::new("/"));
                simulated = Mounted::new();
                simulated.extend(names.map(|name| (name, nothing())));
                &simulated
            }
            false => mounted,
        };
        let target = ephemeral::target(spec, &container.name);
        let target = target.map(|name| self.target(pod, name)).transpose()?;
        let parts = Parts {
            pod,
            target,
            spec,
            restart_count: start.restart_count,
            image,
            env,
            mounted,
            parts: bound,
            images,
            can_recursive_read_only: agent.features.recursive_read_only,
            hosts: &self.hosts_path(pod),
            last_words: &last_words,
            seccomp_root: &agent.config.root_dir.join("seccomp"),
            memory: agent.machine.memory,
        };
        container::config(container, parts)
    }

    /// Has the images fetched that volumes of the container show; returns the runtime's names of them.
    async fn image_volumes(
        &self,
        container: &Container,
        mounted: &Mounted,
        spec: &PodSpec,
        pull: &Pull<'_>,
    ) -> Result<BTreeMap<String, String>, Reason> {
        let mut images = BTreeMap::new();
        for mount in container.volume_mounts.iter().flatten() {
            let volume = mounted.get(&mount.name);
            let Some(reference) = volume.and_then(|volume| volume.image.clone()) else {
                continue;
            };
            if !self.agent.features.image_volumes {
                let message = "ImageVolumeMountFailed: image volumes are not supported by this container runtime";
                return Err(Reason::new("CreateContainerError", message));
            }
            let mut volumes = spec.volumes.iter().flatten();
            let source = volumes.find(|volume| volume.name == mount.name);
            let source = source.and_then(|volume| volume.image.as_ref());
            let wanted = Container {
                image: Some(reference.clone()),
                image_pull_policy: source.and_then(|source| source.pull_policy.clone()),
                ..Container::default()
            };
            let image = self.agent.images.ensure(&wanted, pull);
            let image = self.mailbox.stop.run_until_cancelled(image).await;
            let Some(image) = image else {
                return Err(Reason::new("ContainerCreating", ""));
            };
            images.insert(reference, image?.id);
        }
        Ok(images)
    }

    /// The running container that an ephemeral one is to look into.
    fn target(&self, pod: &Pod, name: &str) -> Result<String, String> {
        let view = self.agent.pleg.view(uid(pod));
        let mut running = view.running().filter(|run| run.name == name);
        let found = running.next().map(|run| run.id.clone());
        found.ok_or_else(|| format!("unable to find target container {name}"))
    }

    async fn environment(
        &self,
        pod: &Pod,
        spec: &PodSpec,
        container: &Container,
    ) -> Result<Vec<(String, String)>, String> {
        let (namespace, _) = names(pod);
        let objects = &self.agent.objects;
        let wanted = References::of_container(container);
        let mut config_maps: BTreeMap<String, Arc<ConfigMap>> = BTreeMap::new();
        let mut secrets: BTreeMap<String, Arc<Secret>> = BTreeMap::new();
        for name in wanted.config_maps {
            match objects.config_map(namespace, &name).await {
                Ok(map) => drop(config_maps.insert(name, map)),
                Err(SourceError::NotFound { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        for name in wanted.secrets {
            match objects.secret(namespace, &name).await {
                Ok(secret) => drop(secrets.insert(name, secret)),
                Err(SourceError::NotFound { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        let own = match spec.enable_service_links {
            Some(false) => Vec::new(),
            _ => objects.services(namespace),
        };
        let default = objects.services("default");
        let api = default
            .iter()
            .filter(|service| service.metadata.name.as_deref() == Some("kubernetes"));
        let services: Vec<&Service> = api.chain(&own).map(|service| &**service).collect();
        let machine = &self.agent.machine;
        let sources = env::Sources {
            pod,
            config_maps: &config_maps,
            secrets: &secrets,
            services: &services,
            allocatable: (machine.milli_cpu, machine.memory),
        };
        env::resolve(container, &sources)
    }

    /// Runs the hook after the start; a container whose hook fails is killed.
    async fn post_start(&self, pod: &Pod, container: &Container, id: &str) -> Result<(), Reason> {
        let handler = container
            .lifecycle
            .as_ref()
            .and_then(|lifecycle| lifecycle.post_start.as_ref());
        let Some(handler) = handler.filter(|_| !self.agent.runtime.is_simulated()) else {
            return Ok(());
        };
        let ip = pod
            .status
            .as_ref()
            .and_then(|status| status.pod_ip.clone())
            .unwrap_or_default();
        let run = hook::run(
            &*self.agent.runtime,
            handler,
            container,
            id,
            &ip,
            POST_START_TIMEOUT,
        );
        let Some(Err(message)) = self.mailbox.stop.run_until_cancelled(run).await else {
            return Ok(());
        };
        let about = probe::about(pod, &container.name);
        let message = format!("PostStartHook failed: {message}");
        self.agent
            .warning(about.clone(), "FailedPostStartHook", message.clone());
        self.agent.normal(about, "Killing", "FailedPostStartHook");
        let grace = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.termination_grace_period_seconds)
            .unwrap_or(30);
        let grace = Duration::from_secs(u64::try_from(grace).unwrap_or_default());
        let killed =
            super::kill::container(&self.agent, pod, Some(container), id, grace, true).await;
        if let Err(error) = killed {
            tracing::warn!(%error, "a container whose hook failed can't be killed");
        }
        Err(Reason::new("PostStartHookError", message))
    }
}

/// The file must be writable by whomever the container runs as.
fn make_last_words(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, [])?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
}
