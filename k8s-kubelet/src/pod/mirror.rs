//! A static pod's image in the API: it shows the pod to others, who can do nothing to it.

use k8s_apimachinery::pod::readiness;
use k8s_openapi::{
    api::core::v1::{Node, Pod},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};

use crate::source::annotation;

/// What to do about a static pod's image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MirrorAction {
    /// It is as it should be.
    Keep,
    /// There is none.
    Create,
    /// It is on its way out, or of an earlier definition: away with it, then make it anew.
    Delete,
}

/// Compares a static pod with the image that the API has of it.
pub(super) fn decide(pod: &Pod, mirror: Option<&Pod>) -> MirrorAction {
    let Some(mirror) = mirror else {
        return MirrorAction::Create;
    };
    let is_current =
        annotation::get(mirror, annotation::MIRROR) == annotation::get(pod, annotation::HASH);
    if is_current && !readiness::is_terminating(mirror) {
        MirrorAction::Keep
    } else {
        MirrorAction::Delete
    }
}

/// The image of a static pod; nothing before the node is registered, which owns it.
pub(super) fn image(pod: &Pod, node: &Node) -> Option<Pod> {
    let owner = OwnerReference {
        api_version: "v1".into(),
        kind: "Node".into(),
        name: node.metadata.name.clone()?,
        uid: node.metadata.uid.clone()?,
        controller: Some(true),
        ..OwnerReference::default()
    };
    let mut image = pod.clone();
    let meta = &mut image.metadata;
    let hash = meta.uid.take();
    meta.owner_references = Some(vec![owner]);
    let annotations = meta.annotations.get_or_insert_default();
    annotations.extend(hash.map(|hash| (annotation::MIRROR.to_owned(), hash)));
    image.status = None;
    Some(image)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Pod {
        serde_json::from_value(json!({"metadata": {
            "name": "web-n", "uid": "h1",
            "annotations": {"kubernetes.io/config.hash": "h1", "kubernetes.io/config.source": "file"},
        }}))
        .unwrap()
    }

    fn node() -> Node {
        serde_json::from_value(json!({"metadata": {"name": "n", "uid": "u"}})).unwrap()
    }

    #[test]
    fn an_image_is_the_nodes_own_and_says_what_it_is_of() {
        assert_eq!(image(&pod(), &Node::default()), None, "not registered yet");
        let image = image(&pod(), &node()).unwrap();
        assert_eq!(image.metadata.uid, None);
        assert_eq!(
            image.metadata.owner_references.as_ref().unwrap()[0].uid,
            "u"
        );
        assert!(annotation::is_mirror(&image));
        assert_eq!(decide(&pod(), Some(&image)), MirrorAction::Keep);
    }

    #[test]
    fn an_image_that_is_old_or_leaving_is_replaced() {
        assert_eq!(decide(&pod(), None), MirrorAction::Create);
        let old = || image(&pod(), &node()).unwrap();
        let mut other = old();
        let annotations = other.metadata.annotations.as_mut().unwrap();
        annotations.insert(annotation::MIRROR.into(), "h0".into());
        assert_eq!(decide(&pod(), Some(&other)), MirrorAction::Delete);
        let mut leaving = old();
        let time = serde_json::from_value(json!("2030-01-01T00:00:00Z")).unwrap();
        leaving.metadata.deletion_timestamp = Some(time);
        assert_eq!(decide(&pod(), Some(&leaving)), MirrorAction::Delete);
    }
}
