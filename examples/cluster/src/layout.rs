//! Where things lie under the data directory. One place, since teardown must find them again.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// The data directory, absolute.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Makes the directory if it is absent, readable by its owner only.
    pub(crate) fn open(root: &Path) -> io::Result<Layout> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(root)?;
        // Containers reach their files through mounts, never through this path.
        fs::set_permissions(root, fs::Permissions::from_mode(0o700))?;
        Ok(Layout {
            root: root.canonicalize()?,
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.root.join("kubeconfig")
    }

    pub(crate) fn pid_file(&self) -> PathBuf {
        self.root.join("cluster.pid")
    }

    /// Who this process is among those that stand for a lease.
    pub(crate) fn candidate(&self) -> PathBuf {
        self.root.join("candidate")
    }

    /// The cluster's own containerd: its configuration, socket, log and both of its directories.
    pub(crate) fn containerd(&self) -> PathBuf {
        self.root.join("containerd")
    }

    /// The certificates of a node that joined.
    pub(crate) fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    pub(crate) fn cni(&self) -> PathBuf {
        self.root.join("cni")
    }

    /// Manifests of static pods of this machine's node.
    pub(crate) fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }

    pub(crate) fn kubelet(&self) -> PathBuf {
        self.root.join("kubelet")
    }

    /// Volumes that outlive their pods: a directory each.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// A short name of this cluster's own, so that several on one machine don't meet: names the
    /// bridge and the cgroup.
    pub(crate) fn tag(&self) -> String {
        let digest = Sha256::digest(self.root.as_os_str().as_encoded_bytes());
        digest
            .iter()
            .take(4)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
