//! Volumes of storage drivers: programs on the node that speak the container storage interface.
//!
//! A driver makes itself known (`registration`), the API is told (`node_info`), somebody else attaches its
//! devices to the node (`attach`), and [`CsiVolume`] has the driver stage a device once per node and
//! publish it to each pod. What is needed to undo that lies beside it on the disk (`data`), since the
//! agent may restart and the objects may go.

mod attach;
mod client;
mod context;
pub(in crate::volume) mod data;
mod driver;
mod expand;
pub(crate) mod node_info;
pub(in crate::volume) mod path;
pub(crate) mod registration;
mod usage;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use k8s_openapi::api::{core::v1::SecretReference, storage::v1::CSIDriver};
use kube::Api;

use super::{
    Device, Host, MountedVolume, Plugin, Setup, VolumeError, claim::words, desired::Kind, mount,
    spec::Spec,
};
use client::{Capability, Driver, text};
use context::Asked;
use data::Data;

pub use client::DriverError;
pub use driver::Drivers;

/// The messages that drivers are spoken to with, generated from `proto/csi.proto`.
pub mod api {
    // Generated: the interface's own documentation describes the fields.
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    tonic::include_proto!("csi.v1");

    /// How drivers make themselves known, generated from `proto/pluginregistration.proto`.
    pub mod registration {
        tonic::include_proto!("pluginregistration");
    }
}

pub(in crate::volume) use usage::usage;

pub(in crate::volume) const NAME: &str = "kubernetes.io~csi";

pub(super) struct CsiVolume;

#[async_trait]
impl Plugin for CsiVolume {
    fn name(&self) -> &'static str {
        NAME
    }

    fn serves(&self, spec: &Spec) -> bool {
        spec.csi().is_some() || spec.volume.csi.is_some() && spec.persistent.is_none()
    }

    fn device(&self, spec: &Spec) -> Option<Device> {
        let source = spec.csi()?;
        Some(Device {
            driver: source.driver.clone(),
            handle: source.volume_handle.clone(),
        })
    }

    async fn is_attached(&self, setup: &Setup<'_>) -> Result<bool, VolumeError> {
        let Some(source) = setup.spec.csi() else {
            return Ok(false);
        };
        let driver = described(setup.host, &source.driver).await?;
        let required = driver.and_then(|driver| driver.spec.attach_required);
        // Drivers that nobody describes are attached.
        Ok(required != Some(false))
    }

    async fn attached(&self, setup: &Setup<'_>) -> Result<BTreeMap<String, String>, VolumeError> {
        match self.device(setup.spec) {
            Some(device) => attach::wait(setup.host, &device).await,
            None => Ok(BTreeMap::new()),
        }
    }

    async fn stage(&self, setup: &Setup<'_>) -> Result<(), VolumeError> {
        let (Some(device), Some(source)) = (self.device(setup.spec), setup.spec.csi()) else {
            return Ok(());
        };
        let driver = setup.host.drivers.get(&device.driver)?;
        let dir = path::staging(&setup.host.root, &device);
        mount::make_dir(&dir, 0o750)?;
        let mut data = Data::new(setup.spec.name(), &device, &setup.host.node);
        data.is_attached = self.is_attached(setup).await?;
        data.save(&dir).map_err(VolumeError::at(&dir))?;
        if driver.can(Capability::StageUnstageVolume) {
            let target = dir.join(path::GLOBAL_MOUNT);
            mount::make_dir(&target, 0o750)?;
            let asked = Asked::new(setup, &driver);
            let message = api::NodeStageVolumeRequest {
                volume_id: device.handle.clone(),
                publish_context: setup.attached.clone().into_iter().collect(),
                staging_target_path: text(&target),
                volume_capability: Some(asked.capability()),
                secrets: secrets(setup, source.node_stage_secret_ref.as_ref()).await?,
                volume_context: source.volume_attributes.clone().unwrap_or_default(),
            };
            driver.stage(message).await?;
        }
        data.is_complete = true;
        data.save(&dir).map_err(VolumeError::at(&dir))
    }

    async fn set_up(&self, setup: &Setup<'_>) -> Result<MountedVolume, VolumeError> {
        let described = described(setup.host, driver_name(setup.spec)).await?;
        check_lifecycle(setup.spec, described.as_ref())?;
        let driver = setup.host.drivers.get(driver_name(setup.spec))?;
        let mut data = new_data(setup);
        let target = setup.dir.join(path::target(kind(setup.spec)));
        let is_new = Data::load(setup.dir).is_none_or(|known| !known.is_complete);
        if is_new {
            mount::make_dir(setup.dir, 0o750)?;
            data.save(setup.dir).map_err(VolumeError::at(setup.dir))?;
        }
        publish(setup, &driver, described.as_ref(), &target).await?;
        let ownership = setup.ownership();
        if let Some(ownership) = ownership
            && is_new
            && context::takes_group(setup.spec, described.as_ref(), &driver)
        {
            ownership.apply(&target)?;
        }
        data.is_complete = true;
        data.save(setup.dir).map_err(VolumeError::at(setup.dir))?;
        Ok(MountedVolume::managed(&target))
    }

    /// Publishes again what its driver wants published again, such as for new tokens; grows what has
    /// become larger.
    async fn refresh(&self, setup: &Setup<'_>) -> Result<(), VolumeError> {
        let name = driver_name(setup.spec);
        let described = described(setup.host, name).await?;
        let requires = described.as_ref().and_then(|it| it.spec.requires_republish);
        if requires == Some(true) {
            let driver = setup.host.drivers.get(name)?;
            let target = setup.dir.join(path::target(kind(setup.spec)));
            let attached = match self.is_attached(setup).await? {
                true => self.attached(setup).await?,
                false => BTreeMap::new(),
            };
            let setup = Setup { attached, ..*setup };
            publish(&setup, &driver, described.as_ref(), &target).await?;
        }
        match (setup.spec.growth(), self.device(setup.spec)) {
            (Some(size), Some(device)) => expand::expand(setup, &device, size).await,
            _ => Ok(()),
        }
    }

    async fn tear_down(&self, host: &Host, dir: &Path) -> Result<(), VolumeError> {
        if let Some(data) = Data::load(dir) {
            let device = data.device();
            let driver = host.drivers.get(&device.driver)?;
            for kind in Kind::ALL {
                if dir
                    .parent()
                    .and_then(Path::parent)
                    .is_some_and(|at| at.ends_with(kind.directory()))
                {
                    let target = dir.join(path::target(kind));
                    driver.unpublish(&device.handle, &target).await?;
                }
            }
        }
        mount::remove(dir)
    }

    async fn unstage(&self, host: &Host, device: &Device) -> Result<(), VolumeError> {
        let dir = path::staging(&host.root, device);
        let driver = host.drivers.get(&device.driver)?;
        if dir.exists() && driver.can(Capability::StageUnstageVolume) {
            let target = dir.join(path::GLOBAL_MOUNT);
            driver.unstage(&device.handle, &target).await?;
        }
        mount::remove(&dir)
    }
}

async fn publish(
    setup: &Setup<'_>,
    driver: &Driver,
    described: Option<&CSIDriver>,
    target: &Path,
) -> Result<(), VolumeError> {
    let persistent = setup.spec.csi();
    let inline = setup.spec.volume.csi.as_ref();
    let secret = match persistent {
        Some(source) => source.node_publish_secret_ref.clone(),
        None => inline
            .and_then(|source| source.node_publish_secret_ref.as_ref())
            .map(|secret| SecretReference {
                name: Some(secret.name.clone()),
                namespace: Some(setup.namespace().to_owned()),
            }),
    };
    let own = match persistent {
        Some(source) => source.volume_attributes.clone(),
        None => inline.and_then(|source| source.volume_attributes.clone()),
    };
    let mut volume_context = own.unwrap_or_default();
    if let Some(described) = described {
        volume_context.extend(context::pod_info(setup, described));
        volume_context.extend(context::tokens(setup, described).await?);
    }
    let data = new_data(setup);
    let staging = CsiVolume
        .device(setup.spec)
        .filter(|_| driver.can(Capability::StageUnstageVolume))
        .map(|device| path::staging(&setup.host.root, &device).join(path::GLOBAL_MOUNT));
    let message = api::NodePublishVolumeRequest {
        volume_id: data.device().handle,
        publish_context: setup.attached.clone().into_iter().collect(),
        staging_target_path: staging.as_deref().map(text).unwrap_or_default(),
        target_path: text(target),
        volume_capability: Some(Asked::new(setup, driver).capability()),
        readonly: setup.spec.is_read_only(),
        secrets: secrets(setup, secret.as_ref()).await?,
        volume_context,
    };
    Ok(driver.publish(message).await?)
}

fn new_data(setup: &Setup<'_>) -> Data {
    let (spec, node) = (setup.spec, &setup.host.node);
    match CsiVolume.device(spec) {
        Some(device) => {
            let mut data = Data::new(spec.name(), &device, node);
            data.alone = spec.is_for_one_pod().then(|| spec.name().to_owned());
            data
        }
        None => {
            let device = Device {
                driver: driver_name(spec).to_owned(),
                handle: path::ephemeral_handle(setup.pod_uid(), spec.name()),
            };
            Data::new(spec.name(), &device, node).ephemeral()
        }
    }
}

/// Where the volume in a pod's directory for it is, once it is published.
pub(super) fn target(kind: Kind, dir: &Path) -> PathBuf {
    dir.join(path::target(kind))
}

fn driver_name(spec: &Spec) -> &str {
    let inline = spec
        .volume
        .csi
        .as_ref()
        .map(|source| source.driver.as_str());
    let persistent = spec.csi().map(|source| source.driver.as_str());
    persistent.or(inline).unwrap_or_default()
}

fn kind(spec: &Spec) -> Kind {
    match spec.is_block() {
        true => Kind::Block,
        false => Kind::Filesystem,
    }
}

/// What the API says about a driver.
async fn described(host: &Host, driver: &str) -> Result<Option<CSIDriver>, VolumeError> {
    let api: Api<CSIDriver> = Api::all(host.client.clone());
    let found = api.get_opt(driver).await;
    found.map_err(|error| VolumeError::Invalid(words(&error)))
}

/// Whether the driver's volumes may be used so: bound to a claim, or in a pod's spec.
fn check_lifecycle(spec: &Spec, described: Option<&CSIDriver>) -> Result<(), VolumeError> {
    let mode = match spec.persistent {
        Some(_) => "Persistent",
        None => "Ephemeral",
    };
    let name = driver_name(spec);
    let Some(described) = described else {
        return match mode {
            "Persistent" => Ok(()),
            _ => Err(VolumeError::Invalid(format!(
                "volume mode {mode:?} not supported by driver {name} (no CSIDriver object)"
            ))),
        };
    };
    let modes = described.spec.volume_lifecycle_modes.clone();
    let modes = modes.filter(|modes| !modes.is_empty());
    let modes = modes.unwrap_or_else(|| vec!["Persistent".to_owned()]);
    match modes.iter().any(|known| known == mode) {
        true => Ok(()),
        false => Err(VolumeError::Invalid(format!(
            "volume mode {mode:?} not supported by driver {name} (only supports {modes:?})"
        ))),
    }
}

/// A secret's data, as drivers get it.
async fn secrets(
    setup: &Setup<'_>,
    reference: Option<&SecretReference>,
) -> Result<BTreeMap<String, String>, VolumeError> {
    let Some(reference) = reference else {
        return Ok(BTreeMap::new());
    };
    let name = reference.name.as_deref().unwrap_or_default();
    let namespace = reference.namespace.as_deref().unwrap_or_default();
    let secret = setup.host.objects.secret(namespace, name).await?;
    let data = secret.data.iter().flatten();
    let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
    Ok(data
        .map(|(key, data)| (key.clone(), text(&data.0)))
        .collect())
}
