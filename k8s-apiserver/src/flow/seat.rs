//! How the server's seats are divided among priority levels: by shares, then by what they lend each
//! other (KEP-1040).

/// The seats of one level, by its configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allotment {
    /// Its share of the server's seats.
    pub(crate) nominal: usize,
    /// What is left after it has lent all that it lends.
    pub(crate) min: usize,
    /// What it has when it borrows all that it may.
    pub(crate) max: usize,
}

/// What a level asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Against the shares of the others.
    pub(crate) shares: u32,
    /// How much of its nominal seats others may have, in percent.
    pub(crate) lendable: u32,
    /// How much it may borrow, in percent of its nominal seats; no limit if none.
    pub(crate) borrowing: Option<u32>,
}

/// One level in [`divide`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Claim {
    /// Seats are divided in proportion to these,
    pub(crate) target: f64,
    /// but nobody gets less than this,
    pub(crate) least: f64,
    /// nor more than this.
    pub(crate) most: f64,
}

/// The largest part of its nominal seats that one list may take.
const LARGEST_PART: f64 = 0.15;

/// What counts as a target of nothing, so that proportions stay defined.
const LEAST_TARGET: f64 = 0.001;

impl Allotment {
    /// Of so many seats, among levels whose shares sum up to `sum`.
    ///
    /// Rounded up, so that all together may have a few more than the server has.
    pub(crate) fn new(share: Share, total: usize, sum: u32) -> Self {
        let nominal = match sum {
            0 => 0,
            sum => (total * share.shares as usize).div_ceil(sum as usize),
        };
        let percent = |percent: u32| (nominal * percent as usize + 50) / 100;
        Allotment {
            nominal,
            min: nominal - percent(share.lendable).min(nominal),
            max: nominal + share.borrowing.map_or(total, percent),
        }
    }

    /// What a level begins with, before its demand is known: half of what it lends is lent.
    pub(crate) fn at_first(self) -> usize {
        self.nominal - (self.nominal - self.min) / 2
    }

    /// The most seats that one request of a level may take, if a flow may use so many of its queues.
    pub(crate) fn widest(self, hand: usize) -> usize {
        let part = (self.nominal as f64 * LARGEST_PART).ceil() as usize;
        part.min(self.nominal / hand.max(1)).max(1)
    }

    /// The least that a level may have now, when it wanted `high` seats at its peak: lent seats
    /// come back to whoever wants them.
    pub(crate) fn least(self, high: f64) -> f64 {
        (self.nominal as f64).min(high).max(self.min as f64)
    }
}

/// Divides `sum` in proportion to the targets within the limits, and tells the proportion.
///
/// All get their least if there is no more, and their most if there is enough.
pub(crate) fn divide(sum: f64, claims: &[Claim]) -> (Vec<f64>, f64) {
    let target = |claim: &Claim| claim.target.max(LEAST_TARGET);
    let at = |proportion: f64| -> Vec<f64> {
        let of = |claim: &Claim| (target(claim) * proportion).clamp(claim.least, claim.most);
        claims.iter().map(of).collect()
    };
    let total = |proportion: f64| at(proportion).iter().sum::<f64>();
    // The total grows with the proportion, in straight lines between where limits begin and end.
    let mut bends: Vec<f64> = claims
        .iter()
        .flat_map(|claim| [claim.least / target(claim), claim.most / target(claim)])
        .collect();
    bends.sort_by(f64::total_cmp);
    let mut from = 0.0;
    for to in bends {
        let (below, above) = (total(from), total(to));
        if above >= sum {
            let part = match above > below {
                true => ((sum - below) / (above - below)).max(0.0),
                false => 0.0,
            };
            let proportion = from + (to - from) * part;
            return (at(proportion), proportion);
        }
        from = to;
    }
    (at(from), from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(shares: u32, lendable: u32, borrowing: Option<u32>) -> Share {
        Share {
            shares,
            lendable,
            borrowing,
        }
    }

    #[test]
    fn shares_become_seats() {
        let of = |share| Allotment::new(share, 600, 245);
        let expected = |nominal, min, max| Allotment { nominal, min, max };
        assert_eq!(of(share(100, 90, None)), expected(245, 24, 845));
        assert_eq!(of(share(5, 0, None)), expected(13, 13, 613));
        assert_eq!(of(share(40, 50, Some(10))), expected(98, 49, 108));
        assert_eq!(of(share(0, 0, None)), expected(0, 0, 600));
        assert_eq!(Allotment::new(share(0, 0, None), 600, 0).nominal, 0);
    }

    #[test]
    fn one_request_takes_a_part_of_its_level_only() {
        let of = |nominal| Allotment {
            nominal,
            min: nominal,
            max: nominal,
        };
        assert_eq!(of(245).widest(6), 37);
        assert_eq!(of(49).widest(6), 8);
        assert_eq!(of(3).widest(6), 1);
    }

    #[track_caller]
    fn check(sum: f64, claims: &[(f64, f64, f64)], expected: &[f64]) {
        let claims: Vec<Claim> = claims
            .iter()
            .map(|(target, least, most)| Claim {
                target: *target,
                least: *least,
                most: *most,
            })
            .collect();
        let (found, _) = divide(sum, &claims);
        let close = found
            .iter()
            .zip(expected)
            .all(|(found, expected)| (found - expected).abs() < 1e-6);
        assert!(close && found.len() == expected.len(), "{found:?}");
    }

    #[test]
    fn seats_go_where_demand_is_within_the_limits() {
        let far = 1000.0;
        check(90.0, &[(10.0, 0.0, far), (20.0, 0.0, far)], &[30.0, 60.0]);
        check(90.0, &[(10.0, 0.0, 20.0), (20.0, 0.0, far)], &[20.0, 70.0]);
        check(90.0, &[(10.0, 0.0, far), (2.0, 50.0, far)], &[40.0, 50.0]);
        check(90.0, &[(0.0, 0.0, far), (0.0, 0.0, far)], &[45.0, 45.0]);
    }

    #[test]
    fn too_little_gives_the_least_and_too_much_the_most() {
        check(5.0, &[(9.0, 4.0, 9.0), (9.0, 4.0, 9.0)], &[4.0, 4.0]);
        check(90.0, &[(9.0, 4.0, 9.0), (9.0, 4.0, 9.0)], &[9.0, 9.0]);
        check(1.0, &[], &[]);
    }

    #[test]
    fn who_wants_its_nominal_seats_has_them() {
        let level = Allotment::new(share(40, 50, None), 600, 245);
        assert_eq!(level.least(0.0), 49.0);
        assert_eq!(level.least(70.0), 70.0);
        assert_eq!(level.least(500.0), 98.0);
        assert_eq!(level.at_first(), 74);
    }
}
