//! Opening: the newest snapshot, then the log behind it, back into memory.
//!
//! A crash leaves the end of the newest segment torn; it is cut, since nothing in it was
//! acknowledged. Whatever else doesn't read as it was written stops the store, with the place named.

use std::{
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::{
    lock,
    log::{LOG, Log, Place, SNAPSHOT, Segment, TEMPORARY, name},
    record::{self, HEADER, OVERHEAD, Record},
    state::State,
};
use crate::{
    KeyValue, Retention, Revision, StoreError,
    version::{deadline::Deadlines, timeline::Timeline, tree::Tree},
};

/// What a directory holds.
pub(super) struct Recovered {
    pub(super) timeline: Timeline<KeyValue>,
    pub(super) log: Log,
    /// Some may be over already.
    pub(super) deadlines: Deadlines,
    /// What a log of nothing but live data would take.
    pub(super) live_bytes: u64,
}

/// Reads a directory, repairs its end if need be, and gets ready to append.
pub(super) fn open(place: Place, retention: Retention) -> Result<Recovered, StoreError> {
    let found = survey(&place)?;
    for leftover in &found.leftovers {
        let path = place.dir.join(leftover);
        let removed = place.files.remove(&path);
        removed.map_err(|error| StoreError::io("delete", &path, &error))?;
    }
    let (replay, resumable) = replay(place, found, retention)?;
    let Replay {
        place,
        timeline,
        deadlines,
        segments,
        ..
    } = replay;
    let log = match (resumable, segments.is_empty()) {
        (true, _) => Log::resume(place, segments)?,
        (false, true) => Log::create(place)?,
        (false, false) => Log::resume_after(place, segments, timeline.current())?,
    };
    let live = |kv: &KeyValue| (kv.key.len() + kv.value.len()) as u64 + OVERHEAD;
    let live_bytes = timeline.tree().iter().map(|kv| live(kv)).sum();
    Ok(Recovered {
        timeline,
        log,
        deadlines,
        live_bytes,
    })
}

/// Reads a directory and leaves it as it is: another process may be writing there.
pub(super) fn read(place: Place) -> Result<State, StoreError> {
    let found = survey(&place)?;
    let retention = Retention {
        changes: 0,
        ..Retention::default()
    };
    let (replay, _) = replay(place, found, retention)?;
    Ok(State {
        tree: replay.timeline.tree().clone(),
        deadlines: replay.deadlines,
        revision: replay.timeline.current(),
    })
}

/// Reads one snapshot, wherever it lies.
pub(super) fn read_snapshot(place: &Place, path: PathBuf) -> Result<State, StoreError> {
    let mut reader = Reader::open(place, path, Revision::ZERO)?;
    load(&mut reader)
}

/// Goes through the snapshot and the segments behind it. Tells whether the last can be continued.
fn replay(place: Place, found: Found, retention: Retention) -> Result<(Replay, bool), StoreError> {
    let timeline = Timeline::new(Tree::default(), Revision::ZERO);
    let mut replay = Replay {
        place,
        timeline,
        retention,
        deadlines: Deadlines::default(),
        segments: Vec::new(),
    };
    if let Some(base) = found.snapshot {
        replay.snapshot(base)?;
        if found.logs.is_empty() {
            return Err(replay.missing(base)); // it was begun before the snapshot was
        }
    }
    let count = found.logs.len();
    let mut resumable = false;
    for (index, base) in found.logs.into_iter().enumerate() {
        resumable = replay.segment(base, index + 1 == count)?;
    }
    Ok((replay, resumable))
}

/// What a directory holds, by the names.
struct Found {
    /// The newest snapshot.
    snapshot: Option<Revision>,
    /// The segments behind it, in order.
    logs: Vec<Revision>,
    /// The names of what interrupted work has left.
    leftovers: Vec<String>,
}

fn survey(place: &Place) -> Result<Found, StoreError> {
    let names = place.files.list(&place.dir);
    let names = names.map_err(|error| StoreError::io("read", &place.dir, &error))?;
    let parse = |ending| {
        let mut revisions: Vec<_> = names
            .iter()
            .filter_map(|name| Some(Revision(name.strip_suffix(ending)?.parse().ok()?)))
            .collect();
        revisions.sort();
        revisions
    };
    let (mut snapshots, mut logs) = (parse(SNAPSHOT), parse(LOG));
    let snapshot = snapshots.pop();
    let covered = logs.partition_point(|base| snapshot.is_some_and(|at| *base < at));
    let stale = snapshots.into_iter().map(|base| name(base, SNAPSHOT));
    let stale = stale.chain(logs.drain(..covered).map(|base| name(base, LOG)));
    let temporary = names
        .iter()
        .filter(|name| name.ends_with(TEMPORARY))
        .cloned();
    let leftovers = stale.chain(temporary).collect();
    let known = |name: &String| {
        name == lock::NAME
            || [LOG, SNAPSHOT, TEMPORARY]
                .iter()
                .any(|end| name.ends_with(end))
    };
    if let Some(stranger) = names.iter().find(|name| !known(name)) {
        tracing::debug!(name = stranger, "not a file of the store");
    }
    Ok(Found {
        snapshot,
        logs,
        leftovers,
    })
}

struct Replay {
    place: Place,
    timeline: Timeline<KeyValue>,
    retention: Retention,
    deadlines: Deadlines,
    segments: Vec<Segment>,
}

impl Replay {
    fn snapshot(&mut self, base: Revision) -> Result<(), StoreError> {
        let path = self.place.dir.join(name(base, SNAPSHOT));
        let mut reader = Reader::open(&self.place, path, base)?;
        let state = load(&mut reader)?;
        if state.revision != base {
            return Err(reader.corrupt(0, "the name is that of another snapshot"));
        }
        self.timeline = Timeline::new(state.tree, base);
        self.deadlines = state.deadlines;
        self.segments.push(reader.segment);
        Ok(())
    }

    fn missing(&self, base: Revision) -> StoreError {
        let path = self.place.dir.join(name(base, LOG));
        StoreError::Corrupt {
            path,
            offset: 0,
            detail: "the file is missing".to_owned(),
        }
    }

    /// Whether the segment can be continued: not if even its beginning was never durable.
    fn segment(&mut self, base: Revision, is_last: bool) -> Result<bool, StoreError> {
        let path = self.place.dir.join(name(base, LOG));
        let mut reader = Reader::open(&self.place, path, base)?;
        if base != self.timeline.current() {
            let detail = format!(
                "continues {base}, but the log before it ends at {}",
                self.timeline.current()
            );
            return Err(reader.corrupt(0, &detail));
        }
        loop {
            let at = reader.offset;
            match reader.next()? {
                Next::Record(record) => {
                    let fits = match record {
                        Record::Start(start) => at == 0 && start == base,
                        record => at > 0 && self.apply(record),
                    };
                    if !fits {
                        return Err(reader.corrupt(at, "record out of place"));
                    }
                }
                Next::End if at > 0 => break,
                Next::Bad | Next::End if !is_last => return Err(reader.corrupt(at, BAD_RECORD)),
                Next::Bad | Next::End => {
                    if record::vouched(&reader.tail(at)?, at) {
                        return Err(reader.corrupt(at, BAD_RECORD));
                    }
                    let path = reader.segment.path.display();
                    tracing::warn!(%path, offset = at, "cut a write that a crash left unfinished");
                    break;
                }
            }
        }
        let whole = reader.offset > 0;
        if whole {
            self.segments.push(Segment {
                len: reader.offset,
                ..reader.segment
            });
        }
        Ok(whole)
    }

    /// Whether the record can follow what was read so far.
    fn apply(&mut self, record: Record) -> bool {
        match record {
            Record::Commit(revision, ops, lifetimes)
                if revision == self.timeline.current().next() =>
            {
                let mut draft = self.timeline.take_draft();
                draft.revision = revision;
                ops.into_iter().for_each(|op| draft.apply(op));
                self.timeline.publish(draft);
                self.deadlines.extend(lifetimes);
                let slack = self.retention.changes / 16;
                if self.timeline.depth() > self.retention.changes.saturating_add(slack)
                    && let Some(upto) = self.timeline.excess(self.retention.changes)
                {
                    self.timeline.forget(upto);
                }
                true
            }
            Record::Compacted(at) if at <= self.timeline.current() => {
                self.timeline.forget(at);
                true
            }
            Record::Sealed => true,
            _ => false,
        }
    }
}

/// A snapshot took its name when it was complete, so nothing about it may be wrong.
fn load(reader: &mut Reader) -> Result<State, StoreError> {
    let (mut tree, mut deadlines) = (Tree::default(), Deadlines::default());
    let mut base = None;
    loop {
        let at = reader.offset;
        match (reader.next()?, base) {
            (Next::Record(Record::Start(start)), None) => base = Some(start),
            (Next::Record(Record::Entry(kv, deadline)), Some(_)) => {
                if deadline.is_some() {
                    deadlines.set(kv.key.clone(), deadline);
                }
                tree.insert(kv.into());
            }
            (Next::Record(Record::Sealed), Some(revision)) => {
                return Ok(State {
                    tree,
                    deadlines,
                    revision,
                });
            }
            (Next::Record(_), _) => return Err(reader.corrupt(at, "record out of place")),
            (Next::End, _) => return Err(reader.corrupt(at, "the snapshot is cut short")),
            (Next::Bad, _) => return Err(reader.corrupt(at, BAD_RECORD)),
        }
    }
}

const BAD_RECORD: &str = "the record fails its checksum";

/// Reads one file record by record.
struct Reader {
    place: Place,
    segment: Segment,
    input: BufReader<Box<dyn Read + Send>>,
    /// Where the next record begins.
    offset: u64,
}

enum Next {
    Record(Record),
    /// The file ends where a record does.
    End,
    /// No record is here, whatever is.
    Bad,
}

impl Reader {
    fn open(place: &Place, path: PathBuf, base: Revision) -> Result<Self, StoreError> {
        let opened = place.files.read(&path);
        let (input, len) = opened.map_err(|error| StoreError::io("open", &path, &error))?;
        Ok(Reader {
            place: place.clone(),
            segment: Segment { path, base, len },
            input: BufReader::with_capacity(1 << 20, input),
            offset: 0,
        })
    }

    fn next(&mut self) -> Result<Next, StoreError> {
        let rest = self.segment.len - self.offset;
        if rest == 0 {
            return Ok(Next::End);
        }
        if rest < HEADER as u64 {
            return Ok(Next::Bad);
        }
        let mut head = [0; HEADER];
        self.fill(&mut head)?;
        let Some((length, crc)) = record::header(&head) else {
            return Ok(Next::Bad);
        };
        let whole = (HEADER + length) as u64;
        if rest < whole {
            return Ok(Next::Bad);
        }
        let mut body = vec![0; length];
        self.fill(&mut body)?;
        if !record::is_whole(&body, crc) {
            return Ok(Next::Bad);
        }
        let Some(record) = record::decode(Bytes::from(body)) else {
            return Err(self.corrupt(self.offset, "not a record of this version of the format"));
        };
        self.offset += whole;
        Ok(Next::Record(record))
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), StoreError> {
        self.input
            .read_exact(into)
            .map_err(|error| self.failed(&error))
    }

    /// The bytes of the file from an offset on.
    fn tail(&self, offset: u64) -> Result<Vec<u8>, StoreError> {
        let read = |path: &Path| {
            let (mut input, _) = self.place.files.read(path)?;
            io::copy(&mut (&mut input).take(offset), &mut io::sink())?;
            let mut tail = Vec::new();
            input.read_to_end(&mut tail)?;
            Ok(tail)
        };
        read(&self.segment.path).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> StoreError {
        StoreError::io("read", &self.segment.path, error)
    }

    fn corrupt(&self, offset: u64, detail: &str) -> StoreError {
        let path = self.segment.path.clone();
        StoreError::Corrupt {
            path,
            offset,
            detail: detail.to_owned(),
        }
    }
}
