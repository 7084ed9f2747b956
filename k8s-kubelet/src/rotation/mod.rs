//! Log rotation: no container fills the disk by talking.
//!
//! A running container's log that has reached its size is renamed, the runtime opens a new one, and
//! what was rotated earlier is compressed; the oldest go. The sizes, counts and names are those of
//! Kubernetes' `containerLogMaxSize` and `containerLogMaxFiles`.

mod plan;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use self::plan::{COMPRESSED, UNFINISHED, plan};
use crate::agent::Agent;

/// How often sizes are looked at.
const INTERVAL: Duration = Duration::from_secs(10);

/// A log that has grown too large.
struct Overgrown {
    container_id: String,
    path: PathBuf,
}

/// Rotates the logs of this node's containers until cancelled.
pub(crate) async fn run(agent: Arc<Agent>, cancel: CancellationToken) {
    let work = async {
        loop {
            tokio::time::sleep(INTERVAL).await;
            for log in overgrown(&agent) {
                if let Err(error) = rotate(&agent, &log).await {
                    tracing::warn!(path = %log.path.display(), %error, "a log can't be rotated");
                }
            }
        }
    };
    cancel.run_until_cancelled(work).await;
}

/// The logs of running containers that have reached their size.
fn overgrown(agent: &Agent) -> Vec<Overgrown> {
    let config = &agent.config;
    let is_overgrown = |path: &Path| {
        fs::metadata(path).is_ok_and(|meta| meta.len() >= config.container_log_max_size)
    };
    let mut found = Vec::new();
    for uid in agent.pleg.uids() {
        let view = agent.pleg.view(&uid);
        let Some(sandbox) = view.sandboxes.first() else {
            continue;
        };
        let logs = config.pod_logs(&sandbox.namespace, &sandbox.name, &uid);
        for run in view.running() {
            let path = config.container_log(&logs, &run.name, run.restart_count);
            if is_overgrown(&path) {
                found.push(Overgrown {
                    container_id: run.id.clone(),
                    path,
                });
            }
        }
    }
    found
}

/// Makes room, puts the log aside, and has the runtime begin a new one. If it can't, the log stays
/// where it is.
async fn rotate(agent: &Agent, log: &Overgrown) -> io::Result<()> {
    let (path, max_files) = (log.path.clone(), agent.config.container_log_max_files);
    spawn_blocking(move || make_room(&path, max_files)).await??;
    let aside = aside(&log.path, agent.now());
    fs::rename(&log.path, &aside)?;
    if let Err(error) = agent.runtime.reopen_log(&log.container_id).await {
        fs::rename(&aside, &log.path)?;
        return Err(io::Error::other(error));
    }
    Ok(())
}

/// `0.log.20060102-150405`.
fn aside(log: &Path, now: Timestamp) -> PathBuf {
    with_ending(log, &now.strftime(".%Y%m%d-%H%M%S").to_string())
}

/// Removes a log that nobody writes any more, with all that was rotated out of it.
pub(crate) fn remove(log: &Path) -> io::Result<()> {
    make_room(log, 0)?;
    fs::remove_file(log)
}

/// Removes and compresses what was rotated before.
fn make_room(log: &Path, max_files: usize) -> io::Result<()> {
    let (Some(dir), Some(name)) = (log.parent(), log.file_name()) else {
        return Ok(());
    };
    let entries = fs::read_dir(dir)?.flatten();
    let files: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let plan = plan(&name.to_string_lossy(), &files, max_files);
    for name in plan.remove {
        fs::remove_file(dir.join(name))?;
    }
    for name in plan.compress {
        compress(&dir.join(name))?;
    }
    Ok(())
}

/// Replaces a file by its compressed form, which appears whole or not at all.
fn compress(path: &Path) -> io::Result<()> {
    let unfinished = with_ending(path, UNFINISHED);
    let mut encoder = GzEncoder::new(File::create(&unfinished)?, Compression::default());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?;
    fs::rename(&unfinished, with_ending(path, COMPRESSED))?;
    fs::remove_file(path)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_was_rotated_stays_readable() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("0.log");
        let aside = aside(&log, Timestamp::UNIX_EPOCH);
        fs::write(&aside, "a line\n").unwrap();
        make_room(&log, 5).unwrap();
        assert!(!aside.exists());
        let compressed = dir.path().join("0.log.19700101-000000.gz");
        let mut text = String::new();
        let mut decoder = GzDecoder::new(File::open(compressed).unwrap());
        decoder.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a line\n");

        fs::write(&log, "more\n").unwrap();
        remove(&log).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
