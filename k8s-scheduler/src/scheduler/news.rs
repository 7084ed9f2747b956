//! News of claims, volumes and drivers, as one stream: how each event changes the cache, and what it means for pods that
//! wait.

use futures::{
    StreamExt,
    stream::{BoxStream, SelectAll, select_all},
};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_runtime::{Event, Hub, Object};

use crate::{
    cache::{Storage, Table},
    framework::{Change, ClusterEvent},
};

/// Changes the cache; gives what pods may be waiting for.
pub(super) type News = Box<dyn FnOnce(&mut Storage) -> Option<Change> + Send>;

/// What additions, updates and deletions of a kind mean.
#[derive(Clone, Copy)]
struct Meaning {
    added: Option<ClusterEvent>,
    updated: Option<ClusterEvent>,
    deleted: Option<ClusterEvent>,
}

impl Meaning {
    fn of<K>(self, event: &Event<K>) -> Option<ClusterEvent> {
        match event {
            Event::Added(_) => self.added,
            Event::Updated { .. } => self.updated,
            Event::Deleted(_) => self.deleted,
        }
    }
}

/// All news from now on, beginning with what there is.
pub(super) async fn follow(hub: &Hub) -> SelectAll<BoxStream<'static, News>> {
    use ClusterEvent::*;
    let on = |added, updated| Meaning {
        added: Some(added),
        updated: Some(updated),
        deleted: None,
    };
    let detached = Meaning {
        added: None,
        updated: None,
        deleted: Some(VolumeAttachmentDeleted),
    };
    let claims = hub.informer::<PersistentVolumeClaim>();
    claims.synced().await;
    let of_claims = on(PersistentVolumeClaimAdded, PersistentVolumeClaimUpdated);
    let claims = claims.subscribe().map(move |event| {
        Box::new(move |storage: &mut Storage| {
            storage.claims.apply(&event);
            let meaning = of_claims.of(&event)?;
            Some(Change::of_claim(meaning, event.object()))
        }) as News
    });
    select_all([
        claims.boxed(),
        of_kind(
            hub,
            |storage| &mut storage.volumes,
            on(PersistentVolumeAdded, PersistentVolumeUpdated),
        )
        .await,
        of_kind(
            hub,
            |storage| &mut storage.classes,
            on(StorageClassAdded, StorageClassUpdated),
        )
        .await,
        of_kind(
            hub,
            |storage| &mut storage.csi_nodes,
            on(CsiNodeAdded, CsiNodeUpdated),
        )
        .await,
        of_kind(
            hub,
            |storage| &mut storage.csi_drivers,
            on(CsiDriverAdded, CsiDriverUpdated),
        )
        .await,
        of_kind(
            hub,
            |storage| &mut storage.capacities,
            on(CsiStorageCapacityAdded, CsiStorageCapacityUpdated),
        )
        .await,
        of_kind(hub, |storage| &mut storage.attachments, detached).await,
    ])
}

async fn of_kind<K: Object>(
    hub: &Hub,
    table: fn(&mut Storage) -> &mut Table<K>,
    meaning: Meaning,
) -> BoxStream<'static, News> {
    let informer = hub.informer::<K>();
    informer.synced().await;
    let news = informer.subscribe().map(move |event| {
        Box::new(move |storage: &mut Storage| {
            table(storage).apply(&event);
            meaning.of(&event).map(Change::of)
        }) as News
    });
    news.boxed()
}
