//! For how long those who were sent away are asked to stay away: longer, the more there are.
//!
//! As TCP does with its window: doubled when many were sent away, one second less at a time when few
//! were. Queues come first, so being sent away at all means that a level is overloaded.

use std::{collections::VecDeque, time::Duration};

/// The longest that anybody is asked to stay away, in seconds.
const LONGEST: u64 = 32;

/// Counts by the second, and decides about the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// Second, and how many were sent away in it.
    history: VecDeque<(u64, u64)>,
    current: Option<(u64, u64)>,
    seconds: u64,
    /// When it was doubled last.
    raised: Option<u64>,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff {
            history: VecDeque::new(),
            current: None,
            seconds: 1,
            raised: None,
        }
    }
}

impl Backoff {
    /// One more is sent away; gives for how long.
    pub(crate) fn note(&mut self, now: Duration) -> Duration {
        let second = now.as_secs();
        match &mut self.current {
            Some((current, count)) if *current == second => *count += 1,
            _ => {
                self.history.extend(self.current.replace((second, 1)));
                self.history.retain(|(each, _)| second - each <= LONGEST);
                self.adjust(second);
            }
        }
        Duration::from_secs(self.seconds)
    }

    /// By how many were sent away within the time that they were asked to stay away for.
    fn adjust(&mut self, second: u64) {
        let recent = self.history.iter().rev();
        let recent = recent.take_while(|(each, _)| second - each <= self.seconds);
        let count: u64 = recent.map(|(_, count)| count).sum();
        let is_due = self
            .raised
            .is_none_or(|raised| second - raised >= self.seconds);
        if is_due && count >= 3 * self.seconds {
            self.seconds = (2 * self.seconds).min(LONGEST);
            self.raised = Some(second);
        } else if count < self.seconds && self.seconds > 1 {
            self.seconds -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many are sent away in a second; gives what the last one hears.
    fn rejected(backoff: &mut Backoff, second: u64, count: usize) -> u64 {
        let now = Duration::from_secs(second);
        let told = (0..count).map(|_| backoff.note(now).as_secs());
        told.last().expect("somebody is sent away")
    }

    #[test]
    fn it_doubles_under_a_flood_and_falls_slowly_after_it() {
        let mut backoff = Backoff::default();
        let risen: Vec<u64> = (1..70)
            .map(|second| rejected(&mut backoff, second, 200))
            .collect();
        assert_eq!(&risen[..8], [1, 2, 2, 4, 4, 4, 4, 8]);
        assert_eq!(risen.last(), Some(&32));
        let fallen: Vec<u64> = (200..205)
            .map(|second| rejected(&mut backoff, second, 1))
            .collect();
        assert_eq!(fallen, [31, 30, 29, 28, 27]);
    }

    #[test]
    fn a_few_change_nothing() {
        let mut backoff = Backoff::default();
        for second in 1..50 {
            assert_eq!(rejected(&mut backoff, second, 2), 1);
        }
    }
}
