//! The audit log: what `--audit-policy-file` and `--audit-log-path` say.

use std::{fs, sync::Arc};

use anyhow::{Context as _, Result};
use k8s_apiserver::audit::{Auditor, Log, Policy};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::args::Args;

/// A log that is being written.
pub(crate) struct AuditLog {
    /// Decides what is kept.
    pub(crate) auditor: Auditor,
    writing: JoinHandle<()>,
    close: CancellationToken,
}

/// Opens the log, if there is to be one.
pub(crate) async fn open(args: &Args) -> Result<Option<AuditLog>> {
    let (Some(policy), Some(path)) = (&args.audit_policy_file, &args.audit_log_path) else {
        return Ok(None);
    };
    let text =
        fs::read_to_string(policy).with_context(|| format!("cannot read {}", policy.display()))?;
    let policy = Policy::parse(&text).with_context(|| policy.display().to_string())?;
    let (log, writer) = Log::open(path)
        .await
        .with_context(|| format!("cannot write {}", path.display()))?;
    let close = CancellationToken::new();
    Ok(Some(AuditLog {
        auditor: Auditor::new(policy, Arc::new(log)),
        writing: tokio::spawn(writer.run(close.clone())),
        close,
    }))
}

impl AuditLog {
    /// Writes what is still to be written. Comes after the server has stopped, whose last events are
    /// wanted too.
    pub(crate) async fn close(self) {
        self.close.cancel();
        if let Err(error) = self.writing.await {
            tracing::error!(%error, "the audit log was not written to its end");
        }
    }
}
