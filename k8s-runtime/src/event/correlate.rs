//! Folding events, as upstream's correlator does: an object's flood is cut off (25 at once, then one
//! every five minutes), more than ten messages of one reason within ten minutes become one
//! "combined" event, and an exact repetition raises the count of the event that exists.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use jiff::Timestamp;

use super::{EventType, Note};

const BURST: f64 = 25.0;
const REFILL: Duration = Duration::from_secs(300);
const SIMILAR_MAX: usize = 10;
const SIMILAR_WINDOW: Duration = Duration::from_secs(600);
/// Entries remembered per table; the oldest go first.
const MEMORY: usize = 4096;

/// What to do with a note.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The object is flooding.
    Drop,
    /// Write a new event of this name.
    Create { note: Note, name: String },
    /// Raise the count of an existing one.
    Repeat {
        note: Note,
        name: String,
        count: i32,
    },
}

/// The object that a note is about, by what identifies it.
type About = (String, String, String, String);
/// Notes that differ only in their message.
type Similar = (About, EventType, String);
/// Notes that are the same.
type Same = (Similar, String);

#[derive(Default)]
pub(super) struct Correlator {
    budgets: Memory<About, (f64, Timestamp)>,
    similar: Memory<Similar, (BTreeSet<String>, Timestamp)>,
    same: Memory<Same, (String, i32)>,
    last_stamp: i128,
}

impl Correlator {
    pub(super) fn judge(&mut self, mut note: Note) -> Verdict {
        let about = about(&note);
        if !self.spend(&about, note.at) {
            return Verdict::Drop;
        }
        let similar = (about, note.event_type, note.reason.clone());
        let mut same = (similar.clone(), note.message.clone());
        if self.is_crowd(similar, &note) {
            note.message = format!("(combined from similar events): {}", note.message);
            same.1 = "(combined)".to_owned();
        }
        if let Some((name, count)) = self.same.get_mut(&same) {
            *count += 1;
            let (name, count) = (name.clone(), *count);
            return Verdict::Repeat { note, name, count };
        }
        let name = self.name(&note);
        self.same.insert(same, (name.clone(), 1));
        Verdict::Create { note, name }
    }

    /// The object's name and the time, which sorts by age; moved on by a nanosecond where the
    /// clock stands still.
    fn name(&mut self, note: &Note) -> String {
        let name = note.about.name.as_deref().unwrap_or("unknown");
        self.last_stamp = note.at.as_nanosecond().max(self.last_stamp + 1);
        format!("{name}.{:x}", self.last_stamp)
    }

    /// Takes a token of the object's bucket; false when it is empty.
    fn spend(&mut self, about: &About, now: Timestamp) -> bool {
        let Some((tokens, since)) = self.budgets.get_mut(about) else {
            self.budgets.insert(about.clone(), (BURST - 1.0, now));
            return true;
        };
        let elapsed = now.duration_since(*since).as_secs_f64().max(0.0);
        *tokens = (*tokens + elapsed / REFILL.as_secs_f64()).min(BURST);
        *since = now;
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }

    /// Whether too many different messages say a similar thing.
    fn is_crowd(&mut self, similar: Similar, note: &Note) -> bool {
        let Some((messages, last)) = self.similar.get_mut(&similar) else {
            let first = BTreeSet::from([note.message.clone()]);
            self.similar.insert(similar, (first, note.at));
            return false;
        };
        if note.at.duration_since(*last).unsigned_abs() > SIMILAR_WINDOW {
            messages.clear();
        }
        *last = note.at;
        if messages.len() >= SIMILAR_MAX {
            return !messages.contains(&note.message);
        }
        messages.insert(note.message.clone());
        false
    }
}

fn about(note: &Note) -> About {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let about = &note.about;
    let uid_and_path = format!("{}/{}", text(&about.uid), text(&about.field_path));
    (
        text(&about.kind),
        text(&about.namespace),
        text(&about.name),
        uid_and_path,
    )
}

/// A map that forgets its oldest entries.
struct Memory<K, V> {
    entries: BTreeMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<K: Ord + Clone, V> Memory<K, V> {
    fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    fn insert(&mut self, key: K, value: V) {
        if self.entries.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > MEMORY {
            if let Some(oldest) = self.order.pop_front() {
                self.entries.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ObjectReference;

    use super::*;

    fn note(name: &str, message: &str, second: i64) -> Note {
        Note {
            about: ObjectReference {
                name: Some(name.into()),
                ..Default::default()
            },
            event_type: EventType::Normal,
            reason: "Pulled".into(),
            message: message.into(),
            at: Timestamp::from_second(second).unwrap(),
        }
    }

    #[test]
    fn a_repetition_raises_the_count_of_the_first_event() {
        let mut correlator = Correlator::default();
        let first = correlator.judge(note("a", "m", 1));
        assert!(matches!(first, Verdict::Create { .. }));
        let Verdict::Repeat { name, count, .. } = correlator.judge(note("a", "m", 2)) else {
            panic!("the second is a repetition");
        };
        assert_eq!((name.as_str(), count), ("a.3b9aca00", 2));
        let Verdict::Create { name, .. } = correlator.judge(note("a", "another", 1)) else {
            panic!("another message is another event");
        };
        assert_eq!(name, "a.3b9aca01");
        let other = correlator.judge(note("b", "m", 3));
        assert!(matches!(other, Verdict::Create { .. }));
    }

    #[test]
    fn the_eleventh_message_of_one_reason_is_combined() {
        let mut correlator = Correlator::default();
        for i in 0..10 {
            let verdict = correlator.judge(note("a", &i.to_string(), i));
            assert!(matches!(verdict, Verdict::Create { .. }));
        }
        let Verdict::Create { note: combined, .. } = correlator.judge(note("a", "10", 10)) else {
            panic!("the first combined event is new");
        };
        assert_eq!(combined.message, "(combined from similar events): 10");
        let again = correlator.judge(note("a", "11", 11));
        assert!(matches!(again, Verdict::Repeat { count: 2, .. }));
    }

    #[test]
    fn an_object_that_floods_is_cut_off_until_tokens_return() {
        let mut correlator = Correlator::default();
        for _ in 0..25 {
            let verdict = correlator.judge(note("a", "m", 0));
            assert!(!matches!(verdict, Verdict::Drop));
        }
        let verdicts = [0, 299, 300].map(|at| {
            let verdict = correlator.judge(note("a", "m", at));
            matches!(verdict, Verdict::Drop)
        });
        assert_eq!(verdicts, [true, true, false]);
        let other = correlator.judge(note("b", "m", 0));
        assert!(matches!(other, Verdict::Create { .. }));
    }
}
