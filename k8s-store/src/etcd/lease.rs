//! Times to live as etcd has them: leases. Keys whose time ends at about the same moment share one,
//! since thousands of leases cost etcd more than thousands of keys.
//!
//! The same measures as Kubernetes': a lease lasts up to a twentieth of the time longer than asked for,
//! at most a minute, and takes no more than 1,000 keys.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use etcd_client::Client;
use tokio::time::Instant;

use super::{
    fault::Fault,
    servers::{Repeat, Servers},
};
use crate::Op;

/// How many keys share a lease.
const KEYS: usize = 1_000;

/// What a lease lasts longer than needed, so that it is there until its last key is written.
const MARGIN: Duration = Duration::from_secs(1);

/// The lease that is being filled, for each time to live.
#[derive(Debug, Default)]
pub(super) struct Leases {
    open: Mutex<BTreeMap<Duration, Lease>>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    id: i64,
    /// It ends no earlier than this.
    ends: Instant,
    keys: usize,
}

impl Leases {
    /// The leases for the puts of a transaction that need one, in their order.
    pub(super) async fn of(&self, servers: &Servers, ops: &[Op]) -> Result<Vec<i64>, Fault> {
        let mut ids = Vec::new();
        for op in ops {
            if let Op::PutFor { ttl, .. } = op {
                ids.push(self.lease(servers, *ttl).await?);
            }
        }
        Ok(ids)
    }

    async fn lease(&self, servers: &Servers, ttl: Duration) -> Result<i64, Fault> {
        let now = Instant::now();
        if let Some(id) = self.join(ttl, now) {
            return Ok(id);
        }
        let seconds = (ttl + MARGIN).as_secs_f64().ceil() + slack(ttl).as_secs_f64().floor();
        // A conversion from a float saturates, which is far beyond what etcd grants.
        let grant =
            |client: Client| async move { client.lease_client().grant(seconds as i64, None).await };
        let granted = servers.ask(Repeat::Always, grant).await?;
        let lasts = Duration::from_secs(u64::try_from(granted.ttl()).unwrap_or(0));
        let lease = Lease {
            id: granted.id(),
            ends: now + lasts,
            keys: 1,
        };
        self.open().insert(ttl, lease);
        Ok(lease.id)
    }

    /// A place on the lease that is being filled, if it lasts long enough.
    fn join(&self, ttl: Duration, now: Instant) -> Option<i64> {
        let mut open = self.open();
        let lease = open.get_mut(&ttl)?;
        if lease.keys >= KEYS || lease.ends < now + ttl + MARGIN {
            return None;
        }
        lease.keys += 1;
        Some(lease.id)
    }

    /// Forgets leases that turned out to have ended: somebody has revoked them.
    pub(super) fn forget(&self, ids: &[i64]) {
        self.open().retain(|_, lease| !ids.contains(&lease.id));
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<Duration, Lease>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much later than asked for a key may go.
fn slack(ttl: Duration) -> Duration {
    (ttl / 20).min(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn leases(ends_in: Duration, keys: usize, now: Instant) -> Leases {
        let leases = Leases::default();
        let ends = now + ends_in;
        leases.open().insert(HOUR, Lease { id: 7, ends, keys });
        leases
    }

    #[test]
    fn keys_share_a_lease_that_lasts_long_enough_and_is_not_full() {
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        assert_eq!(leases(HOUR + minute, 999, now).join(HOUR, now), Some(7));
        assert_eq!(leases(HOUR + minute, 1_000, now).join(HOUR, now), None);
        assert_eq!(leases(HOUR, 1, now).join(HOUR, now), None);
        assert_eq!(leases(HOUR + minute, 1, now).join(minute, now), None);
        let revoked = leases(HOUR + minute, 1, now);
        revoked.forget(&[7]);
        assert_eq!(revoked.join(HOUR, now), None);
    }

    #[test]
    fn a_key_stays_no_more_than_a_twentieth_or_a_minute_longer() {
        assert_eq!(slack(Duration::from_secs(100)), Duration::from_secs(5));
        assert_eq!(slack(HOUR), Duration::from_secs(60));
        assert_eq!(slack(10 * HOUR), Duration::from_secs(60));
    }
}
