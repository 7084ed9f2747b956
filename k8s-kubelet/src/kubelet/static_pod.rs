//! Static pods in the agent's loop: which of them run, and which of the API's pods are only images of them.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Pod;
use k8s_runtime::Key;
use kube::{
    Api,
    api::{DeleteParams, Preconditions},
};

use super::Loop;
use crate::{pod::mailbox::Mailbox, source::annotation};

/// What the loop knows of static pods.
pub(super) struct Statics {
    /// Whether the files have been read.
    pub(super) is_known: bool,
    /// Those that wait for an earlier one of their name to end.
    waiting: Vec<Arc<Pod>>,
    /// The API's images of static pods of this node.
    mirrors: BTreeMap<Key, Arc<Pod>>,
}

impl Statics {
    pub(super) fn new(is_known: bool) -> Self {
        Self {
            is_known,
            waiting: Vec::new(),
            mirrors: BTreeMap::new(),
        }
    }
}

/// A pod of the API with what only a static pod may say of itself taken back.
pub(super) fn sanitize(pod: Arc<Pod>) -> Arc<Pod> {
    if !annotation::is_static(&pod) {
        return pod;
    }
    let mut pod = Pod::clone(&pod);
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert(annotation::SOURCE.into(), "api".into());
    Arc::new(pod)
}

impl Loop {
    /// These are all static pods: those that run and aren't among them end, new ones start.
    pub(super) fn statics(&mut self, pods: Vec<Arc<Pod>>) {
        let wanted: HashSet<_> = pods.iter().map(|pod| pod.metadata.uid.clone()).collect();
        for mailbox in self.workers.values() {
            let pod = mailbox.pod();
            if annotation::is_static(&pod) && !wanted.contains(&pod.metadata.uid) {
                mailbox.withdraw();
            }
        }
        self.statics.waiting = pods;
        self.statics.is_known = true;
        self.start_statics();
        self.remove_orphaned_mirrors();
    }

    /// Starts the static pods whose names are free.
    pub(super) fn start_statics(&mut self) {
        for pod in std::mem::take(&mut self.statics.waiting) {
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            if self.workers.contains_key(&uid) {
                continue;
            }
            let key = Key::of(&*pod);
            if self.static_worker(&key).is_some() {
                self.statics.waiting.push(pod);
                continue;
            }
            self.pod(pod);
            if let Some(mailbox) = self.workers.get(&uid) {
                mailbox.set_mirror(self.statics.mirrors.get(&key).cloned());
            }
        }
    }

    /// The API has this image of a static pod.
    pub(super) fn mirror(&mut self, mirror: Arc<Pod>) {
        let key = Key::of(&*mirror);
        self.statics.mirrors.insert(key.clone(), mirror.clone());
        match self.static_worker(&key) {
            Some(mailbox) => mailbox.set_mirror(Some(mirror)),
            None => self.remove_orphaned_mirrors(),
        }
    }

    /// The image is gone from the API.
    pub(super) fn lose_mirror(&mut self, mirror: &Pod) {
        let key = Key::of(mirror);
        let is_same = |known: &Pod| known.metadata.uid == mirror.metadata.uid;
        if self
            .statics
            .mirrors
            .get(&key)
            .is_some_and(|known| is_same(known))
        {
            self.statics.mirrors.remove(&key);
        }
        if let Some(mailbox) = self.static_worker(&key)
            && mailbox.mirror().is_none_or(|known| is_same(&known))
        {
            mailbox.set_mirror(None);
        }
    }

    /// Removes images of nothing from the API.
    pub(super) fn remove_orphaned_mirrors(&mut self) {
        if !self.statics.is_known {
            return;
        }
        let orphans: Vec<_> = self
            .statics
            .mirrors
            .iter()
            .filter(|(key, _)| self.static_worker(key).is_none())
            .map(|(_, mirror)| mirror.clone())
            .collect();
        for mirror in orphans {
            let client = self.agent.client.clone();
            let cancel = self.cancel.clone();
            self.tasks.spawn(async move {
                let key = Key::of(&*mirror);
                let pods: Api<Pod> = Api::namespaced(client, &key.namespace);
                let params = DeleteParams {
                    grace_period_seconds: Some(0),
                    preconditions: Some(Preconditions {
                        uid: mirror.metadata.uid.clone(),
                        resource_version: None,
                    }),
                    ..DeleteParams::default()
                };
                let work = pods.delete(&key.name, &params);
                if let Some(Err(error)) = cancel.run_until_cancelled(work).await {
                    tracing::debug!(pod = key.name, %error, "an image of no static pod stays");
                }
            });
        }
    }

    fn static_worker(&self, key: &Key) -> Option<Arc<Mailbox>> {
        let mut mailboxes = self.workers.values();
        let found = mailboxes.find(|mailbox| {
            let pod = mailbox.pod();
            annotation::is_static(&pod) && Key::of(&*pod) == *key
        });
        found.cloned()
    }
}
