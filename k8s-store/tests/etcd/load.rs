//! Clients of a cluster that write, read and watch while something befalls it: what they saw must fit together.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use k8s_store::{
    Event, Op, Revision, Store, Txn, WatchItem,
    etcd::{EtcdOptions, EtcdStore},
    testing::{Apart, linear::Workload},
};
use tokio::{task::JoinHandle, time::timeout};

use crate::server::Server;

/// Three engines, each preferring a member of its own, with a watcher each and a load over all of them.
pub(crate) struct Load {
    handles: [Arc<dyn Store>; 3],
    begin: Revision,
    watchers: [JoinHandle<Vec<Event>>; 3],
    /// The load is to end.
    done: Arc<AtomicBool>,
    rounds: JoinHandle<u64>,
    /// Nothing more will be written.
    over: Arc<AtomicBool>,
}

impl Load {
    /// Begins to write, read and watch.
    pub(crate) async fn begin(members: &[Server]) -> Self {
        let handles = [
            engine(members, 0).await,
            engine(members, 1).await,
            engine(members, 2).await,
        ];
        let begin = handles[0].current().await.expect("a majority");
        let over = Arc::new(AtomicBool::new(false));
        let watchers = handles
            .clone()
            .map(|store| tokio::spawn(follow(store, begin, Arc::clone(&over))));
        let done = Arc::new(AtomicBool::new(false));
        let rounds = tokio::spawn(rounds(handles.clone(), Arc::clone(&done)));
        Load {
            handles,
            begin,
            watchers,
            done,
            rounds,
            over,
        }
    }

    /// Ends it, and compares what everyone saw. The cluster is whole again.
    pub(crate) async fn finish(self, members: &[Server]) {
        self.done.store(true, Relaxed);
        let rounds = self.rounds.await.expect("histories that are linearizable");
        assert!(rounds > 3, "only {rounds} rounds under trouble");
        let end = put(END, "");
        self.handles[0].commit(end).await.expect("a whole cluster");
        self.over.store(true, Relaxed);
        // Who watches now is told what was, and must be told the same.
        let all = follow(engine(members, 0).await, self.begin, self.over).await;
        for watcher in self.watchers {
            let seen = watcher.await.expect("a watch that goes on");
            assert_eq!(seen.len(), all.len());
            assert!(seen == all, "a watcher saw something else");
        }
    }
}

/// An engine that prefers the member with a number, and soon loses patience with it.
async fn engine(members: &[Server], first: usize) -> Arc<dyn Store> {
    let urls = members.iter().map(Server::url);
    let mut options = EtcdOptions::new(urls.clone().cycle().skip(first).take(members.len()));
    options.attempt_timeout = Duration::from_secs(1);
    options.patience = Duration::from_secs(30);
    options.compact_every = None;
    Arc::new(EtcdStore::connect(options).await.expect("a majority"))
}

/// What a watch says, until `enough` of it.
async fn follow(store: Arc<dyn Store>, from: Revision, last: Arc<AtomicBool>) -> Vec<Event> {
    let mut watch = store
        .watch(Bytes::from("/"), from)
        .await
        .expect("watchable");
    let mut seen = Vec::new();
    let mut at = from;
    loop {
        let next = timeout(Duration::from_millis(500), watch.next()).await;
        match next.map(|item| item.expect("it goes on")) {
            Ok(Ok(WatchItem::Events(revision, events))) => {
                assert!(revision > at, "{revision} came after {at}");
                at = revision;
                seen.extend(events);
            }
            Ok(Ok(WatchItem::Progress(revision))) => assert!(revision >= at),
            Ok(Err(error)) => panic!("{error}"),
            // All is written; whatever there is has had the time to come.
            Err(_) if last.load(Relaxed) => {
                let (newest, _) = store.revisions().await.expect("a majority");
                let ended = seen.last().is_some_and(|event| event.key() == END);
                if ended && newest >= at {
                    return seen;
                }
            }
            Err(_) => (),
        }
    }
}

/// The key that is written last of all.
const END: &str = "/end";

/// Histories, one after the other, each on keys of its own and through all engines.
async fn rounds(handles: [Arc<dyn Store>; 3], done: Arc<AtomicBool>) -> u64 {
    let mut round = 0;
    while !done.load(Relaxed) {
        round += 1;
        let part = |store| Arc::new(Apart::since(store, format!("/{round}/"), Revision::ZERO));
        let handles = handles.clone().map(|store| part(store) as Arc<dyn Store>);
        let workload = Workload {
            steps: 100,
            seed: round,
            ..Workload::default()
        };
        let history = workload.record(&handles).await;
        history
            .check()
            .unwrap_or_else(|violation| panic!("round {round}: {violation}"));
    }
    round
}

/// An engine that gives up after three seconds.
pub(crate) async fn patient<'a>(members: impl IntoIterator<Item = &'a Server>) -> EtcdStore {
    let mut options = EtcdOptions::new(members.into_iter().map(Server::url));
    options.attempt_timeout = Duration::from_secs(1);
    options.patience = Duration::from_secs(3);
    options.compact_every = None;
    EtcdStore::connect(options).await.expect("a majority")
}

/// A write of one key.
pub(crate) fn put(key: &'static str, value: &'static str) -> Txn {
    let (key, value) = (Bytes::from(key), Bytes::from(value));
    Txn {
        ops: vec![Op::Put { key, value }],
        ..Default::default()
    }
}
