//! A cluster of three whose members are killed, stopped and started again, and whose leader changes,
//! while clients write, read and watch.

use std::time::Duration;

use k8s_store::{Store, StoreError};
use tokio::time::{sleep, timeout};

use crate::{
    load::{Load, patient, put},
    server::{Server, free_port, leader},
};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_doubled_while_members_come_and_go() {
    let mut members = members();
    let load = Load::begin(&members).await;
    trouble(&mut members).await;
    load.finish(&members).await;
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

/// Without a majority nothing is confirmed, and it is said so in time; with one again all goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_minority_confirms_nothing() {
    let mut members = members();
    let store = patient(&members).await;
    store.commit(put("/a", "before")).await.expect("a majority");
    members[0].kill();
    members[1].kill();
    let refused = store
        .commit(put("/a", "lost"))
        .await
        .expect_err("no majority");
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
    let again = async { while store.commit(put("/a", "after")).await.is_err() {} };
    timeout(Duration::from_secs(30), again)
        .await
        .expect("a majority again");
    let (found, _) = store.get(b"/a").await.expect("a majority again");
    assert_eq!(found.expect("it was written").value, "after");
}
