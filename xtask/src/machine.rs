//! More machines on this one: network namespaces on a bridge of their own, each with a node that joins the cluster.
//!
//! Like containerd, they outlive the cluster's process: `down` stops them, and takes the namespaces and the bridge away.

use std::{
    fs,
    io::Read,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use crate::run;

/// The network of the machines, out of the range that RFC 2544 keeps for tests. This machine is the first.
const NETWORK: &str = "198.19.0";
/// The bridge's name, and what those of the links begin with.
const BRIDGE: &str = "k8s-machines";

/// Machines beside this one, as a data directory remembers them.
pub(crate) struct Machines {
    directory: PathBuf,
}

/// One of them.
struct Machine {
    number: u8,
    directory: PathBuf,
}

impl Machines {
    /// Those of a cluster's data directory.
    pub(crate) fn of(data_dir: &Path) -> Self {
        Machines {
            directory: data_dir.join("nodes"),
        }
    }

    /// The address of this machine on the bridge.
    pub(crate) fn address() -> String {
        format!("{NETWORK}.1")
    }

    /// Makes machines until there are `count`, this one included, and starts a node on each that joins the API at a
    /// port as soon as it is there; gives the token that it shows.
    pub(crate) fn start(
        &self,
        count: u8,
        program: &Path,
        images: &Path,
        port: u16,
    ) -> Result<String> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let token = self.token()?;
        if !exists(&["link", "show", "dev", BRIDGE])? {
            ip(&["link", "add", BRIDGE, "type", "bridge"])?;
            let address = format!("{}/24", Self::address());
            ip(&["address", "add", &address, "dev", BRIDGE])?;
            ip(&["link", "set", BRIDGE, "up"])?;
        }
        for number in 2..=count {
            let machine = self.machine(number);
            machine.connect()?;
            machine.join(program, images, port, &token)?;
            println!("{}: see {}", machine.name(), machine.log().display());
        }
        Ok(token)
    }

    /// Stops the nodes, and removes all that was made for them.
    pub(crate) fn stop(&self, program: &Path) -> Result<()> {
        if !self.directory.exists() {
            return Ok(());
        }
        for number in 2..=u8::MAX {
            let machine = self.machine(number);
            if !machine.directory.exists() {
                break;
            }
            machine.remove(program)?;
        }
        if exists(&["link", "show", "dev", BRIDGE])? {
            ip(&["link", "delete", BRIDGE])?;
        }
        fs::remove_dir_all(&self.directory).context("cannot remove the nodes' directories")
    }

    fn machine(&self, number: u8) -> Machine {
        Machine {
            number,
            directory: self.directory.join(format!("node-{number}")),
        }
    }

    /// The token, the same as long as the machines are there.
    fn token(&self) -> Result<String> {
        let file = self.directory.join("token");
        if let Ok(known) = fs::read_to_string(&file) {
            return Ok(known);
        }
        let mut random = [0; 11];
        fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = format!("{}.{}", &digits[..6], &digits[6..]);
        let mut options = fs::OpenOptions::new();
        let mut written = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(file)?;
        std::io::Write::write_all(&mut written, token.as_bytes())?;
        Ok(token)
    }
}

impl Machine {
    fn name(&self) -> String {
        format!("node-{}", self.number)
    }

    fn namespace(&self) -> String {
        format!("{BRIDGE}-{}", self.number)
    }

    fn log(&self) -> PathBuf {
        self.directory.with_extension("log")
    }

    /// A namespace with a link to the bridge and a default route, unless it is there.
    fn connect(&self) -> Result<()> {
        let namespace = self.namespace();
        if Path::new("/run/netns").join(&namespace).exists() {
            return Ok(());
        }
        let (near, far) = (format!("k8sm{}", self.number), "eth0");
        ip(&["netns", "add", &namespace])?;
        let words = ["type", "veth", "peer", "name", far, "netns", &namespace];
        ip(&[&["link", "add", &near], words.as_slice()].concat())?;
        ip(&["link", "set", &near, "master", BRIDGE, "up"])?;
        let inside = |words: &[&str]| ip(&[&["-n", &namespace], words].concat());
        inside(&["link", "set", "lo", "up"])?;
        let address = format!("{NETWORK}.{}/24", self.number);
        inside(&["address", "add", &address, "dev", far])?;
        inside(&["link", "set", far, "up"])?;
        inside(&["route", "add", "default", "via", &Machines::address()])
    }

    /// The cluster's program inside. `nsenter`, since `ip netns exec` would remount /sys and hide the cgroups.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.namespace()))
            .arg("--")
            .arg(program)
            .arg("--data-dir")
            .arg(&self.directory)
            .args(["--node-name", &self.name()]);
        command
    }

    fn join(&self, program: &Path, images: &Path, port: u16, token: &str) -> Result<()> {
        let log = fs::File::create(self.log())?;
        let server = format!("https://{}:{port}", Machines::address());
        let mut command = self.command(program);
        command.args(["--join", &server, "--token", token]);
        command.arg("--image-dir").arg(images);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start a node")?;
        Ok(())
    }

    fn remove(&self, program: &Path) -> Result<()> {
        let namespace = self.namespace();
        if exists(&["netns", "pids", &namespace])? {
            run::check(self.command(program).arg("--teardown"))?;
            ip(&["netns", "delete", &namespace])?;
        }
        fs::remove_dir_all(&self.directory).context("cannot remove a node's directory")
    }
}

fn ip(words: &[&str]) -> Result<()> {
    run::output(Command::new("ip").args(words)).map(drop)
}

/// Whether `ip` finds what it is asked to show.
fn exists(words: &[&str]) -> Result<bool> {
    let output = Command::new("ip").args(words).output();
    Ok(output
        .context("iproute2 is not installed")?
        .status
        .success())
}

/// How many machines `--nodes` may say: as many as the network has addresses for.
pub(crate) fn count(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(count @ 1..=254) => Ok(count),
        _ => Err("from 1 to 254".into()),
    }
}
