//! The class of local volumes, as the default of a cluster that is new.

use std::collections::BTreeMap;

use k8s_openapi::api::{core::v1::ConfigMap, storage::v1::StorageClass};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};

use super::{CLASS, PROVISIONER};

/// Makes the class [`CLASS`] the cluster's default, unless that was done before: a user may change or delete it. That it
/// was done is remembered by a ConfigMap in `kube-system`.
pub async fn install(client: &Client) -> Result<(), kube::Error> {
    let memory: Api<ConfigMap> = Api::namespaced(client.clone(), "kube-system");
    if memory.get_opt(PROVISIONER).await?.is_some() {
        return Ok(());
    }
    let classes: Api<StorageClass> = Api::all(client.clone());
    let params = PostParams::default();
    there_is_fine(classes.create(&params, &class()).await)?;
    let mark = ConfigMap {
        metadata: ObjectMeta {
            name: Some(PROVISIONER.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(
            "storageClassName".to_owned(),
            CLASS.to_owned(),
        )])),
        ..ConfigMap::default()
    };
    there_is_fine(memory.create(&params, &mark).await)
}

fn class() -> StorageClass {
    let default = "storageclass.kubernetes.io/is-default-class".to_owned();
    StorageClass {
        metadata: ObjectMeta {
            name: Some(CLASS.to_owned()),
            annotations: Some(BTreeMap::from([(default, "true".to_owned())])),
            ..ObjectMeta::default()
        },
        provisioner: PROVISIONER.to_owned(),
        reclaim_policy: Some("Delete".to_owned()),
        volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
        ..StorageClass::default()
    }
}

fn there_is_fine<K>(created: Result<K, kube::Error>) -> Result<(), kube::Error> {
    match created {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other.map(drop),
    }
}
