//! The annotations that tell where a pod comes from.

use k8s_openapi::api::core::v1::Pod;

/// The source of a pod: `file` or, if absent, the API.
pub const SOURCE: &str = "kubernetes.io/config.source";
/// What a static pod's definition hashes to; also its uid.
pub const HASH: &str = "kubernetes.io/config.hash";
/// When the agent first saw a static pod.
pub const SEEN: &str = "kubernetes.io/config.seen";
/// On the API's image of a static pod: the pod's hash.
pub const MIRROR: &str = "kubernetes.io/config.mirror";

/// A pod's annotation.
pub(crate) fn get<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    let annotations = pod.metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

/// Whether the pod was defined on the node itself.
pub fn is_static(pod: &Pod) -> bool {
    get(pod, SOURCE).is_some_and(|source| source != "api") && !is_mirror(pod)
}

/// Whether the pod is only the API's image of a static one.
pub fn is_mirror(pod: &Pod) -> bool {
    get(pod, MIRROR).is_some()
}
