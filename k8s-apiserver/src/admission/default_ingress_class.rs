//! Ingresses that name no class get the default one.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Review, default_class};
use crate::ApiError;

/// The annotation that makes a class the default one.
const MARK: &str = "ingressclass.kubernetes.io/is-default-class";
/// How Ingresses of old name their class.
const CLASS_OF_OLD: &str = "kubernetes.io/ingress.class";

/// Names the default class in new Ingresses that name none, in neither way.
#[derive(Debug, Clone, Copy)]
pub struct DefaultIngressClass;

#[async_trait]
impl Admission for DefaultIngressClass {
    fn name(&self) -> &'static str {
        "DefaultIngressClass"
    }

    async fn mutate(&self, review: &Review<'_>, ingress: &mut Object) -> Result<(), ApiError> {
        const GROUP: &str = "networking.k8s.io";
        let path = ["spec", "ingressClassName"];
        let has_class = ingress.annotation(CLASS_OF_OLD).is_some() || ingress.get(&path).is_some();
        if !review.creates(GROUP, "ingresses") || has_class {
            return Ok(());
        }
        if let Some(class) = default_class::newest(&review.view, GROUP, "ingressclasses", &[MARK]) {
            ingress.set(&path, class.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{Cluster, merge};
    use super::*;

    async fn class_of_ingress(cluster: &Cluster, fields: Value) -> Value {
        let mut ingress = json!({
            "metadata": { "generateName": "i-" },
            "spec": { "defaultBackend": { "service": { "name": "s", "port": { "number": 80 } } } },
        });
        merge(&mut ingress, fields);
        let uri = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
        let ingress = cluster.post(uri, ingress).await.unwrap();
        ingress["spec"]["ingressClassName"].clone()
    }

    #[tokio::test]
    async fn an_ingress_gets_the_default_class_unless_it_says_which_it_wants() {
        let cluster = Cluster::start().await;
        assert_eq!(class_of_ingress(&cluster, json!({})).await, Value::Null);
        for (name, value) in [("nginx", "true"), ("other", "false")] {
            let class = json!({
                "metadata": { "name": name, "annotations": { MARK: value } },
                "spec": { "controller": "example.com/c" },
            });
            let uri = "/apis/networking.k8s.io/v1/ingressclasses";
            cluster.post(uri, class).await.unwrap();
        }
        let cases = [
            (json!({}), json!("nginx")),
            (json!({ "spec": { "ingressClassName": "x" } }), json!("x")),
            (
                json!({ "metadata": { "annotations": { CLASS_OF_OLD: "x" } } }),
                Value::Null,
            ),
        ];
        for (ingress, want) in cases {
            let found = class_of_ingress(&cluster, ingress.clone()).await;
            assert_eq!(found, want, "{ingress}");
        }
    }
}
