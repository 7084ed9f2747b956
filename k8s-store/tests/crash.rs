//! kill -9 in the middle of writing: what was acknowledged is there, nothing is half there, and
//! revisions go on where they were.
//!
//! The test runs itself as a child that writes and reports each acknowledgement, kills it at a
//! random moment, opens what it left behind, and lets the next child go on from there.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use k8s_store::{
    Op, Range, Retention, Store, Txn, TxnOutcome,
    embedded::{EmbeddedOptions, EmbeddedStore},
};

const CHILD_DIR: &str = "K8S_STORE_CRASH_DIR";
const WRITERS: usize = 16;
const KILLS: u64 = 12;

/// Small segments and eager rewrites, so that kills hit those too.
const OPTIONS: EmbeddedOptions = EmbeddedOptions {
    retention: Retention {
        age: Duration::from_secs(300),
        changes: 1_000,
    },
    segment_bytes: 64 << 10,
    rewrite_bytes: 128 << 10,
};

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match env::var_os(CHILD_DIR) {
        Some(dir) => runtime.block_on(write_for_ever(Path::new(&dir))),
        None => {
            let dir = tempfile::tempdir().expect("a directory");
            let mut acknowledged = BTreeMap::new();
            for round in 0..KILLS {
                kill_one(dir.path(), round, &mut acknowledged);
                runtime.block_on(check(dir.path(), &mut acknowledged));
            }
            let writes: u64 = acknowledged.values().map(|ack| ack.step).sum();
            println!(
                "kill -9: {KILLS} kills, about {writes} writes, nothing acknowledged was lost"
            );
        }
    }
}

/// The last that a writer is known to have written.
#[derive(Clone, Copy, Debug, Default)]
struct Ack {
    step: u64,
    revision: u64,
}

/// The child: each writer counts up two keys in one transaction and says so.
async fn write_for_ever(dir: &Path) {
    let store = Arc::new(
        EmbeddedStore::open_with(dir, OPTIONS)
            .await
            .expect("it opens"),
    );
    let tasks: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(count(Arc::clone(&store), writer)))
        .collect();
    for task in tasks {
        task.await.expect("a writer only ends with the process");
    }
}

async fn count(store: Arc<EmbeddedStore>, writer: usize) {
    let keys = ["a", "b"].map(|side| Bytes::from(format!("/{side}/{writer:02}")));
    let (found, _) = store.get(&keys[0]).await.expect("readable");
    let begin = found.map_or(0, |kv| parse(&kv.value));
    for step in begin + 1.. {
        let value = Bytes::from(format!("{step} {}", "x".repeat(step as usize % 700)));
        let put = |key: &Bytes| Op::Put {
            key: key.clone(),
            value: value.clone(),
        };
        let txn = Txn {
            ops: keys.iter().map(put).collect(),
            ..Txn::default()
        };
        match store.commit(txn).await.expect("a write") {
            TxnOutcome::Committed(revision) => println!("{writer} {step} {revision}"),
            TxnOutcome::Conflict(_) => unreachable!("nothing was compared"),
        }
    }
}

fn parse(value: &[u8]) -> u64 {
    let text = std::str::from_utf8(value).expect("text");
    text.split(' ')
        .next()
        .and_then(|step| step.parse().ok())
        .expect("a number")
}

/// Lets a child write, kills it, and notes what it said.
fn kill_one(dir: &Path, round: u64, acknowledged: &mut BTreeMap<usize, Ack>) {
    let mut child = Command::new(env::current_exe().expect("a path"))
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let (started, heard) = mpsc::channel();
    let listener = thread::spawn(move || {
        let mut acks = Vec::new();
        // The last line may be cut short by the kill.
        for line in output.lines().map_while(Result::ok) {
            let numbers: Vec<u64> = line
                .split(' ')
                .map_while(|word| word.parse().ok())
                .collect();
            if let [writer, step, revision] = numbers[..] {
                acks.push((writer as usize, Ack { step, revision }));
                let _ = started.send(());
            }
        }
        acks.pop();
        acks
    });
    heard
        .recv_timeout(Duration::from_secs(30))
        .expect("the child writes");
    let begun = Instant::now();
    let pause = Duration::from_millis(20 + round * 137 % 400);
    thread::sleep(pause.saturating_sub(begun.elapsed()));
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
    for (writer, ack) in listener.join().expect("a listener") {
        let known = acknowledged.entry(writer).or_default();
        assert!(
            known.revision < ack.revision,
            "revision {} came twice",
            ack.revision
        );
        *known = ack;
    }
}

async fn check(dir: &Path, acknowledged: &mut BTreeMap<usize, Ack>) {
    let store = EmbeddedStore::open_with(dir, OPTIONS)
        .await
        .expect("it opens after a kill");
    let page = store.range(Range::default()).await.expect("readable");
    let state: BTreeMap<_, _> = page.items.iter().map(|kv| (kv.key.clone(), kv)).collect();
    for (writer, ack) in acknowledged {
        let [a, b] = ["a", "b"].map(|side| state[&Bytes::from(format!("/{side}/{writer:02}"))]);
        let (found, revision) = (parse(&a.value), a.modified.0);
        assert!(
            found >= ack.step,
            "writer {writer}: {} acknowledged, {found} found",
            ack.step
        );
        assert!(revision >= ack.revision && revision <= page.revision.0);
        assert_eq!(
            (&a.value, a.modified),
            (&b.value, b.modified),
            "half a transaction"
        );
        // What was read once must stay, acknowledged or not.
        *ack = Ack {
            step: found,
            revision,
        };
    }
    store.close().await;
}
