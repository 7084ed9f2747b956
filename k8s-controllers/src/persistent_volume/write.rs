//! The binder's writes. Each replaces the state that was looked at and no other; what is written is kept in mind until
//! the stores show it.

use std::sync::Arc;

use k8s_apimachinery::volume::binding;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{Api, api::PostParams};

use super::{Binder, claim, volume};

impl Binder {
    /// Binds both to each other, or completes what is missing. The first write decides.
    pub(super) async fn bind(
        &self,
        volume: &PersistentVolume,
        claim: &PersistentVolumeClaim,
    ) -> Result<(), kube::Error> {
        let bound = match binding::bind(volume, claim) {
            Some(bound) => self.write_volume(&bound).await?,
            None => Arc::new(volume.clone()),
        };
        let bound = self.write_volume_phase(&bound, volume::BOUND, None).await?;
        let name = bound.metadata.name.as_deref().unwrap_or_default();
        let claim = match claim::bound(claim, name) {
            Some(claim) => {
                tracing::info!(claim = claim.metadata.name, volume = name, "bound");
                self.write_claim(&claim).await?
            }
            None => Arc::new(claim.clone()),
        };
        self.write_claim_phase(&claim, claim::BOUND, Some(&bound))
            .await
    }

    /// Gives a volume up, so that others may have it.
    pub(super) async fn unbind(&self, volume: &PersistentVolume) -> Result<(), kube::Error> {
        let free = self.write_volume(&volume::unbound(volume)).await?;
        self.write_volume_phase(&free, volume::AVAILABLE, None)
            .await
            .map(drop)
    }

    /// Says that a volume's claim is gone, then why it can't be reclaimed, if so.
    pub(super) async fn release(&self, volume: &PersistentVolume) -> Result<(), kube::Error> {
        let mut volume = Arc::new(volume.clone());
        if !volume::is_released(&volume) {
            volume = self
                .write_volume_phase(&volume, volume::RELEASED, None)
                .await?;
        }
        let Some(note) = volume::reclaim(&volume) else {
            return Ok(());
        };
        if volume::phase(&volume) != volume::FAILED {
            self.write_volume_phase(&volume, volume::FAILED, Some(&note.message))
                .await?;
            self.tell_volume(&volume, &note);
        }
        Ok(())
    }

    pub(super) async fn choose_class(
        &self,
        claim: &PersistentVolumeClaim,
        class: String,
    ) -> Result<(), kube::Error> {
        let mut chosen = claim.clone();
        chosen.spec.get_or_insert_default().storage_class_name = Some(class);
        self.write_claim(&chosen).await.map(drop)
    }

    pub(super) async fn write_claim(
        &self,
        claim: &PersistentVolumeClaim,
    ) -> Result<Arc<PersistentVolumeClaim>, kube::Error> {
        let name = claim.metadata.name.as_deref().unwrap_or_default();
        let params = PostParams::default();
        let written = self.claims_in(claim).replace(name, &params, claim).await?;
        Ok(self.claims.wrote(written))
    }

    pub(super) async fn write_claim_phase(
        &self,
        claim: &PersistentVolumeClaim,
        phase: &str,
        volume: Option<&PersistentVolume>,
    ) -> Result<(), kube::Error> {
        let Some(claim) = claim::with_phase(claim, phase, volume) else {
            return Ok(());
        };
        let name = claim.metadata.name.as_deref().unwrap_or_default();
        let api = self.claims_in(&claim);
        let written = api
            .replace_status(name, &PostParams::default(), &claim)
            .await?;
        self.claims.wrote(written);
        Ok(())
    }

    async fn write_volume(
        &self,
        volume: &PersistentVolume,
    ) -> Result<Arc<PersistentVolume>, kube::Error> {
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        let params = PostParams::default();
        let written = self.api.replace(name, &params, volume).await?;
        Ok(self.volumes.wrote(written))
    }

    pub(super) async fn write_volume_phase(
        &self,
        volume: &PersistentVolume,
        phase: &str,
        message: Option<&str>,
    ) -> Result<Arc<PersistentVolume>, kube::Error> {
        let Some(volume) = volume::with_phase(volume, phase, message) else {
            return Ok(Arc::new(volume.clone()));
        };
        let name = volume.metadata.name.as_deref().unwrap_or_default();
        let params = PostParams::default();
        let written = self.api.replace_status(name, &params, &volume).await?;
        Ok(self.volumes.wrote(written))
    }

    fn claims_in(&self, claim: &PersistentVolumeClaim) -> Api<PersistentVolumeClaim> {
        let namespace = claim.metadata.namespace.as_deref().unwrap_or_default();
        Api::namespaced(self.ctx.client.clone(), namespace)
    }
}
