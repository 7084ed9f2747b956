//! Removing everything that an agent has made on its node.

use std::time::Duration;

use crate::{
    config::NodeConfig,
    cri::Runtime,
    error::Error,
    pod::cleanup,
    resource::Cgroups,
    volume::{VolumeError, mount},
};

/// Ends and removes all pods of the runtime, then the node's volumes, logs and cgroups: everything
/// that an agent with this configuration has made. To be called while no agent runs.
pub async fn teardown(config: &NodeConfig, runtime: &dyn Runtime) -> Result<(), Error> {
    let sandboxes = runtime.sandboxes(None).await?;
    let containers = runtime.containers(None).await?;
    let view = crate::pleg::PodView::new(sandboxes, containers);
    cleanup::runtime_part(runtime, &view, Duration::ZERO).await?;
    if runtime.is_simulated() {
        return Ok(());
    }
    let failed = |error: VolumeError| Error::Teardown(error.to_string());
    for dir in ["pods", "plugins", "plugins_registry"] {
        mount::remove(&config.root_dir.join(dir)).map_err(failed)?;
    }
    mount::remove(&config.logs()).map_err(failed)?;
    // The agent has mounted it on itself.
    if let Ok(root) = config.root_dir.canonicalize() {
        mount::detach(&root).map_err(failed)?;
    }
    if let Some(root) = &config.cgroup_root {
        Cgroups::detect(root)?.teardown()?;
    }
    Ok(())
}
