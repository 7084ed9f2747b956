//! Images are pulled anew for each container, so that who may use one is decided by its registry each time.

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};

use super::{Admission, Operation, Review};
use crate::{ApiError, registry::Effects};

const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Sets `imagePullPolicy` of all containers, and the policy of image volumes, to `Always`. Off by default.
#[derive(Debug, Clone, Copy)]
pub struct AlwaysPullImages;

#[async_trait]
impl Admission for AlwaysPullImages {
    fn name(&self) -> &'static str {
        "AlwaysPullImages"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        if !concerns(review, pod) {
            return Ok(());
        }
        let change = |list: &str, change: fn(&mut Value), pod: &mut Object| {
            let path = ["spec", list];
            if let Some(Value::Array(mut items)) = pod.get(&path).cloned() {
                items.iter_mut().for_each(change);
                pod.set(&path, Value::Array(items));
            }
        };
        for list in LISTS {
            change(list, |each| each["imagePullPolicy"] = "Always".into(), pod);
        }
        let of_volume = |volume: &mut Value| {
            if volume["image"].is_object() {
                volume["image"]["pullPolicy"] = "Always".into();
            }
        };
        change("volumes", of_volume, pod);
        Ok(())
    }

    /// Another plugin may have set another policy in the meantime.
    async fn validate(
        &self,
        review: &Review<'_>,
        pod: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let Some(pod) = pod.filter(|pod| concerns(review, pod)) else {
            return Ok(Effects::default());
        };
        for list in LISTS {
            for (index, container) in items(pod, list).iter().enumerate() {
                let policy = container["imagePullPolicy"].as_str().unwrap_or_default();
                if policy != "Always" {
                    return Err(review.forbidden(format!(
                        "spec.{list}[{index}].imagePullPolicy: Unsupported value: {policy:?}: supported values: \"Always\""
                    )));
                }
            }
        }
        Ok(Effects::default())
    }
}

/// Pods that are new, or that get an image that they hadn't.
fn concerns(review: &Review<'_>, pod: &Object) -> bool {
    let is_new = |old: &Object| {
        let known: Vec<_> = images(old).collect();
        images(pod).any(|image| !known.contains(&image))
    };
    review.is("", "pods")
        && match review.operation {
            Operation::Create => true,
            Operation::Update => review.old.is_some_and(is_new),
            Operation::Delete | Operation::Connect => false,
        }
}

fn images(pod: &Object) -> impl Iterator<Item = &str> {
    let all = LISTS.into_iter().flat_map(|list| items(pod, list));
    all.filter_map(|container| container["image"].as_str())
}

fn items<'a>(pod: &'a Object, list: &str) -> &'a [Value] {
    let items = pod.get(&["spec", list]).and_then(Value::as_array);
    items.map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::testing::Cluster, AlwaysPullImages};

    #[tokio::test]
    async fn every_image_is_pulled() {
        let cluster = Cluster::with(AlwaysPullImages).await;
        let container = |policy| json!({ "name": "c", "image": "i:1", "imagePullPolicy": policy });
        let init = json!({ "name": "d", "image": "i:2" });
        let spec = json!({ "containers": [container("Never")], "initContainers": [init] });
        let pod = cluster.pod(json!({ "spec": spec })).await.unwrap();
        for list in ["containers", "initContainers"] {
            assert_eq!(pod["spec"][list][0]["imagePullPolicy"], "Always", "{list}");
        }
        let mut pod = pod;
        pod["spec"]["containers"][0]["image"] = json!("i:3");
        let uri = "/api/v1/namespaces/default/pods/p";
        let pod = cluster.put(uri, pod).await.unwrap();
        assert_eq!(pod["spec"]["containers"][0]["image"], "i:3");
    }

    #[tokio::test]
    async fn without_it_images_are_pulled_as_the_pod_says() {
        let cluster = Cluster::start().await;
        let container = json!({ "name": "c", "image": "i:1", "imagePullPolicy": "Never" });
        let pod = cluster.pod(json!({ "spec": { "containers": [container] } }));
        let pod = pod.await.unwrap();
        assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], "Never");
    }
}
