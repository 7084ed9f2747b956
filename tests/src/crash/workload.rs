//! Writers whose every transaction tells who wrote it and when, and watchers that tell what they see.
//!
//! A writer's step is one transaction over three keys: two get the same value, the third gets it too
//! or, every seventh time, is deleted. So a step says all about the state that it leaves.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use futures::StreamExt;
use k8s_store::{
    Compare, Event, Op, Revision, Store, StoreError, Txn, TxnOutcome, WatchItem, WatchStream,
};
use tokio::{sync::watch, task::JoinSet};

/// Writers at the same time.
pub(crate) const WRITERS: u64 = 16;

/// What each watcher watches. Every step touches each.
pub(crate) const WATCHED: [&str; 2] = ["/", "/c/"];

/// How long a run may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How far writers may be ahead of the slowest watcher: less than the history that is kept.
const LEAD: u64 = 100;

/// One transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) writer: u64,
    /// From 1 on.
    pub(crate) number: u64,
}

/// What happened, as one line of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A write was acknowledged.
    Acknowledged(Step, Revision),
    /// A write was refused.
    Refused(Step),
    /// A watcher saw a step.
    Seen(usize, Step, Revision),
}

/// Who is told; what it says ends the run.
pub(crate) type Ear = Arc<dyn Fn(Word) -> Result<()> + Send + Sync>;

impl Step {
    /// The state that it leaves, in the order of its writes.
    pub(crate) fn state(self) -> [(Bytes, Option<Bytes>); 3] {
        let Step { writer, number } = self;
        let value = Bytes::from(format!(
            "{writer} {number} {}",
            "x".repeat(number as usize * 31 % 300)
        ));
        let rests = (!number.is_multiple_of(7)).then(|| value.clone());
        [
            ("/a/", Some(value.clone())),
            ("/b/", Some(value)),
            ("/c/", rests),
        ]
        .map(|(prefix, value)| (Bytes::from(format!("{prefix}{writer:02}")), value))
    }

    fn before(self) -> Option<Step> {
        let number = self.number.checked_sub(1).filter(|number| *number > 0)?;
        Some(Step { number, ..self })
    }

    /// The step that a value tells of.
    pub(crate) fn parse(value: &[u8]) -> Result<Step> {
        let mut words = std::str::from_utf8(value)?.split(' ');
        let mut number = || Ok::<u64, anyhow::Error>(words.next().context("too short")?.parse()?);
        let (writer, number) = (number()?, number()?);
        Ok(Step { writer, number })
    }
}

/// Writes and watches until the store fails or `until` happens. Watchers begin after `seen`.
pub(crate) async fn run(
    store: Arc<dyn Store>,
    seen: [Revision; WATCHED.len()],
    until: impl Future<Output = ()>,
    ear: &Ear,
) -> Result<()> {
    let mut tasks = JoinSet::new();
    let progress = seen.map(|at| watch::Sender::new(at.0));
    let slowest = progress.each_ref().map(watch::Sender::subscribe);
    for (watcher, (seen, progress)) in seen.into_iter().zip(progress).enumerate() {
        let mut stream = store.watch(Bytes::from(WATCHED[watcher]), seen).await?;
        let ear = Arc::clone(ear);
        tasks.spawn(async move {
            while let Some((step, at)) = next(&mut stream, watcher).await? {
                ear(Word::Seen(watcher, step, at))?;
                progress.send_replace(at.0);
            }
            Ok(())
        });
    }
    for writer in 0..WRITERS {
        tasks.spawn(write(
            Arc::clone(&store),
            writer,
            slowest.clone(),
            Arc::clone(ear),
        ));
    }
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    };
    let ended = tokio::select! {
        ended = all => ended,
        () = until => Ok(()),
        () = tokio::time::sleep(PATIENCE) => bail!("it neither goes on nor fails"),
    };
    tasks.shutdown().await;
    ended
}

/// One writer: goes on behind what it finds, and tries again what is refused.
async fn write(
    store: Arc<dyn Store>,
    writer: u64,
    mut watchers: [watch::Receiver<u64>; WATCHED.len()],
    ear: Ear,
) -> Result<()> {
    let key = Bytes::from(format!("/a/{writer:02}"));
    let (found, _) = store.get(&key).await?;
    let (mut number, mut at) = match found {
        Some(kv) => (Step::parse(&kv.value)?.number, Some(kv.modified)),
        None => (0, None),
    };
    loop {
        let step = Step {
            writer,
            number: number + 1,
        };
        let compare = match at {
            None => Compare::Absent(key.clone()),
            Some(at) => Compare::Modified(key.clone(), at),
        };
        let ops = step.state().map(|(key, value)| match value {
            Some(value) => Op::Put { key, value },
            None => Op::Delete { key },
        });
        let txn = Txn {
            compares: vec![compare],
            ops: ops.into(),
        };
        match store.commit(txn).await {
            Ok(TxnOutcome::Committed(revision)) => {
                ear(Word::Acknowledged(step, revision))?;
                (number, at) = (step.number, Some(revision));
                for watcher in &mut watchers {
                    let near = |seen: &u64| seen + LEAD > revision.0;
                    if watcher.wait_for(near).await.is_err() {
                        return Ok(()); // its watch has ended with the store
                    }
                }
            }
            Ok(TxnOutcome::Conflict(found)) => {
                bail!("{step:?} behind {at:?} lost to {found:?}, which nobody else writes")
            }
            Err(StoreError::Closed) => return Ok(()),
            Err(
                StoreError::Full { .. } | StoreError::Io { .. } | StoreError::Unconfirmed { .. },
            ) => {
                ear(Word::Refused(step))?;
                tokio::task::yield_now().await;
            }
            Err(error) => return Err(error).with_context(|| format!("{step:?}")),
        }
    }
}

/// The next step that a watcher sees, which must be whole; `None` when the store has closed.
pub(crate) async fn next(
    stream: &mut WatchStream,
    watcher: usize,
) -> Result<Option<(Step, Revision)>> {
    loop {
        match stream.next().await {
            Some(Ok(WatchItem::Events(revision, events))) => {
                let step = understand(&events, WATCHED[watcher])
                    .with_context(|| format!("watcher {watcher} at {revision}: {events:?}"))?;
                return Ok(Some((step, revision)));
            }
            Some(Ok(WatchItem::Progress(_))) => {}
            Some(Err(StoreError::Closed)) | None => return Ok(None),
            Some(Err(error)) => return Err(error).context("a watcher can't go on"),
        }
    }
}

/// The step that these events are, all of them and with what was there before.
fn understand(events: &[Event], prefix: &str) -> Result<Step> {
    let told = match events.first().context("no events")? {
        Event::Put { current, .. } => Step::parse(&current.value)?,
        Event::Delete { previous, .. } => {
            let Step { writer, number } = Step::parse(&previous.value)?;
            let number = number + 1;
            Step { writer, number }
        }
    };
    let here = |step: Step| {
        step.state()
            .into_iter()
            .filter(|(key, _)| key.starts_with(prefix.as_bytes()))
    };
    let before: Vec<_> = told.before().into_iter().flat_map(here).collect();
    let expected = here(told).enumerate().map(|(index, (key, value))| {
        let previous = before.get(index).and_then(|(_, value)| value.clone());
        (key, value, previous)
    });
    let found = events.iter().map(|event| match event {
        Event::Put { current, previous } => {
            let previous = previous.as_ref().map(|kv| kv.value.clone());
            (current.key.clone(), Some(current.value.clone()), previous)
        }
        Event::Delete { previous, .. } => {
            (previous.key.clone(), None, Some(previous.value.clone()))
        }
    });
    ensure!(expected.eq(found), "not what {told:?} does");
    Ok(told)
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::Acknowledged(Step { writer, number }, at) => {
                write!(f, "ack {writer} {number} {at}")
            }
            Word::Refused(Step { writer, number }) => write!(f, "refused {writer} {number}"),
            Word::Seen(watcher, Step { writer, number }, at) => {
                write!(f, "seen {writer} {number} {at} {watcher}")
            }
        }
    }
}

impl FromStr for Word {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Word> {
        let mut words = line.split(' ');
        let kind = words.next().context("an empty line")?;
        let numbers = words.map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        let step = |writer, number| Step { writer, number };
        match (kind, &numbers[..]) {
            ("ack", &[writer, number, at]) => {
                Ok(Word::Acknowledged(step(writer, number), Revision(at)))
            }
            ("refused", &[writer, number]) => Ok(Word::Refused(step(writer, number))),
            ("seen", &[writer, number, at, watcher]) => Ok(Word::Seen(
                watcher as usize,
                step(writer, number),
                Revision(at),
            )),
            _ => bail!("not a word: {line}"),
        }
    }
}
