//! The labels and annotations by which the agent finds its own containers again, after a restart
//! too. The names are those that Kubernetes uses, so that node tools recognise them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod};

/// Label: the pod's name.
pub const POD_NAME: &str = "io.kubernetes.pod.name";
/// Label: the pod's namespace.
pub const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
/// Label: the pod's uid.
pub const POD_UID: &str = "io.kubernetes.pod.uid";
/// Label: the container's name.
pub const CONTAINER_NAME: &str = "io.kubernetes.container.name";
/// Annotation: how often the container had been started before this one.
pub const RESTART_COUNT: &str = "io.kubernetes.container.restartCount";
/// Annotation: fingerprint of what may not change while a container runs ([`fingerprint`]).
pub const HASH: &str = "io.kubernetes.container.hash";
/// Annotation: where in the container the termination message is.
pub const TERMINATION_PATH: &str = "io.kubernetes.container.terminationMessagePath";
/// Annotation: `File` or `FallbackToLogsOnError`.
pub const TERMINATION_POLICY: &str = "io.kubernetes.container.terminationMessagePolicy";
/// Annotation: the pod's grace period when the container was made.
pub const GRACE_PERIOD: &str = "io.kubernetes.pod.terminationGracePeriod";

/// Annotation of our own: when the container is started again after its end: `Always`, `OnFailure` or
/// `Never`. What only pretends to run decides by it.
pub const RESTART_POLICY: &str = "io.kubernetes.container.restartPolicy";

/// The labels of a pod's sandbox, which its containers carry as well.
pub fn pod_labels(pod: &Pod) -> BTreeMap<String, String> {
    let meta = &pod.metadata;
    let pair =
        |key: &str, value: &Option<String>| (key.to_owned(), value.clone().unwrap_or_default());
    BTreeMap::from([
        pair(POD_NAME, &meta.name),
        pair(POD_NAMESPACE, &meta.namespace),
        pair(POD_UID, &meta.uid),
    ])
}

/// The labels of one container.
pub fn container_labels(pod: &Pod, container: &Container) -> BTreeMap<String, String> {
    let mut labels = pod_labels(pod);
    labels.insert(CONTAINER_NAME.to_owned(), container.name.clone());
    labels
}

/// A fingerprint of the fields whose change restarts a container: name and image.
pub fn fingerprint(container: &Container) -> String {
    let image = container.image.as_deref().unwrap_or_default();
    let bytes = container.name.bytes().chain([0]).chain(image.bytes());
    // FNV-1a: stable across versions and machines, which std's hashers don't promise.
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_name_and_image_change_the_fingerprint() {
        let container = |name: &str, image: &str| Container {
            name: name.into(),
            image: Some(image.into()),
            ..Default::default()
        };
        let mut with_args = container("a", "x:1");
        with_args.args = Some(vec!["--verbose".into()]);
        assert_eq!(fingerprint(&container("a", "x:1")), fingerprint(&with_args));
        assert_ne!(
            fingerprint(&container("a", "x:1")),
            fingerprint(&container("a", "x:2"))
        );
        assert_ne!(
            fingerprint(&container("ab", "c")),
            fingerprint(&container("a", "bc"))
        );
    }
}
