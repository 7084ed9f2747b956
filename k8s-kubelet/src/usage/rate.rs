//! From processor time in all to processor time of late: runtimes and kernels count, they don't measure speed.

use std::collections::HashMap;

use jiff::Timestamp;

use super::figure::Cpu;

/// A speed over less than this says nothing.
const SHORTEST: i128 = 1_000_000_000;

/// The last reading of each counter, and the speed before it.
#[derive(Debug, Default)]
pub(super) struct Rates(HashMap<String, Reading>);

#[derive(Debug, Clone, Copy)]
struct Reading {
    cpu: Cpu,
    /// Of which round.
    round: Timestamp,
}

impl Rates {
    /// Fills the speed in that the reading lacks: between the last reading of this counter and this one. Readings in
    /// quick succession have the speed of the last one.
    pub(super) fn complete(&mut self, counter: &str, round: Timestamp, cpu: &mut Cpu) {
        if cpu.usage_nano_cores.is_some_and(|speed| speed > 0) {
            return;
        }
        let Some(last) = self.0.get_mut(counter) else {
            let reading = Reading { cpu: *cpu, round };
            self.0.insert(counter.to_owned(), reading);
            return;
        };
        last.round = round;
        let elapsed = cpu.time.as_nanosecond() - last.cpu.time.as_nanosecond();
        if elapsed < SHORTEST {
            cpu.usage_nano_cores = last.cpu.usage_nano_cores;
            return;
        }
        let used = cpu
            .usage_core_nano_seconds
            .checked_sub(last.cpu.usage_core_nano_seconds);
        // A counter that begins anew has no speed yet.
        cpu.usage_nano_cores =
            used.and_then(|used| u64::try_from(i128::from(used) * 1_000_000_000 / elapsed).ok());
        last.cpu = *cpu;
    }

    /// Forgets counters that were not read in this round.
    pub(super) fn end(&mut self, round: Timestamp) {
        self.0.retain(|_, reading| reading.round == round);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millisecond: i64) -> Timestamp {
        Timestamp::from_millisecond(millisecond).unwrap()
    }

    #[track_caller]
    fn check(rates: &mut Rates, millisecond: i64, used: u64, expected: Option<u64>) {
        let mut cpu = Cpu {
            time: at(millisecond),
            usage_nano_cores: None,
            usage_core_nano_seconds: used,
        };
        rates.complete("c", at(millisecond), &mut cpu);
        assert_eq!(cpu.usage_nano_cores, expected, "at {millisecond} ms");
    }

    #[test]
    fn speed_is_what_was_used_between_two_readings() {
        let mut rates = Rates::default();
        check(&mut rates, 0, 1_000_000_000, None);
        check(&mut rates, 2000, 1_500_000_000, Some(250_000_000));
        check(&mut rates, 2100, 1_900_000_000, Some(250_000_000));
        check(&mut rates, 4000, 1_500_000_000, Some(0));
    }

    #[test]
    fn a_counter_that_begins_anew_or_was_away_has_no_speed() {
        let mut rates = Rates::default();
        check(&mut rates, 0, 5_000, None);
        check(&mut rates, 2000, 10, None);
        check(&mut rates, 4000, 20, Some(5));
        rates.end(at(5000));
        check(&mut rates, 6000, 30, None);
    }

    #[test]
    fn a_speed_that_the_runtime_measured_is_kept() {
        let mut rates = Rates::default();
        let mut cpu = Cpu {
            time: at(0),
            usage_nano_cores: Some(7),
            usage_core_nano_seconds: 1,
        };
        rates.complete("c", at(0), &mut cpu);
        assert_eq!(cpu.usage_nano_cores, Some(7));
    }
}
