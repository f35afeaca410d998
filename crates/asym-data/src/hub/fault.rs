//! Failures of a request, by what to do next.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use hf_hub::api::sync::ApiError;

use super::checksum::Mismatch;
use super::error::HubError;
use super::name::Name;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a request failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no connection.
    Unreachable(Source),
    /// The connection was lost or stalled.
    Broken(Source),
    /// The server refused.
    Status(u16),
    /// The answer is not one of a Hub.
    Answer(String),
    /// The file differs from the announced one. If it was resumed, the part of an earlier attempt may be the reason.
    Damaged { mismatch: Mismatch, resumed: bool },
    /// The file could not be written.
    Disk(PathBuf, io::Error),
    /// Anything else.
    Other(Source),
}

impl Fault {
    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Broken(_) => true,
            Self::Status(status) => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }

    /// The body ended too early.
    pub fn early_end() -> Self {
        Self::Broken(io::Error::from(ErrorKind::UnexpectedEof).into())
    }

    pub fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        |source| Self::Disk(path, source)
    }

    /// The error for the caller that asked for `file`.
    pub fn explain(self, name: &Name, file: &str, endpoint: &str, attempts: usize) -> HubError {
        let (repo, revision) = (name.id.clone(), name.revision.clone());
        let (file, endpoint) = (file.to_string(), endpoint.to_string());
        match self {
            Self::Unreachable(source) => HubError::NoConnection { endpoint, source },
            Self::Broken(source) => HubError::Interrupted { file, endpoint, attempts, source },
            Self::Status(404) => {
                let why = format!("although {endpoint} lists it");
                HubError::FileNotFound { repo, revision, file, why }
            }
            Self::Status(status @ (401 | 403)) => HubError::Refused { repo, file, endpoint, status },
            Self::Status(status) => HubError::Server { file, endpoint, status },
            Self::Answer(problem) => HubError::Answer { file, endpoint, problem },
            Self::Damaged { mismatch: Mismatch { expected, found }, .. } => {
                HubError::Checksum { repo, file, expected, found }
            }
            Self::Disk(path, source) => HubError::Io { path, source },
            Self::Other(source) => HubError::Other { file, endpoint, source },
        }
    }
}

impl std::fmt::Display for Fault {
    /// For the line that announces another attempt.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(source) | Self::Broken(source) | Self::Other(source) => source.fmt(out),
            Self::Status(status) => write!(out, "the server answered with status {status}"),
            Self::Answer(problem) => out.write_str(problem),
            Self::Damaged { mismatch, .. } => write!(out, "{} expected, {} found", mismatch.expected, mismatch.found),
            Self::Disk(path, source) => write!(out, "{}: {source}", path.display()),
        }
    }
}

impl From<ureq::Error> for Fault {
    fn from(error: ureq::Error) -> Self {
        use ureq::{Error, Timeout};
        match error {
            Error::StatusCode(status) => Self::Status(status),
            Error::Io(error) => match error.kind() {
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
                | ErrorKind::TimedOut
                | ErrorKind::WouldBlock
                | ErrorKind::Interrupted => Self::Broken(error.into()),
                // An unknown host has no kind of its own, and an untrusted certificate has a general one.
                _ => Self::Unreachable(error.into()),
            },
            Error::HostNotFound
            | Error::ConnectionFailed
            | Error::ConnectProxyFailed(_)
            | Error::Timeout(Timeout::Connect | Timeout::Resolve) => Self::Unreachable(error.into()),
            Error::Timeout(_) | Error::Protocol(_) | Error::BodyStalled => Self::Broken(error.into()),
            error => Self::Other(error.into()),
        }
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::RequestError(error) => Self::from(*error),
            error => Self::Other(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_connection() {
        let unknown = io::Error::other("failed to lookup address information");
        for error in [unknown, ErrorKind::ConnectionRefused.into(), ErrorKind::InvalidData.into()] {
            assert!(matches!(Fault::from(ureq::Error::Io(error)), Fault::Unreachable(_)));
        }
        assert!(matches!(Fault::from(ureq::Error::HostNotFound), Fault::Unreachable(_)));
        let cut = ureq::Error::Io(ErrorKind::UnexpectedEof.into());
        assert!(matches!(Fault::from(cut), Fault::Broken(_)));
        // The reader of a body wraps errors that are not the system's.
        let timeout = io::Error::other(ureq::Error::Timeout(ureq::Timeout::PerRead));
        assert!(matches!(Fault::from(ureq::Error::from(timeout)), Fault::Broken(_)));
    }
}
