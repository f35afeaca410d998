//! What can go wrong between a repository and a folder, and what to do about it.

use std::path::PathBuf;

/// An error of a library below.
type Source = Box<dyn std::error::Error + Send + Sync>;

/// Everything that stands in the way of a repository's files.
///
/// `kind` is "model" or "dataset", `repo` the name as `owner/name`, `endpoint` the address of the Hub or its mirror.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A text that is no repository's name.
    #[error(
        "`{found}` is no repository's name: {problem}; write owner/name or owner/name@revision, or ./name for a folder"
    )]
    Name {
        /// What was given.
        found: String,
        /// Which rule it breaks.
        problem: &'static str,
    },

    /// There is no home folder to keep a cache in.
    #[error("no folder to keep downloads in: there is no home folder; set HF_HOME, or HF_HUB_CACHE")]
    NoCacheFolder,

    /// The endpoint is no address.
    #[error("the endpoint `{found}` is no address; HF_ENDPOINT begins with https:// (or http://) and a host's name")]
    Endpoint {
        /// What was given.
        found: String,
    },

    /// The endpoint does not show such a repository.
    ///
    /// The Hub answers alike (401) for what is private and for what does not exist.
    #[error(
        "{endpoint} shows no {kind} `{repo}` at revision `{revision}` (status {status}): either there is none (check \
         the spelling), or it is private, and HF_TOKEN must hold a token that may read it ({}); \
         a folder is written ./name",
        if *token { "the token that was sent may not, or is no longer valid" } else { "none is set" }
    )]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// Its name.
        repo: String,
        /// Its revision.
        revision: String,
        /// Who was asked.
        endpoint: String,
        /// The status of the answer.
        status: u16,
        /// Whether a token was sent.
        token: bool,
    },

    /// The endpoint shows the repository and refuses its files.
    #[error(
        "{endpoint} does not give out `{file}` of {repo} (status {status}): it may ask for terms to be accepted on the \
         repository's page; do that, and set HF_TOKEN to a token of that account"
    )]
    Refused {
        /// The repository.
        repo: String,
        /// The file that was asked for.
        file: String,
        /// Who was asked.
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

    /// A model without weights in the safetensors format.
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

    /// None of a dataset's files is one that is wanted.
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

    /// Offline, and the cache does not have it.
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
        /// What is not there.
        missing: String,
        /// The folder that was searched.
        cache: PathBuf,
    },

    /// No connection.
    #[error(
        "no connection to {endpoint}: {source}; check the network (and HTTPS_PROXY), use --offline with a filled \
         cache, or set HF_ENDPOINT to a mirror"
    )]
    NoConnection {
        /// Who was asked.
        endpoint: String,
        /// What the attempt ended with.
        source: Source,
    },

    /// A download that broke off again and again.
    #[error(
        "`{file}` from {endpoint}: the connection was lost {attempts} times, last: {source}; what arrived is kept, \
         and the same command goes on from there"
    )]
    Interrupted {
        /// The file, or what else was asked for.
        file: String,
        /// Who was asked.
        endpoint: String,
        /// Attempts that brought nothing.
        attempts: usize,
        /// How the last one ended.
        source: Source,
    },

    /// An answer that says that the server is at fault, or has had enough.
    #[error(
        "`{file}` from {endpoint}: the server answered with status {status}; try again later, \
         or set HF_ENDPOINT to a mirror"
    )]
    Server {
        /// The file, or what else was asked for.
        file: String,
        /// Who was asked.
        endpoint: String,
        /// The status of the answer.
        status: u16,
    },

    /// What arrived is not what the server announced.
    #[error(
        "`{file}` of {repo} arrived damaged: {expected} expected, {found} found; it was removed: try again, \
         and look at what stands between (a proxy, a mirror) if it happens again"
    )]
    Checksum {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
        /// The checksum that the server announced, or the length where it gives no checksum.
        expected: String,
        /// That of the file.
        found: String,
    },

    /// A file's name that would leave the folder it belongs to.
    #[error("{repo} has a file called `{file}`, which could be written outside the cache; it was refused")]
    UnsafePath {
        /// The repository.
        repo: String,
        /// The file.
        file: String,
    },

    /// An index of shards that cannot be read.
    #[error("{}: no index of shards: {source}; remove the file and try again", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong with it.
        source: Source,
    },

    /// An answer that makes no sense.
    #[error(
        "`{file}` from {endpoint}: the answer is not one of a Hub: {problem}; \
         is HF_ENDPOINT the address of a Hub or its mirror?"
    )]
    Answer {
        /// The file, or what else was asked for.
        file: String,
        /// Who was asked.
        endpoint: String,
        /// What is wrong with it.
        problem: String,
    },

    /// The operating system refused a file.
    #[error("{}: {source}; check that the folder may be written to and the disk has room", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },

    /// Anything else that hf-hub reports.
    #[error("`{file}` from {endpoint}: {source}")]
    Other {
        /// The file, or what else was asked for.
        file: String,
        /// Who was asked.
        endpoint: String,
        /// What was reported.
        source: Source,
    },
}
