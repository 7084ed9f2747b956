//! Who owns whom: the owner references of everything, both ways round.
//!
//! Fed with metadata as it changes, the graph says what to look at. It never decides to delete: it
//! may be behind the API, and what looks absent may only be unseen.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use k8s_runtime::Key;

use super::resource::Resource;

/// On an object that shall go only after its dependents.
pub(super) const FOREGROUND: &str = "foregroundDeletion";
/// On an object whose dependents shall be let go before it goes.
pub(super) const ORPHAN: &str = "orphan";

/// Uids of deleted objects to remember: a uid never comes back.
const ABSENT_MAX: usize = 4096;

/// The identity of an object for all time.
pub(super) type Uid = Arc<str>;

/// What the graph knows of an object.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) resource: Arc<Resource>,
    pub(super) key: Key,
    pub(super) uid: Uid,
    pub(super) rv: String,
    pub(super) owners: Vec<OwnerReference>,
    pub(super) finalizers: Vec<String>,
    pub(super) is_deleting: bool,
}

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Work {
    /// Whether this object should go, or may go now.
    Delete(Uid),
    /// Let this object's dependents go.
    Orphan(Uid),
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Delete(uid) => write!(f, "delete {uid}"),
            Work::Orphan(uid) => write!(f, "orphan dependents of {uid}"),
        }
    }
}

impl Node {
    pub(super) fn new(resource: Arc<Resource>, meta: &ObjectMeta) -> Self {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        Self {
            resource,
            key: Key::new(text(&meta.namespace), text(&meta.name)),
            uid: text(&meta.uid).into(),
            rv: text(&meta.resource_version),
            owners: meta.owner_references.clone().unwrap_or_default(),
            finalizers: meta.finalizers.clone().unwrap_or_default(),
            is_deleting: meta.deletion_timestamp.is_some(),
        }
    }

    pub(super) fn has_finalizer(&self, name: &str) -> bool {
        self.finalizers.iter().any(|finalizer| finalizer == name)
    }

    /// It is being deleted and waits for its dependents to go first.
    pub(super) fn waits_for_dependents(&self) -> bool {
        self.is_deleting && self.has_finalizer(FOREGROUND)
    }

    fn orphans_dependents(&self) -> bool {
        self.is_deleting && self.has_finalizer(ORPHAN)
    }

    /// Whether its existence holds up the deletion of that owner.
    fn blocks(&self, owner: &str) -> bool {
        let mut owners = self.owners.iter();
        owners.any(|known| known.uid == owner && known.block_owner_deletion == Some(true))
    }
}

/// The graph.
#[derive(Default)]
pub(super) struct Graph {
    nodes: BTreeMap<Uid, Node>,
    /// By owner, whether or not that was ever seen.
    dependents: BTreeMap<Uid, BTreeSet<Uid>>,
    absent: BTreeSet<Uid>,
    absent_order: VecDeque<Uid>,
}

impl Graph {
    pub(super) fn get(&self, uid: &str) -> Option<&Node> {
        self.nodes.get(uid)
    }

    /// Whether an object of this uid is known to be gone for good.
    pub(super) fn is_absent(&self, uid: &str) -> bool {
        self.absent.contains(uid)
    }

    pub(super) fn dependents(&self, owner: &str) -> impl Iterator<Item = &Node> {
        let uids = self.dependents.get(owner).into_iter().flatten();
        uids.filter_map(|uid| self.nodes.get(uid))
    }

    /// The dependents that hold up an owner's deletion.
    pub(super) fn blocking(&self, owner: &str) -> impl Iterator<Item = &Node> {
        self.dependents(owner)
            .filter(move |dependent| dependent.blocks(owner))
    }

    /// All objects of a resource: what a new list of it may no longer contain.
    pub(super) fn uids_of(&self, resource: &Resource) -> Vec<Uid> {
        let nodes = self.nodes.values();
        let found = nodes.filter(|node| *node.resource == *resource);
        found.map(|node| node.uid.clone()).collect()
    }

    /// An object was created or changed.
    pub(super) fn observe(&mut self, node: Node) -> Vec<Work> {
        let mut work = Vec::new();
        let uid = node.uid.clone();
        let old = self.nodes.remove(&uid);
        if let Some(old) = &old {
            self.unlink_lost_owners(old, &node, &mut work);
        }
        let known = |owner: &OwnerReference| {
            let mut owners = old.iter().flat_map(|old| &old.owners);
            owners.any(|known| known.uid == owner.uid)
        };
        for owner in node.owners.iter().filter(|owner| !known(owner)) {
            let owner_uid: Uid = owner.uid.as_str().into();
            let is_concern = match self.nodes.get(&owner_uid) {
                Some(owner) => owner.waits_for_dependents(),
                None => true,
            };
            if is_concern {
                work.push(Work::Delete(uid.clone()));
            }
            let dependents = self.dependents.entry(owner_uid).or_default();
            dependents.insert(uid.clone());
        }
        let waited = old.as_ref().is_some_and(Node::waits_for_dependents);
        if node.waits_for_dependents() && !waited {
            work.extend(
                self.dependents(&uid)
                    .map(|dependent| Work::Delete(dependent.uid.clone())),
            );
            work.push(Work::Delete(uid.clone()));
        }
        let orphaned = old.as_ref().is_some_and(Node::orphans_dependents);
        if node.orphans_dependents() && !orphaned {
            work.push(Work::Orphan(uid.clone()));
        }
        self.nodes.insert(uid, node);
        work
    }

    /// An object is gone.
    pub(super) fn forget(&mut self, uid: &str) -> Vec<Work> {
        let mut work = Vec::new();
        if let Some(node) = self.nodes.remove(uid) {
            for owner in &node.owners {
                self.unlink(&owner.uid, uid, &mut work);
            }
        }
        work.extend(
            self.dependents(uid)
                .map(|dependent| Work::Delete(dependent.uid.clone())),
        );
        self.note_absent(uid);
        work
    }

    /// Remembers that no object of this uid exists any more.
    pub(super) fn note_absent(&mut self, uid: &str) {
        let uid: Uid = uid.into();
        if self.absent.insert(uid.clone()) {
            self.absent_order.push_back(uid);
        }
        if self.absent_order.len() > ABSENT_MAX
            && let Some(oldest) = self.absent_order.pop_front()
        {
            self.absent.remove(&oldest);
        }
    }

    /// Owners that the new state no longer names, or no longer holds up, may go on.
    fn unlink_lost_owners(&mut self, old: &Node, new: &Node, work: &mut Vec<Work>) {
        for owner in &old.owners {
            if !new.owners.iter().any(|kept| kept.uid == owner.uid) {
                self.unlink(&owner.uid, &old.uid, work);
            } else if old.blocks(&owner.uid) && !new.blocks(&owner.uid) {
                self.wake_waiting(&owner.uid, work);
            }
        }
    }

    fn unlink(&mut self, owner: &str, dependent: &str, work: &mut Vec<Work>) {
        if let Some(dependents) = self.dependents.get_mut(owner) {
            dependents.remove(dependent);
            if dependents.is_empty() {
                self.dependents.remove(owner);
            }
        }
        self.wake_waiting(owner, work);
    }

    fn wake_waiting(&self, owner: &str, work: &mut Vec<Work>) {
        if let Some(owner) = self.nodes.get(owner)
            && owner.waits_for_dependents()
        {
            work.push(Work::Delete(owner.uid.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(uid: &str, owners: &[(&str, bool)], change: Value) -> Node {
        let owners: Vec<Value> = owners
            .iter()
            .map(|(uid, blocks)| {
                json!({"apiVersion": "v1", "kind": "X", "name": uid, "uid": uid, "blockOwnerDeletion": blocks})
            })
            .collect();
        let mut meta = json!({"name": uid, "uid": uid, "ownerReferences": owners});
        for (name, value) in change.as_object().into_iter().flatten() {
            meta[name] = value.clone();
        }
        let meta = serde_json::from_value(meta).expect("metadata");
        Node::new(Arc::default(), &meta)
    }

    fn going(finalizer: &str) -> Value {
        json!({"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": [finalizer]})
    }

    #[track_caller]
    fn check(work: Vec<Work>, expected: &[&str]) {
        let work: Vec<String> = work.iter().map(ToString::to_string).collect();
        assert_eq!(work, expected);
    }

    #[test]
    fn an_owner_that_goes_concerns_its_dependents() {
        let mut graph = Graph::default();
        check(graph.observe(node("a", &[], json!({}))), &[]);
        check(graph.observe(node("b", &[("a", true)], json!({}))), &[]);
        check(graph.observe(node("c", &[("a", true)], json!({}))), &[]);
        check(graph.forget("a"), &["delete b", "delete c"]);
        assert!(graph.is_absent("a"));
    }

    #[test]
    fn an_object_with_an_unseen_owner_is_looked_at() {
        let mut graph = Graph::default();
        check(
            graph.observe(node("b", &[("a", true)], json!({}))),
            &["delete b"],
        );
        check(graph.observe(node("a", &[], json!({}))), &[]);
        check(graph.forget("a"), &["delete b"]);
    }

    #[test]
    fn waiting_for_dependents_looks_at_them_and_again_as_each_goes() {
        let mut graph = Graph::default();
        graph.observe(node("a", &[], json!({})));
        graph.observe(node("b", &[("a", true)], json!({})));
        graph.observe(node("c", &[("a", false)], json!({})));
        check(
            graph.observe(node("a", &[], going(FOREGROUND))),
            &["delete b", "delete c", "delete a"],
        );
        assert_eq!(graph.blocking("a").count(), 1);
        check(
            graph.observe(node("b", &[("a", false)], json!({}))),
            &["delete a"],
        );
        check(graph.forget("b"), &["delete a"]);
        // One that comes late is looked at as well.
        check(
            graph.observe(node("d", &[("a", true)], json!({}))),
            &["delete d"],
        );
    }

    #[test]
    fn orphaning_is_noticed_once() {
        let mut graph = Graph::default();
        graph.observe(node("b", &[("a", true)], json!({})));
        check(
            graph.observe(node("a", &[], going(ORPHAN))),
            &["orphan dependents of a"],
        );
        check(graph.observe(node("a", &[], going(ORPHAN))), &[]);
    }

    #[test]
    fn an_object_that_changes_owners_leaves_the_old_one() {
        let mut graph = Graph::default();
        graph.observe(node("a", &[], json!({})));
        graph.observe(node("z", &[], json!({})));
        graph.observe(node("b", &[("a", true)], json!({})));
        check(graph.observe(node("b", &[("z", true)], json!({}))), &[]);
        check(graph.forget("a"), &[]);
        check(graph.forget("z"), &["delete b"]);
    }
}
