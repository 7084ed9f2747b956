//! The frames made last, for the watchers that are about to want the same.
//!
//! An event reaches all its watchers within moments, so few frames are kept, and those that nobody wants cost little.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use k8s_store::Revision;

use super::Format;
use crate::registry::Stored;

/// At most so many frames are kept.
const FRAMES: usize = 256;

/// At most so many bytes of them, give or take one frame.
const BYTES: usize = 4 << 20;

/// The newest frames of a server.
#[derive(Debug, Default)]
pub(crate) struct SharedFrames(Mutex<Ring>);

#[derive(Debug, Default)]
struct Ring {
    frames: VecDeque<Frame>,
    bytes: usize,
}

#[derive(Debug)]
struct Frame {
    /// Held, so that its address stays its own.
    stored: Arc<Stored>,
    form: Form,
    bytes: Bytes,
}

/// What makes two frames of an object the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) event: &'static str,
    pub(super) revision: Revision,
    pub(super) format: Format,
    pub(super) with_columns: bool,
    /// The version of the API.
    pub(super) version: String,
    /// When it was made, if it tells ages; Unix time in seconds.
    pub(super) second: i64,
}

impl SharedFrames {
    /// The frame that somebody has had already, or a new one. Two may be made at once; they are the same.
    pub(super) fn get_or_make(
        &self,
        stored: &Arc<Stored>,
        form: Form,
        make: impl FnOnce() -> Bytes,
    ) -> Bytes {
        if let Some(found) = self.lock().find(stored, &form) {
            return found;
        }
        let bytes = make();
        self.lock().push(Frame {
            stored: stored.clone(),
            form,
            bytes: bytes.clone(),
        });
        bytes
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn find(&self, stored: &Arc<Stored>, form: &Form) -> Option<Bytes> {
        let mut newest_first = self.frames.iter().rev();
        newest_first
            .find(|frame| Arc::ptr_eq(&frame.stored, stored) && frame.form == *form)
            .map(|frame| frame.bytes.clone())
    }

    fn push(&mut self, frame: Frame) {
        self.bytes += frame.bytes.len();
        self.frames.push_back(frame);
        while self.frames.len() > FRAMES || self.bytes > BYTES {
            let oldest = self.frames.pop_front();
            self.bytes -= oldest.map_or(0, |frame| frame.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_store::cache::Cached;

    use super::*;
    use crate::registry::Entry;

    fn stored() -> Arc<Stored> {
        let revision = Revision(1);
        Arc::new(Cached {
            key: Bytes::from_static(b"/k"),
            created: revision,
            modified: revision,
            entry: Entry::opaque(Bytes::new(), revision),
        })
    }

    fn form(event: &'static str) -> Form {
        Form {
            event,
            revision: Revision(1),
            format: Format::JSON,
            with_columns: false,
            version: "v1".to_owned(),
            second: 0,
        }
    }

    #[test]
    fn the_same_of_the_same_object_is_made_once() {
        let frames = SharedFrames::default();
        let (one, other) = (stored(), stored());
        let never = || panic!("it has been made");
        let first = frames.get_or_make(&one, form("ADDED"), || "1".into());
        assert_eq!(frames.get_or_make(&one, form("ADDED"), never), first);
        let second = frames.get_or_make(&one, form("MODIFIED"), || "2".into());
        let third = frames.get_or_make(&other, form("ADDED"), || "3".into());
        assert_eq!((second, third), ("2".into(), "3".into()));
        assert_eq!(frames.get_or_make(&one, form("ADDED"), never), first);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let frames = SharedFrames::default();
        for _ in 0..FRAMES * 2 {
            frames.get_or_make(&stored(), form("ADDED"), || "x".into());
        }
        assert_eq!(frames.lock().frames.len(), FRAMES);
        for _ in 0..8 {
            frames.get_or_make(&stored(), form("ADDED"), || vec![0; BYTES / 4].into());
        }
        assert!(frames.lock().bytes <= BYTES);
    }
}
