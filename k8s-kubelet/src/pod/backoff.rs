//! How long a crashing container waits before it is started again.
//!
//! The first restart is immediate; the wait before the next is 10 s and doubles up to 5 min, counted
//! from the container's end. A container that lasted for twice the longest wait starts afresh.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;

/// The waits of one pod's containers, by container name.
#[derive(Clone, Debug)]
pub struct CrashBackoff {
    initial: Duration,
    max: Duration,
    entries: HashMap<String, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    delay: Duration,
    restarted: Timestamp,
}

impl Default for CrashBackoff {
    /// 10 s to 5 min.
    fn default() -> Self {
        Self::new(Duration::from_secs(10), Duration::from_secs(300))
    }
}

impl CrashBackoff {
    /// Waits from `initial`, doubling, up to `max`.
    pub fn new(initial: Duration, max: Duration) -> Self {
        Self {
            initial,
            max,
            entries: HashMap::new(),
        }
    }

    /// The wait in force for a container that ended at `finished`: the whole of it, and what is left.
    pub fn wait(&self, name: &str, finished: Timestamp, now: Timestamp) -> Option<Wait> {
        let entry = self
            .entries
            .get(name)
            .filter(|entry| !self.is_stale(entry, now))?;
        let left = entry.delay.saturating_sub(since(finished, now));
        (!left.is_zero()).then_some(Wait {
            total: entry.delay,
            left,
        })
    }

    /// Notes that the container, which had ended at `finished`, is started again.
    pub fn restarted(&mut self, name: &str, finished: Timestamp, now: Timestamp) {
        let delay = match self.entries.get(name) {
            Some(entry) if !self.is_stale(entry, finished) => (entry.delay * 2).min(self.max),
            _ => self.initial,
        };
        let entry = Entry {
            delay,
            restarted: now,
        };
        self.entries.insert(name.to_owned(), entry);
    }

    fn is_stale(&self, entry: &Entry, at: Timestamp) -> bool {
        since(entry.restarted, at) > self.max * 2
    }
}

/// A wait before a container may start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// From the container's end to its next start.
    pub total: Duration,
    /// From now.
    pub left: Duration,
}

fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or_default()
}

/// A duration as Go writes it, to the second: `10s`, `2m40s`, `5m0s`, `1h0m0s`.
pub fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s}s"),
        (0, m, s) => format!("{m}m{s}s"),
        (h, m, s) => format!("{h}h{m}m{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn waits_double_from_ten_seconds_to_five_minutes() {
        let mut backoff = CrashBackoff::default();
        let mut now = 1000;
        let mut waits = Vec::new();
        assert_eq!(
            backoff.wait("c", at(now), at(now)),
            None,
            "the first restart is immediate"
        );
        for _ in 0..7 {
            backoff.restarted("c", at(now), at(now));
            let wait = backoff.wait("c", at(now), at(now)).unwrap();
            waits.push(go_duration(wait.total));
            now += wait.total.as_secs() as i64;
            assert_eq!(
                backoff.wait("c", at(now - wait.total.as_secs() as i64), at(now)),
                None
            );
        }
        assert_eq!(
            waits,
            ["10s", "20s", "40s", "1m20s", "2m40s", "5m0s", "5m0s"]
        );
    }

    #[test]
    fn a_container_that_lasted_ten_minutes_starts_afresh() {
        let mut backoff = CrashBackoff::default();
        backoff.restarted("c", at(0), at(0));
        backoff.restarted("c", at(10), at(10));
        let end = 10 + 601;
        assert_eq!(backoff.wait("c", at(end), at(end)), None);
        backoff.restarted("c", at(end), at(end));
        assert_eq!(
            backoff.wait("c", at(end), at(end)).unwrap().total,
            Duration::from_secs(10)
        );
    }
}
