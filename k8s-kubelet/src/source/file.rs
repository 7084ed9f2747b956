//! Static pods: those that are defined by files on the node, and run with or without the API.
//!
//! The directory is read when something in it changes, and now and then. A file that defines no pod is left out and
//! said so; the others run.

use std::{
    collections::BTreeMap, fs, io, os::unix::fs::MetadataExt, path::PathBuf, sync::Arc,
    time::Duration,
};

use k8s_openapi::api::core::v1::Pod;
use k8s_runtime::Clock;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{annotation, manifest};
use crate::event::Event;

/// How often it is looked at whether the files have changed.
const LOOK: Duration = Duration::from_secs(1);

/// A file: its path, inode, and when it was changed, in seconds and nanoseconds.
type Trace = (PathBuf, u64, (i64, i64));

/// A directory of manifests.
pub(crate) struct Manifests {
    /// The directory, or a single file.
    pub(crate) path: PathBuf,
    /// The node that the pods are for.
    pub(crate) node: String,
    /// How often it is read although nothing seems to have changed.
    pub(crate) interval: Duration,
    /// Tells when a pod was first seen.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Manifests {
    /// Announces all static pods, again whenever they may have changed, until cancelled.
    pub(crate) async fn run(self, events: mpsc::Sender<Event>, cancel: CancellationToken) {
        let work = async {
            let mut seen = BTreeMap::new();
            loop {
                // Looked at first: what changes while it is read is read again.
                let traces = self.traces();
                match self.read(&mut seen) {
                    Ok(pods) => {
                        if events.send(Event::Static(pods)).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        let path = self.path.display();
                        tracing::warn!(%path, %error, "static pods can't be read");
                    }
                }
                let changed = async {
                    while self.traces() == traces {
                        tokio::time::sleep(LOOK).await;
                    }
                };
                let _ = tokio::time::timeout(self.interval, changed).await;
            }
        };
        cancel.run_until_cancelled(work).await;
    }

    /// What changes with the files, cheap to look at.
    fn traces(&self) -> Vec<Trace> {
        let trace = |path: PathBuf| {
            let meta = fs::metadata(&path).ok()?;
            let changed = (meta.ctime(), meta.ctime_nsec());
            Some((path, meta.ino(), changed))
        };
        let files = self.files().unwrap_or_default();
        files.into_iter().filter_map(trace).collect()
    }

    /// The files that may define pods; none if there is no such directory.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
            Ok(meta) if meta.is_file() => vec![self.path.clone()],
            Ok(_) => fs::read_dir(&self.path)?
                .map(|entry| Ok(entry?.path()))
                .collect::<io::Result<_>>()?,
        };
        files.retain(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with('.') && file.is_file()
        });
        files.sort();
        Ok(files)
    }

    /// All pods. `seen` remembers when each was first seen.
    fn read(&self, seen: &mut BTreeMap<String, String>) -> io::Result<Vec<Arc<Pod>>> {
        let mut pods = Vec::new();
        for file in self.files()? {
            let path = file.to_string_lossy();
            let text = match fs::read(&file) {
                Ok(text) => text,
                Err(error) => {
                    tracing::warn!(%path, %error, "manifest can't be read");
                    continue;
                }
            };
            match manifest::parse(&text, &path, &self.node) {
                Ok(mut pod) => {
                    let uid = pod.metadata.uid.clone().unwrap_or_default();
                    let first = seen
                        .entry(uid)
                        .or_insert_with(|| self.clock.now().to_string());
                    let annotations = pod.metadata.annotations.get_or_insert_default();
                    annotations.insert(annotation::SEEN.into(), first.clone());
                    pods.push(Arc::new(pod));
                }
                Err(error) => tracing::warn!(%path, %error, "manifest defines no pod"),
            }
        }
        seen.retain(|uid, _| {
            let mut uids = pods.iter().map(|pod| pod.metadata.uid.as_deref());
            uids.any(|other| other == Some(uid))
        });
        Ok(pods)
    }
}

#[cfg(test)]
mod tests {
    use k8s_runtime::SystemClock;

    use super::*;

    const POD: &str = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"NAME\"},\
                       \"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\"}]}}";

    #[tokio::test]
    async fn files_come_and_go_and_broken_ones_hold_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(dir.path().join(file), text).unwrap();
        write("a.yaml", &POD.replace("NAME", "a"));
        write("broken.yaml", "kind: [");
        write(".hidden.yaml", &POD.replace("NAME", "hidden"));
        let manifests = Manifests {
            path: dir.path().to_owned(),
            node: "n".into(),
            interval: Duration::from_secs(3600),
            clock: Arc::new(SystemClock),
        };
        let (sender, mut events) = mpsc::channel(1);
        let cancel = CancellationToken::new();
        let running = tokio::spawn(manifests.run(sender, cancel.clone()));
        let mut until = async |expected: &str| {
            let waiting = async {
                while let Some(Event::Static(pods)) = events.recv().await {
                    let names: Vec<_> = pods
                        .iter()
                        .map(|pod| pod.metadata.name.as_deref().unwrap())
                        .collect();
                    if names.join(" ") == expected {
                        return;
                    }
                }
                panic!("no more static pods");
            };
            let waited = tokio::time::timeout(Duration::from_secs(20), waiting).await;
            waited.unwrap_or_else(|_| panic!("never {expected:?}"));
        };
        until("a-n").await;
        write("b.yaml", &POD.replace("NAME", "b"));
        until("a-n b-n").await;
        fs::remove_file(dir.path().join("a.yaml")).unwrap();
        until("b-n").await;
        cancel.cancel();
        running.await.unwrap();
    }
}
