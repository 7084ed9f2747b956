//! When a node was last heard of, by this controller's own clock.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        coordination::v1::Lease,
        core::v1::{Node, NodeCondition},
    },
    apimachinery::pkg::apis::meta::v1::{MicroTime, Time},
};

use super::plan::conditions_of;

/// The newest sign of life, and when it was noticed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heartbeat {
    renewed: Option<MicroTime>,
    reported: Option<Time>,
    noticed: Timestamp,
}

impl Heartbeat {
    /// What a node and its lease say now: news only if they differ from before. The times that
    /// the node writes are compared with each other, never with this machine's.
    pub(super) fn next(
        before: Option<&Self>,
        node: &Node,
        lease: Option<&Lease>,
        now: Timestamp,
    ) -> Self {
        let spec = lease.and_then(|lease| lease.spec.as_ref());
        let renewed = spec.and_then(|spec| spec.renew_time.clone());
        let is_ready = |condition: &&NodeCondition| condition.type_ == "Ready";
        let ready = conditions_of(node).iter().find(is_ready);
        let reported = ready.and_then(|ready| ready.last_heartbeat_time.clone());
        match before {
            Some(before) if before.renewed == renewed && before.reported == reported => {
                before.clone()
            }
            // Who never gave a sign has been silent since it was made.
            None if renewed.is_none() && ready.is_none() => Self {
                renewed,
                reported,
                noticed: created(node).map_or(now, |created| created.min(now)),
            },
            _ => Self {
                renewed,
                reported,
                noticed: now,
            },
        }
    }

    /// How long nothing has been heard.
    pub(super) fn silence(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.noticed)).unwrap_or_default()
    }
}

fn created(node: &Node) -> Option<Timestamp> {
    let created = node.metadata.creation_timestamp.as_ref();
    created.map(|created| created.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_sign_of_life_ends_the_silence() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let lease = |second| {
            let mut lease = Lease::default();
            lease.spec.get_or_insert_default().renew_time = Some(MicroTime(at(second)));
            lease
        };
        let node = Node::default();
        let first = Heartbeat::next(None, &node, Some(&lease(5)), at(100));
        let same = Heartbeat::next(Some(&first), &node, Some(&lease(5)), at(130));
        assert_eq!(same.silence(at(130)), Duration::from_secs(30));
        let renewed = Heartbeat::next(Some(&same), &node, Some(&lease(6)), at(130));
        assert_eq!(renewed.silence(at(130)), Duration::ZERO);
    }

    #[test]
    fn who_never_gave_a_sign_is_silent_since_its_creation() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut node = Node::default();
        node.metadata.creation_timestamp = Some(Time(at(100)));
        let first = Heartbeat::next(None, &node, None, at(130));
        assert_eq!(first.silence(at(130)), Duration::from_secs(30));
        let mut lease = Lease::default();
        lease.spec.get_or_insert_default().renew_time = Some(MicroTime(at(5)));
        let heard = Heartbeat::next(Some(&first), &node, Some(&lease), at(130));
        assert_eq!(heard.silence(at(130)), Duration::ZERO);
    }
}
