//! Levels, versions, and both together: `restricted:latest`.

use std::{fmt, str::FromStr};

/// How much a pod is trusted, from the most to the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// With everything.
    Privileged,
    /// With nothing that is known to lead out of the container.
    Baseline,
    /// With nothing that isn't needed.
    Restricted,
}

/// The version of Kubernetes whose checks count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `v1.` and this.
    Minor(u32),
    /// Whatever the newest checks are.
    Latest,
}

/// A level at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Standard {
    /// How strict.
    pub level: Level,
    /// As of when.
    pub version: Version,
}

/// The text is no level, no version, or not both with a colon between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAStandard {
    /// No level is called so.
    #[error("must be one of privileged, baseline, restricted")]
    Level,
    /// No version is written so.
    #[error("must be \"latest\" or \"v1.x\"")]
    Version,
}

impl Level {
    /// As labels spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        }
    }
}

impl Standard {
    /// What there is nothing to check for.
    pub const PRIVILEGED: Standard = Standard {
        level: Level::Privileged,
        version: Version::Latest,
    };
}

impl FromStr for Level {
    type Err = NotAStandard;

    fn from_str(text: &str) -> Result<Self, NotAStandard> {
        let all = [Level::Privileged, Level::Baseline, Level::Restricted];
        let found = all.into_iter().find(|level| level.as_str() == text);
        found.ok_or(NotAStandard::Level)
    }
}

impl FromStr for Version {
    type Err = NotAStandard;

    fn from_str(text: &str) -> Result<Self, NotAStandard> {
        if text == "latest" {
            return Ok(Version::Latest);
        }
        let minor = text.strip_prefix("v1.").ok_or(NotAStandard::Version)?;
        let is_plain = minor.bytes().all(|byte| byte.is_ascii_digit())
            && (minor == "0" || !minor.starts_with('0'));
        let minor = minor.parse().ok().filter(|_| is_plain);
        minor.map(Version::Minor).ok_or(NotAStandard::Version)
    }
}

impl FromStr for Standard {
    type Err = NotAStandard;

    fn from_str(text: &str) -> Result<Self, NotAStandard> {
        let (level, version) = text.split_once(':').ok_or(NotAStandard::Version)?;
        Ok(Standard {
            level: level.parse()?,
            version: version.parse()?,
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Version::Minor(minor) => write!(f, "v1.{minor}"),
            Version::Latest => f.write_str("latest"),
        }
    }
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.level, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standards_come_back_as_they_were_written() {
        for text in ["privileged:v1.0", "baseline:latest", "restricted:v1.37"] {
            assert_eq!(text.parse::<Standard>().unwrap().to_string(), text);
        }
        for text in [
            "", "Latest", "v1", "v1.", "v1.01", "v1.-1", "v1.+1", "v2.0", "1.2", "v1.x",
        ] {
            assert_eq!(
                text.parse::<Version>(),
                Err(NotAStandard::Version),
                "{text}"
            );
        }
        assert_eq!("strict".parse::<Level>(), Err(NotAStandard::Level));
    }

    #[test]
    fn strictness_and_age_are_ordered() {
        assert!(Level::Privileged < Level::Baseline && Level::Baseline < Level::Restricted);
        assert!(Version::Minor(9) < Version::Minor(10) && Version::Minor(99) < Version::Latest);
    }
}
