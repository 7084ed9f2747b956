//! The audit log: who did what, as events of `audit.k8s.io/v1`.
//!
//! A [`Policy`] says per request whether and how much is kept; a [`Sink`] keeps it: [`Log`] writes a
//! line of JSON per event. The [layer](crate::layer::audit) puts both to work. Bodies are looked at
//! only where the policy asks for them, so at level `Metadata` no secret comes near the log.

mod event;
mod ledger;
mod log;
mod policy;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

pub use event::{Event, ObjectReference, ResponseStatus, UserInfo};
pub(crate) use ledger::{Ledger, Made};
pub use log::{Log, LogWriter};
pub use policy::{Level, Policy, PolicyError, Stage, Verdict};

use crate::{RequestInfo, User, metrics::Exposition};

/// Keeps events.
pub trait Sink: Send + Sync + 'static {
    /// Takes an event, without waiting for anything; says whether it is kept.
    fn keep(&self, event: &Event) -> bool;
}

/// A policy and what keeps the events that it asks for. Clones are one.
#[derive(Clone)]
pub struct Auditor(Arc<Inner>);

struct Inner {
    policy: Policy,
    sink: Arc<dyn Sink>,
    events: AtomicU64,
    lost: AtomicU64,
    levels: [AtomicU64; Level::ALL.len()],
}

impl Auditor {
    /// Keeps what a policy asks for.
    pub fn new(policy: Policy, sink: Arc<dyn Sink>) -> Self {
        Auditor(Arc::new(Inner {
            policy,
            sink,
            events: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            levels: Default::default(),
        }))
    }

    /// What is to be kept of a request.
    pub(crate) fn decide(&self, user: Option<&User>, info: &RequestInfo) -> Verdict {
        let verdict = self.0.policy.decide(user, info);
        self.0.levels[verdict.level as usize].fetch_add(1, Ordering::Relaxed);
        verdict
    }

    /// What is to be kept of a request that turns out to be nobody's.
    pub(crate) fn decide_refused(&self, info: &RequestInfo) -> Verdict {
        self.0.policy.decide(None, info)
    }

    /// Keeps an event.
    pub(crate) fn keep(&self, event: &Event) {
        self.0.events.fetch_add(1, Ordering::Relaxed);
        if !self.0.sink.keep(event) {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes the figures of the audit log.
    pub(crate) fn expose(&self, out: &mut Exposition) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        out.family(
            "apiserver_audit_event_total",
            "counter",
            "Counter of audit events generated and sent to the audit backend.",
        )
        .sample(&[], load(&self.0.events));
        out.family(
            "apiserver_audit_error_total",
            "counter",
            "Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the \
             error.",
        )
        .sample(&[("plugin", "log")], load(&self.0.lost));
        out.family(
            "apiserver_audit_level_total",
            "counter",
            "Counter of policy levels for audit events (1 per request).",
        );
        for level in Level::ALL {
            let count = load(&self.0.levels[level as usize]);
            out.sample(&[("level", level.as_str())], count);
        }
    }
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auditor")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}
