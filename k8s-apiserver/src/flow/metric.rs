//! What `/metrics` says about flows, under Kubernetes' names.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::control::{FlowControl, Room};
use crate::metrics::{Exposition, Histogram};

const WAITED: [f64; 13] = [
    0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0,
];
const LENGTHS: [f64; 8] = [0.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];
const SEATS: [f64; 4] = [1.0, 2.0, 4.0, 10.0];

/// Why a request was sent away, in Kubernetes' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rejection {
    /// The queues of its flow were full.
    QueueFull,
    /// Its level has no queues.
    ConcurrencyLimit,
    /// It had waited for too long.
    TimeOut,
    /// Its client went while it waited.
    Cancelled,
}

/// The counts of the requests that went to one level by one schema.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) level: String,
    pub(super) schema: String,
    pub(super) dispatched: AtomicU64,
    rejected: [AtomicU64; Rejection::ALL.len()],
    pub(super) waited_and_ran: Histogram,
    pub(super) waited_in_vain: Histogram,
    pub(super) ran: Histogram,
    pub(super) began_watch: Histogram,
    pub(super) queue_length: Histogram,
    pub(super) seats: Histogram,
}

impl Rejection {
    const ALL: [Rejection; 4] = [
        Rejection::QueueFull,
        Rejection::ConcurrencyLimit,
        Rejection::TimeOut,
        Rejection::Cancelled,
    ];

    fn name(self) -> &'static str {
        match self {
            Rejection::QueueFull => "queue-full",
            Rejection::ConcurrencyLimit => "concurrency-limit",
            Rejection::TimeOut => "time-out",
            Rejection::Cancelled => "cancelled",
        }
    }
}

impl Counts {
    pub(super) fn new(level: &str, schema: &str) -> Self {
        Counts {
            level: level.to_owned(),
            schema: schema.to_owned(),
            dispatched: AtomicU64::new(0),
            rejected: Default::default(),
            waited_and_ran: Histogram::new(&WAITED),
            waited_in_vain: Histogram::new(&WAITED),
            ran: Histogram::new(&WAITED),
            began_watch: Histogram::new(&WAITED),
            queue_length: Histogram::new(&LENGTHS),
            seats: Histogram::new(&SEATS),
        }
    }

    pub(super) fn reject(&self, why: Rejection) {
        self.rejected[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn labels(&self) -> [(&str, &str); 2] {
        [
            ("flow_schema", &self.schema),
            ("priority_level", &self.level),
        ]
    }

    fn labels_and<'a>(&'a self, name: &'a str, value: &'a str) -> [(&'a str, &'a str); 3] {
        let [schema, level] = self.labels();
        [schema, level, (name, value)]
    }
}

/// The requests of a level's schema that are there now.
#[derive(Clone, Copy, Debug, Default)]
struct Present {
    waiting: usize,
    waiting_seats: usize,
    running: usize,
    running_seats: usize,
}

/// Writes all families.
pub(super) fn expose(flow: &FlowControl, out: &mut Exposition) {
    let counts = flow.counts();
    expose_counts(&counts, out);
    let state = flow.state();
    expose_present(&counts, state.rooms.values(), out);
    expose_levels(state.rooms.values(), out);
    out.family(
        "apiserver_flowcontrol_seat_fair_frac",
        "gauge",
        "Fair fraction of server's concurrency to allocate to each priority level that can use it",
    )
    .sample(&[], flow.proportion());
}

fn expose_counts(counts: &[Arc<Counts>], out: &mut Exposition) {
    out.family(
        "apiserver_flowcontrol_dispatched_requests_total",
        "counter",
        "Number of requests executed by API Priority and Fairness subsystem",
    );
    for each in counts {
        out.sample(&each.labels(), each.dispatched.load(Ordering::Relaxed));
    }
    out.family(
        "apiserver_flowcontrol_rejected_requests_total",
        "counter",
        "Number of requests rejected by API Priority and Fairness subsystem",
    );
    for each in counts {
        for why in Rejection::ALL {
            let count = each.rejected[why as usize].load(Ordering::Relaxed);
            if count > 0 {
                out.sample(&each.labels_and("reason", why.name()), count);
            }
        }
    }
    out.family(
        "apiserver_flowcontrol_request_wait_duration_seconds",
        "histogram",
        "Length of time a request spent waiting in its queue",
    );
    for each in counts {
        for (executed, waited) in [
            ("false", &each.waited_in_vain),
            ("true", &each.waited_and_ran),
        ] {
            expose_if_any(out, &each.labels_and("execute", executed), waited);
        }
    }
    out.family(
        "apiserver_flowcontrol_request_execution_seconds",
        "histogram",
        "Duration of initial stage (for a WATCH) or any (for a non-WATCH) stage of request execution",
    );
    for each in counts {
        for (kind, took) in [("regular", &each.ran), ("watch", &each.began_watch)] {
            expose_if_any(out, &each.labels_and("type", kind), took);
        }
    }
    out.family(
        "apiserver_flowcontrol_request_queue_length_after_enqueue",
        "histogram",
        "Length of queue as seen by each request after it is enqueued",
    );
    for each in counts {
        expose_if_any(out, &each.labels(), &each.queue_length);
    }
    out.family(
        "apiserver_flowcontrol_work_estimated_seats",
        "histogram",
        "Number of estimated seats associated with requests",
    );
    for each in counts {
        expose_if_any(out, &each.labels(), &each.seats);
    }
}

fn expose_if_any(out: &mut Exposition, labels: &[(&str, &str)], histogram: &Histogram) {
    if histogram.snapshot().count > 0 {
        out.histogram(labels, histogram);
    }
}

/// Counted when somebody asks: nothing needs to be kept right for it.
fn expose_present<'a>(
    counts: &[Arc<Counts>],
    rooms: impl Iterator<Item = &'a Room>,
    out: &mut Exposition,
) {
    let mut present = BTreeMap::<(String, String), Present>::new();
    for each in counts {
        let pair = (each.level.clone(), each.schema.clone());
        present.insert(pair, Present::default());
    }
    for room in rooms {
        let set = room.hall.set();
        let mut of = |schema: &str, change: &dyn Fn(&mut Present)| {
            let pair = (room.level.name.clone(), schema.to_owned());
            change(present.entry(pair).or_default());
        };
        for (_, each) in set.running() {
            of(&each.what.counts.schema, &|present| {
                present.running += 1;
                present.running_seats += each.seats;
            });
        }
        for each in set.queues().flat_map(|queue| queue.waiting.iter()) {
            of(&each.what.counts.schema, &|present| {
                present.waiting += 1;
                present.waiting_seats += each.seats;
            });
        }
    }
    type Read = fn(&Present) -> usize;
    let families: [(&str, &str, Read); 4] = [
        (
            "apiserver_flowcontrol_current_inqueue_requests",
            "Number of requests currently pending in queues of the API Priority and Fairness subsystem",
            |present| present.waiting,
        ),
        (
            "apiserver_flowcontrol_current_inqueue_seats",
            "Number of seats currently pending in queues of the API Priority and Fairness subsystem",
            |present| present.waiting_seats,
        ),
        (
            "apiserver_flowcontrol_current_executing_requests",
            "Number of requests in initial (for a WATCH) or any (for a non-WATCH) execution stage",
            |present| present.running,
        ),
        (
            "apiserver_flowcontrol_current_executing_seats",
            "Number of seats occupied by the currently executing requests",
            |present| present.running_seats,
        ),
    ];
    for (name, help, read) in families {
        out.family(name, "gauge", help);
        for ((level, schema), each) in &present {
            let labels = [("flow_schema", schema.as_str()), ("priority_level", level)];
            out.sample(&labels, read(each));
        }
    }
}

fn expose_levels<'a>(rooms: impl Iterator<Item = &'a Room> + Clone, out: &mut Exposition) {
    type Read = fn(&Room) -> f64;
    let families: [(&str, &str, Read); 9] = [
        (
            "nominal_limit_seats",
            "Nominal number of execution seats configured for each priority level",
            |room| room.allotment.nominal as f64,
        ),
        (
            "lower_limit_seats",
            "Configured lower bound on number of execution seats available to each priority level",
            |room| room.allotment.min as f64,
        ),
        (
            "upper_limit_seats",
            "Configured upper bound on number of execution seats available to each priority level",
            |room| room.allotment.max as f64,
        ),
        (
            "current_limit_seats",
            "Current derived number of execution seats available to each priority level",
            |room| room.hall.set().limit() as f64,
        ),
        (
            "demand_seats_high_watermark",
            "High watermark, over last adjustment period, of demand_seats",
            |room| room.hall.demand().recent.high,
        ),
        (
            "demand_seats_average",
            "Time-weighted average, over last adjustment period, of demand_seats",
            |room| room.hall.demand().recent.average,
        ),
        (
            "demand_seats_stdev",
            "Time-weighted standard deviation, over last adjustment period, of demand_seats",
            |room| room.hall.demand().recent.deviation,
        ),
        ("demand_seats_smoothed", "Smoothed seat demands", |room| {
            room.hall.demand().smoothed
        }),
        ("current_r", "R(time of last change)", |room| {
            room.hall.set().progress().as_f64()
        }),
    ];
    for (name, help, read) in families {
        out.family(&format!("apiserver_flowcontrol_{name}"), "gauge", help);
        for room in rooms.clone() {
            out.sample(&[("priority_level", &room.level.name)], read(room));
        }
    }
}
