//! `exec`: well if a command in the container exits with 0.

use std::time::Duration;

use super::Outcome;
use crate::cri::{Runtime, RuntimeError};

/// As much of the output as a message shows.
const MAX_OUTPUT: usize = 10 * 1024;

pub(super) async fn run(
    runtime: &dyn Runtime,
    container: &str,
    command: &[String],
    timeout: Duration,
) -> Outcome {
    match runtime.exec_sync(container, command, timeout).await {
        Ok(output) if output.exit_code == 0 => Outcome::Success,
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text[..text.len().min(MAX_OUTPUT)]).into_owned();
            Outcome::Failure(text)
        }
        Err(RuntimeError::Timeout(_)) => {
            let command = command.join(" ");
            Outcome::Failure(format!("command {command:?} timed out"))
        }
        Err(error) => Outcome::Error(error.to_string()),
    }
}
