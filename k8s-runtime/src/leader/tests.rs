use jiff::Timestamp;

use super::*;
use crate::{TokioClock, testing::FakeApi};

fn candidate(api: &FakeApi, identity: &str) -> LeaderElector {
    let config = LeaseConfig::new("kube-system", "test", identity);
    let clock = Arc::new(TokioClock::new(Timestamp::UNIX_EPOCH));
    LeaderElector::new(api.client(), config).with_clock(clock)
}

async fn holder(api: &FakeApi) -> (String, i32) {
    let leases: Api<Lease> = Api::namespaced(api.client(), "kube-system");
    let spec = leases.get("test").await.unwrap().spec.unwrap();
    (
        spec.holder_identity.unwrap_or_default(),
        spec.lease_transitions.unwrap_or_default(),
    )
}

/// Leads until cancelled.
async fn lead(elector: LeaderElector, cancel: CancellationToken) -> Result<Option<()>, Error> {
    elector
        .run(cancel, |lead| async move { lead.cancelled().await })
        .await
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_passes_on_at_once() {
    let api = FakeApi::new();
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let a = tokio::spawn(lead(candidate(&api, "a"), first.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let b = tokio::spawn(lead(candidate(&api, "b"), second.clone()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(holder(&api).await, ("a".into(), 0));
    first.cancel();
    a.await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(holder(&api).await, ("b".into(), 1));
    second.cancel();
    b.await.unwrap().unwrap();
    assert_eq!(holder(&api).await.0, "");
}

#[tokio::test(start_paused = true)]
async fn a_silent_leader_is_replaced_only_after_the_lease_has_stood_still() {
    let api = FakeApi::new();
    let a = tokio::spawn(lead(candidate(&api, "a"), CancellationToken::new()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    a.abort();
    let b = tokio::spawn(lead(candidate(&api, "b"), CancellationToken::new()));
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert_eq!(holder(&api).await.0, "a");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert_eq!(holder(&api).await.0, "b");
    b.abort();
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_another_may_start() {
    let api = FakeApi::new();
    let a = tokio::spawn(lead(candidate(&api, "a"), CancellationToken::new()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    api.fail_next(usize::MAX);
    let result = a.await.unwrap();
    assert!(matches!(result, Err(Error::LeaseLost { .. })));
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn cancelled_before_leading_is_no_error() {
    let api = FakeApi::new();
    api.fail_next(usize::MAX);
    let cancel = CancellationToken::new();
    let a = tokio::spawn(lead(candidate(&api, "a"), cancel.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    cancel.cancel();
    assert!(matches!(a.await.unwrap(), Ok(None)));
}
