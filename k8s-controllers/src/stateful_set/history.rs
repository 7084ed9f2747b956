//! Keeping a set's revisions: finds the two that count, makes one for a new template, drops old ones.

use std::{collections::BTreeSet, sync::Arc};

use k8s_openapi::api::apps::v1::{ControllerRevision, StatefulSet};
use k8s_runtime::index;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};

use super::{Loop, revision, view::View};
use crate::{
    claim::{self, Claim},
    orphan,
};

/// The revisions that a set's pods are made from.
pub(super) struct History {
    /// What the pods were made from when the last rollout was complete.
    pub(super) current: Arc<ControllerRevision>,
    /// What they shall be made from.
    pub(super) update: Arc<ControllerRevision>,
    /// How often the name of a new revision was taken by another.
    pub(super) collisions: i32,
}

impl Loop {
    /// A set's revisions, oldest first; those that a set of the same name left behind are adopted.
    pub(super) async fn revisions_of(
        &self,
        set: &StatefulSet,
    ) -> Result<Vec<Arc<ControllerRevision>>, kube::Error> {
        let uid = set.metadata.uid.as_deref().unwrap_or_default();
        let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
        let mut revisions = self.revisions.by_index(index::BY_OWNER, uid);
        let selector = claim::selector(&set.spec.selector);
        for orphan in self.revisions.by_index(orphan::INDEX, namespace) {
            let claimed = selector
                .as_ref()
                .map(|selector| claim::claim(&set.metadata, selector, &orphan.metadata));
            if claimed == Some(Claim::Adopt) {
                orphan::check_owner(&self.ctx, set).await?;
                let owner = claim::controller_reference(set);
                let api = self.revisions_in(namespace);
                revisions.push(Arc::new(claim::adopt(&api, owner, &orphan.metadata).await?));
            }
        }
        revisions.sort_by_key(|it| (it.revision, it.metadata.creation_timestamp.clone()));
        Ok(revisions)
    }

    /// The current and the update revision; makes the latter if the template is new, and renumbers it if it is an old
    /// one.
    pub(super) async fn history(
        &self,
        set: &StatefulSet,
        known: &[Arc<ControllerRevision>],
    ) -> Result<History, kube::Error> {
        let status = set.status.as_ref();
        let mut collisions = status
            .and_then(|status| status.collision_count)
            .unwrap_or(0);
        let wanted = revision::of_template(set, known, collisions);
        let same = known
            .iter()
            .rfind(|other| revision::is_same(other, &wanted));
        let update = match same {
            Some(same) if known.last().is_some_and(|last| Arc::ptr_eq(last, same)) => same.clone(),
            Some(same) => {
                let mut newest = ControllerRevision::clone(same);
                newest.revision = wanted.revision;
                let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
                let params = PostParams::default();
                let name = revision::name(same);
                let api = self.revisions_in(namespace);
                Arc::new(api.replace(name, &params, &newest).await?)
            }
            None => Arc::new(self.make(set, known, wanted, &mut collisions).await?),
        };
        let name = status.and_then(|status| status.current_revision.as_deref());
        let current = known.iter().find(|it| Some(revision::name(it)) == name);
        Ok(History {
            current: current.unwrap_or(&update).clone(),
            update,
            collisions,
        })
    }

    async fn make(
        &self,
        set: &StatefulSet,
        known: &[Arc<ControllerRevision>],
        mut wanted: ControllerRevision,
        collisions: &mut i32,
    ) -> Result<ControllerRevision, kube::Error> {
        let namespace = set.metadata.namespace.as_deref().unwrap_or_default();
        let api = self.revisions_in(namespace);
        loop {
            match api.create(&PostParams::default(), &wanted).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                other => return other,
            }
            // Made a moment ago, or another's.
            let existing = api.get(revision::name(&wanted)).await?;
            if revision::is_same(&existing, &wanted) {
                return Ok(existing);
            }
            *collisions += 1;
            wanted = revision::of_template(set, known, *collisions);
        }
    }

    /// Drops old revisions that no pod is made from.
    pub(super) async fn truncate(
        &self,
        view: &View,
        known: &[Arc<ControllerRevision>],
    ) -> Result<(), kube::Error> {
        let mut used: BTreeSet<_> = view.pods().map(|pod| revision::of_pod(pod)).collect();
        used.extend([&view.history.current, &view.history.update].map(|it| revision::name(it)));
        let limit = view.set.spec.revision_history_limit.unwrap_or(10);
        let limit = usize::try_from(limit).unwrap_or(0);
        let namespace = view.set.metadata.namespace.as_deref().unwrap_or_default();
        for old in revision::expired(known, &used, limit) {
            let api = self.revisions_in(namespace);
            let params = DeleteParams::default();
            match api.delete(revision::name(&old), &params).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                other => drop(other?),
            }
        }
        Ok(())
    }

    fn revisions_in(&self, namespace: &str) -> Api<ControllerRevision> {
        Api::namespaced(self.ctx.client.clone(), namespace)
    }
}
