//! What all pods' workers share: the node's configuration and its ways to act.

use std::{net::IpAddr, sync::Arc};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, ObjectReference, Pod};
use k8s_runtime::{Clock, Context, EventRecorder};
use tokio::sync::mpsc;

use crate::{
    allocation::Allocations,
    config::NodeConfig,
    cri::{Features, Runtime, RuntimeError},
    event::Event,
    image::{Collector, Images},
    node::{self, Machine},
    pleg::Pleg,
    pod::dns::{self, Resolver},
    resource::Cgroups,
    source::Objects,
    usage::Observer,
    volume::{Host, Tokens, Volumes, csi::Drivers},
};

/// One agent's means. Immutable; shared by its workers.
pub(crate) struct Agent {
    pub(crate) config: NodeConfig,
    pub(crate) client: kube::Client,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) runtime: Arc<dyn Runtime>,
    /// `containerd`: the scheme of container ids.
    pub(crate) runtime_name: String,
    /// What the runtime can do beyond the usual.
    pub(crate) features: Features,
    pub(crate) pleg: Pleg,
    pub(crate) images: Images,
    pub(crate) collector: Collector,
    pub(crate) volumes: Volumes,
    pub(crate) objects: Objects,
    pub(crate) cgroups: Option<Cgroups>,
    pub(crate) allocations: Allocations,
    pub(crate) recorder: EventRecorder,
    pub(crate) resolver: Resolver,
    pub(crate) machine: Machine,
    pub(crate) usage: Observer,
    /// To the agent's loop.
    pub(crate) events: mpsc::Sender<Event>,
}

impl Agent {
    pub(crate) async fn start(
        ctx: &Context,
        config: NodeConfig,
        runtime: Arc<dyn Runtime>,
        pleg: Pleg,
        cgroups: Option<Cgroups>,
        drivers: Arc<Drivers>,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, RuntimeError> {
        let version = runtime.version().await?;
        let recorder = EventRecorder::on_host(ctx, "kubelet", &config.name);
        let machine = Machine::look(&config);
        let objects = Objects::new(ctx);
        let pods_dir = (!runtime.is_simulated()).then(|| config.root_dir.join("pods"));
        let allocations = Allocations::new(node::initial(&config, &machine), pods_dir);
        let host = std::fs::read_to_string(&config.resolv_conf).unwrap_or_default();
        let resolver = Resolver {
            cluster: config.cluster_dns.iter().map(IpAddr::to_string).collect(),
            domain: config.cluster_domain.clone(),
            host: dns::parse(&host),
        };
        Ok(Self {
            client: ctx.client.clone(),
            clock: ctx.clock.clone(),
            features: runtime.features().await?,
            runtime_name: version.name,
            pleg,
            images: Images::default(),
            collector: Collector::default(),
            volumes: Volumes::new(Host {
                root: config.root_dir.clone(),
                node: config.name.clone(),
                client: ctx.client.clone(),
                objects: objects.clone(),
                tokens: Tokens::new(ctx.client.clone(), ctx.clock.clone()),
                drivers,
                recorder: recorder.clone(),
                allocatable: (machine.milli_cpu, machine.memory),
            }),
            objects,
            cgroups,
            allocations,
            recorder,
            resolver,
            machine,
            usage: Observer::new(ctx.clock.now()),
            events,
            runtime,
            config,
        })
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The node's addresses, as pods see them.
    pub(crate) fn host_ips(&self) -> Vec<String> {
        vec![self.config.internal_ip.to_string()]
    }

    /// The node's object as the API has it now.
    pub(crate) async fn node(&self) -> Result<Node, kube::Error> {
        let nodes: kube::Api<Node> = kube::Api::all(self.client.clone());
        nodes.get(&self.config.name).await
    }

    /// The pod's group, if the agent makes groups.
    pub(crate) fn cgroup(&self, pod: &Pod) -> Option<String> {
        let uid = pod.metadata.uid.as_deref().unwrap_or_default();
        let qos = k8s_apimachinery::pod::qos::class(pod);
        self.cgroups.as_ref().map(|groups| groups.pod(qos, uid))
    }

    pub(crate) fn normal(&self, about: ObjectReference, reason: &str, message: impl Into<String>) {
        self.recorder.normal(about, reason, message);
    }

    pub(crate) fn warning(&self, about: ObjectReference, reason: &str, message: impl Into<String>) {
        self.recorder.warning(about, reason, message);
    }
}
