//! The directories that volumes are.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

/// The file systems of some nodes, as far as volumes lie there. Making what is there and removing what isn't succeed.
#[async_trait]
pub trait Directories: Send + Sync + 'static {
    /// Whether a node is one of these.
    fn serves(&self, node: &str) -> bool;
    /// Where the directory of this name lies on a node.
    fn path(&self, node: &str, name: &str) -> PathBuf;
    /// Makes a directory for a volume, open to all: the pod's identity is not known here.
    async fn make(&self, node: &str, path: &Path) -> io::Result<()>;
    /// Removes a volume's directory with all that is in it.
    async fn remove(&self, node: &str, path: &Path) -> io::Result<()>;
}

/// Directories below one of this process's own file system, for nodes that share it.
#[derive(Clone, Debug)]
pub struct NodeDirectories {
    root: PathBuf,
    nodes: BTreeSet<String>,
}

impl NodeDirectories {
    /// For the volumes of these nodes.
    pub fn new(
        root: impl Into<PathBuf>,
        nodes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            root: root.into(),
            nodes: nodes.into_iter().map(Into::into).collect(),
        }
    }

    /// The path, if it is of a directory that [`Directories::path`] could have named. A volume is an object that users
    /// can make as well, so its path may be any.
    fn own(&self, path: &Path) -> io::Result<PathBuf> {
        let is_plain = path
            .file_name()
            .is_some_and(|name| self.root.join(name) == path);
        match is_plain {
            true => Ok(path.to_owned()),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} is no directory of this provisioner", path.display()),
            )),
        }
    }
}

#[async_trait]
impl Directories for NodeDirectories {
    fn serves(&self, node: &str) -> bool {
        self.nodes.contains(node)
    }

    fn path(&self, _node: &str, name: &str) -> PathBuf {
        self.root.join(name)
    }

    async fn make(&self, _node: &str, path: &Path) -> io::Result<()> {
        let path = self.own(path)?;
        blocking(move || {
            fs::create_dir_all(&path)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777))
        })
        .await
    }

    async fn remove(&self, _node: &str, path: &Path) -> io::Result<()> {
        let path = self.own(path)?;
        blocking(move || match fs::remove_dir_all(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        })
        .await
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_made_is_removed_and_nothing_else() {
        let root = std::env::temp_dir().join(format!("local-path-{}", std::process::id()));
        let directories = NodeDirectories::new(&root, ["n1"]);
        assert!(directories.serves("n1") && !directories.serves("n2"));
        let path = directories.path("n1", "pvc-1");
        for _ in 0..2 {
            directories.make("n1", &path).await.unwrap();
        }
        fs::write(path.join("file"), "data").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o777);
        for _ in 0..2 {
            directories.remove("n1", &path).await.unwrap();
        }
        assert!(!path.exists());
        for foreign in ["", "..", "a/b", "../other"] {
            let foreign = root.join(foreign);
            assert!(
                directories.remove("n1", &foreign).await.is_err(),
                "{foreign:?}"
            );
        }
        assert!(root.exists());
        fs::remove_dir_all(root).unwrap();
    }
}
