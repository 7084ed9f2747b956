//! Waiting longer after each failure.

use std::time::Duration;

/// A growing series of delays: each is `factor` times the one before, up to `max`, and then
/// stretched by a random part of up to `jitter` so that many clients don't return together.
#[derive(Clone, Debug)]
pub struct Backoff {
    /// The first delay.
    pub base: Duration,
    /// No delay is longer, jitter apart.
    pub max: Duration,
    /// Growth from one delay to the next.
    pub factor: f64,
    /// 0.5 stretches each delay by between nothing and half of itself; 0 is deterministic.
    pub jitter: f64,
    step: u32,
}

impl Backoff {
    /// Doubling delays without jitter.
    pub fn new(base: Duration, max: Duration) -> Self {
        Self {
            base,
            max,
            factor: 2.0,
            jitter: 0.0,
            step: 0,
        }
    }

    /// Stretches each delay by a random part of up to `jitter`.
    pub fn with_jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self
    }

    /// What informers wait between attempts to reach the API: 200 ms to 30 s.
    pub fn watch() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(30)).with_jitter(0.5)
    }

    /// The next delay; the one after will be longer.
    pub fn next_delay(&mut self) -> Duration {
        let delay = delay(self.base, self.max, self.factor, self.step);
        self.step = self.step.saturating_add(1);
        if self.jitter > 0.0 {
            delay.mul_f64(1.0 + self.jitter * rand::random::<f64>())
        } else {
            delay
        }
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.step = 0;
    }
}

/// `base * factor^step`, at most `max`.
pub(crate) fn delay(base: Duration, max: Duration, factor: f64, step: u32) -> Duration {
    let grown = base.as_secs_f64() * factor.powi(i32::try_from(step).unwrap_or(i32::MAX));
    if grown < max.as_secs_f64() {
        Duration::from_secs_f64(grown)
    } else {
        max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum_and_start_over_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(50));
        let series: Vec<_> = (0..5)
            .map(|_| backoff.next_delay().as_millis() as u64)
            .collect();
        assert_eq!(series, [10, 20, 40, 50, 50]);
        backoff.reset();
        assert_eq!(backoff.next_delay(), Duration::from_millis(10));
    }

    #[test]
    fn jitter_only_stretches() {
        let mut backoff =
            Backoff::new(Duration::from_secs(1), Duration::from_secs(1)).with_jitter(0.5);
        for _ in 0..100 {
            let delay = backoff.next_delay();
            assert!(delay >= Duration::from_secs(1) && delay <= Duration::from_millis(1500));
        }
    }

    #[test]
    fn a_huge_step_neither_overflows_nor_panics() {
        let max = Duration::from_secs(1000);
        assert_eq!(delay(Duration::from_millis(5), max, 2.0, u32::MAX), max);
    }
}
