//! Namespaces say on which nodes their pods run.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};

use super::{Admission, Review};
use crate::{ApiError, registry::Effects};

/// Where a namespace says it, as `key=value,key=value`.
const ANNOTATION: &str = "scheduler.alpha.kubernetes.io/node-selector";

/// Labels of nodes.
type Labels = BTreeMap<String, String>;

/// Gives each new pod the node selector of its namespace, and refuses those that say otherwise. Off by default.
#[derive(Debug, Clone, Default)]
pub struct PodNodeSelector {
    /// For namespaces that say nothing.
    pub otherwise: Labels,
    /// What pods of a namespace may ask for at most; anything where it isn't named.
    pub allowed: BTreeMap<String, Labels>,
}

#[async_trait]
impl Admission for PodNodeSelector {
    fn name(&self) -> &'static str {
        "PodNodeSelector"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        if !review.creates("", "pods") {
            return Ok(());
        }
        let namespace = review.view.get("", "namespaces", "", review.namespace);
        let said = namespace.as_ref().and_then(|n| n.annotation(ANNOTATION));
        let wanted = match said {
            Some(text) => parse(text).map_err(ApiError::Internal)?,
            None => self.otherwise.clone(),
        };
        let own = selector(pod);
        if wanted
            .iter()
            .any(|(key, value)| own.get(key).is_some_and(|own| own != value))
        {
            let why = "pod node label selector conflicts with its namespace node label selector";
            return Err(review.forbidden(why));
        }
        for (key, value) in wanted {
            pod.set(&["spec", "nodeSelector", &key], value.into());
        }
        Ok(())
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        pod: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let pod = pod.filter(|_| review.creates("", "pods"));
        let allowed = self.allowed.get(review.namespace);
        if let (Some(pod), Some(allowed)) = (pod, allowed.filter(|labels| !labels.is_empty()))
            && selector(pod)
                .iter()
                .any(|(key, value)| allowed.get(key) != Some(value))
        {
            let why = "pod node label selector labels conflict with its namespace whitelist";
            return Err(review.forbidden(why));
        }
        Ok(Effects::default())
    }
}

/// Reads `key=value,key=value`.
fn parse(text: &str) -> Result<Labels, String> {
    let pairs = text.split(',').filter(|_| !text.is_empty());
    pairs
        .map(|pair| {
            let pair = pair.split_once('=');
            let (key, value) = pair.ok_or_else(|| format!("invalid selector: {text}"))?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

fn selector(pod: &Object) -> Labels {
    let selector = pod
        .get(&["spec", "nodeSelector"])
        .and_then(Value::as_object);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = selector.into_iter().flatten();
    pairs
        .map(|(key, value)| (key.clone(), text(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::admission::testing::Cluster;

    fn labels(text: &str) -> Labels {
        parse(text).unwrap()
    }

    /// The selector that a pod with this one gets in the namespace `default` with this annotation.
    async fn selected(annotation: Option<&str>, own: Value) -> Result<Value, String> {
        let cluster = Cluster::with(PodNodeSelector {
            otherwise: labels("pool=common"),
            allowed: BTreeMap::from([("default".to_owned(), labels("pool=red,disk=ssd"))]),
        })
        .await;
        let uri = "/api/v1/namespaces/default";
        let mut namespace = cluster.get(uri).await.unwrap();
        if let Some(text) = annotation {
            namespace["metadata"]["annotations"] = json!({ ANNOTATION: text });
            cluster.put(uri, namespace).await.unwrap();
        }
        let pod = cluster
            .pod(json!({ "spec": { "nodeSelector": own } }))
            .await?;
        Ok(pod["spec"]["nodeSelector"].clone())
    }

    #[tokio::test]
    async fn pods_run_where_their_namespace_says() {
        let refused = |why: &str| Err(format!(r#"pods "p" is forbidden: {why}"#));
        let beyond = "pod node label selector labels conflict with its namespace whitelist";
        let other = "pod node label selector conflicts with its namespace node label selector";
        for (annotation, own, want) in [
            (Some("pool=red"), json!({}), Ok(json!({ "pool": "red" }))),
            (
                Some("pool=red"),
                json!({ "disk": "ssd" }),
                Ok(json!({ "disk": "ssd", "pool": "red" })),
            ),
            (
                Some("pool=red"),
                json!({ "pool": "red" }),
                Ok(json!({ "pool": "red" })),
            ),
            (Some("pool=red"), json!({ "pool": "blue" }), refused(other)),
            (Some("pool=red"), json!({ "disk": "slow" }), refused(beyond)),
            (None, json!({}), refused(beyond)),
            (
                Some(""),
                json!({ "disk": "ssd" }),
                Ok(json!({ "disk": "ssd" })),
            ),
        ] {
            let about = format!("{annotation:?} {own}");
            assert_eq!(selected(annotation, own).await, want, "{about}");
        }
    }
}
