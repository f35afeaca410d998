//! Errors of the Hub and its cache.

use std::path::PathBuf;

use super::address;

/// An error of another library.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// The files of a repository could not be obtained.
///
/// `kind` is "model" or "dataset", `repo` is the name as `owner/name`, and `endpoint` is the address of the Hub or its mirror,
/// without a user and a password.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A text is not the name of a repository.
    #[error(
        "`{found}` is not the name of a repository: {problem}; write owner/name or owner/name@revision, or ./name for a folder"
    )]
    Name {
        /// The given text.
        found: String,
        /// The rule that the text violates.
        problem: &'static str,
    },

    /// There is no home folder for the cache.
    #[error("no folder for downloads: there is no home folder; set HF_HOME or HF_HUB_CACHE")]
    NoCacheFolder,

    /// The endpoint is not an address.
    #[error(
        "the endpoint `{found}` is not a valid address; HF_ENDPOINT must begin with https:// (or http://) and a host name"
    )]
    Endpoint {
        /// The given text.
        found: String,
    },

    /// The repository does not exist, or it is private.
    ///
    /// The Hub sends the same status (401) for private repositories and for repositories that do not exist.
    #[error(
        "{endpoint} has no {kind} `{repo}` at revision `{revision}`, or it is private (status {status}): check the spelling, \
         or set HF_TOKEN to a token that may read the repository ({}); \
         for a local folder, write ./name",
        if *token { "the token that was sent may not read it or is no longer valid" } else { "no token is set" }
    )]
    NotFound {
        /// The kind of repository that was requested.
        kind: &'static str,
        /// Its name.
        repo: String,
        /// Its revision.
        revision: String,
        /// The address of the endpoint.
        endpoint: String,
        /// The HTTP status of the answer.
        status: u16,
        /// Whether a token was sent.
        token: bool,
    },

    /// The endpoint lists the files of the repository, but does not send them.
    #[error(
        "{endpoint} refuses to send `{file}` of {repo} (status {status}): the repository may have terms of use; accept \
         them on its page, and set HF_TOKEN to a token of that account"
    )]
    Refused {
        /// The repository.
        repo: String,
        /// The file that was requested.
        file: String,
        /// The address of the endpoint.
        endpoint: String,
        /// The HTTP status of the answer.
        status: u16,
    },

    /// A file that is needed is not in the repository.
    #[error("{repo} at revision `{revision}` has no `{file}`, {why}; use another repository or revision")]
    FileNotFound {
        /// The repository.
        repo: String,
        /// Its revision.
        revision: String,
        /// The file.
        file: String,
        /// A clause that states why the file was expected.
        why: String,
    },

    /// A model has no weights in the safetensors format.
    #[error(
        "{repo} at revision `{revision}` has neither model.safetensors nor model.safetensors.index.json (found: {}); \
         use another revision or repository that has them, or convert the weights in Python: \
         `AutoModel.from_pretrained(..).save_pretrained(..)` writes a folder that can be used as ./name",
        if found.is_empty() { "no weights".to_string() } else { found.join(", ") }
    )]
    NoSafetensors {
        /// The repository.
        repo: String,
        /// Its revision.
        revision: String,
        /// Weights in other formats.
        found: Vec<String>,
    },

    /// The dataset has none of the expected files.
    #[error("dataset {repo} at revision `{revision}` has none of the expected files; it has {files}{}",
        examples.join(", "), files = if examples.is_empty() { "no files" } else { "" })]
    NoneWanted {
        /// The repository.
        repo: String,
        /// Its revision.
        revision: String,
        /// Some of the files in the dataset.
        examples: Vec<String>,
    },

    /// In offline mode, a file is not in the cache.
    #[error(
        "{}: offline mode is on, and for {repo} at revision `{revision}` this cache lacks {missing}; \
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
        /// The address of the endpoint.
        endpoint: String,
        /// Scheme, host and port of the address without a connection. It differs from the endpoint after a redirect.
        host: String,
        /// The error of the attempt.
        source: Source,
    },

    /// A download was interrupted repeatedly.
    #[error(
        "`{file}` from {endpoint}: given up after {attempts} attempts in {seconds} seconds; the last error: {source}; a \
         partly downloaded file is kept, and the same command resumes the download"
    )]
    Interrupted {
        /// The file, or another description of the request.
        file: String,
        /// The address of the endpoint.
        endpoint: String,
        /// The number of attempts.
        attempts: usize,
        /// The time that the attempts took, in seconds.
        seconds: u64,
        /// The error of the last attempt.
        source: Source,
    },

    /// The server answered with an error status, such as an internal error or too many requests.
    #[error(
        "`{file}` from {endpoint}: the server answered with status {status}, after {attempts} attempts; try again {}, \
         or set HF_ENDPOINT to a mirror",
        wait.map_or_else(|| "later".to_string(), |seconds| format!("in {seconds} seconds, as the server asks"))
    )]
    Server {
        /// The file, or another description of the request.
        file: String,
        /// The address of the endpoint.
        endpoint: String,
        /// The HTTP status of the answer.
        status: u16,
        /// The number of attempts.
        attempts: usize,
        /// The wait that the server asks for, in seconds.
        wait: Option<u64>,
    },

    /// A downloaded file does not have the checksum or length that the server announced.
    #[error(
        "the download of `{file}` of {repo} is damaged: {expected} expected, {found} found; the file was removed; \
         try again, and if it happens again, check the proxy or mirror in use"
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

    /// The path of a file would lie outside the folder of the cache.
    #[error("{repo} has a file called `{file}`, whose path may lie outside the cache; the file was refused")]
    UnsafePath {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
    },

    /// An index of shards cannot be read.
    #[error("{}: not a valid index of shards: {source}; remove the file and try again", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// The problem.
        source: Source,
    },

    /// An answer did not come from a Hub.
    #[error(
        "`{file}` from {endpoint}: the answer does not come from a Hub: {problem}; \
         is HF_ENDPOINT the address of a Hub or its mirror?"
    )]
    Answer {
        /// The file, or another description of the request.
        file: String,
        /// The address of the endpoint.
        endpoint: String,
        /// The problem.
        problem: String,
    },

    /// The operating system refused access to a file.
    #[error("{}: {source}; check the permissions of the folder and the free space of the disk", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },

    /// Any other error of hf-hub or the HTTP client.
    #[error("`{file}` from {endpoint}: {source}")]
    Other {
        /// The file, or another description of the request.
        file: String,
        /// The address of the endpoint.
        endpoint: String,
        /// The reported error.
        source: Source,
    },
}

/// Whether `host` is the host of the endpoint. An unknown (empty) host is treated as the endpoint's.
fn is_own_host(host: &str, endpoint: &str) -> bool {
    host.is_empty() || address::origin(host) == address::origin(endpoint)
}
