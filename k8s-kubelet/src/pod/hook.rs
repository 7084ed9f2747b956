//! Lifecycle hooks: what runs after a container's start and before its end.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler};

use crate::{
    cri::{Runtime, RuntimeError},
    probe::{self, Outcome},
};

/// Runs a hook to its end or until the time is up.
pub(super) async fn run(
    runtime: &dyn Runtime,
    handler: &LifecycleHandler,
    container: &Container,
    id: &str,
    pod_ip: &str,
    timeout: Duration,
) -> Result<(), String> {
    if let Some(action) = &handler.exec {
        let command = action.command.clone().unwrap_or_default();
        let shown = command.join(" ");
        return match runtime.exec_sync(id, &command, timeout).await {
            Ok(output) if output.exit_code == 0 => Ok(()),
            Ok(output) => Err(format!(
                "command '{shown}' exited with {}: {}",
                output.exit_code,
                String::from_utf8_lossy(&output.stderr)
            )),
            Err(RuntimeError::Timeout(_)) => Err(format!("command '{shown}' timed out")),
            Err(error) => Err(error.to_string()),
        };
    }
    if let Some(action) = &handler.http_get {
        return match probe::http_get(action, container, pod_ip, timeout).await {
            Outcome::Success => Ok(()),
            Outcome::Failure(message) | Outcome::Error(message) => Err(message),
        };
    }
    if let Some(action) = &handler.sleep {
        let wanted = Duration::from_secs(u64::try_from(action.seconds).unwrap_or_default());
        tokio::time::sleep(wanted.min(timeout)).await;
        return Ok(());
    }
    Err("invalid handler: no action".into())
}
