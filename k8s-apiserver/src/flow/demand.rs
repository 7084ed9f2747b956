//! How many seats a priority level wants over time: what borrowing goes by (KEP-1040).

use std::time::Duration;

/// How slowly demand is forgotten: by this factor per adjustment, half of it in five minutes.
const SMOOTHING: f64 = 0.977;

/// Integrates a number that changes in steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Integrator {
    value: f64,
    since: Duration,
    began: Duration,
    area: f64,
    squares: f64,
    high: f64,
}

/// What a number was over a while.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Observed {
    /// Its mean, weighted by time.
    pub(crate) average: f64,
    /// Its standard deviation from that.
    pub(crate) deviation: f64,
    /// Its largest value.
    pub(crate) high: f64,
}

/// The demand of one level, as adjustments see it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Demand {
    /// Since the last adjustment.
    pub(crate) recent: Observed,
    /// Follows demand up at once and down slowly.
    pub(crate) smoothed: f64,
}

impl Integrator {
    /// From `now` on the number is another.
    pub(crate) fn set(&mut self, now: Duration, value: f64) {
        self.advance(now);
        self.value = value;
        self.high = self.high.max(value);
    }

    /// What it was since the last time that this was asked.
    pub(crate) fn take(&mut self, now: Duration) -> Observed {
        self.advance(now);
        let time = now.saturating_sub(self.began).as_secs_f64();
        let observed = match time > 0.0 {
            true => {
                let average = self.area / time;
                Observed {
                    average,
                    deviation: (self.squares / time - average * average).max(0.0).sqrt(),
                    high: self.high,
                }
            }
            false => Observed {
                average: self.value,
                deviation: 0.0,
                high: self.high,
            },
        };
        *self = Integrator {
            value: self.value,
            high: self.value,
            since: now,
            began: now,
            ..Integrator::default()
        };
        observed
    }

    fn advance(&mut self, now: Duration) {
        let time = now.saturating_sub(self.since).as_secs_f64();
        self.area += self.value * time;
        self.squares += self.value * self.value * time;
        self.since = self.since.max(now);
    }
}

impl Demand {
    /// After one more adjustment period.
    pub(crate) fn after(self, recent: Observed) -> Self {
        let envelope = recent.average + recent.deviation;
        Demand {
            recent,
            smoothed: envelope.max(SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * envelope),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_step_is_weighted_by_how_long_it_lasted() {
        let mut seats = Integrator::default();
        seats.set(seconds(0), 2.0);
        seats.set(seconds(3), 6.0);
        let observed = seats.take(seconds(4));
        assert_eq!((observed.average, observed.high), (3.0, 6.0));
        assert!((observed.deviation - 3.0_f64.sqrt()).abs() < 1e-9);
        let next = seats.take(seconds(5));
        assert_eq!((next.average, next.deviation, next.high), (6.0, 0.0, 6.0));
    }

    #[test]
    fn demand_rises_at_once_and_falls_slowly() {
        let of = |average| Observed {
            average,
            high: average,
            ..Observed::default()
        };
        let risen = Demand::default().after(of(100.0));
        assert_eq!(risen.smoothed, 100.0);
        let mut falling = risen;
        for _ in 0..30 {
            falling = falling.after(of(0.0));
        }
        assert!((45.0..55.0).contains(&falling.smoothed), "{falling:?}");
    }
}
