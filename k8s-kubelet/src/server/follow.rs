//! Reading a container's log file, from some place on, to its end or for as long as it grows.

use std::{os::unix::fs::MetadataExt, path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::{
    fs::File,
    io::{AsyncBufReadExt, AsyncReadExt, AsyncSeekExt, BufReader, SeekFrom},
    sync::mpsc,
};

use super::log::{Line, Stream};

/// How often a file that is followed is looked at.
const POLL: Duration = Duration::from_millis(100);
/// Text is handed on in pieces of about this size.
const CHUNK: usize = 32 * 1024;
/// Steps in which the beginning of the last lines is searched for.
const BLOCK: u64 = 64 * 1024;

/// Which lines are shown, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) since: Option<Timestamp>,
    pub(super) timestamps: bool,
    pub(super) limit: Option<u64>,
    pub(super) stream: Option<Stream>,
}

impl Filter {
    pub(super) fn stream(name: &str) -> Result<Option<Stream>, String> {
        match name {
            "" | "All" => Ok(None),
            "Stdout" => Ok(Some(Stream::Stdout)),
            "Stderr" => Ok(Some(Stream::Stderr)),
            other => Err(format!("invalid stream: \"{other}\"")),
        }
    }

    /// Appends what is shown of a line. `is_start` says whether the line begins a new text.
    fn show(&self, line: &Line<'_>, is_start: bool, out: &mut Vec<u8>) {
        if self.stream.is_some_and(|wanted| wanted != line.stream) {
            return;
        }
        if let Some(since) = self.since
            && line
                .time
                .parse::<Timestamp>()
                .is_ok_and(|time| time < since)
        {
            return;
        }
        if self.timestamps && is_start {
            out.extend_from_slice(line.time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(line.content);
        if !line.is_partial {
            out.push(b'\n');
        }
    }
}

/// Hands on a log file's text.
pub(super) struct Follower<F> {
    pub(super) path: PathBuf,
    pub(super) filter: Filter,
    pub(super) tail_lines: Option<u64>,
    /// Set when the file is to be followed for as long as the container runs.
    pub(super) is_running: Option<Arc<F>>,
}

impl<F: Fn() -> bool + Send + Sync + 'static> Follower<F> {
    /// Reads until the end, the limit, or the reader's leave.
    pub(super) async fn run(self, sender: mpsc::Sender<Bytes>) {
        if let Err(error) = self.read(&sender).await {
            let message = format!(
                "failed to try resolving symlinks in path \"{}\": {error}\n",
                self.path.display()
            );
            let _ = sender.send(message.into()).await;
        }
    }

    async fn read(&self, sender: &mpsc::Sender<Bytes>) -> std::io::Result<()> {
        let mut file = File::open(&self.path).await?;
        let start = match self.tail_lines {
            Some(lines) => start_of_last(&mut file, lines).await?,
            None => 0,
        };
        let mut inode = file.metadata().await?.ino();
        let mut position = file.seek(SeekFrom::Start(start)).await?;
        let mut reader = BufReader::new(file);
        let mut out = Vec::new();
        let mut sent = 0;
        let mut line = Vec::new();
        let mut is_start = true;
        loop {
            // Asked before the read: what was written before the end is read for sure.
            let goes_on = self
                .is_running
                .as_ref()
                .is_some_and(|is_running| is_running());
            loop {
                let read = reader.read_until(b'\n', &mut line).await?;
                if read == 0 || !line.ends_with(b"\n") {
                    break;
                }
                position += line.len() as u64;
                if let Some(parsed) = Line::parse(&line) {
                    self.filter.show(&parsed, is_start, &mut out);
                    is_start = !parsed.is_partial;
                }
                line.clear();
                if out.len() >= CHUNK && !self.send(&mut out, &mut sent, sender).await {
                    return Ok(());
                }
            }
            if !self.send(&mut out, &mut sent, sender).await || !goes_on {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = sender.closed() => return Ok(()),
            }
            // After a rotation the name leads to another file.
            let current = tokio::fs::metadata(&self.path).await;
            if let Ok(current) = current
                && (current.ino() != inode || current.len() < position)
            {
                reader = BufReader::new(File::open(&self.path).await?);
                (inode, position) = (current.ino(), 0);
                line.clear();
            }
        }
    }

    /// Sends what has come together; false once nobody wants more.
    async fn send(&self, out: &mut Vec<u8>, sent: &mut u64, sender: &mpsc::Sender<Bytes>) -> bool {
        let left = self.filter.limit.map_or(u64::MAX, |limit| limit - *sent);
        out.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        *sent += out.len() as u64;
        let is_full = self.filter.limit == Some(*sent);
        if out.is_empty() {
            return !is_full && !sender.is_closed();
        }
        let chunk = Bytes::from(std::mem::take(out));
        sender.send(chunk).await.is_ok() && !is_full
    }
}

/// Where the last `lines` lines begin.
async fn start_of_last(file: &mut File, lines: u64) -> std::io::Result<u64> {
    let length = file.metadata().await?.len();
    if lines == 0 {
        return Ok(length);
    }
    let mut end = length;
    let mut found = 0;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start)).await?;
        block.clear();
        (&mut *file)
            .take(end - start)
            .read_to_end(&mut block)
            .await?;
        for (i, byte) in block.iter().enumerate().rev() {
            let at = start + i as u64;
            // The feed at the very end closes the last line.
            if *byte == b'\n' && at + 1 != length {
                found += 1;
                if found == lines {
                    return Ok(at + 1);
                }
            }
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LOG: &str = "\
2024-01-01T00:00:01.0Z stdout F one
2024-01-01T00:00:02.0Z stderr F two
2024-01-01T00:00:03.0Z stdout P thr
2024-01-01T00:00:03.5Z stdout F ee
2024-01-01T00:00:04.0Z stdout F four
";

    async fn read(filter: Filter, tail_lines: Option<u64>) -> String {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(LOG.as_bytes()).unwrap();
        let follower = Follower {
            path: file.path().to_owned(),
            filter,
            tail_lines,
            is_running: None::<Arc<fn() -> bool>>,
        };
        let (sender, mut receiver) = mpsc::channel(100);
        follower.run(sender).await;
        let mut text = Vec::new();
        while let Some(chunk) = receiver.recv().await {
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn parts_of_a_line_come_together() {
        assert_eq!(
            read(Filter::default(), None).await,
            "one\ntwo\nthree\nfour\n"
        );
    }

    #[tokio::test]
    async fn filters_choose_lines() {
        let filter = Filter::default;
        assert_eq!(read(filter(), Some(1)).await, "four\n");
        assert_eq!(read(filter(), Some(0)).await, "");
        assert_eq!(read(filter(), Some(99)).await, "one\ntwo\nthree\nfour\n");
        let since = Filter {
            since: "2024-01-01T00:00:03Z".parse().ok(),
            ..filter()
        };
        assert_eq!(read(since, None).await, "three\nfour\n");
        let stderr = Filter {
            stream: Some(Stream::Stderr),
            ..filter()
        };
        assert_eq!(read(stderr, None).await, "two\n");
        let limited = Filter {
            limit: Some(6),
            ..filter()
        };
        assert_eq!(read(limited, None).await, "one\ntw");
        let dated = Filter {
            timestamps: true,
            ..filter()
        };
        assert_eq!(read(dated, Some(1)).await, "2024-01-01T00:00:04.0Z four\n");
    }

    #[tokio::test]
    async fn a_followed_file_is_read_until_its_container_ends() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let (running, is_running) = (Arc::new(std::sync::atomic::AtomicBool::new(true)), ());
        let () = is_running;
        let flag = running.clone();
        let follower = Follower {
            path: file.path().to_owned(),
            filter: Filter::default(),
            tail_lines: None,
            is_running: Some(Arc::new(move || {
                flag.load(std::sync::atomic::Ordering::SeqCst)
            })),
        };
        let (sender, mut receiver) = mpsc::channel(100);
        let task = tokio::spawn(follower.run(sender));
        file.write_all(b"2024-01-01T00:00:01.0Z stdout F one\n2024")
            .unwrap();
        assert_eq!(receiver.recv().await.unwrap(), "one\n");
        file.write_all(b"-01-01T00:00:02.0Z stdout F two\n")
            .unwrap();
        assert_eq!(receiver.recv().await.unwrap(), "two\n");
        running.store(false, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(receiver.recv().await, None);
        task.await.unwrap();
    }
}
