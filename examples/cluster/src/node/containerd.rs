//! The cluster's own containerd: never one that the machine already runs.
//!
//! It outlives the cluster's process, as the containers do: a restarted cluster finds it running
//! and pods undisturbed. Teardown stops it.

use std::{
    fs,
    os::unix::{net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{layout::Layout, node::cni};

/// The image that holds each pod's namespaces; one of the project's own.
pub(crate) const PAUSE: &str = "localhost/pause:1";

/// How long containerd may take to open its socket, or to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// A containerd under the cluster's data directory.
pub(crate) struct Containerd {
    directory: PathBuf,
}

impl Containerd {
    pub(crate) fn new(layout: &Layout) -> Self {
        Containerd {
            directory: layout.containerd(),
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("containerd.sock")
    }

    /// Starts it unless it runs; answers once its socket accepts connections.
    pub(crate) fn ensure(&self, cni_directory: &Path) -> Result<()> {
        if self.pid().is_some() && UnixStream::connect(self.socket()).is_ok() {
            return Ok(());
        }
        self.stop()?;
        fs::create_dir_all(&self.directory)?;
        let plugins = cni::plugins().context("the CNI plugins are not installed")?;
        fs::write(self.config_file(), self.config(cni_directory, plugins))?;
        let log = fs::File::create(self.directory.join("containerd.log"))?;
        // A process group of its own: Ctrl-C is meant for the cluster alone.
        let mut child = Command::new("containerd")
            .arg("--config")
            .arg(self.config_file())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("containerd is not installed or can't be started")?;
        fs::write(self.pid_file(), child.id().to_string())?;
        let started = Instant::now();
        while UnixStream::connect(self.socket()).is_err() {
            if let Some(status) = child.try_wait()? {
                bail!(
                    "containerd ended at start ({status}); see {}",
                    self.log().display()
                );
            }
            if started.elapsed() > PATIENCE {
                bail!(
                    "containerd opened no socket in {PATIENCE:?}; see {}",
                    self.log().display()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Reaps it should it end while the cluster lives, so that its pid is not mistaken for it.
        std::thread::spawn(move || child.wait());
        Ok(())
    }

    /// Stops the daemon; containers go on under their shims.
    pub(crate) fn stop(&self) -> Result<()> {
        let Some(pid) = self.pid() else { return Ok(()) };
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .context("cannot stop containerd")?;
        let started = Instant::now();
        while self.pid().is_some() {
            if started.elapsed() > PATIENCE {
                bail!("containerd does not stop");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Removes its directories, mounts that a killed shim left behind included.
    pub(crate) fn remove(&self) -> Result<()> {
        self.stop()?;
        crate::mount::detach_below(&self.directory)?;
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.directory.display()))
            }
            _ => Ok(()),
        }
    }

    /// The daemon's process, if the one that we started still runs.
    fn pid(&self) -> Option<rustix::process::Pid> {
        let pid: i32 = fs::read_to_string(self.pid_file())
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let ours = self.config_file();
        let ours = ours.as_os_str().as_encoded_bytes();
        let runs = arguments
            .split(|byte| *byte == 0)
            .any(|argument| argument == ours);
        if runs {
            rustix::process::Pid::from_raw(pid)
        } else {
            None
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.directory.join("containerd.pid")
    }

    fn config_file(&self) -> PathBuf {
        self.directory.join("config.toml")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("containerd.log")
    }

    fn config(&self, cni_directory: &Path, cni_plugins: &Path) -> String {
        let at = |name: &str| self.directory.join(name).display().to_string();
        format!(
            r#"version = 2
root = "{root}"
state = "{state}"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
address = "{socket}"

[ttrpc]
address = "{ttrpc}"

[plugins."io.containerd.internal.v1.opt"]
path = "{opt}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
stream_server_address = "127.0.0.1"
stream_server_port = "0"
# Lowering an OOM score needs CAP_SYS_RESOURCE, which not every machine's root has.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{cni}"

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"#,
            root = at("root"),
            state = at("state"),
            socket = at("containerd.sock"),
            ttrpc = at("containerd.ttrpc.sock"),
            opt = at("opt"),
            plugins = cni_plugins.display(),
            cni = cni_directory.display(),
        )
    }
}
