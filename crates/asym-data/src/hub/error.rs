//! Errors of the Hub and its cache.

use std::path::PathBuf;

use super::address;

/// An error of another library.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// The files of a repository cannot be had.
///
/// `kind` is "model" or "dataset", `repo` the name as `owner/name`, `endpoint` the address of the Hub or its mirror, without
/// a user and a password.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A text is not the name of a repository.
    #[error(
        "`{found}` is no repository's name: {problem}; write owner/name or owner/name@revision, or ./name for a folder"
    )]
    Name {
        /// The given text.
        found: String,
        /// The rule that it breaks.
        problem: &'static str,
    },

    /// There is no home folder for the cache.
    #[error("no folder to keep downloads in: there is no home folder; set HF_HOME, or HF_HUB_CACHE")]
    NoCacheFolder,

    /// The endpoint is not an address.
    #[error(
        "the endpoint `{found}` is not a valid address; HF_ENDPOINT must begin with https:// (or http://) and a host name"
    )]
    Endpoint {
        /// The given text.
        found: String,
    },

    /// The endpoint does not show such a repository.
    ///
    /// The Hub gives the same answer (401) for private repositories and for those that do not exist.
    #[error(
        "{endpoint} shows no {kind} `{repo}` at revision `{revision}` (status {status}): either there is none (check \
         the spelling), or it is private, and HF_TOKEN must hold a token that may read it ({}); \
         a folder is written ./name",
        if *token { "the token that was sent may not, or is no longer valid" } else { "none is set" }
    )]
    NotFound {
        /// The kind of repository that was asked for.
        kind: &'static str,
        /// Its name.
        repo: String,
        /// Its revision.
        revision: String,
        /// The address that was asked.
        endpoint: String,
        /// The status of the answer.
        status: u16,
        /// Whether a token was sent.
        token: bool,
    },

    /// The endpoint shows the repository, but refuses its files.
    #[error(
        "{endpoint} does not give out `{file}` of {repo} (status {status}): it may ask for terms to be accepted on the \
         repository's page; do that, and set HF_TOKEN to a token of that account"
    )]
    Refused {
        /// The repository.
        repo: String,
        /// The file that was asked for.
        file: String,
        /// The address that was asked.
        endpoint: String,
        /// The status of the answer.
        status: u16,
    },

    /// A file that is needed is not in the repository.
    #[error("{repo} at revision `{revision}` has no `{file}`, {why}; name another repository or revision")]
    FileNotFound {
        /// The repository.
        repo: String,
        /// Its revision.
        revision: String,
        /// The file.
        file: String,
        /// Why it is needed.
        why: String,
    },

    /// A model has no weights in the safetensors format.
    #[error(
        "{repo} at revision `{revision}` has neither model.safetensors nor model.safetensors.index.json (found: {}); \
         look for a revision or another repository that has them, or convert it in Python: \
         `AutoModel.from_pretrained(..).save_pretrained(..)` writes a folder that can be named as ./name",
        if found.is_empty() { "no weights at all".to_string() } else { found.join(", ") }
    )]
    NoSafetensors {
        /// The repository.
        repo: String,
        /// Its revision.
        revision: String,
        /// Weights in other formats.
        found: Vec<String>,
    },

    /// The dataset has none of the files that are looked for.
    #[error("no file of dataset {repo} at revision `{revision}` is one of those looked for; there are {files}{}",
        examples.join(", "), files = if examples.is_empty() { "none" } else { "" })]
    NoneWanted {
        /// The repository.
        repo: String,
        /// Its revision.
        revision: String,
        /// Some of the files that are there.
        examples: Vec<String>,
    },

    /// The cache lacks a file in offline mode.
    #[error(
        "{}: of {repo} at revision `{revision}` this cache lacks {missing}, and offline mode is on; \
         run once without --offline (and HF_HUB_OFFLINE unset), or set HF_HOME to a cache that has it",
        cache.display()
    )]
    NotCached {
        /// The repository.
        repo: String,
        /// Its revision.
        revision: String,
        /// The missing file or repository.
        missing: String,
        /// The folder that was searched.
        cache: PathBuf,
    },

    /// There is no connection.
    #[error(
        "no connection to {}: {source}; check the network (and HTTPS_PROXY), use --offline with a filled \
         cache, or set HF_ENDPOINT to a mirror",
        if is_own_host(host, endpoint) { endpoint.clone() } else { format!("{host}, to which {endpoint} redirects") }
    )]
    NoConnection {
        /// The address that was asked.
        endpoint: String,
        /// Scheme, host and port of the address that refuses. It is another than the endpoint after a redirect.
        host: String,
        /// The error of the attempt.
        source: Source,
    },

    /// A download was interrupted repeatedly.
    #[error(
        "`{file}` from {endpoint}: given up after {attempts} attempts in {seconds} seconds, the last: {source}; a file that \
         arrived in part is kept, and the same command goes on from there"
    )]
    Interrupted {
        /// The file, or another description of the request.
        file: String,
        /// The address that was asked.
        endpoint: String,
        /// The attempts.
        attempts: usize,
        /// The time that they took, in seconds.
        seconds: u64,
        /// The error of the last attempt.
        source: Source,
    },

    /// The server reports an error of its own, or too many requests.
    #[error(
        "`{file}` from {endpoint}: the server answered with status {status}, after {attempts} attempts; try again {}, \
         or set HF_ENDPOINT to a mirror",
        wait.map_or_else(|| "later".to_string(), |seconds| format!("in {seconds} seconds, as it asks"))
    )]
    Server {
        /// The file, or another description of the request.
        file: String,
        /// The address that was asked.
        endpoint: String,
        /// The status of the answer.
        status: u16,
        /// The attempts.
        attempts: usize,
        /// The wait that the server asks for, in seconds.
        wait: Option<u64>,
    },

    /// A downloaded file differs from the one that the server announced.
    #[error(
        "`{file}` of {repo} arrived damaged: {expected} expected, {found} found; it was removed: try again, \
         and look at what stands between (a proxy, a mirror) if it happens again"
    )]
    Checksum {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
        /// The checksum that the server announced, or the length if it gave no checksum.
        expected: String,
        /// The checksum or length of the file.
        found: String,
    },

    /// The path of a file would leave the folder of the cache.
    #[error("{repo} has a file called `{file}`, which could be written outside the cache; it was refused")]
    UnsafePath {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
    },

    /// An index of shards cannot be read.
    #[error("{}: no index of shards: {source}; remove the file and try again", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// The problem.
        source: Source,
    },

    /// An answer did not come from a Hub.
    #[error(
        "`{file}` from {endpoint}: the answer is not one of a Hub: {problem}; \
         is HF_ENDPOINT the address of a Hub or its mirror?"
    )]
    Answer {
        /// The file, or another description of the request.
        file: String,
        /// The address that was asked.
        endpoint: String,
        /// The problem.
        problem: String,
    },

    /// The operating system refused access to a file.
    #[error("{}: {source}; check that the folder may be written to and the disk has room", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// Any other error that hf-hub reports.
    #[error("`{file}` from {endpoint}: {source}")]
    Other {
        /// The file, or another description of the request.
        file: String,
        /// The address that was asked.
        endpoint: String,
        /// The reported error.
        source: Source,
    },
}

/// Whether a host is that of the endpoint.
fn is_own_host(host: &str, endpoint: &str) -> bool {
    host.is_empty() || address::origin(host) == address::origin(endpoint)
}
