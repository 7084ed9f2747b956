//! Drivers make themselves known by a socket in a directory of the agent's, and go by removing it.
//!
//! The directory is watched; what is there is held against what is registered, so news that was missed
//! harms nothing. A driver that doesn't answer, or whom the API can't be told about, is asked again.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::inotify;
use tokio::net::unix::pipe::Receiver;
use tokio_util::sync::CancellationToken;

use super::{
    Drivers,
    api::registration::{
        InfoRequest, PluginInfo, RegistrationStatus, registration_client::RegistrationClient,
    },
    client::request,
    node_info::NodeInfo,
    path::REGISTRY,
};
use crate::socket;

/// How soon a driver that couldn't be registered is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// Sockets that appear without news, such as on file systems that tell none.
const LOOK: Duration = Duration::from_secs(30);

/// Registers drivers until cancelled.
pub(crate) async fn run(
    root: PathBuf,
    drivers: Arc<Drivers>,
    info: NodeInfo,
    cancel: CancellationToken,
) {
    let dir = root.join(REGISTRY);
    let mut registry = Registry {
        drivers,
        info,
        known: BTreeMap::new(),
    };
    let news = match watch(&dir) {
        Ok(news) => news,
        Err(error) => {
            tracing::error!(%error, path = %dir.display(), "storage drivers can't register");
            return;
        }
    };
    let work = async {
        loop {
            let pause = match registry.look(&dir).await {
                true => LOOK,
                false => RETRY,
            };
            let _ = tokio::time::timeout(pause, changed(&news)).await;
        }
    };
    cancel.run_until_cancelled(work).await;
}

/// A socket's file: another one of the same name is another driver, or the same one restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
}

/// What is registered, by socket.
struct Registry {
    drivers: Arc<Drivers>,
    info: NodeInfo,
    known: BTreeMap<PathBuf, (Stamp, String)>,
}

impl Registry {
    /// Registers what is new and forgets what is gone; says whether all went well.
    async fn look(&mut self, dir: &Path) -> bool {
        let found = sockets(dir);
        let (new, gone) = compare(&self.known, &found);
        let mut is_well = true;
        for socket in gone {
            let Some((_, name)) = self.known.remove(&socket) else {
                continue;
            };
            // It may have come back by another name of the socket, or be about to.
            let is_back = self.known.values().any(|(_, known)| *known == name);
            if !is_back && !found.contains_key(&socket) {
                self.drivers.remove(&name);
                is_well &= logged(&name, self.info.remove(&name).await);
            }
        }
        for socket in new {
            match self.register(&socket).await {
                Ok(name) => {
                    tracing::info!(driver = name, "storage driver registered");
                    self.known.insert(socket.clone(), (found[&socket], name));
                }
                Err(error) => {
                    tracing::warn!(%error, socket = %socket.display(), "storage driver not registered");
                    is_well = false;
                }
            }
        }
        is_well
    }

    async fn register(&self, socket: &Path) -> Result<String, String> {
        let mut client = RegistrationClient::new(socket::channel(socket.to_owned()));
        let asked = client.get_info(request(InfoRequest {})).await;
        let plugin = asked
            .map_err(|error| error.message().to_owned())?
            .into_inner();
        let name = plugin.name.clone();
        let outcome = self.admit(&plugin, socket).await;
        let status = RegistrationStatus {
            plugin_registered: outcome.is_ok(),
            error: outcome.clone().err().unwrap_or_default(),
        };
        let told = client.notify_registration_status(request(status)).await;
        told.map_err(|error| error.message().to_owned())?;
        outcome.map(|()| name)
    }

    async fn admit(&self, plugin: &PluginInfo, socket: &Path) -> Result<(), String> {
        validate(plugin)?;
        let endpoint = match plugin.endpoint.as_str() {
            "" => socket,
            endpoint => Path::new(endpoint),
        };
        let admitted = async {
            let driver = self.drivers.add(&plugin.name, endpoint).await;
            let driver = driver.map_err(|error| error.to_string())?;
            let info = driver.info().await.map_err(|error| error.to_string())?;
            let added = self.info.add(&plugin.name, &info).await;
            added.map_err(|error| error.to_string())
        };
        let admitted = admitted.await;
        if admitted.is_err() {
            self.drivers.remove(&plugin.name);
        }
        admitted
    }
}

fn logged(driver: &str, result: Result<(), kube::Error>) -> bool {
    if let Err(error) = &result {
        tracing::warn!(driver, %error, "the API isn't told that a storage driver is gone");
    }
    result.is_ok()
}

/// Whether the plugin is one that can be spoken to. In Kubernetes' words.
fn validate(plugin: &PluginInfo) -> Result<(), String> {
    if plugin.r#type != "CSIPlugin" {
        return Err(format!(
            "no handler registered for plugin type: {} at socket",
            plugin.r#type
        ));
    }
    let versions = &plugin.supported_versions;
    if versions.is_empty() {
        return Err(format!(
            "RegisterPlugin for CSI driver {:?} failed. Plugin returned an empty list for supported versions",
            plugin.name
        ));
    }
    let is_first =
        |version: &String| version.trim_start_matches('v').split('.').next() == Some("1");
    if !versions.iter().any(is_first) {
        return Err(format!(
            "RegisterPlugin for CSI driver {:?} failed. None of the versions specified {versions:?} are supported",
            plugin.name
        ));
    }
    Ok(())
}

/// What is new, and what is gone; a socket that was replaced is both.
fn compare(
    known: &BTreeMap<PathBuf, (Stamp, String)>,
    found: &BTreeMap<PathBuf, Stamp>,
) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let is_known = |(path, stamp): &(&PathBuf, &Stamp)| {
        known.get(*path).is_some_and(|(known, _)| known == *stamp)
    };
    let new = found.iter().filter(|entry| !is_known(entry));
    let gone = known
        .iter()
        .filter(|(path, (stamp, _))| found.get(*path) != Some(stamp));
    (
        new.map(|(path, _)| path.clone()).collect(),
        gone.map(|(path, _)| path.clone()).collect(),
    )
}

/// The sockets in a directory and those below it.
fn sockets(dir: &Path) -> BTreeMap<PathBuf, Stamp> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if meta.is_dir() && !is_hidden {
            found.extend(sockets(&entry.path()));
        } else if meta.file_type().is_socket() && !is_hidden {
            let stamp = Stamp {
                inode: meta.ino(),
                changed: (meta.ctime(), meta.ctime_nsec()),
            };
            found.insert(entry.path(), stamp);
        }
    }
    found
}

/// Watches the directory, which is made first.
fn watch(dir: &Path) -> io::Result<Receiver> {
    fs::create_dir_all(dir)?;
    let news = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
    let events = inotify::WatchFlags::CREATE
        | inotify::WatchFlags::DELETE
        | inotify::WatchFlags::MOVED_TO
        | inotify::WatchFlags::MOVED_FROM;
    inotify::add_watch(&news, dir, events)?;
    // Read like a pipe; there is nothing else that reads it.
    Receiver::from_owned_fd_unchecked(news)
}

/// Waits for news, and takes all there is.
async fn changed(news: &Receiver) {
    if news.readable().await.is_err() {
        return std::future::pending().await;
    }
    let mut buffer = [0; 4096];
    while news.try_read(&mut buffer).is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(r#type: &str, versions: &[&str]) -> PluginInfo {
        PluginInfo {
            r#type: r#type.into(),
            name: "d.example".into(),
            endpoint: String::new(),
            supported_versions: versions.iter().map(|&version| version.into()).collect(),
        }
    }

    #[test]
    fn drivers_of_the_first_version_are_taken() {
        assert_eq!(validate(&plugin("CSIPlugin", &["0.3.0", "v1.9.0"])), Ok(()));
        for (plugin, why) in [
            (plugin("DRAPlugin", &["1.0.0"]), "no handler registered"),
            (plugin("CSIPlugin", &[]), "empty list"),
            (plugin("CSIPlugin", &["2.0.0"]), "are supported"),
        ] {
            let says = validate(&plugin).unwrap_err();
            assert!(says.contains(why), "{says}");
        }
    }

    #[test]
    fn a_socket_that_was_replaced_is_gone_and_new() {
        let stamp = |inode| Stamp {
            inode,
            changed: (1, 0),
        };
        let path = |name: &str| PathBuf::from(name);
        let known = ["stays", "replaced", "removed"];
        let known = known.map(|name| (path(name), (stamp(1), name.to_owned())));
        let found = [("stays", 1), ("replaced", 2), ("added", 3)];
        let found = found.map(|(name, inode)| (path(name), stamp(inode)));
        let (new, gone) = compare(&known.into(), &found.into());
        assert_eq!(new, [path("added"), path("replaced")]);
        assert_eq!(gone, [path("removed"), path("replaced")]);
    }

    #[tokio::test]
    async fn a_socket_that_appears_is_news() {
        let dir = tempfile::tempdir().unwrap();
        let registry = dir.path().join("registry");
        let news = watch(&registry).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(registry.join("d.sock")).unwrap();
        changed(&news).await;
        assert_eq!(sockets(&registry).len(), 1);
    }
}
