//! How long admission plugins take.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Exposition, Histogram};
use crate::{
    ApiError,
    admission::{Admission, Operation, Review},
    registry::Effects,
};

/// Upper bounds, in seconds.
const DURATIONS: [f64; 6] = [0.005, 0.025, 0.1, 0.5, 1.0, 2.5];

/// The times of all plugins of a server.
#[derive(Debug, Default)]
pub(crate) struct AdmissionTimes(Mutex<BTreeMap<Key, Arc<Histogram>>>);

/// Name, operation, whether it refused, and `admit` or `validate`.
type Key = (&'static str, &'static str, bool, &'static str);

/// A plugin whose time is taken.
pub(crate) struct Timed {
    plugin: Arc<dyn Admission>,
    times: Arc<AdmissionTimes>,
}

impl AdmissionTimes {
    /// The same plugin, its time taken.
    pub(crate) fn of(self: &Arc<Self>, plugin: Arc<dyn Admission>) -> Arc<dyn Admission> {
        let times = Arc::clone(self);
        Arc::new(Timed { plugin, times })
    }

    /// Writes the times.
    pub(crate) fn expose(&self, out: &mut Exposition) {
        out.family(
            "apiserver_admission_controller_admission_duration_seconds",
            "histogram",
            "Admission controller latency histogram in seconds, identified by name and broken out for each operation \
             and API resource and type (validate or admit).",
        );
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((name, operation, is_rejected, kind), time) in times.iter() {
            let labels = [
                ("name", *name),
                ("operation", operation),
                ("rejected", if *is_rejected { "true" } else { "false" }),
                ("type", kind),
            ];
            out.histogram(&labels, time);
        }
    }

    fn note<T>(
        &self,
        name: &'static str,
        operation: Operation,
        kind: &'static str,
        start: Instant,
        outcome: &Result<T, ApiError>,
    ) {
        let operation = match operation {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        };
        let key = (name, operation, outcome.is_err(), kind);
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Histogram::new(&DURATIONS));
        let time = Arc::clone(times.entry(key).or_insert_with(new));
        drop(times);
        time.observe_time(start.elapsed());
    }
}

#[async_trait]
impl Admission for Timed {
    fn name(&self) -> &'static str {
        self.plugin.name()
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Object) -> Result<(), ApiError> {
        let start = Instant::now();
        let outcome = self.plugin.mutate(review, object).await;
        self.times
            .note(self.name(), review.operation, "admit", start, &outcome);
        outcome
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let start = Instant::now();
        let outcome = self.plugin.validate(review, object).await;
        self.times
            .note(self.name(), review.operation, "validate", start, &outcome);
        outcome
    }
}
