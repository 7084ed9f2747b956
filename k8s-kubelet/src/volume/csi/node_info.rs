//! What the API is told about the drivers on a node: its CSINode, and the places that the node can be reached from as
//! labels of the node.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::Node,
        storage::v1::{CSINode, CSINodeDriver, CSINodeSpec, VolumeNodeResources},
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};

use super::api::NodeGetInfoResponse;

/// How drivers call the node, as JSON.
const NODE_ID: &str = "csi.volume.kubernetes.io/nodeid";
/// Writes that others came before are begun again so often.
const ATTEMPTS: usize = 5;

/// Writes what one node's drivers are.
#[derive(Clone)]
pub(crate) struct NodeInfo {
    client: Client,
    node: String,
}

impl NodeInfo {
    pub(crate) fn new(client: Client, node: &str) -> Self {
        Self {
            client,
            node: node.to_owned(),
        }
    }

    /// Tells that a driver is there.
    pub(super) async fn add(
        &self,
        driver: &str,
        info: &NodeGetInfoResponse,
    ) -> Result<(), kube::Error> {
        let topology = info
            .accessible_topology
            .clone()
            .unwrap_or_default()
            .segments;
        self.annotate(driver, Some(&info.node_id), &topology)
            .await?;
        let entry = CSINodeDriver {
            name: driver.to_owned(),
            node_id: info.node_id.clone(),
            topology_keys: Some(topology.into_keys().collect()),
            // None is no limit.
            allocatable: i32::try_from(info.max_volumes_per_node)
                .ok()
                .filter(|count| *count > 0)
                .map(|count| VolumeNodeResources { count: Some(count) }),
        };
        self.edit(|drivers| put(drivers, driver, Some(entry.clone())))
            .await
    }

    /// Tells that a driver is gone.
    pub(super) async fn remove(&self, driver: &str) -> Result<(), kube::Error> {
        self.edit(|drivers| put(drivers, driver, None)).await?;
        self.annotate(driver, None, &BTreeMap::new()).await
    }

    /// Makes the node's object if there is none, so that schedulers know the node has no drivers.
    pub(crate) async fn publish(&self) -> Result<(), kube::Error> {
        self.edit(|_| {}).await
    }

    async fn edit(&self, change: impl Fn(&mut Vec<CSINodeDriver>)) -> Result<(), kube::Error> {
        let api: Api<CSINode> = Api::all(self.client.clone());
        let mut attempt = 1;
        loop {
            let written = match api.get_opt(&self.node).await? {
                Some(mut known) => {
                    let before = known.spec.drivers.clone();
                    change(&mut known.spec.drivers);
                    if known.spec.drivers == before {
                        return Ok(());
                    }
                    let params = PostParams::default();
                    api.replace(&self.node, &params, &known).await
                }
                None => {
                    let mut drivers = Vec::new();
                    change(&mut drivers);
                    let new = self.csi_node(drivers).await?;
                    api.create(&PostParams::default(), &new).await
                }
            };
            match written {
                Err(kube::Error::Api(status)) if status.code == 409 && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                written => return written.map(drop),
            }
        }
    }

    async fn csi_node(&self, drivers: Vec<CSINodeDriver>) -> Result<CSINode, kube::Error> {
        let api: Api<Node> = Api::all(self.client.clone());
        let node = api.get(&self.node).await?;
        Ok(CSINode {
            metadata: ObjectMeta {
                name: Some(self.node.clone()),
                owner_references: Some(vec![OwnerReference {
                    api_version: "v1".into(),
                    kind: "Node".into(),
                    name: self.node.clone(),
                    uid: node.metadata.uid.unwrap_or_default(),
                    ..OwnerReference::default()
                }]),
                ..ObjectMeta::default()
            },
            spec: CSINodeSpec { drivers },
            ..CSINode::default()
        })
    }

    /// The driver's name for the node, and where the node is.
    async fn annotate(
        &self,
        driver: &str,
        id: Option<&str>,
        topology: &BTreeMap<String, String>,
    ) -> Result<(), kube::Error> {
        let api: Api<Node> = Api::all(self.client.clone());
        let node = api.get(&self.node).await?;
        let known = node.metadata.annotations.unwrap_or_default();
        let known = known.get(NODE_ID).map(String::as_str);
        let ids = ids(known, driver, id);
        let change = serde_json::json!({
            "metadata": {"annotations": {NODE_ID: ids}, "labels": topology},
        });
        let params = PatchParams::default();
        let patched = api.patch(&self.node, &params, &Patch::Merge(change)).await;
        patched.map(drop)
    }
}

/// The annotation with a driver's name for the node, or without.
fn ids(known: Option<&str>, driver: &str, id: Option<&str>) -> Option<String> {
    let known = known.and_then(|text| serde_json::from_str(text).ok());
    let mut ids: BTreeMap<String, String> = known.unwrap_or_default();
    match id {
        Some(id) => ids.insert(driver.to_owned(), id.to_owned()),
        None => ids.remove(driver),
    };
    let text = serde_json::to_string(&ids).unwrap_or_default();
    (!ids.is_empty()).then_some(text)
}

fn put(drivers: &mut Vec<CSINodeDriver>, name: &str, entry: Option<CSINodeDriver>) {
    match (drivers.iter().position(|known| known.name == name), entry) {
        (Some(at), Some(entry)) => drivers[at] = entry,
        (Some(at), None) => drop(drivers.remove(at)),
        (None, entry) => drivers.extend(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_names_for_the_node_come_and_go_one_by_one() {
        let one = ids(None, "a", Some("n1"));
        assert_eq!(one.as_deref(), Some(r#"{"a":"n1"}"#));
        let two = ids(one.as_deref(), "b", Some("n2"));
        assert_eq!(two.as_deref(), Some(r#"{"a":"n1","b":"n2"}"#));
        let one = ids(two.as_deref(), "a", None);
        assert_eq!(ids(one.as_deref(), "b", None), None);
    }

    #[test]
    fn a_driver_that_comes_back_takes_its_old_place() {
        let driver = |name: &str, id: &str| CSINodeDriver {
            name: name.into(),
            node_id: id.into(),
            ..CSINodeDriver::default()
        };
        let mut drivers = vec![driver("a", "1"), driver("b", "1")];
        put(&mut drivers, "a", Some(driver("a", "2")));
        assert_eq!(drivers, [driver("a", "2"), driver("b", "1")]);
        put(&mut drivers, "a", None);
        put(&mut drivers, "none", None);
        assert_eq!(drivers, [driver("b", "1")]);
    }
}
