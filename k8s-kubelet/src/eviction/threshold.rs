//! When a node counts as short of something, as its configuration says. Pure.

use std::{collections::BTreeMap, time::Duration};

use k8s_apimachinery::quantity::{Format, Quantity};

use super::Pressure;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Memory that could be given to processes.
    MemoryAvailable,
    /// Bytes free where pods' volumes and logs are.
    NodeFsAvailable,
    /// Inodes free there.
    NodeFsInodesFree,
    /// Bytes free where images and containers' layers are.
    ImageFsAvailable,
    /// Inodes free there.
    ImageFsInodesFree,
    /// Process ids left.
    PidAvailable,
}

/// What is scarce when a signal is low, as messages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scarce {
    /// Bytes of memory.
    Memory,
    /// Bytes of disk.
    EphemeralStorage,
    /// Inodes of disk.
    Inodes,
    /// Process ids.
    Pids,
}

impl Signal {
    const ALL: [Signal; 6] = [
        Self::MemoryAvailable,
        Self::NodeFsAvailable,
        Self::NodeFsInodesFree,
        Self::ImageFsAvailable,
        Self::ImageFsInodesFree,
        Self::PidAvailable,
    ];

    /// Its name in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MemoryAvailable => "memory.available",
            Self::NodeFsAvailable => "nodefs.available",
            Self::NodeFsInodesFree => "nodefs.inodesFree",
            Self::ImageFsAvailable => "imagefs.available",
            Self::ImageFsInodesFree => "imagefs.inodesFree",
            Self::PidAvailable => "pid.available",
        }
    }

    /// What is scarce when it is low.
    pub fn scarce(self) -> Scarce {
        match self {
            Self::MemoryAvailable => Scarce::Memory,
            Self::NodeFsAvailable | Self::ImageFsAvailable => Scarce::EphemeralStorage,
            Self::NodeFsInodesFree | Self::ImageFsInodesFree => Scarce::Inodes,
            Self::PidAvailable => Scarce::Pids,
        }
    }

    /// The node's condition when it is low.
    pub fn pressure(self) -> Pressure {
        match self.scarce() {
            Scarce::Memory => Pressure::Memory,
            Scarce::EphemeralStorage | Scarce::Inodes => Pressure::Disk,
            Scarce::Pids => Pressure::Pid,
        }
    }
}

impl Scarce {
    /// The resource's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
            Self::Inodes => "inodes",
            Self::Pids => "pids",
        }
    }
}

/// An amount, or a part of what there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So much.
    Absolute(Quantity),
    /// So many hundredths.
    Percent(f64),
}

impl Amount {
    /// The amount out of a capacity.
    pub fn of(self, capacity: i64) -> Quantity {
        match self {
            Self::Absolute(quantity) => quantity,
            Self::Percent(percent) => {
                Quantity::new((capacity as f64 * percent / 100.0) as i64, Format::Binary)
            }
        }
    }
}

/// The level below which a signal is low.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// What is watched.
    pub signal: Signal,
    /// The level.
    pub value: Amount,
    /// For how long the signal has to be low before pods give way; a hard threshold grants nothing.
    pub grace: Duration,
    /// How much above the level the signal has to rise before it counts as high again.
    pub min_reclaim: Option<Amount>,
}

impl Threshold {
    /// Whether pods give way at once.
    pub fn is_hard(&self) -> bool {
        self.grace.is_zero()
    }
}

/// What an agent is told about giving way, under the names of Kubernetes' own configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvictionConfig {
    /// `evictionHard`: signal to level.
    pub hard: BTreeMap<String, String>,
    /// `evictionSoft`: signal to level.
    pub soft: BTreeMap<String, String>,
    /// `evictionSoftGracePeriod`: one for each soft threshold.
    pub soft_grace_period: BTreeMap<String, Duration>,
    /// `evictionMinimumReclaim`.
    pub minimum_reclaim: BTreeMap<String, String>,
    /// `evictionMaxPodGracePeriod`: how long pods may take to end after a soft threshold.
    pub max_pod_grace_period: Duration,
    /// `evictionPressureTransitionPeriod`: for how long the node counts as short of something after it was.
    pub pressure_transition_period: Duration,
}

impl Default for EvictionConfig {
    /// Kubernetes' own.
    fn default() -> Self {
        let hard = [
            (Signal::MemoryAvailable, "100Mi"),
            (Signal::NodeFsAvailable, "10%"),
            (Signal::NodeFsInodesFree, "5%"),
            (Signal::ImageFsAvailable, "15%"),
            (Signal::ImageFsInodesFree, "5%"),
        ];
        Self {
            hard: hard
                .map(|(signal, level)| (signal.as_str().to_owned(), level.to_owned()))
                .into(),
            soft: BTreeMap::new(),
            soft_grace_period: BTreeMap::new(),
            minimum_reclaim: BTreeMap::new(),
            max_pod_grace_period: Duration::ZERO,
            pressure_transition_period: Duration::from_secs(300),
        }
    }
}

/// A threshold that says nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThresholdError {
    /// Nobody watches that.
    #[error("unsupported eviction signal {0}")]
    Signal(String),
    /// Neither an amount nor a percentage that is possible.
    #[error("eviction threshold {0} must be a positive amount or percentage: {1}")]
    Amount(String, String),
    /// A soft threshold is one by its grace period.
    #[error("grace period must be specified for the soft eviction threshold {0}")]
    GracePeriod(String),
}

impl EvictionConfig {
    /// The thresholds, hard ones first.
    pub fn thresholds(&self) -> Result<Vec<Threshold>, ThresholdError> {
        let reclaims = amounts(&self.minimum_reclaim)?;
        let grace = |signal: Signal| {
            let period = self.soft_grace_period.get(signal.as_str());
            let missing = || ThresholdError::GracePeriod(signal.as_str().to_owned());
            period.copied().ok_or_else(missing)
        };
        let mut thresholds = Vec::new();
        for (list, is_hard) in [(&self.hard, true), (&self.soft, false)] {
            for (signal, value) in amounts(list)? {
                // Never low, or never high: no threshold at all.
                if matches!(value, Amount::Percent(percent) if percent <= 0.0 || percent >= 100.0) {
                    continue;
                }
                let reclaim = reclaims.iter().find(|(other, _)| *other == signal);
                thresholds.push(Threshold {
                    signal,
                    value,
                    grace: if is_hard {
                        Duration::ZERO
                    } else {
                        grace(signal)?
                    },
                    min_reclaim: reclaim.map(|(_, amount)| *amount),
                });
            }
        }
        Ok(thresholds)
    }
}

fn amounts(list: &BTreeMap<String, String>) -> Result<Vec<(Signal, Amount)>, ThresholdError> {
    let parsed = list.iter().map(|(name, text)| {
        let mut all = Signal::ALL.into_iter();
        let signal = all.find(|signal| signal.as_str() == name);
        let signal = signal.ok_or_else(|| ThresholdError::Signal(name.clone()))?;
        let amount = amount(text).filter(|amount| match amount {
            Amount::Absolute(quantity) => !quantity.is_negative(),
            Amount::Percent(percent) => (0.0..=100.0).contains(percent),
        });
        let wrong = || ThresholdError::Amount(name.clone(), text.clone());
        Ok((signal, amount.ok_or_else(wrong)?))
    });
    parsed.collect()
}

fn amount(text: &str) -> Option<Amount> {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse().ok().map(Amount::Percent),
        None => text.parse().ok().map(Amount::Absolute),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    fn hard(pairs: &[(&str, &str)]) -> EvictionConfig {
        EvictionConfig {
            hard: list(pairs),
            ..EvictionConfig::default()
        }
    }

    #[test]
    fn the_defaults_are_five_hard_thresholds() {
        let thresholds = EvictionConfig::default().thresholds().unwrap();
        assert!(thresholds.iter().all(Threshold::is_hard));
        let levels: Vec<_> = thresholds
            .iter()
            .map(|each| (each.signal.as_str(), each.value.of(1000).value()))
            .collect();
        assert_eq!(
            levels,
            [
                ("imagefs.available", 150),
                ("imagefs.inodesFree", 50),
                ("memory.available", 100 << 20),
                ("nodefs.available", 100),
                ("nodefs.inodesFree", 50),
            ]
        );
    }

    #[test]
    fn a_soft_threshold_needs_a_grace_period() {
        let mut config = hard(&[]);
        config.soft = list(&[("pid.available", "10%")]);
        let missing = ThresholdError::GracePeriod("pid.available".into());
        assert_eq!(config.thresholds(), Err(missing));
        let grace = Duration::from_secs(90);
        config
            .soft_grace_period
            .insert("pid.available".into(), grace);
        config.minimum_reclaim = list(&[("pid.available", "5")]);
        let [threshold] = config.thresholds().unwrap()[..] else {
            panic!("one threshold");
        };
        assert_eq!(threshold.grace, grace);
        assert_eq!(threshold.min_reclaim.unwrap().of(0).value(), 5);
    }

    #[test]
    fn nothing_and_everything_are_no_thresholds_and_nonsense_is_refused() {
        let none = hard(&[("nodefs.available", "0%"), ("imagefs.available", "100%")]);
        assert_eq!(none.thresholds(), Ok(Vec::new()));
        let signal = ThresholdError::Signal("swap.available".into());
        assert_eq!(hard(&[("swap.available", "1")]).thresholds(), Err(signal));
        for text in ["-1", "much", "101%", "-5%", ""] {
            let amount = ThresholdError::Amount("memory.available".into(), text.into());
            let found = hard(&[("memory.available", text)]).thresholds();
            assert_eq!(found, Err(amount), "{text}");
        }
    }
}
