//! The members of the cluster, one of which is asked until it doesn't answer.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use etcd_client::{Client, ConnectOptions, Error};
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep, timeout},
};

use super::{fault::Fault, options::EtcdOptions, version};
use crate::StoreError;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(20);

/// All members. A connection is made when it is needed first, and made again by itself.
pub(super) struct Servers {
    members: Vec<Member>,
    /// The one that answered last.
    preferred: AtomicUsize,
    connect: ConnectOptions,
    attempt_timeout: Duration,
    patience: Duration,
}

struct Member {
    url: String,
    client: OnceCell<Client>,
    /// Whether its word of progress can be trusted, once that is known.
    tells_progress: Mutex<Option<bool>>,
}

/// Which calls may be repeated although they may have been done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Those that change nothing by being done twice.
    Always,
    /// Those that may only be done once.
    IfNotDone,
}

impl Servers {
    pub(super) fn new(options: &EtcdOptions) -> Result<Self, StoreError> {
        if options.endpoints.is_empty() {
            let detail = "no endpoint was given".to_owned();
            return Err(StoreError::Refused { detail });
        }
        let member = |url: &String| Member {
            url: url.clone(),
            client: OnceCell::new(),
            tells_progress: Mutex::new(None),
        };
        Ok(Servers {
            members: options.endpoints.iter().map(member).collect(),
            preferred: AtomicUsize::new(0),
            connect: options.connect(),
            attempt_timeout: options.attempt_timeout,
            patience: options.patience,
        })
    }

    /// Asks the members in turn until one answers, or patience ends.
    pub(super) async fn ask<T, F>(
        &self,
        repeat: Repeat,
        request: impl Fn(Client) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let begun = Instant::now();
        loop {
            let asked = self.preferred.load(Relaxed);
            let fault = match self.attempt(asked, &request).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let again = match &fault {
                Fault::Elsewhere(_) => true,
                Fault::Unknown(_) => repeat == Repeat::Always,
                _ => return Err(fault),
            };
            // Even if this call can't go on: the next one should not run into the same.
            self.turn_from(asked);
            if !again || begun.elapsed() >= self.patience {
                return Err(fault);
            }
            let url = &self.members[asked].url;
            tracing::debug!(url, ?fault, "asking another etcd server");
            sleep(PAUSE).await;
        }
    }

    async fn attempt<T, F>(&self, index: usize, request: impl Fn(Client) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let (limit, url) = (self.attempt_timeout, &self.members[index].url);
        let connected = timeout(limit, self.client(index)).await;
        let client = connected
            .map_err(|_| Fault::Elsewhere(format!("{url} accepts no connection in {limit:?}")))??;
        match timeout(limit, request(client)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Fault::Unknown(format!(
                "{url} gives no answer in {limit:?}"
            ))),
        }
    }

    async fn client(&self, index: usize) -> Result<Client, Error> {
        let Member { url, client, .. } = &self.members[index];
        let connect = || Client::connect([url], Some(self.connect.clone()));
        client.get_or_try_init(connect).await.cloned()
    }

    /// Prefers the next member, unless another caller has turned already.
    fn turn_from(&self, index: usize) {
        let next = (index + 1) % self.members.len();
        let _ = self
            .preferred
            .compare_exchange(index, next, Relaxed, Relaxed);
    }

    /// A connection to a member that has just given a linearizable answer, for a watch, and whether
    /// its word of progress can be trusted.
    pub(super) async fn connection(&self) -> Result<(Client, bool), Fault> {
        let probe = |mut client: Client| async move {
            client.get(PROBE, None).await?;
            let version = client.status().await?.version().to_owned();
            Ok((client, version))
        };
        let begun = Instant::now();
        loop {
            let index = self.preferred.load(Relaxed);
            match self.attempt(index, probe).await {
                Ok((client, version)) => {
                    let tells_progress = version::tells_progress(&version);
                    let known = &self.members[index].tells_progress;
                    *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(tells_progress);
                    return Ok((client, tells_progress));
                }
                Err(Fault::Elsewhere(_) | Fault::Unknown(_)) if begun.elapsed() < self.patience => {
                    self.turn_from(index);
                    sleep(PAUSE).await;
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// A watch on this connection has failed: begin the next one with another member.
    pub(super) fn turn(&self) {
        self.turn_from(self.preferred.load(Relaxed));
    }

    /// Whether the word of every member that was asked for it can be trusted.
    pub(super) fn tell_progress(&self) -> bool {
        let known = self.members.iter().filter_map(|member| {
            let known = member.tells_progress.lock();
            *known.unwrap_or_else(PoisonError::into_inner)
        });
        known.min().unwrap_or(false)
    }
}

/// A key that is read for the answer's sake: Kubernetes' own for health checks.
pub(super) const PROBE: &str = "/registry/health";

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls = self.members.iter().map(|member| &member.url);
        f.debug_list().entries(urls).finish()
    }
}
