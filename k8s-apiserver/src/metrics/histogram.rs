//! How often values were in which range; counted without a lock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Counts values by upper bounds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One per bound, and one for what is beyond them all.
    buckets: Box<[AtomicU64]>,
    /// The bits of a float.
    sum: AtomicU64,
}

/// A histogram at one moment, or nearly so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    /// How many values were in each range, and not in one before.
    pub(crate) buckets: Vec<u64>,
    /// All values.
    pub(crate) sum: f64,
    /// How many there were.
    pub(crate) count: u64,
}

impl Histogram {
    /// An empty histogram with these upper bounds, in ascending order.
    pub fn new(bounds: &'static [f64]) -> Self {
        Histogram {
            bounds,
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    /// Counts a value.
    pub fn observe(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // It goes on until it succeeds, since `add` always has an answer.
        let _ = self
            .sum
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Counts a time, in seconds.
    pub fn observe_time(&self, time: Duration) {
        self.observe(time.as_secs_f64());
    }

    pub(super) fn bounds(&self) -> &'static [f64] {
        self.bounds
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let load = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed);
        let buckets: Vec<u64> = self.buckets.iter().map(load).collect();
        Snapshot {
            count: buckets.iter().sum(),
            buckets,
            sum: f64::from_bits(self.sum.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_range_below() {
        let histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.0, 1.0, 1.5, 2.0, 3.0] {
            histogram.observe(value);
        }
        let Snapshot {
            buckets,
            sum,
            count,
        } = histogram.snapshot();
        assert_eq!((buckets, sum, count), (vec![2, 2, 1], 7.5, 5));
    }
}
