//! What the node is short of, out of what was observed, and for how long. Pure.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use k8s_apimachinery::quantity::{Format, Quantity};

use super::{Pressure, Pressures, Signal, Threshold};
use crate::usage::Headroom;

/// How much there is of something, and how much is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) available: i64,
    pub(super) capacity: i64,
}

/// What was observed; what couldn't be is missing.
pub(super) type Observations = BTreeMap<Signal, Observed>;

impl Observed {
    fn of(available: Option<u64>, capacity: Option<u64>) -> Option<Self> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        Some(Self {
            available: number(available?),
            capacity: number(capacity?),
        })
    }

    /// What is left, as messages write it.
    pub(super) fn available(&self, signal: Signal) -> Quantity {
        let format = match signal {
            Signal::NodeFsInodesFree | Signal::ImageFsInodesFree | Signal::PidAvailable => {
                Format::Decimal
            }
            _ => Format::Binary,
        };
        Quantity::new(self.available, format)
    }
}

/// The signals of a machine.
pub(super) fn observe(headroom: &Headroom) -> Observations {
    let memory = &headroom.memory;
    let used = memory.working_set_bytes;
    let capacity = memory.available_bytes.zip(used).map(|(a, b)| a + b);
    let (node, images) = (
        headroom.disk.unwrap_or_default(),
        headroom.images.unwrap_or_default(),
    );
    let processes = &headroom.processes;
    let left = processes.max_pid.zip(processes.running);
    let all = [
        (
            Signal::MemoryAvailable,
            Observed::of(memory.available_bytes, capacity),
        ),
        (
            Signal::NodeFsAvailable,
            Observed::of(node.available_bytes, node.capacity_bytes),
        ),
        (
            Signal::NodeFsInodesFree,
            Observed::of(node.inodes_free, node.inodes),
        ),
        (
            Signal::ImageFsAvailable,
            Observed::of(images.available_bytes, images.capacity_bytes),
        ),
        (
            Signal::ImageFsInodesFree,
            Observed::of(images.inodes_free, images.inodes),
        ),
        (
            Signal::PidAvailable,
            Observed::of(
                left.map(|(max, running)| max.saturating_sub(running)),
                processes.max_pid,
            ),
        ),
    ];
    all.into_iter()
        .filter_map(|(signal, observed)| Some((signal, observed?)))
        .collect()
}

/// The thresholds whose signals are low; with their minimum reclaim on top, if that is what has to be reached.
pub(super) fn low(
    thresholds: &[Threshold],
    observations: &Observations,
    with_reclaim: bool,
) -> Vec<Threshold> {
    let is_low = |threshold: &&Threshold| {
        let Some(observed) = observations.get(&threshold.signal) else {
            return false;
        };
        let mut level = threshold.value.of(observed.capacity);
        if let Some(reclaim) = threshold.min_reclaim.filter(|_| with_reclaim) {
            level.add(reclaim.of(observed.capacity));
        }
        level > Quantity::new(observed.available, Format::Decimal)
    };
    thresholds.iter().filter(is_low).copied().collect()
}

/// What is remembered from look to look.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Since when each low threshold has been low.
    since: Vec<(Threshold, Timestamp)>,
    /// Those that made pods give way and aren't relieved yet.
    starved: Vec<Threshold>,
    last_seen: BTreeMap<Pressure, Timestamp>,
}

/// What follows from a look.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// The node's conditions.
    pub(super) pressures: Pressures,
    /// The thresholds for which something has to give way, the most urgent first.
    pub(super) starved: Vec<Threshold>,
}

impl Memory {
    /// Takes a look into account.
    pub(super) fn look(
        &mut self,
        thresholds: &[Threshold],
        observations: &Observations,
        transition: Duration,
        now: Timestamp,
    ) -> Verdict {
        let mut met = low(thresholds, observations, false);
        for unrelieved in low(&self.starved, observations, true) {
            if !met.contains(&unrelieved) {
                met.push(unrelieved);
            }
        }
        let before = std::mem::take(&mut self.since);
        let since = |threshold: &Threshold| {
            let known = before.iter().find(|(other, _)| other == threshold);
            known.map_or(now, |(_, since)| *since)
        };
        self.since = met.iter().map(|each| (*each, since(each))).collect();
        for threshold in &met {
            self.last_seen.insert(threshold.signal.pressure(), now);
        }
        let is_recent = |at: &Timestamp| elapsed(*at, now) < transition;
        let pressures = self
            .last_seen
            .iter()
            .filter(|(_, at)| **at == now || is_recent(at));
        let pressures = pressures.map(|(pressure, _)| *pressure).collect();
        let starved = self
            .since
            .iter()
            .filter(|(threshold, since)| elapsed(*since, now) >= threshold.grace);
        self.starved = starved.map(|(threshold, _)| *threshold).collect();
        let mut starved = self.starved.clone();
        // Memory kills faster than anything else.
        starved.sort_by_key(|threshold| threshold.signal != Signal::MemoryAvailable);
        Verdict { pressures, starved }
    }
}

fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eviction::EvictionConfig;

    fn thresholds(soft_grace: Option<u64>, reclaim: &str) -> Vec<Threshold> {
        let list = |text: &str| BTreeMap::from([("memory.available".to_owned(), text.to_owned())]);
        let mut config = EvictionConfig {
            hard: BTreeMap::new(),
            minimum_reclaim: list(reclaim),
            ..EvictionConfig::default()
        };
        match soft_grace {
            None => config.hard = list("100"),
            Some(seconds) => {
                config.soft = list("100");
                let grace = Duration::from_secs(seconds);
                config
                    .soft_grace_period
                    .insert("memory.available".into(), grace);
            }
        }
        config.thresholds().unwrap()
    }

    /// Looks at so much memory at these seconds: who is under pressure, and whether pods give way.
    #[track_caller]
    fn check(thresholds: &[Threshold], looks: &[(i64, i64, &str, bool)]) {
        let mut memory = Memory::default();
        for (second, available, pressures, is_starved) in looks {
            let observed = Observed {
                available: *available,
                capacity: 1000,
            };
            let verdict = memory.look(
                thresholds,
                &Observations::from([(Signal::MemoryAvailable, observed)]),
                Duration::from_secs(60),
                Timestamp::from_second(*second).unwrap(),
            );
            let found = (verdict.pressures.to_string(), !verdict.starved.is_empty());
            assert_eq!(
                found,
                ((*pressures).to_owned(), *is_starved),
                "at {second} s"
            );
        }
    }

    const SHORT: &str = "[MemoryPressure]";

    #[test]
    fn pressure_outlasts_its_cause() {
        check(
            &thresholds(None, "0"),
            &[
                (0, 100, "[]", false),
                (10, 99, SHORT, true),
                (20, 100, SHORT, false),
                (69, 100, SHORT, false),
                (70, 100, "[]", false),
            ],
        );
    }

    #[test]
    fn a_soft_threshold_waits_for_its_grace_period_and_starts_over() {
        check(
            &thresholds(Some(20), "0"),
            &[
                (0, 99, SHORT, false),
                (10, 99, SHORT, false),
                (20, 99, SHORT, true),
                (30, 100, SHORT, false),
                (40, 99, SHORT, false),
            ],
        );
    }

    #[test]
    fn what_gave_way_is_to_be_relieved_by_the_minimum() {
        check(
            &thresholds(None, "50"),
            &[
                (0, 120, "[]", false),
                (10, 99, SHORT, true),
                (20, 149, SHORT, true),
                (30, 150, SHORT, false),
            ],
        );
    }

    #[test]
    fn memory_comes_first_and_what_is_not_observed_is_not_low() {
        let thresholds = EvictionConfig::default().thresholds().unwrap();
        let nothing = Observed {
            available: 0,
            capacity: 1 << 40,
        };
        let observations =
            [Signal::ImageFsAvailable, Signal::MemoryAvailable].map(|signal| (signal, nothing));
        let verdict = Memory::default().look(
            &thresholds,
            &observations.into(),
            Duration::ZERO,
            Timestamp::UNIX_EPOCH,
        );
        let starved: Vec<_> = verdict.starved.iter().map(|each| each.signal).collect();
        assert_eq!(starved, [Signal::MemoryAvailable, Signal::ImageFsAvailable]);
        assert_eq!(
            verdict.pressures.to_string(),
            "[MemoryPressure DiskPressure]"
        );
    }
}
