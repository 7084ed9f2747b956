//! What a container runtime may fail with.

/// A failed call to a container runtime.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The runtime doesn't know the sandbox, container or image.
    #[error("not found: {0}")]
    NotFound(String),
    /// The runtime can't do this.
    #[error("{0} is not supported by this container runtime")]
    Unsupported(&'static str),
    /// The runtime didn't answer in time, or a command in a container ran too long.
    #[error("deadline exceeded: {0}")]
    Timeout(String),
    /// The runtime can't be reached.
    #[error("container runtime is not reachable: {0}")]
    Unreachable(String),
    /// The runtime refused or failed; its own words.
    #[error("{0}")]
    Failed(String),
}

impl RuntimeError {
    /// Whether the thing asked about doesn't exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// A missing thing is what a removal wants.
    pub(crate) fn gone_is_fine(result: Result<(), Self>) -> Result<(), Self> {
        match result {
            Err(Self::NotFound(_)) => Ok(()),
            other => other,
        }
    }
}

impl From<tonic::Status> for RuntimeError {
    fn from(status: tonic::Status) -> Self {
        let message = status.message().to_owned();
        match status.code() {
            tonic::Code::NotFound => Self::NotFound(message),
            tonic::Code::Unimplemented => Self::Unsupported("this call"),
            tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => Self::Timeout(message),
            tonic::Code::Unavailable => Self::Unreachable(message),
            _ => Self::Failed(message),
        }
    }
}
