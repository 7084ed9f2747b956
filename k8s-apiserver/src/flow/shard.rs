//! Which queues a flow may use: a hand of cards, dealt from the flow's hash.
//!
//! Two flows rarely hold the same hand (shuffle sharding), so one flow that fills all queues of its
//! hand leaves every other flow at least one queue that it can't reach.

use sha2::{Digest, Sha256};

/// The hash of a flow: of its schema's name and of what tells it from the schema's other flows.
pub(crate) fn flow_hash(schema: &str, distinguisher: &str) -> u64 {
    let digest = Sha256::new()
        .chain_update(schema)
        .chain_update([0])
        .chain_update(distinguisher)
        .finalize();
    let (first, _) = digest.split_first_chunk().expect("a SHA-256 has 32 bytes");
    u64::from_le_bytes(*first)
}

/// Deals `hand` different cards out of `deck`, by the hash; the same hash gives the same hand.
///
/// Each card is a digit of the hash in a base one smaller than the last card's, an index among the
/// cards that are left. [`PriorityLevelConfiguration`] validation keeps hands small enough for the
/// bits that a hash has.
///
/// [`PriorityLevelConfiguration`]: k8s_apimachinery::api::flowcontrol::priority_level_configuration
pub(crate) fn deal(mut hash: u64, deck: usize, hand: usize) -> Vec<usize> {
    let mut taken: Vec<usize> = Vec::with_capacity(hand);
    let mut cards = Vec::with_capacity(hand);
    for left in (1..=deck as u64).rev().take(hand) {
        let mut card = (hash % left) as usize;
        hash /= left;
        // `taken` is in order: each card at or below moves the index by one.
        let mut at = 0;
        while at < taken.len() && taken[at] <= card {
            card += 1;
            at += 1;
        }
        taken.insert(at, card);
        cards.push(card);
    }
    cards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hand_holds_different_cards_of_the_deck() {
        for hash in (0..5000).map(|n| flow_hash("schema", &n.to_string())) {
            let mut hand = deal(hash, 64, 6);
            assert_eq!(hand, deal(hash, 64, 6), "the same hash deals the same hand");
            hand.sort_unstable();
            hand.dedup();
            assert_eq!(hand.len(), 6);
            assert!(hand.iter().all(|card| *card < 64));
        }
    }

    #[test]
    fn a_hand_as_large_as_the_deck_is_the_deck() {
        let mut hand = deal(u64::MAX / 3, 8, 8);
        hand.sort_unstable();
        assert_eq!(hand, [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(deal(7, 1, 1), [0]);
    }

    #[test]
    fn every_card_is_dealt_about_as_often() {
        let mut seen = [0_usize; 16];
        for hash in (0..4000).map(|n| flow_hash("schema", &n.to_string())) {
            for card in deal(hash, 16, 4) {
                seen[card] += 1;
            }
        }
        assert!(
            seen.iter().all(|count| (800..1200).contains(count)),
            "{seen:?}"
        );
    }

    #[test]
    fn flows_differ_by_schema_and_by_distinguisher() {
        assert_ne!(flow_hash("a", "bc"), flow_hash("ab", "c"));
        assert_ne!(flow_hash("a", "b"), flow_hash("a", "c"));
    }
}
