//! What the machine is and has.

use std::fs;

use k8s_apimachinery::quantity::Quantity;
use k8s_openapi::api::core::v1::NodeSystemInfo;

use crate::config::NodeConfig;

/// Facts about the machine, read once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    /// Thousandths of a core.
    pub(crate) milli_cpu: i64,
    /// Bytes.
    pub(crate) memory: i64,
    /// Bytes of the file system below the agent's root.
    pub(crate) disk: i64,
    /// Names and versions.
    pub(crate) info: NodeSystemInfo,
}

impl Machine {
    /// Reads the machine; amounts that the configuration gives replace those found.
    pub(crate) fn look(config: &NodeConfig) -> Self {
        let given = |name: &str| {
            config
                .capacity
                .get(name)
                .and_then(|text| text.parse::<Quantity>().ok())
        };
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let disk = rustix::fs::statvfs(&config.root_dir)
            .map(|fs| fs.f_blocks.saturating_mul(fs.f_frsize))
            .unwrap_or_default();
        let uname = rustix::system::uname();
        let read = |path: &str| {
            fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        Self {
            milli_cpu: given("cpu").map_or(cpus as i64 * 1000, |cpu| cpu.milli_value()),
            memory: given("memory").map_or_else(total_memory, |memory| memory.value()),
            disk: given("ephemeral-storage")
                .map_or(i64::try_from(disk).unwrap_or(i64::MAX), |disk| disk.value()),
            info: NodeSystemInfo {
                architecture: architecture().into(),
                boot_id: read("/proc/sys/kernel/random/boot_id"),
                kernel_version: uname.release().to_string_lossy().into_owned(),
                kubelet_version: config.kubelet_version.clone(),
                kube_proxy_version: String::new(),
                machine_id: read("/etc/machine-id"),
                operating_system: "linux".into(),
                os_image: os_image(&read("/etc/os-release")),
                system_uuid: read("/sys/class/dmi/id/product_uuid"),
                ..NodeSystemInfo::default()
            },
        }
    }
}

/// The processor's architecture in Go's words.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// All the memory that there is, in bytes.
pub(crate) fn total_memory() -> i64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<i64>().ok());
    kib.unwrap_or_default() * 1024
}

fn os_image(os_release: &str) -> String {
    let name = os_release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.unwrap_or("Linux").trim_matches('"').to_owned()
}
