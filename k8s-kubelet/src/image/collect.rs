//! Which images go, and when. Pure.
//!
//! An image that some container was made of stays, as long as the container does; so do those that are pinned. Of the
//! rest, those go first that have been out of use the longest.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;

use crate::{cri::Image, usage::Disk};

/// When images are collected, under the names of Kubernetes' own configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageCollection {
    /// `imageGCHighThresholdPercent`: from this use of its disk on, images are collected.
    pub high_threshold_percent: u8,
    /// `imageGCLowThresholdPercent`: until its use is this.
    pub low_threshold_percent: u8,
    /// `imageMinimumGCAge`: younger ones stay.
    pub minimum_age: Duration,
    /// `imageMaximumGCAge`: those that have been out of use for longer go in any case; zero is for ever.
    pub maximum_age: Duration,
    /// Images that stay although the runtime doesn't say so, by name: such as those of sandboxes under runtimes that
    /// know no pinned images.
    pub pinned: BTreeSet<String>,
}

impl Default for ImageCollection {
    /// Kubernetes' own: from 85 % to 80 %, not before 2 min, no maximum.
    fn default() -> Self {
        Self {
            high_threshold_percent: 85,
            low_threshold_percent: 80,
            minimum_age: Duration::from_secs(120),
            maximum_age: Duration::ZERO,
            pinned: BTreeSet::new(),
        }
    }
}

/// What is remembered of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    /// `None` for those that were there before the agent.
    detected: Option<Timestamp>,
    last_used: Option<Timestamp>,
    size: u64,
    is_pinned: bool,
}

/// What is remembered of a node's images, by id.
#[derive(Debug, Default)]
pub(super) struct Records {
    images: BTreeMap<String, Record>,
    /// Since when images are watched.
    began: Option<Timestamp>,
}

impl Records {
    /// Takes note of all images and of those in use, which may be named in any way.
    pub(super) fn note(
        &mut self,
        images: &[Image],
        in_use: &BTreeSet<String>,
        config: &ImageCollection,
        now: Timestamp,
    ) {
        let detected = self.began.map(|_| now);
        self.began.get_or_insert(now);
        let is_in = |image: &Image, names: &BTreeSet<String>| {
            let mut all = image.tags.iter().chain(&image.digests);
            names.contains(&image.id) || all.any(|name| names.contains(name))
        };
        let known = std::mem::take(&mut self.images);
        for image in images {
            let mut record = known.get(&image.id).copied().unwrap_or(Record {
                detected,
                last_used: None,
                size: 0,
                is_pinned: false,
            });
            record.size = image.size;
            record.is_pinned = image.is_pinned || is_in(image, &config.pinned);
            if is_in(image, in_use) {
                record.last_used = Some(now);
            }
            self.images.insert(image.id.clone(), record);
        }
    }

    /// The images that may go now and their sizes, in the order in which they go.
    pub(super) fn unused(&self, config: &ImageCollection, now: Timestamp) -> Vec<(String, u64)> {
        let may_go = |record: &Record| {
            let age = record.detected.map(|detected| elapsed(detected, now));
            record.last_used != Some(now)
                && !record.is_pinned
                && age.is_none_or(|age| age >= config.minimum_age)
        };
        let mut unused: Vec<_> = self
            .images
            .iter()
            .filter(|(_, record)| may_go(record))
            .collect();
        unused.sort_by_key(|(_, record)| (record.last_used, record.detected));
        unused
            .into_iter()
            .map(|(id, record)| (id.clone(), record.size))
            .collect()
    }

    /// Those of the unused images that have been so for too long.
    pub(super) fn expired(&self, config: &ImageCollection, now: Timestamp) -> Vec<(String, u64)> {
        let mut unused = self.unused(config, now);
        if config.maximum_age.is_zero() {
            return Vec::new();
        }
        unused.retain(|(id, _)| {
            let record = &self.images[id];
            // Before the agent nobody watched.
            let since = record.last_used.or(record.detected).or(self.began);
            since.is_some_and(|since| elapsed(since, now) > config.maximum_age)
        });
        unused
    }

    /// The image is gone.
    pub(super) fn forget(&mut self, id: &str) {
        self.images.remove(id);
    }
}

/// How many bytes are to be freed on the images' disk, if any.
pub(super) fn excess(disk: &Disk, config: &ImageCollection) -> Option<u64> {
    let capacity = disk.capacity_bytes.filter(|capacity| *capacity > 0)?;
    let available = disk.available_bytes?.min(capacity);
    let used_percent = 100 - percent(available, capacity);
    if used_percent < u64::from(config.high_threshold_percent) {
        return None;
    }
    let wanted_percent = 100_u64.saturating_sub(config.low_threshold_percent.into());
    let wanted = u128::from(capacity) * u128::from(wanted_percent) / 100;
    Some(
        u64::try_from(wanted)
            .unwrap_or(u64::MAX)
            .saturating_sub(available),
    )
}

fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole)).unwrap_or(100)
}

fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    later.duration_since(earlier).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn image(id: &str) -> Image {
        Image {
            id: id.to_owned(),
            tags: vec![format!("{id}:1")],
            digests: vec![format!("{id}@sha256:0")],
            size: 10,
            ..Image::default()
        }
    }

    /// The images seen and used at these seconds; those that may go at the last.
    #[track_caller]
    fn check(config: &ImageCollection, looks: &[(i64, &str, &str)], unused: &str, expired: &str) {
        let mut records = Records::default();
        fn words(text: &str) -> impl Iterator<Item = String> {
            text.split_whitespace().map(str::to_owned)
        }
        let mut now = at(0);
        for (second, images, in_use) in looks {
            now = at(*second);
            let images: Vec<_> = words(images).map(|id| image(&id)).collect();
            records.note(&images, &words(in_use).collect(), config, now);
        }
        let names = |list: Vec<(String, u64)>| {
            let names: Vec<_> = list.into_iter().map(|(id, _)| id).collect();
            names.join(" ")
        };
        assert_eq!(names(records.unused(config, now)), unused);
        assert_eq!(names(records.expired(config, now)), expired);
    }

    #[test]
    fn those_longest_out_of_use_go_first_and_those_in_use_stay() {
        let config = ImageCollection::default();
        check(
            &config,
            &[
                (0, "a b c", "a:1 b"),
                (300, "a b c", "b@sha256:0"),
                (600, "a b c d", ""),
            ],
            "c a b",
            "",
        );
        check(&config, &[(0, "a b", "a@sha256:0")], "b", "");
    }

    #[test]
    fn a_young_image_stays_for_it_may_be_wanted() {
        let config = ImageCollection::default();
        check(
            &config,
            &[(0, "a", ""), (10, "a b", ""), (129, "a b", "")],
            "a",
            "",
        );
        check(
            &config,
            &[(0, "a", ""), (10, "a b", ""), (130, "a b", "")],
            "a b",
            "",
        );
    }

    #[test]
    fn a_pinned_image_stays() {
        let config = ImageCollection {
            pinned: BTreeSet::from(["a:1".to_owned()]),
            ..ImageCollection::default()
        };
        check(&config, &[(0, "a b", ""), (300, "a b", "")], "b", "");
    }

    #[test]
    fn an_old_image_expires_counted_from_its_last_use_or_the_agents_start() {
        let config = ImageCollection {
            maximum_age: Duration::from_secs(600),
            ..ImageCollection::default()
        };
        let looks = |end| [(0, "a b", ""), (300, "a b", "b"), (end, "a b", "")];
        check(&config, &looks(600), "a b", "");
        check(&config, &looks(601), "a b", "a");
        check(&config, &looks(901), "a b", "a b");
    }

    #[test]
    fn a_disk_that_is_too_full_is_emptied_to_the_low_mark() {
        let config = ImageCollection::default();
        let excess = |available: u64| {
            let disk = Disk {
                capacity_bytes: Some(1000),
                available_bytes: Some(available),
                ..Disk::default()
            };
            excess(&disk, &config)
        };
        assert_eq!(excess(160), None);
        assert_eq!(excess(150), Some(50));
        assert_eq!(excess(0), Some(200));
        assert_eq!(super::excess(&Disk::default(), &config), None);
    }
}
