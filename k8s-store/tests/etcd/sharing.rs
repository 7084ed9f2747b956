//! Two servers on one etcd, each with a watch cache of its own.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use k8s_store::{
    Op, Range, Revision, Store, Txn, TxnOutcome, WatchItem,
    testing::{Apart, ThroughCache, linear::Workload},
};

use crate::server::Server;

/// One server's view: its own connection, its own cache.
async fn view(server: &Server) -> Arc<dyn Store> {
    let part = Apart::since(server.store().await, "/registry/", Revision::ZERO);
    let cached = ThroughCache::new(Arc::new(part)).await;
    Arc::new(cached.expect("the cache starts"))
}

fn put(key: &str, value: usize) -> Txn {
    let (key, value) = (Bytes::from(key.to_owned()), Bytes::from(value.to_string()));
    Txn {
        ops: vec![Op::Put { key, value }],
        ..Txn::default()
    }
}

async fn read(store: &dyn Store, key: &str) -> Option<Bytes> {
    let (found, _) = store.get(key.as_bytes()).await.expect("readable");
    found.map(|kv| kv.value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_through_another_server_after_a_write_sees_it() {
    let server = Server::start();
    let outside = server.store().await;
    let views = [view(&server).await, view(&server).await];
    for step in 0..200 {
        let (writer, reader) = (&views[step % 2], &views[(step + 1) % 2]);
        writer.commit(put("a", step)).await.expect("written");
        if step % 3 == 0 {
            // The one clock goes on without the caches' prefix.
            outside
                .commit(put("elsewhere", step))
                .await
                .expect("written");
        }
        let value = Bytes::from(step.to_string());
        assert_eq!(read(&**reader, "a").await, Some(value.clone()));
        let page = reader.range(Range::default()).await.expect("readable");
        assert_eq!(page.items[0].value, value);
        // What a list says can be watched from, however far the cache is.
        let mut watch = reader
            .watch(Bytes::new(), page.revision)
            .await
            .expect("watchable");
        let delete = Op::Delete {
            key: Bytes::from("a"),
        };
        let ops = vec![delete];
        let deleted = writer
            .commit(Txn {
                ops,
                ..Txn::default()
            })
            .await
            .expect("deleted");
        assert_eq!(read(&**reader, "a").await, None);
        let TxnOutcome::Committed(deleted) = deleted else {
            panic!("nothing was compared")
        };
        loop {
            match watch.next().await.expect("it goes on").expect("no error") {
                WatchItem::Events(revision, events) => {
                    assert_eq!((revision, events.len()), (deleted, 1));
                    break;
                }
                WatchItem::Progress(revision) => assert!(revision < deleted),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn histories_through_two_servers_are_linearizable() {
    let server = Server::start();
    let first = view(&server).await;
    let mut second = view(&server).await;
    for seed in 0..4 {
        let prefix = format!("{seed}/");
        let part = |store: &Arc<dyn Store>| {
            let part = Apart::since(Arc::clone(store), prefix.clone(), Revision::ZERO);
            Arc::new(part) as Arc<dyn Store>
        };
        let workload = Workload {
            seed,
            ..Workload::default()
        };
        let handles = [part(&first), part(&second)];
        let history = workload.record(&handles).await;
        history
            .check()
            .unwrap_or_else(|violation| panic!("{violation}"));
        // One of the servers is killed and another one takes its place.
        drop(handles);
        drop(second);
        second = view(&server).await;
    }
}
