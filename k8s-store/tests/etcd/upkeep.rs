//! What the engine does for the cluster: leases that are shared, history that one of many compacts.

use std::time::Duration;

use bytes::Bytes;
use etcd_client::Client;
use k8s_store::{
    Op, Revision, Store, Txn,
    etcd::{EtcdOptions, EtcdStore},
};

use crate::server::{Server, connect};

async fn put(store: &dyn Store, key: usize, ttl: Option<Duration>) {
    let (key, value) = (Bytes::from(format!("/{key}")), Bytes::new());
    let ops = vec![match ttl {
        Some(ttl) => Op::PutFor { key, value, ttl },
        None => Op::Put { key, value },
    }];
    store
        .commit(Txn {
            ops,
            ..Txn::default()
        })
        .await
        .expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_whose_time_ends_together_share_a_lease() {
    let server = Server::start();
    let store = connect(&[&server]).await;
    let hour = Duration::from_secs(3600);
    for key in 0..50 {
        put(&store, key, Some(hour)).await;
    }
    put(&store, 50, Some(2 * hour)).await;
    let client = Client::connect([server.url()], None)
        .await
        .expect("a client");
    let mut client = client.lease_client();
    let leases = client.leases().await.expect("readable");
    assert_eq!(leases.leases().len(), 2);

    // Somebody revokes them: the keys go, and the next ones get a new lease.
    for lease in leases.leases() {
        client.revoke(lease.id()).await.expect("revocable");
    }
    assert_eq!(store.get(b"/7").await.expect("readable").0, None);
    put(&store, 7, Some(hour)).await;
    assert!(store.get(b"/7").await.expect("readable").0.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_compacts() {
    const EVERY: Duration = Duration::from_millis(400);
    let server = Server::start();
    let mut options = EtcdOptions::new([server.url()]);
    options.compact_every = Some(EVERY);
    let observer = server.store().await;
    let begun = std::time::Instant::now();
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(
            EtcdStore::connect(options.clone())
                .await
                .expect("it answers"),
        );
    }
    let mut floor = Revision::ZERO;
    for key in 0.. {
        put(&stores[0], key % 10, None).await;
        let (current, compacted) = observer.revisions().await.expect("readable");
        assert!(compacted <= current && compacted >= floor);
        floor = compacted;
        if floor > Revision(20) && begun.elapsed() > 6 * EVERY {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "compacted up to {floor} only"
        );
    }
    // Each round was won by one of the three: else there would be three times as many.
    let mut client = Client::connect([server.url()], None)
        .await
        .expect("a client");
    let found = client.get("compact_rev_key", None).await.expect("readable");
    let rounds = found.kvs()[0].version() as u128;
    let intervals = begun.elapsed().as_millis() / EVERY.as_millis();
    assert!(
        rounds <= intervals,
        "{rounds} rounds in {intervals} intervals"
    );
    assert!(rounds >= 2, "{rounds} rounds in {intervals} intervals");
}
