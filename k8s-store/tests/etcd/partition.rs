//! A leader that is cut off from the others while its clients still reach it: it may confirm nothing, its watchers
//! have to find out, and what they are told afterwards has neither a gap nor a repetition.

use std::time::Duration;

use k8s_store::{Store, StoreError};
use tokio::time::{sleep, timeout};

use crate::{
    load::{Load, patient, put},
    network::Network,
    server::{Server, leader},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_doubled_while_members_are_cut_off() {
    let network = Network::start();
    let load = Load::begin(&network.members).await;
    for _ in 0..2 {
        let first = leader(&network.members).await;
        network.cut_off(first);
        let elected = other_leader(&network.members, first).await;
        sleep(Duration::from_secs(5)).await;
        network.rejoin(first);
        sleep(Duration::from_secs(2)).await;
        // One that only follows is missed by its watchers alone.
        let follower = 3 - first - elected;
        network.cut_off(follower);
        sleep(Duration::from_secs(3)).await;
        network.rejoin(follower);
        sleep(Duration::from_secs(2)).await;
    }
    load.finish(&network.members).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_is_cut_off_confirms_nothing_and_tells_nothing_old() {
    let network = Network::start();
    let first = leader(&network.members).await;
    let (alone, whole) = (
        patient([&network.members[first]]).await,
        patient(network.members.iter()).await,
    );
    alone.commit(put("/a", "before")).await.expect("a majority");
    network.cut_off(first);
    other_leader(&network.members, first).await;
    // Who asked the one that is cut off isn't told whether it was done, and asks again.
    let written = async { while whole.commit(put("/a", "meanwhile")).await.is_err() {} };
    timeout(Duration::from_secs(30), written)
        .await
        .expect("a majority of the others");

    let unread = alone.get(b"/a").await.expect_err("what it has is old");
    assert!(matches!(unread, StoreError::Unavailable { .. }), "{unread}");
    let refused = alone
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
    assert!(alone.health().await.is_err());

    network.rejoin(first);
    let again = async {
        loop {
            match alone.get(b"/a").await {
                Ok((found, _)) => break found.expect("it was written").value,
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let found = timeout(Duration::from_secs(30), again).await;
    assert_eq!(found.expect("joined again"), "meanwhile");
}

/// Who is followed after a leader was cut off. That one takes itself for the leader for a while.
async fn other_leader(members: &[Server], former: usize) -> usize {
    loop {
        for (number, member) in members.iter().enumerate() {
            if number != former && member.leads().await {
                return number;
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
}
