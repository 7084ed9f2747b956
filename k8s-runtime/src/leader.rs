//! One leader among several replicas, by a Lease.
//!
//! As client-go: whoever holds the lease renews it every 2 s; the others watch it stand still. A
//! lease that hasn't changed for 15 s *by the watcher's own clock* (nobody trusts another's) may be
//! taken. A leader that fails to renew for 10 s stops before anybody else can start. On a clean
//! end the lease is released, so that a successor needn't wait.

use std::{future::Future, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Clock, Error, SystemClock};

/// Which lease, whose, and how patiently.
#[derive(Clone, Debug)]
pub struct LeaseConfig {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who this process is: unique among the candidates.
    pub identity: String,
    /// How long a lease must stand still before others take it: 15 s.
    pub lease_duration: Duration,
    /// How long a leader tries to renew before it gives up: 10 s.
    pub renew_deadline: Duration,
    /// Time between attempts: 2 s.
    pub retry_period: Duration,
}

impl LeaseConfig {
    /// Kubernetes' own periods: 15 s, 10 s, 2 s.
    pub fn new(
        namespace: impl Into<String>,
        name: impl Into<String>,
        identity: impl Into<String>,
    ) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
            identity: identity.into(),
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }
}

/// A candidate for a lease.
pub struct LeaderElector {
    leases: Api<Lease>,
    config: LeaseConfig,
    clock: Arc<dyn Clock>,
    /// The lease as last seen, and when it was first seen in that state.
    observed: Option<(Lease, Instant)>,
}

impl LeaderElector {
    /// A candidate; [`run`](Self::run) makes it stand.
    pub fn new(client: Client, config: LeaseConfig) -> Self {
        Self {
            leases: Api::namespaced(client, &config.namespace),
            config,
            clock: Arc::new(SystemClock),
            observed: None,
        }
    }

    /// Writes times from this clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Waits for leadership, then runs `work` with a token that is cancelled when leadership ends.
    ///
    /// Returns what `work` returned, or `None` if cancelled before ever leading. When the lease is
    /// lost, `work` is told, given until the lease could be taken to end by itself, and dropped;
    /// the error says so.
    pub async fn run<F, Fut>(
        mut self,
        cancel: CancellationToken,
        work: F,
    ) -> Result<Option<Fut::Output>, Error>
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future,
    {
        if cancel.run_until_cancelled(self.acquire()).await.is_none() {
            return Ok(None);
        }
        tracing::info!(lease = %self.lease_name(), identity = self.config.identity, "leading");
        let lead = cancel.child_token();
        let mut work = Box::pin(work(lead.clone()));
        let lost = tokio::select! {
            biased;
            output = &mut work => {
                self.release().await;
                return Ok(Some(output));
            }
            () = self.renew() => true,
        };
        debug_assert!(lost, "renewing only ends in loss");
        lead.cancel();
        let grace = self.config.lease_duration - self.config.renew_deadline;
        let _ = tokio::time::timeout(grace, work).await;
        let lease = self.lease_name();
        Err(Error::LeaseLost { lease })
    }

    fn lease_name(&self) -> String {
        format!("{}/{}", self.config.namespace, self.config.name)
    }

    async fn acquire(&mut self) {
        while !self.try_hold().await {
            let jitter = 1.0 + 1.2 * rand::random::<f64>();
            tokio::time::sleep(self.config.retry_period.mul_f64(jitter)).await;
        }
    }

    /// Renews until that has failed for the whole deadline.
    async fn renew(&mut self) {
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(self.config.retry_period).await;
            let deadline = renewed + self.config.renew_deadline;
            match tokio::time::timeout_at(deadline, self.try_hold()).await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) if Instant::now() < deadline => {}
                _ => return,
            }
        }
    }

    /// One attempt to take or keep the lease; any failure is "no".
    async fn try_hold(&mut self) -> bool {
        match self.hold().await {
            Ok(holds) => holds,
            Err(error) => {
                tracing::debug!(lease = %self.lease_name(), %error, "lease attempt failed");
                false
            }
        }
    }

    async fn hold(&mut self) -> Result<bool, kube::Error> {
        let now = self.clock.now();
        let params = PostParams::default();
        let Some(live) = self.leases.get_opt(&self.config.name).await? else {
            let mut lease = Lease {
                metadata: ObjectMeta {
                    name: Some(self.config.name.clone()),
                    namespace: Some(self.config.namespace.clone()),
                    ..Default::default()
                },
                spec: None,
            };
            lease.spec = Some(self.claim(&LeaseSpec::default(), now));
            let lease = self.leases.create(&params, &lease).await?;
            self.observe(lease);
            return Ok(true);
        };
        self.observe(live.clone());
        let spec = live.spec.clone().unwrap_or_default();
        if !self.may_take(&spec) {
            return Ok(false);
        }
        let claim = Lease {
            spec: Some(self.claim(&spec, now)),
            ..live
        };
        let lease = self
            .leases
            .replace(&self.config.name, &params, &claim)
            .await?;
        self.observe(lease);
        Ok(true)
    }

    /// Notes the lease; the time only when it changed.
    fn observe(&mut self, lease: Lease) {
        let is_unchanged = |(seen, _): &(Lease, Instant)| seen.spec == lease.spec;
        if !self.observed.as_ref().is_some_and(is_unchanged) {
            self.observed = Some((lease, Instant::now()));
        }
    }

    /// It is ours, nobody's, or hasn't moved for its whole duration.
    fn may_take(&self, spec: &LeaseSpec) -> bool {
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        if holder.is_empty() || holder == self.config.identity {
            return true;
        }
        let duration = match spec.lease_duration_seconds {
            Some(seconds) => Duration::from_secs(seconds.max(0).unsigned_abs().into()),
            None => self.config.lease_duration,
        };
        self.observed
            .as_ref()
            .is_some_and(|(_, since)| since.elapsed() > duration)
    }

    /// The lease as held by this process from now on.
    fn claim(&self, before: &LeaseSpec, now: Timestamp) -> LeaseSpec {
        let is_renewal = before.holder_identity.as_ref() == Some(&self.config.identity);
        let transitions = before.lease_transitions.unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.config.identity.clone()),
            lease_duration_seconds: i32::try_from(self.config.lease_duration.as_secs()).ok(),
            acquire_time: match &before.acquire_time {
                Some(time) if is_renewal => Some(time.clone()),
                _ => Some(MicroTime(now)),
            },
            renew_time: Some(MicroTime(now)),
            lease_transitions: match before.holder_identity {
                Some(_) if !is_renewal => Some(transitions + 1),
                _ => Some(transitions),
            },
            ..before.clone()
        }
    }

    /// Leaves the lease to the next, without waiting for the outcome for long.
    async fn release(&self) {
        let Some((lease, _)) = &self.observed else {
            return;
        };
        let mut lease = lease.clone();
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
            spec.renew_time = Some(MicroTime(self.clock.now()));
        }
        let params = PostParams::default();
        let put = self.leases.replace(&self.config.name, &params, &lease);
        let _ = tokio::time::timeout(self.config.retry_period, put).await;
    }
}

#[cfg(test)]
mod tests;
