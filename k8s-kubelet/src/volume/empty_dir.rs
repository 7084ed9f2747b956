//! `emptyDir`: scratch space for as long as the pod lives, on disk or in memory.

use async_trait::async_trait;
use k8s_apimachinery::{pod::request, quantity::Quantity};
use k8s_openapi::api::core::v1::Pod;

use super::{MountedVolume, Plugin, Setup, VolumeError, mount, spec::Spec};

pub(super) struct EmptyDir;

#[async_trait]
impl Plugin for EmptyDir {
    fn name(&self) -> &'static str {
        "kubernetes.io~empty-dir"
    }

    fn serves(&self, spec: &Spec) -> bool {
        spec.volume.empty_dir.is_some()
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError> {
        let source = setup.spec.volume.empty_dir.clone().unwrap_or_default();
        let is_new = !setup.dir.exists();
        if is_new {
            mount::make_dir(setup.dir, 0o777)?;
        }
        match source.medium.as_deref().unwrap_or_default() {
            "" => {}
            "Memory" => {
                let limit = source.size_limit.and_then(|limit| limit.0.parse().ok());
                let bytes = memory(setup.pod, setup.host.allocatable.1, limit.as_ref());
                mount::memory_dir(setup.dir, bytes)?;
            }
            medium => {
                return Err(VolumeError::Invalid(format!(
                    "unknown storage medium {medium:?}"
                )));
            }
        }
        if let Some(ownership) = setup.ownership() {
            ownership.apply(setup.dir)?;
        }
        Ok(MountedVolume::managed(setup.dir))
    }
}

/// How large a volume in memory may become: no larger than the node's memory, the pod's limit, and
/// its own.
pub(super) fn memory(pod: &Pod, node: i64, own: Option<&Quantity>) -> i64 {
    let of_pod = request::limits(pod).get("memory");
    let limits = [node, of_pod, own.map(Quantity::value).unwrap_or_default()];
    let set = limits.into_iter().filter(|limit| *limit > 0);
    set.min().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_smallest_limit_holds() {
        let pod = |limits| -> Pod {
            let container = json!({"name": "c", "resources": {"limits": limits}});
            serde_json::from_value(json!({"metadata": {}, "spec": {"containers": [container]}}))
                .unwrap()
        };
        let (free, bound) = (pod(json!({})), pod(json!({"memory": "64Mi"})));
        let own: Quantity = "1Mi".parse().unwrap();
        assert_eq!(memory(&free, 1 << 30, None), 1 << 30);
        assert_eq!(memory(&bound, 1 << 30, None), 64 << 20);
        assert_eq!(memory(&bound, 1 << 30, Some(&own)), 1 << 20);
    }
}
