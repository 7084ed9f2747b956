//! A cluster of three whose members are killed, stopped and started again, and whose leader changes,
//! while clients write, read and watch.

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
    Event, Revision, Store, StoreError, WatchItem,
    etcd::{EtcdOptions, EtcdStore},
    testing::{Apart, linear::Workload},
};
use tokio::time::{sleep, timeout};

use crate::server::{Server, free_port};

fn members() -> Vec<Server> {
    let names = ["a", "b", "c"];
    let peers = names.map(|_| format!("http://127.0.0.1:{}", free_port()));
    let cluster: Vec<_> = names
        .iter()
        .zip(&peers)
        .map(|(name, peer)| format!("{name}={peer}"))
        .collect();
    let member = |(name, peer): (&&str, &String)| {
        let client = format!("http://127.0.0.1:{}", free_port());
        let mut member = Server::new(name, &client, peer, &cluster.join(","));
        member.run();
        member
    };
    names.iter().zip(&peers).map(member).collect()
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_doubled_while_members_come_and_go() {
    let mut members = members();
    let handles = [
        engine(&members, 0).await,
        engine(&members, 1).await,
        engine(&members, 2).await,
    ];
    let begin = handles[0].current().await.expect("a majority");
    let over = Arc::new(AtomicBool::new(false));
    let watchers = handles
        .clone()
        .map(|store| tokio::spawn(follow(store, begin, Arc::clone(&over))));

    let done = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(rounds(handles.clone(), Arc::clone(&done)));
    trouble(&mut members).await;
    done.store(true, Relaxed);
    let rounds = load.await.expect("histories that are linearizable");
    assert!(rounds > 3, "only {rounds} rounds under trouble");

    let key = Bytes::from(END);
    let ops = vec![k8s_store::Op::Put {
        key,
        value: Bytes::new(),
    }];
    let end = k8s_store::Txn {
        ops,
        ..Default::default()
    };
    handles[0]
        .commit(end)
        .await
        .expect("the cluster is whole again");
    over.store(true, Relaxed);
    // Who watches now is told what was, and must be told the same.
    let all = follow(engine(&members, 0).await, begin, over).await;
    for watcher in watchers {
        let seen = watcher.await.expect("a watch that goes on");
        assert_eq!(seen.len(), all.len());
        assert!(seen == all, "a watcher saw something else");
    }
}

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

/// Everything that befalls the members, with a breath between.
async fn trouble(members: &mut [Server]) {
    let breath = || sleep(Duration::from_secs(1));
    breath().await;
    let follower = (leader(members).await + 1) % members.len();
    members[follower].kill();
    breath().await;
    members[follower].run();
    breath().await;

    let leader_killed = leader(members).await;
    members[leader_killed].kill();
    breath().await;
    assert_ne!(leader(members).await, leader_killed);
    members[leader_killed].run();
    breath().await;

    // Stopped, it neither answers nor closes its connections, as if the network were cut; long enough
    // for others to be elected, and for watches to notice.
    let leader_stopped = leader(members).await;
    members[leader_stopped].stop();
    sleep(Duration::from_secs(12)).await;
    assert_ne!(leader(members).await, leader_stopped);
    members[leader_stopped].resume();
    breath().await;
}

/// The number of the member that a majority follows.
async fn leader(members: &[Server]) -> usize {
    loop {
        for (number, member) in members.iter().enumerate() {
            if member.is_running() && member.leads().await {
                return number;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Without a majority nothing is confirmed, and it is said so in time; with one again all goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_minority_confirms_nothing() {
    let mut members = members();
    let urls = members.iter().map(Server::url);
    let mut options = EtcdOptions::new(urls);
    options.attempt_timeout = Duration::from_secs(1);
    options.patience = Duration::from_secs(3);
    options.compact_every = None;
    let store = EtcdStore::connect(options).await.expect("a majority");
    let put = |value: &'static str| {
        let (key, value) = (Bytes::from("/a"), Bytes::from(value));
        let ops = vec![k8s_store::Op::Put { key, value }];
        k8s_store::Txn {
            ops,
            ..Default::default()
        }
    };
    store.commit(put("before")).await.expect("a majority");
    members[0].kill();
    members[1].kill();
    let refused = store.commit(put("lost")).await.expect_err("no majority");
    assert!(
        matches!(
            refused,
            StoreError::Unavailable { .. } | StoreError::Unconfirmed { .. }
        ),
        "{refused}"
    );
    let unread = store.get(b"/a").await.expect_err("no majority");
    assert!(matches!(unread, StoreError::Unavailable { .. }), "{unread}");
    assert!(store.health().await.is_err());
    members[0].run();
    members[1].run();
    let again = async { while store.commit(put("after")).await.is_err() {} };
    timeout(Duration::from_secs(30), again)
        .await
        .expect("a majority again");
    let (found, _) = store.get(b"/a").await.expect("a majority again");
    assert_eq!(found.expect("it was written").value, "after");
}
