//! What a container left in its termination log: shown as its terminated state's message.

use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use crate::{cri::Container, server::log::Line};

const MAX_MESSAGE: u64 = 4096;
const MAX_LOG: u64 = 2048;
const MAX_LINES: usize = 80;

/// Where a run of a container writes its last words, on the node.
pub(crate) fn path(pod_dir: &Path, container: &str, restart_count: u32) -> PathBuf {
    pod_dir
        .join("containers")
        .join(container)
        .join(restart_count.to_string())
}

/// The last words of a container that ended; `log` is its log file.
pub(crate) fn read(pod_dir: &Path, container: &Container, log: &Path) -> String {
    let path = path(pod_dir, &container.name, container.restart_count);
    let said = tail(&path, MAX_MESSAGE).unwrap_or_default();
    if !said.is_empty() || !container.falls_back_to_logs || container.exit_code == 0 {
        return said;
    }
    let text = tail(log, MAX_LOG * 2).unwrap_or_default();
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| Line::parse(line.as_bytes()))
        .collect();
    let recent = &lines[lines.len().saturating_sub(MAX_LINES)..];
    let text: Vec<u8> = recent
        .iter()
        .flat_map(|line| line.content_with_newline())
        .collect();
    let from = text
        .len()
        .saturating_sub(usize::try_from(MAX_LOG).unwrap_or(usize::MAX));
    String::from_utf8_lossy(&text[from..]).into_owned()
}

/// The end of a file, as text.
fn tail(path: &Path, max: u64) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(max)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(max).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
