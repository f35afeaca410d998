//! Failures of a request, grouped by how they are handled.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::api::sync::ApiError;

use super::address;
use super::checksum::Mismatch;
use super::error::HubError;
use super::name::Name;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a request failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// There is no connection to this host. The host is empty until [`at`](Fault::at) sets it.
    Unreachable(String, Source),
    /// The connection was lost.
    Broken(Source),
    /// Nothing, or very little, was received within the time limit.
    Slow(Source),
    /// The server answered with an error status. It may ask for a wait before the next request.
    Status(u16, Option<Duration>),
    /// The answer did not come from a Hub.
    Answer(String),
    /// The file does not have the announced checksum or length. If the download was resumed, the part file of an earlier
    /// attempt may be the cause.
    Damaged { mismatch: Mismatch, resumed: bool },
    /// A file of the cache could not be read or written.
    Disk(PathBuf, io::Error),
    /// Any other failure.
    Other(Source),
}

/// The number of attempts before a request was given up, and the time that they took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tried {
    pub attempts: usize,
    pub time: Duration,
}

impl Fault {
    /// Whether the same request may succeed later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(..) | Self::Broken(_) | Self::Slow(_) => true,
            Self::Status(status, _) => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }

    /// Whether the attempt timed out.
    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Slow(_))
    }

    /// The wait that the server asked for.
    pub fn wish(&self) -> Option<Duration> {
        match self {
            Self::Status(_, wish) => *wish,
            _ => None,
        }
    }

    /// This fault with the host of the requested address `url`.
    pub fn at(self, url: &str) -> Self {
        match self {
            Self::Unreachable(_, source) => Self::Unreachable(address::host(url), source),
            other => other,
        }
    }

    /// The body ended too early.
    pub fn early_end() -> Self {
        Self::Broken(io::Error::from(ErrorKind::UnexpectedEof).into())
    }

    /// The fault of a body of which only `bytes` bytes arrived in `time`.
    pub fn too_slow(bytes: u64, time: Duration) -> Self {
        Self::Slow(format!("only {bytes} bytes arrived in {} seconds", time.as_secs_f64().ceil()).into())
    }

    pub fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_path_buf();
        |source| Self::Disk(path, source)
    }

    /// The error of the request for `file`.
    pub fn explain(self, name: &Name, file: &str, endpoint: &str, tried: Tried) -> HubError {
        let (repo, revision) = (name.id.clone(), name.revision.clone());
        let (file, endpoint) = (file.to_string(), endpoint.to_string());
        let Tried { attempts, time } = tried;
        match self {
            Self::Unreachable(host, source) => HubError::NoConnection { endpoint, host, source },
            Self::Broken(source) | Self::Slow(source) => {
                HubError::Interrupted { file, endpoint, attempts, seconds: time.as_secs(), source }
            }
            Self::Status(404, _) => {
                let why = format!("although {endpoint} lists it");
                HubError::FileNotFound { repo, revision, file, why }
            }
            Self::Status(status @ (401 | 403), _) => HubError::Refused { repo, file, endpoint, status },
            Self::Status(status, wish) => {
                HubError::Server { file, endpoint, status, attempts, wait: wish.map(|wish| wish.as_secs()) }
            }
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
    /// The text for the log message before the next attempt.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(host, source) => write!(out, "no connection to {host}: {source}"),
            Self::Broken(source) | Self::Slow(source) | Self::Other(source) => source.fmt(out),
            Self::Status(status, _) => write!(out, "the server answered with status {status}"),
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
            Error::StatusCode(status) => Self::Status(status, None),
            Error::Io(error) => match error.kind() {
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
                | ErrorKind::Interrupted => Self::Broken(error.into()),
                ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Slow(error.into()),
                // There is no specific kind for an unknown host, and an untrusted certificate has a general kind.
                _ => Self::Unreachable(String::new(), error.into()),
            },
            Error::HostNotFound
            | Error::ConnectionFailed
            | Error::ConnectProxyFailed(_)
            | Error::Timeout(Timeout::Connect | Timeout::Resolve) => Self::Unreachable(String::new(), error.into()),
            Error::Timeout(_) | Error::BodyStalled => Self::Slow(error.into()),
            Error::Protocol(_) => Self::Broken(error.into()),
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
    fn connection_errors_are_classified() {
        let unknown = io::Error::other("failed to lookup address information");
        for error in [unknown, ErrorKind::ConnectionRefused.into(), ErrorKind::InvalidData.into()] {
            assert!(matches!(Fault::from(ureq::Error::Io(error)), Fault::Unreachable(..)));
        }
        assert!(matches!(Fault::from(ureq::Error::HostNotFound), Fault::Unreachable(..)));
        let cut = ureq::Error::Io(ErrorKind::UnexpectedEof.into());
        assert!(matches!(Fault::from(cut), Fault::Broken(_)));
        // The reader of a body wraps errors that do not come from the system.
        let timeout = io::Error::other(ureq::Error::Timeout(ureq::Timeout::PerRead));
        assert!(matches!(Fault::from(ureq::Error::from(timeout)), Fault::Slow(_)));
    }
}
