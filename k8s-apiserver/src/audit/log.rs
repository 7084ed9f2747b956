//! Events as lines of JSON in a file that only its owner may read.
//!
//! Requests never wait for the disk: events go through a bounded queue to one writer, which writes
//! what has gathered at once. What finds the queue full is lost, and counted as lost.

use std::{
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use tokio::{
    fs::{File, OpenOptions},
    io::AsyncWriteExt,
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{Event, Sink};

/// How many events wait to be written.
const QUEUE: usize = 10_000;
/// How many are written at once.
const BATCH: usize = 512;

/// Where events go; clones write to the same file.
#[derive(Clone, Debug)]
pub struct Log(mpsc::Sender<Vec<u8>>);

/// Writes the events of a [`Log`].
#[derive(Debug)]
pub struct LogWriter {
    lines: mpsc::Receiver<Vec<u8>>,
    file: File,
    path: PathBuf,
}

impl Log {
    /// Opens a file to append to, and makes it if it isn't there; `-` is standard output. Nothing is
    /// written until the writer [runs](LogWriter::run).
    pub async fn open(path: &Path) -> io::Result<(Log, LogWriter)> {
        let file = match path.to_str() {
            Some("-") => std::fs::File::from(io::stdout().as_fd().try_clone_to_owned()?).into(),
            _ => {
                let mut options = OpenOptions::new();
                options.append(true).create(true).mode(0o600);
                options.open(path).await?
            }
        };
        let (sender, lines) = mpsc::channel(QUEUE);
        let writer = LogWriter {
            lines,
            file,
            path: path.to_owned(),
        };
        Ok((Log(sender), writer))
    }
}

impl Sink for Log {
    fn keep(&self, event: &Event) -> bool {
        let Ok(mut line) = serde_json::to_vec(event) else {
            return false;
        };
        line.push(b'\n');
        self.0.try_send(line).is_ok()
    }
}

impl LogWriter {
    /// Writes until the last clone of the log is gone, or until cancelled and everything that waits
    /// then is written.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut batch = Vec::new();
        loop {
            let count = tokio::select! {
                biased;
                count = self.lines.recv_many(&mut batch, BATCH) => count,
                () = cancel.cancelled(), if !self.lines.is_closed() => {
                    self.lines.close();
                    continue;
                }
            };
            if count == 0 {
                return;
            }
            if let Err(error) = self.write(&batch.concat()).await {
                let path = self.path.display();
                tracing::error!(%error, %path, count, "cannot write audit events");
            }
            batch.clear();
        }
    }

    async fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines).await?;
        self.file.flush().await
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use jiff::Timestamp;

    use super::*;
    use crate::{RequestInfo, audit::Level};

    fn event(id: usize) -> Event {
        let uri = "/api/v1/namespaces/a/secrets/s".parse().unwrap();
        let info = RequestInfo::parse(&http::Method::GET, &uri).unwrap();
        Event::new(
            Level::Metadata,
            &id.to_string(),
            &info,
            Timestamp::UNIX_EPOCH,
        )
    }

    #[tokio::test]
    async fn what_waits_is_written_before_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let (log, writer) = Log::open(&path).await.unwrap();
        for id in 0..1000 {
            assert!(log.keep(&event(id)));
        }
        let cancel = CancellationToken::new();
        cancel.cancel();
        writer.run(cancel).await;
        assert!(!log.keep(&event(1000)), "the writer is gone");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 1000);
        let first = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"0","stage":"RequestReceived","#;
        assert!(text.starts_with(first), "{text}");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_full_queue_loses_events_and_says_so() {
        let directory = tempfile::tempdir().unwrap();
        let (log, _writer) = Log::open(&directory.path().join("log")).await.unwrap();
        let kept = (0..QUEUE + 5).filter(|id| log.keep(&event(*id))).count();
        assert_eq!(kept, QUEUE);
    }
}
