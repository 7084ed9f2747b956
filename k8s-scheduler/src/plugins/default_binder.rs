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

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Mutex};

    use expect_test::expect;
    use futures::future;
    use http::Response;
    use kube::client::Body;
    use tower::service_fn;

    use super::*;
    use crate::testing::pod;

    /// Binds against an API that answers with `status`; returns the request and the verdict.
    async fn bind(status: u16, answer: &'static str) -> (String, Verdict) {
        let seen = Arc::new(Mutex::new(String::new()));
        let log = seen.clone();
        let service = service_fn(move |request: http::Request<Body>| {
            let log = log.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect_bytes().await.expect("a request's body");
                let body = String::from_utf8_lossy(&body);
                *log.lock().expect("no panic") = format!("{} {}\n{body}", head.method, head.uri);
                let answer = Response::builder()
                    .status(status)
                    .body(Body::from(answer.as_bytes().to_vec()));
                future::ready(Ok::<_, Infallible>(answer.expect("an answer"))).await
            }
        });
        let binder = DefaultBinder::new(Client::new(service, "default"));
        let verdict = binder.bind(&pod("web").info(), "n1").await;
        let seen = seen.lock().expect("no panic").clone();
        (seen, verdict)
    }

    #[tokio::test]
    async fn a_binding_is_posted_for_this_very_pod() {
        let (request, verdict) = bind(201, "{}").await;
        expect![[r#"
            POST /api/v1/namespaces/default/pods/web/binding?
            {"apiVersion":"v1","kind":"Binding","metadata":{"name":"web","namespace":"default","uid":"uid-web"},"target":{"kind":"Node","name":"n1"}}"#]].assert_eq(&request);
        assert_eq!(verdict, Verdict::Success);
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_servers_words() {
        let status = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","message":"pod web is already assigned to node \"n2\"","reason":"Conflict","code":409}"#;
        let (_, verdict) = bind(409, status).await;
        let Verdict::Error(message) = verdict else {
            panic!("{verdict:?}")
        };
        assert!(message.contains("already assigned to node"), "{message}");
    }
}
