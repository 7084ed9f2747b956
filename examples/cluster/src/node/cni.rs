//! The pod network of one node: a bridge, as CNI's own plugins make it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;

use crate::layout::Layout;

/// Where Debian, and where everybody else, keeps CNI plugins.
const PLUGIN_DIRECTORIES: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];

/// The name of the cluster's bridge, within the kernel's 15 bytes.
pub(crate) fn bridge(layout: &Layout) -> String {
    format!("k8s-{}", layout.tag())
}

/// Writes the configuration that containerd reads; gives its directory.
pub(crate) fn configure(layout: &Layout, pod_cidr: &str) -> io::Result<PathBuf> {
    let directory = layout.cni();
    fs::create_dir_all(&directory)?;
    let conflist = json!({
        "cniVersion": "1.0.0",
        "name": "k8s",
        "plugins": [
            {
                "type": "bridge",
                "bridge": bridge(layout),
                "isGateway": true,
                // Between nodes addresses stay: `masquerade` sees to the rest.
                "ipMasq": false,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": directory.join("addresses"),
                    "ranges": [[{ "subnet": pod_cidr }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    });
    let file = directory.join("10-k8s.conflist");
    let text = format!("{conflist:#}\n");
    // containerd reads it again at each change.
    if fs::read_to_string(&file).is_ok_and(|known| known == text) {
        return Ok(directory);
    }
    let unfinished = directory.join("10-k8s.tmp");
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, file)?;
    Ok(directory)
}

/// The directory that holds the plugins, if they are installed.
pub(crate) fn plugins() -> Option<&'static Path> {
    PLUGIN_DIRECTORIES
        .iter()
        .map(Path::new)
        .find(|directory| directory.join("bridge").exists())
}

/// Removes the bridge; the pods' links have gone with their sandboxes.
pub(crate) fn remove(layout: &Layout) -> io::Result<()> {
    let name = bridge(layout);
    let exists = Command::new("ip")
        .args(["link", "show", "dev", &name])
        .output()?
        .status
        .success();
    if exists {
        Command::new("ip")
            .args(["link", "delete", "dev", &name])
            .status()?;
    }
    Ok(())
}
