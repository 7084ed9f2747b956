//! Replaces a certificate before it ends.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use k8s_runtime::Clock;
use kube::Client;
use tokio_util::sync::CancellationToken;

use super::Certificate;

/// Between attempts that failed: first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// However far the time is, it is looked at again, since clocks are set and machines sleep.
const LOOK: Duration = Duration::from_secs(600);

impl Certificate {
    /// Keeps it valid until cancelled: orders one where there is none, and the next when seven to nine tenths of its
    /// life are over, so that nodes which joined together don't ask together.
    pub async fn keep(self, client: Client, clock: Arc<dyn Clock>, cancel: CancellationToken) {
        let mut pause = PAUSE.0;
        let work = async {
            loop {
                let share = rand::random_range(0.7..0.9);
                while let Some(left) = self.left(clock.now(), share) {
                    tokio::time::sleep(left.min(LOOK)).await;
                }
                match self.order(&client).await {
                    Ok(()) => pause = PAUSE.0,
                    Err(error) => {
                        tracing::warn!(certificate = ?self, %error, "asking again");
                        tokio::time::sleep(pause).await;
                        pause = (pause * 2).min(PAUSE.1);
                    }
                }
            }
        };
        cancel.run_until_cancelled(work).await;
    }

    /// How long it is until the next one is ordered; none if that is now.
    fn left(&self, now: Timestamp, share: f64) -> Option<Duration> {
        let current = self.read();
        let bundle = current.as_ref()?;
        let due = due(bundle.not_before, bundle.not_after, share);
        let left = Duration::try_from(due.duration_since(now)).ok()?;
        (!left.is_zero()).then_some(left)
    }
}

/// When this share of the life is over.
fn due(not_before: Timestamp, not_after: Timestamp, share: f64) -> Timestamp {
    let life = not_after.duration_since(not_before).as_secs_f64();
    not_before + SignedDuration::from_secs_f64(life * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_its_life_passes_first() {
        let time = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(due(time(0), time(1000), 0.7), time(700));
        assert_eq!(due(time(1000), time(2000), 0.9), time(1900));
    }
}
