use std::{sync::atomic::AtomicUsize, sync::atomic::Ordering, time::Duration};

use tokio::{task::JoinSet, time::Instant};

use super::*;

#[tokio::test]
async fn an_item_added_twice_is_handed_out_once() {
    let queue = Queue::new();
    queue.add("a");
    queue.add("b");
    queue.add("a");
    assert_eq!(queue.len(), 2);
    assert_eq!(queue.next().await, Some("a"));
    assert_eq!(queue.next().await, Some("b"));
}

#[tokio::test]
async fn an_item_added_while_processed_comes_back_only_when_done() {
    let queue = Queue::new();
    queue.add("a");
    assert_eq!(queue.next().await, Some("a"));
    queue.add("a");
    assert!(queue.is_empty());
    queue.done(&"a");
    assert_eq!(queue.next().await, Some("a"));
    queue.done(&"a");
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn failures_wait_twice_as_long_each_time_until_forgotten() {
    let queue = Queue::new();
    let mut waits = Vec::new();
    for _ in 0..4 {
        let before = Instant::now();
        queue.add_rate_limited("a");
        queue.next().await;
        queue.done(&"a");
        waits.push(before.elapsed().as_millis());
    }
    assert_eq!(waits, [5, 10, 20, 40]);
    assert_eq!(queue.retries(&"a"), 4);
    queue.forget(&"a");
    assert_eq!(queue.retries(&"a"), 0);
}

#[tokio::test(start_paused = true)]
async fn of_several_delays_the_earliest_counts() {
    let queue = Queue::new();
    let start = Instant::now();
    queue.add_after("a", Duration::from_secs(9));
    queue.add_after("a", Duration::from_secs(3));
    queue.add_after("a", Duration::from_secs(7));
    assert_eq!(queue.next().await, Some("a"));
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    queue.done(&"a");
    queue.shutdown();
    assert_eq!(queue.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_item_is_taken_by_an_idle_worker_while_another_is_busy() {
    let queue = Queue::new();
    let mut workers = JoinSet::new();
    for _ in 0..2 {
        let queue = queue.clone();
        workers.spawn(async move {
            let mut taken = Vec::new();
            while let Some(item) = queue.next().await {
                taken.push((item, Instant::now()));
                if item == "slow" {
                    tokio::time::sleep(Duration::from_secs(100)).await;
                }
                queue.done(&item);
            }
            taken
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    queue.add_after("late", Duration::from_secs(5));
    queue.add("slow");
    tokio::time::sleep(Duration::from_secs(200)).await;
    queue.shutdown();
    let taken: HashMap<_, _> = workers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken["late"] - start, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn every_item_is_processed_by_some_worker_and_never_by_two_at_once() {
    let queue = Queue::<usize>::new();
    let busy: Arc<Vec<AtomicUsize>> = Arc::new((0..10).map(|_| AtomicUsize::new(0)).collect());
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let (queue, busy) = (queue.clone(), busy.clone());
        workers.spawn(async move {
            let mut count = 0;
            while let Some(item) = queue.next().await {
                assert_eq!(busy[item].fetch_add(1, Ordering::SeqCst), 0);
                tokio::time::sleep(Duration::from_millis(1)).await;
                busy[item].fetch_sub(1, Ordering::SeqCst);
                queue.done(&item);
                count += 1;
            }
            count
        });
    }
    for round in 0..100 {
        queue.add(round % 10);
        queue.add_after((round * 7) % 10, Duration::from_micros(round as u64 * 50));
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(queue.is_empty());
    queue.shutdown();
    let counts = workers.join_all().await;
    assert!(counts.iter().sum::<usize>() >= 10);
}
