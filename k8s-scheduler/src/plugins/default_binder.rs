//! DefaultBinder: binds through the API, by posting `pods/binding`.

use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::{Binding, ObjectReference};
use kube::{
    Client,
    api::{ObjectMeta, PostParams},
    core::Request,
};

use crate::{
    cache::PodInfo,
    framework::{BindPlugin, Plugin, Points, Verdict},
};

/// The plugin's name.
pub const NAME: &str = "DefaultBinder";

/// Binds as the client's identity.
pub struct DefaultBinder {
    client: Client,
}

impl DefaultBinder {
    /// A binder over this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Plugin for DefaultBinder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn register(self: Arc<Self>, points: &mut Points) {
        points.bind(self);
    }
}

#[async_trait]
impl BindPlugin for DefaultBinder {
    async fn bind(&self, pod: &PodInfo, node: &str) -> Verdict {
        match self.post(pod, node).await {
            Ok(()) => Verdict::Success,
            Err(error) => Verdict::Error(error.to_string()),
        }
    }
}

impl DefaultBinder {
    async fn post(&self, pod: &PodInfo, node: &str) -> Result<(), kube::Error> {
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(pod.key.name.clone()),
                namespace: Some(pod.key.namespace.clone()),
                // Not the pod of the same name that came after it.
                uid: pod.pod.metadata.uid.clone(),
                ..Default::default()
            },
            target: ObjectReference {
                kind: Some("Node".to_owned()),
                name: Some(node.to_owned()),
                ..Default::default()
            },
        };
        let body = serde_json::to_vec(&binding).map_err(kube::Error::SerdeError)?;
        let pods = format!("/api/v1/namespaces/{}/pods", pod.key.namespace);
        let request = Request::new(pods)
            .create_subresource("binding", &pod.key.name, &PostParams::default(), body)
            .map_err(kube::Error::BuildRequest)?;
        self.client.request_text(request).await.map(drop)
    }
}
