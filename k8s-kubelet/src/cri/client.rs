//! A container runtime behind a unix socket.

use std::{collections::BTreeMap, path::Path, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use prost::Message;
use tokio::time::Instant;
use tonic::{Request, transport::Channel};

use super::{
    Change, Changes, Container, ExecOutput, Features, Image, ImageDisk, PodUsage, Runtime,
    RuntimeCondition, RuntimeError, Sandbox, StreamServer, Streams, Version,
    api::{
        self, image_service_client::ImageServiceClient,
        runtime_service_client::RuntimeServiceClient,
    },
    containerd::{SubscribeRequest, TaskExit, events_client::EventsClient},
    label, usage,
};
use crate::socket;

/// Calls that only look or set up are expected to answer within this time.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long a runtime that has just started may take to answer.
const START: Duration = Duration::from_secs(20);
/// A pull may take longer.
const PULL_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Lists and the output of commands may be larger than gRPC's default of 4 MiB.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// A runtime that serves Kubernetes' container runtime interface, such as containerd.
#[derive(Clone)]
pub struct CriRuntime {
    runtime: RuntimeServiceClient<Channel>,
    images: ImageServiceClient<Channel>,
    events: EventsClient<Channel>,
}

impl CriRuntime {
    /// Connects to a runtime's socket and waits until it answers: one that has just started takes connections before
    /// it takes calls, and gets some seconds. The connection is made anew whenever the runtime restarts.
    pub async fn connect(socket: impl AsRef<Path>) -> Result<Self, RuntimeError> {
        let socket = socket.as_ref().to_owned();
        let runtime = Self::on(socket::channel(socket.clone()));
        let deadline = Instant::now() + START;
        loop {
            match runtime.version().await {
                Ok(_) => return Ok(runtime),
                // containerd fails calls, with no code of its own, until its plugins are there.
                Err(RuntimeError::Unreachable(_) | RuntimeError::Failed(_))
                    if Instant::now() < deadline =>
                {
                    tokio::time::sleep(START / 100).await;
                }
                Err(error) => {
                    let error = format!("{}: {error}", socket.display());
                    return Err(RuntimeError::Unreachable(error));
                }
            }
        }
    }

    fn on(channel: Channel) -> Self {
        Self {
            runtime: RuntimeServiceClient::new(channel.clone())
                .max_decoding_message_size(MAX_MESSAGE),
            images: ImageServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE),
            events: EventsClient::new(channel),
        }
    }

    fn runtime(&self) -> RuntimeServiceClient<Channel> {
        self.runtime.clone()
    }

    fn images(&self) -> ImageServiceClient<Channel> {
        self.images.clone()
    }
}

/// A request that gives up after the usual time.
fn request<T>(message: T) -> Request<T> {
    request_within(message, TIMEOUT)
}

fn request_within<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

fn pod_selector(pod_uid: Option<&str>) -> BTreeMap<String, String> {
    pod_uid
        .map(|uid| (label::POD_UID.to_owned(), uid.to_owned()))
        .into_iter()
        .collect()
}

fn image_spec(reference: &str) -> Option<api::ImageSpec> {
    Some(api::ImageSpec {
        image: reference.to_owned(),
        ..Default::default()
    })
}

#[async_trait]
impl Runtime for CriRuntime {
    async fn version(&self) -> Result<Version, RuntimeError> {
        let message = api::VersionRequest::default();
        let answer = self.runtime().version(request(message)).await?.into_inner();
        Ok(Version {
            name: answer.runtime_name,
            version: answer.runtime_version,
        })
    }

    async fn features(&self) -> Result<Features, RuntimeError> {
        let message = api::StatusRequest::default();
        let answer = self.runtime().status(request(message)).await?.into_inner();
        let handlers = answer.runtime_handlers;
        // The one that pods get unless they name another.
        let usual = handlers.into_iter().find(|handler| handler.name.is_empty());
        let features = usual.and_then(|handler| handler.features);
        Ok(Features {
            recursive_read_only: features.is_some_and(|it| it.recursive_read_only_mounts),
            image_volumes: self.version().await?.mounts_images(),
        })
    }

    async fn conditions(&self) -> Result<Vec<RuntimeCondition>, RuntimeError> {
        let message = api::StatusRequest::default();
        let answer = self.runtime().status(request(message)).await?.into_inner();
        let conditions = answer.status.unwrap_or_default().conditions;
        Ok(conditions
            .into_iter()
            .map(|condition| RuntimeCondition {
                type_: condition.r#type,
                is_true: condition.status,
                reason: condition.reason,
                message: condition.message,
            })
            .collect())
    }

    async fn set_pod_cidr(&self, cidr: &str) -> Result<(), RuntimeError> {
        let message = api::UpdateRuntimeConfigRequest {
            runtime_config: Some(api::RuntimeConfig {
                network_config: Some(api::NetworkConfig {
                    pod_cidr: cidr.to_owned(),
                }),
            }),
        };
        self.runtime()
            .update_runtime_config(request(message))
            .await?;
        Ok(())
    }

    async fn changes(&self) -> Option<Changes> {
        let mut runtime = self.runtime();
        if let Ok(events) = runtime.get_container_events(api::GetEventsRequest {}).await {
            let changes = until_broken(events.into_inner());
            return Some(
                changes
                    .map(|event| Change::Container(event.container_id))
                    .boxed(),
            );
        }
        // containerd before 1.7 only has its own stream, served on the same socket.
        let message = SubscribeRequest {
            filters: vec!["namespace==k8s.io,topic==\"/tasks/exit\"".to_owned()],
        };
        let events = self.events.clone().subscribe(message).await.ok()?;
        let exits = until_broken(events.into_inner()).filter_map(|envelope| {
            let exit = TaskExit::decode(envelope.event.unwrap_or_default().value.as_slice());
            // Commands executed in a container end without changing it.
            let exit = exit.ok().filter(|exit| exit.id == exit.container_id);
            std::future::ready(exit.map(|exit| Change::Container(exit.container_id)))
        });
        Some(exits.boxed())
    }

    async fn sandboxes(&self, pod_uid: Option<&str>) -> Result<Vec<Sandbox>, RuntimeError> {
        let message = api::ListPodSandboxRequest {
            filter: Some(api::PodSandboxFilter {
                label_selector: pod_selector(pod_uid),
                ..Default::default()
            }),
        };
        let answer = self.runtime().list_pod_sandbox(request(message)).await?;
        Ok(answer
            .into_inner()
            .items
            .into_iter()
            .map(Into::into)
            .collect())
    }

    async fn containers(&self, pod_uid: Option<&str>) -> Result<Vec<Container>, RuntimeError> {
        let message = api::ListContainersRequest {
            filter: Some(api::ContainerFilter {
                label_selector: pod_selector(pod_uid),
                ..Default::default()
            }),
        };
        let answer = self.runtime().list_containers(request(message)).await?;
        Ok(answer
            .into_inner()
            .containers
            .into_iter()
            .map(Into::into)
            .collect())
    }

    async fn sandbox_ips(&self, id: &str) -> Result<Vec<String>, RuntimeError> {
        let message = api::PodSandboxStatusRequest {
            pod_sandbox_id: id.to_owned(),
            verbose: false,
        };
        let answer = self
            .runtime()
            .pod_sandbox_status(request(message))
            .await?
            .into_inner();
        let network = answer
            .status
            .and_then(|status| status.network)
            .unwrap_or_default();
        let ips =
            std::iter::once(network.ip).chain(network.additional_ips.into_iter().map(|ip| ip.ip));
        Ok(ips.filter(|ip| !ip.is_empty()).collect())
    }

    async fn complete(&self, container: &mut Container) -> Result<(), RuntimeError> {
        let message = api::ContainerStatusRequest {
            container_id: container.id.clone(),
            verbose: false,
        };
        let answer = self
            .runtime()
            .container_status(request(message))
            .await?
            .into_inner();
        let status = answer
            .status
            .ok_or_else(|| RuntimeError::NotFound(format!("container {}", container.id)))?;
        container.complete(status);
        Ok(())
    }

    async fn run_sandbox(&self, config: &api::PodSandboxConfig) -> Result<String, RuntimeError> {
        let message = api::RunPodSandboxRequest {
            config: Some(config.clone()),
            runtime_handler: String::new(),
        };
        let answer = self.runtime().run_pod_sandbox(request(message)).await?;
        Ok(answer.into_inner().pod_sandbox_id)
    }

    async fn stop_sandbox(&self, id: &str) -> Result<(), RuntimeError> {
        let message = api::StopPodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let answer = self.runtime().stop_pod_sandbox(request(message)).await;
        RuntimeError::gone_is_fine(answer.map(drop).map_err(Into::into))
    }

    async fn remove_sandbox(&self, id: &str) -> Result<(), RuntimeError> {
        let message = api::RemovePodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let answer = self.runtime().remove_pod_sandbox(request(message)).await;
        RuntimeError::gone_is_fine(answer.map(drop).map_err(Into::into))
    }

    async fn create_container(
        &self,
        sandbox_id: &str,
        config: &api::ContainerConfig,
        sandbox: &api::PodSandboxConfig,
    ) -> Result<String, RuntimeError> {
        let message = api::CreateContainerRequest {
            pod_sandbox_id: sandbox_id.to_owned(),
            config: Some(config.clone()),
            sandbox_config: Some(sandbox.clone()),
        };
        let answer = self.runtime().create_container(request(message)).await?;
        Ok(answer.into_inner().container_id)
    }

    async fn start_container(&self, id: &str) -> Result<(), RuntimeError> {
        let message = api::StartContainerRequest {
            container_id: id.to_owned(),
        };
        self.runtime().start_container(request(message)).await?;
        Ok(())
    }

    async fn stop_container(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        let message = api::StopContainerRequest {
            container_id: id.to_owned(),
            timeout: i64::try_from(grace.as_secs()).unwrap_or(i64::MAX),
        };
        let request = request_within(message, grace.saturating_add(TIMEOUT));
        let answer = self.runtime().stop_container(request).await;
        RuntimeError::gone_is_fine(answer.map(drop).map_err(Into::into))
    }

    async fn remove_container(&self, id: &str) -> Result<(), RuntimeError> {
        let message = api::RemoveContainerRequest {
            container_id: id.to_owned(),
        };
        let answer = self.runtime().remove_container(request(message)).await;
        RuntimeError::gone_is_fine(answer.map(drop).map_err(Into::into))
    }

    async fn update_container(
        &self,
        id: &str,
        resources: &api::LinuxContainerResources,
    ) -> Result<(), RuntimeError> {
        let message = api::UpdateContainerResourcesRequest {
            container_id: id.to_owned(),
            linux: Some(resources.clone()),
        };
        let mut runtime = self.runtime();
        runtime.update_container_resources(request(message)).await?;
        Ok(())
    }

    async fn reopen_log(&self, id: &str) -> Result<(), RuntimeError> {
        let message = api::ReopenContainerLogRequest {
            container_id: id.to_owned(),
        };
        self.runtime()
            .reopen_container_log(request(message))
            .await?;
        Ok(())
    }

    async fn exec_sync(
        &self,
        id: &str,
        command: &[String],
        timeout: Duration,
    ) -> Result<ExecOutput, RuntimeError> {
        let message = api::ExecSyncRequest {
            container_id: id.to_owned(),
            cmd: command.to_vec(),
            timeout: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        };
        // The runtime keeps the time; a little more lets its own answer arrive.
        let request = request_within(message, timeout.saturating_add(Duration::from_secs(5)));
        let answer = self.runtime().exec_sync(request).await?.into_inner();
        Ok(ExecOutput {
            stdout: answer.stdout.into(),
            stderr: answer.stderr.into(),
            exit_code: answer.exit_code,
        })
    }

    async fn exec(
        &self,
        id: &str,
        command: &[String],
        streams: Streams,
    ) -> Result<StreamServer, RuntimeError> {
        let message = api::ExecRequest {
            container_id: id.to_owned(),
            cmd: command.to_vec(),
            tty: streams.tty,
            stdin: streams.stdin,
            stdout: streams.stdout,
            stderr: streams.stderr && !streams.tty,
        };
        let answer = self.runtime().exec(request(message)).await?;
        Ok(StreamServer::Url(answer.into_inner().url))
    }

    async fn attach(&self, id: &str, streams: Streams) -> Result<StreamServer, RuntimeError> {
        let message = api::AttachRequest {
            container_id: id.to_owned(),
            stdin: streams.stdin,
            tty: streams.tty,
            stdout: streams.stdout,
            stderr: streams.stderr && !streams.tty,
        };
        let answer = self.runtime().attach(request(message)).await?;
        Ok(StreamServer::Url(answer.into_inner().url))
    }

    async fn port_forward(
        &self,
        sandbox_id: &str,
        ports: &[u16],
    ) -> Result<StreamServer, RuntimeError> {
        let message = api::PortForwardRequest {
            pod_sandbox_id: sandbox_id.to_owned(),
            port: ports.iter().copied().map(i32::from).collect(),
        };
        let answer = self.runtime().port_forward(request(message)).await?;
        Ok(StreamServer::Url(answer.into_inner().url))
    }

    async fn usage(&self) -> Result<Vec<PodUsage>, RuntimeError> {
        let message = api::ListPodSandboxStatsRequest {};
        match self
            .runtime()
            .list_pod_sandbox_stats(request(message))
            .await
        {
            Ok(answer) => {
                let stats = answer.into_inner().stats;
                Ok(stats.into_iter().map(Into::into).collect())
            }
            // containerd before 1.6, and others that leave pods to the agent.
            Err(status) if status.code() == tonic::Code::Unimplemented => {
                let message = api::ListContainerStatsRequest {};
                let answer = self
                    .runtime()
                    .list_container_stats(request(message))
                    .await?;
                Ok(usage::by_pod(answer.into_inner().stats))
            }
            Err(status) => Err(status.into()),
        }
    }

    async fn image_disk(&self) -> Result<Option<ImageDisk>, RuntimeError> {
        let message = api::ImageFsInfoRequest {};
        let answer = self.images().image_fs_info(request(message)).await?;
        let disks = answer.into_inner().image_filesystems;
        Ok(disks.first().and_then(ImageDisk::of))
    }

    async fn image(&self, reference: &str) -> Result<Option<Image>, RuntimeError> {
        let message = api::ImageStatusRequest {
            image: image_spec(reference),
        };
        let answer = self
            .images()
            .image_status(request(message))
            .await?
            .into_inner();
        Ok(answer.image.map(Into::into))
    }

    async fn images(&self) -> Result<Vec<Image>, RuntimeError> {
        let message = api::ListImagesRequest::default();
        let answer = self
            .images()
            .list_images(request(message))
            .await?
            .into_inner();
        Ok(answer.images.into_iter().map(Into::into).collect())
    }

    async fn pull(
        &self,
        reference: &str,
        auth: Option<api::AuthConfig>,
        sandbox: &api::PodSandboxConfig,
    ) -> Result<String, RuntimeError> {
        let message = api::PullImageRequest {
            image: image_spec(reference),
            auth,
            sandbox_config: Some(sandbox.clone()),
        };
        let request = request_within(message, PULL_TIMEOUT);
        Ok(self
            .images()
            .pull_image(request)
            .await?
            .into_inner()
            .image_ref)
    }

    async fn remove_image(&self, id: &str) -> Result<(), RuntimeError> {
        let message = api::RemoveImageRequest {
            image: image_spec(id),
        };
        let answer = self.images().remove_image(request(message)).await;
        RuntimeError::gone_is_fine(answer.map(drop).map_err(Into::into))
    }
}

/// The messages of a stream up to its first error.
fn until_broken<T: Send + 'static>(events: tonic::Streaming<T>) -> BoxStream<'static, T> {
    events
        .take_while(|event| std::future::ready(event.is_ok()))
        .filter_map(|event| std::future::ready(event.ok()))
        .boxed()
}
