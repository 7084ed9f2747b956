//! Random operations, and what a store answers to them in a form to compare.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use k8s_store::{Compare, Event, Op, Range, Revision, Store, Txn, WatchItem, WatchStream};
use proptest::{collection::vec, option, prelude::*};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Compares (key, how far its guess is from the truth) and writes (key, value or delete).
    Commit(Vec<(u8, Option<u64>)>, Vec<(u8, Option<u8>)>),
    /// Prefix, the key to continue after, the limit, and how many revisions ago.
    Range(u8, Option<u8>, Option<usize>, Option<u64>),
    /// Everything since so many revisions ago.
    Watch(u8, u64),
    /// Up to so many revisions ago.
    Compact(u64),
    Reopen,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let key = 0..12u8;
    let compares = vec((key.clone(), option::of(0..2u64)), 0..3);
    let writes = vec((key.clone(), option::weighted(0.7, any::<u8>())), 0..4);
    prop_oneof![
        12 => (compares, writes).prop_map(|(compares, writes)| Step::Commit(compares, writes)),
        4 => (0..4u8, option::of(key), option::of(0..5usize), option::of(0..12u64))
            .prop_map(|(prefix, after, limit, ago)| Step::Range(prefix, after, limit, ago)),
        3 => (0..4u8, 0..12u64).prop_map(|(prefix, ago)| Step::Watch(prefix, ago)),
        1 => (0..10u64).prop_map(Step::Compact),
        1 => Just(Step::Reopen),
    ]
}

/// Keys under three prefixes, and one that is the beginning of another.
fn key(number: u8) -> Bytes {
    match number {
        11 => Bytes::from("/1"),
        _ => Bytes::from(format!("/{}/{number:02}", number % 3)),
    }
}

fn prefix(number: u8) -> Bytes {
    match number {
        3 => Bytes::new(),
        _ => Bytes::from(format!("/{number}/")),
    }
}

/// What a step answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Text(String),
    Events(Vec<Event>),
}

impl Answer {
    /// How many events it takes to agree with this answer.
    pub(crate) fn events(&self) -> usize {
        match self {
            Answer::Text(_) => 0,
            Answer::Events(events) => events.len(),
        }
    }
}

fn text(answer: impl fmt::Debug) -> Answer {
    Answer::Text(format!("{answer:?}"))
}

/// How long a watch may take to say what another one has said.
const PATIENCE: Duration = Duration::from_secs(20);

/// Does a step. A watch is waited for until it has told so many events, and then told all that it has
/// to say without waiting.
pub(crate) async fn answer(store: &dyn Store, step: &Step, events: usize) -> Answer {
    let current = store.revisions().await.unwrap().0.0;
    let ago = |ago: u64| Revision(current.saturating_sub(ago));
    match step.clone() {
        Step::Commit(compares, writes) => {
            let mut txn = Txn::default();
            for (number, wrong) in compares {
                let key = key(number);
                let (found, _) = store.get(&key).await.unwrap();
                txn.compares.push(match (found, wrong) {
                    (Some(kv), Some(wrong)) => {
                        Compare::Modified(key, Revision(kv.modified.0 + wrong))
                    }
                    _ => Compare::Absent(key),
                });
            }
            let op = |(number, value)| match value {
                Some(value) => Op::Put {
                    key: key(number),
                    value: vec![value; 20].into(),
                },
                None => Op::Delete { key: key(number) },
            };
            txn.ops = writes.into_iter().map(op).collect();
            text(store.commit(txn).await)
        }
        Step::Range(number, after, limit, at) => {
            let range = Range {
                prefix: prefix(number),
                after: after.map(key),
                limit,
                at: at.map(ago),
            };
            text(store.range(range).await)
        }
        Step::Watch(number, from) => match store.watch(prefix(number), ago(from)).await {
            Ok(watch) => Answer::Events(tell(watch, events).await),
            Err(error) => text(error),
        },
        Step::Compact(at) => text(store.compact(ago(at)).await),
        Step::Reopen => text(()),
    }
}

async fn tell(mut watch: WatchStream, wanted: usize) -> Vec<Event> {
    let mut seen = Vec::new();
    loop {
        let item = if seen.len() < wanted {
            let next = tokio::time::timeout(PATIENCE, watch.next()).await;
            next.expect("the watch goes on in time")
        } else {
            let Some(next) = watch.next().now_or_never() else {
                return seen;
            };
            next
        };
        if let WatchItem::Events(_, events) = item.expect("an open watch").expect("retained") {
            seen.extend(events);
        }
    }
}
