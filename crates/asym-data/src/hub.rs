//! Checkpoints and data sets from the Hugging Face Hub, or from the cache that is shared with other programs.
//!
//! A repository's list of files is read first, so a missing file is reported before a large file is downloaded. A file is added
//! to the cache after its checksum was verified (only its length, if the server sends no checksum). The cache has the layout of
//! `huggingface_hub`, and files that it already contains are used. An interrupted download is resumed. In offline mode no
//! request is made.
//!
//! Progress and warnings are logged with the `log` crate. If the logger accepts messages of level info, a download shows a
//! progress bar on a terminal.

mod address;
mod attempts;
mod checksum;
mod client;
mod error;
mod fault;
mod fetch;
mod name;
mod progress;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_hub::Cache;
use hf_hub::api::RepoInfo;

pub use error::HubError;
pub use name::{looks_like_repo, may_be_repo};

use attempts::Attempts;
use client::Client;
use fault::Fault;
use fetch::Fetch;
use name::{Kind, Name, is_component};

const ENDPOINT: &str = "https://huggingface.co";
const CONFIG: &str = "config.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// The largest number of files listed in an error.
const EXAMPLES: usize = 12;

/// The options of a [`Hub`]: the endpoint, the cache, and how failed requests are retried.
#[derive(Clone)]
pub struct HubOptions {
    /// Whether only the cache is used.
    pub offline: bool,
    /// The folder of the cache, which contains folders such as `models--owner--name`. By default `.cache/huggingface/hub` in
    /// the home folder.
    pub cache: Option<PathBuf>,
    /// The address of the Hub or a mirror. By default, the address of the Hub.
    pub endpoint: Option<String>,
    /// The access token for private repositories.
    pub token: Option<String>,
    /// The largest number of retries of a request in a row. The count starts again after an attempt that received 1 MiB or
    /// more. An attempt that timed out counts as two.
    pub retries: usize,
    /// The wait before the first retry. It doubles with each retry, up to 30 seconds. A server may ask for a longer wait
    /// (`Retry-After`), up to 5 minutes.
    pub wait: Duration,
    /// The connection is treated as lost if nothing is received for this long, or if the rate over this time is below 1 KiB per
    /// second.
    pub stall: Duration,
}

impl Default for HubOptions {
    /// The Hub and the cache in the home folder, without a token.
    fn default() -> Self {
        Self {
            offline: false,
            cache: None,
            endpoint: None,
            token: None,
            retries: 5,
            wait: Duration::from_millis(500),
            stall: Duration::from_secs(60),
        }
    }
}

impl std::fmt::Debug for HubOptions {
    /// Shows everything except the token.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("HubOptions")
            .field("offline", &self.offline)
            .field("cache", &self.cache)
            .field("endpoint", &self.endpoint.as_deref().map(address::without_user))
            .field("token", &self.token.as_ref().map(|_| "hidden"))
            .field("retries", &self.retries)
            .field("wait", &self.wait)
            .field("stall", &self.stall)
            .finish()
    }
}

impl HubOptions {
    /// Options from the environment variables of `huggingface_hub`: HF_HOME (else `huggingface` in XDG_CACHE_HOME),
    /// HF_HUB_CACHE or its older name HUGGINGFACE_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, and HF_HUB_OFFLINE (1, true, yes or
    /// on). A path may begin with `~`. Without HF_TOKEN, the file `token` of HF_HOME is read.
    pub fn from_env() -> Self {
        Self::from_variables(&|name| std::env::var_os(name), std::env::home_dir())
    }

    fn from_variables(variable: &dyn Fn(&str) -> Option<OsString>, user: Option<PathBuf>) -> Self {
        let path = |name| {
            let path = variable(name).filter(|value| !value.is_empty()).map(PathBuf::from)?;
            match (path.strip_prefix("~"), &user) {
                (Ok(rest), Some(user)) => Some(user.join(rest)),
                _ => Some(path),
            }
        };
        let text = |name| {
            let text = variable(name)?.to_string_lossy().trim().to_string();
            (!text.is_empty()).then_some(text)
        };
        let shared = || path("XDG_CACHE_HOME").map(|cache| cache.join("huggingface"));
        let home = path("HF_HOME").or_else(shared).or_else(|| home(user.clone())).map(|home| home.join("hub"));
        let token = text("HF_TOKEN").or_else(|| Cache::new(home.clone()?).token());
        let on = |value: String| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on");
        Self {
            offline: text("HF_HUB_OFFLINE").is_some_and(on),
            cache: path("HF_HUB_CACHE").or_else(|| path("HUGGINGFACE_HUB_CACHE")).or(home),
            endpoint: text("HF_ENDPOINT"),
            token,
            ..Self::default()
        }
    }
}

/// A client of the Hub, or of the cache alone in offline mode.
#[derive(Clone)]
pub struct Hub {
    offline: bool,
    cache: Cache,
    client: Client,
    /// Whether a token is set.
    token: bool,
    retries: usize,
    wait: Duration,
}

impl std::fmt::Debug for Hub {
    /// Shows everything except the token.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Hub")
            .field("offline", &self.offline)
            .field("cache", self.cache.path())
            .field("endpoint", &self.client.endpoint)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// A hub with these options. No request is made yet.
    ///
    /// # Errors
    ///
    /// [`HubError::NoCacheFolder`], [`HubError::Endpoint`].
    pub fn new(options: HubOptions) -> Result<Self, HubError> {
        let HubOptions { offline, cache, endpoint, token, retries, wait, stall } = options;
        let cache = cache.or_else(|| Some(home(std::env::home_dir())?.join("hub"))).ok_or(HubError::NoCacheFolder)?;
        let endpoint = endpoint.unwrap_or_else(|| ENDPOINT.to_string());
        let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://")).unwrap_or("");
        let wrong = |c: char| !c.is_ascii_graphic() || matches!(c, '?' | '#' | '"' | '<' | '>' | '\\');
        if host.is_empty() || host.starts_with(['/', ':', '@']) || host.contains(wrong) {
            return Err(HubError::Endpoint { found: address::without_user(&endpoint) });
        }
        let endpoint = endpoint.trim_end_matches('/').to_string();
        let (cache, has_token) = (Cache::new(cache), token.is_some());
        let client = Client::new(endpoint.clone(), token, &cache, stall).map_err(|fault| HubError::Other {
            file: "a client".into(),
            endpoint: address::without_user(&endpoint),
            source: fault.to_string().into(),
        })?;
        Ok(Self { offline, cache, client, token: has_token, retries, wait })
    }

    /// The folder of a model. It contains config.json, the weights (model.safetensors, or shards and their index), and, if the
    /// repository has them, the files of the tokenizer, the image processor and the generation settings.
    ///
    /// `repo` is `owner/name` or `name`, followed by `@revision` if the revision is not `main`. Unless offline mode is on, the
    /// commit and the list of its files are requested from the endpoint, and the files that the cache lacks are downloaded.
    ///
    /// # Errors
    ///
    /// The name is not valid, the repository is not found or has no config.json or no safetensors file, there is no connection,
    /// or a downloaded file is damaged. In offline mode, a file is missing from the cache.
    pub fn model(&self, repo: &str) -> Result<PathBuf, HubError> {
        let snapshot = self.snapshot(Name::parse(Kind::Model, repo)?)?;
        snapshot.require(CONFIG, "which describes the model")?;
        let single = snapshot.has(SINGLE);
        if !single && !snapshot.has(INDEX) {
            return Err(snapshot.without_weights());
        }
        let whole = snapshot.has("tokenizer.json");
        let parts = ["vocab.json", "merges.txt", "tokenizer.model", "vocab.txt", "added_tokens.json"];
        let tokenizer: &[&str] = if whole { &["tokenizer.json"] } else { &parts };
        let beside =
            ["tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "generation_config.json"];
        let images = ["preprocessor_config.json", "processor_config.json"];
        let small = [&[CONFIG], beside.as_slice(), &images, tokenizer].concat();
        for file in small.into_iter().filter(|file| snapshot.has(file)) {
            snapshot.get(file)?;
        }
        if single {
            snapshot.get(SINGLE)?;
        } else {
            snapshot.get(INDEX)?;
            let shards = shards(&snapshot.folder.join(INDEX))?;
            for shard in &shards {
                snapshot.require(shard, "a shard that is listed in its index")?;
            }
            for shard in &shards {
                snapshot.get(shard)?;
            }
        }
        snapshot.finish()
    }

    /// The folder of an adapter in PEFT's format: its configuration and its tensors.
    ///
    /// # Errors
    ///
    /// The errors of [`model`](Self::model).
    pub fn adapter(&self, repo: &str) -> Result<PathBuf, HubError> {
        let snapshot = self.snapshot(Name::parse(Kind::Model, repo)?)?;
        let files = [
            ("adapter_config.json", "which describes the adapter"),
            (
                "adapter_model.safetensors",
                "which has the adapter's tensors; an adapter in adapter_model.bin must be saved again in Python",
            ),
        ];
        files.iter().try_for_each(|(file, why)| snapshot.require(file, why))?;
        files.iter().try_for_each(|(file, _)| snapshot.get(file))?;
        snapshot.finish()
    }

    /// The folder of a dataset's commit, and the paths of the files in it that `wanted` accepts. All of these files exist.
    ///
    /// `repo` is as for [`model`](Self::model). In offline mode only the files in the cache are considered.
    ///
    /// # Errors
    ///
    /// [`HubError::NoneWanted`] (in offline mode [`HubError::NotCached`]) if `wanted` accepts no file, and the errors of
    /// [`model`](Self::model).
    pub fn dataset(&self, repo: &str, wanted: &dyn Fn(&str) -> bool) -> Result<(PathBuf, Vec<String>), HubError> {
        let snapshot = self.snapshot(Name::parse(Kind::Dataset, repo)?)?;
        let files: Vec<String> = snapshot.files.iter().filter(|file| wanted(file)).cloned().collect();
        if files.is_empty() {
            return Err(snapshot.none_wanted());
        }
        for file in &files {
            snapshot.get(file)?;
        }
        Ok((snapshot.finish()?, files))
    }

    /// The commit of a revision, and its files.
    fn snapshot(&self, name: Name) -> Result<Snapshot<'_>, HubError> {
        let (commit, files) = if self.offline {
            let commit = self.cached_commit(&name)?;
            let mut files = BTreeSet::new();
            walk(&self.folder(&name, &commit), "", &mut files);
            (commit, files)
        } else {
            let info = self.info(&name)?;
            (info.sha, info.siblings.into_iter().map(|sibling| sibling.rfilename).collect())
        };
        let folder = self.folder(&name, &commit);
        let fetch = (!self.offline).then(|| Fetch::new(self, name.clone(), commit));
        Ok(Snapshot { hub: self, name, folder, files, fetch })
    }

    fn folder(&self, name: &Name, commit: &str) -> PathBuf {
        self.cache.repo(name.at(commit)).pointer_path(commit)
    }

    /// The commit that the cache has for a revision. The revision may be a commit itself.
    fn cached_commit(&self, name: &Name) -> Result<String, HubError> {
        let commit = std::fs::read_to_string(self.refs(name)).unwrap_or_else(|_| name.revision.clone());
        let commit = commit.trim();
        if !is_component(commit) || !self.folder(name, commit).is_dir() {
            return Err(self.not_cached(name, format!("the whole {}", name.kind.text())));
        }
        Ok(commit.to_string())
    }

    /// Requests a repository's commit and list of files.
    fn info(&self, name: &Name) -> Result<RepoInfo, HubError> {
        let what = format!("the list of files of {}", name.id);
        let mut attempts = Attempts::new(&what, self.retries, self.wait);
        loop {
            let fault = match self.client.info(name.at(&name.revision)) {
                Ok(info) => return Ok(info),
                Err(Fault::Status(status @ (401 | 403 | 404), _)) => {
                    return Err(HubError::NotFound {
                        kind: name.kind.text(),
                        repo: name.id.clone(),
                        revision: name.revision.clone(),
                        endpoint: self.client.endpoint.clone(),
                        status,
                        token: self.token,
                    });
                }
                Err(fault) => fault,
            };
            let explain = |fault: Fault, tried| fault.explain(name, &what, &self.client.endpoint, tried);
            // Retries are useless without a network, so this error is returned immediately.
            if matches!(fault, Fault::Unreachable(..)) {
                return Err(explain(fault, attempts.tried()));
            }
            attempts.wait(fault, false).map_err(|fault| explain(fault, attempts.tried()))?;
        }
    }

    /// The file of the cache that contains the commit of a revision.
    fn refs(&self, name: &Name) -> PathBuf {
        self.cache.path().join(name.at(&name.revision).folder_name()).join("refs").join(&name.revision)
    }

    fn not_cached(&self, name: &Name, missing: String) -> HubError {
        HubError::NotCached {
            repo: name.id.clone(),
            revision: name.revision.clone(),
            missing,
            cache: self.cache.path().clone(),
        }
    }
}

/// A commit whose files are in the cache or can be downloaded.
struct Snapshot<'a> {
    hub: &'a Hub,
    name: Name,
    folder: PathBuf,
    /// The files of the commit. In offline mode, the files that the cache has.
    files: BTreeSet<String>,
    /// `None` in offline mode.
    fetch: Option<Fetch<'a>>,
}

impl Snapshot<'_> {
    fn has(&self, file: &str) -> bool {
        self.files.contains(file)
    }

    fn require(&self, file: &str, why: &str) -> Result<(), HubError> {
        if self.has(file) {
            return Ok(());
        }
        if self.fetch.is_none() {
            return Err(self.hub.not_cached(&self.name, file.to_string()));
        }
        let (repo, revision) = (self.name.id.clone(), self.name.revision.clone());
        Err(HubError::FileNotFound { repo, revision, file: file.to_string(), why: why.to_string() })
    }

    /// Makes sure that `file`, which must be one of `files`, is in the folder.
    fn get(&self, file: &str) -> Result<(), HubError> {
        self.fetch.as_ref().map_or(Ok(()), |fetch| fetch.get(file))
    }

    fn finish(self) -> Result<PathBuf, HubError> {
        if let Some(fetch) = self.fetch {
            fetch.finish()?;
        }
        Ok(self.folder)
    }

    fn without_weights(&self) -> HubError {
        if self.fetch.is_none() {
            return self.hub.not_cached(&self.name, format!("{SINGLE}, or {INDEX} with its shards"));
        }
        let weights = |file: &&String| {
            let ending = Path::new(file.as_str()).extension().and_then(|ending| ending.to_str());
            matches!(ending, Some("bin" | "pt" | "pth" | "h5" | "msgpack" | "onnx" | "gguf" | "ckpt" | "safetensors"))
        };
        HubError::NoSafetensors {
            repo: self.name.id.clone(),
            revision: self.name.revision.clone(),
            found: self.files.iter().filter(weights).take(EXAMPLES).cloned().collect(),
        }
    }

    fn none_wanted(&self) -> HubError {
        let mut examples: Vec<String> = self.files.iter().take(EXAMPLES).cloned().collect();
        if self.fetch.is_none() {
            let there = if examples.is_empty() { "no files".to_string() } else { examples.join(", ") };
            return self.hub.not_cached(&self.name, format!("all expected files (it contains {there})"));
        }
        if self.files.len() > examples.len() {
            examples.push(format!("and {} more", self.files.len() - examples.len()));
        }
        HubError::NoneWanted { repo: self.name.id.clone(), revision: self.name.revision.clone(), examples }
    }
}

/// The shards that are listed in an index, without duplicates.
fn shards(path: &Path) -> Result<BTreeSet<String>, HubError> {
    let text = std::fs::read(path).map_err(|source| HubError::Io { path: path.to_path_buf(), source })?;
    let wrong = |source| HubError::Index { path: path.to_path_buf(), source };
    let index: serde_json::Value = serde_json::from_slice(&text).map_err(|error| wrong(error.into()))?;
    let map = index["weight_map"].as_object().ok_or_else(|| wrong("it has no weight_map".into()))?;
    map.values()
        .map(|shard| shard.as_str().map(String::from).ok_or_else(|| wrong("a shard's name is not a string".into())))
        .collect()
}

/// Adds the files below a folder to `files`, as paths relative to the folder with `prefix` in front. Broken links are skipped.
fn walk(folder: &Path, prefix: &str, files: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let path = entry.path();
        if path.is_dir() {
            walk(&path, &format!("{name}/"), files);
        } else if path.is_file() {
            files.insert(name);
        }
    }
}

/// The folder in a user's home folder that contains the shared cache and the token.
fn home(user: Option<PathBuf>) -> Option<PathBuf> {
    Some(user?.join(".cache").join("huggingface"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> HubOptions {
        let value = |name: &str| Some(variables.iter().find(|(key, _)| *key == name)?.1.into());
        HubOptions::from_variables(&value, Some("user".into()))
    }

    #[test]
    fn options_are_read_from_the_environment() {
        let empty = options(&[]);
        assert_eq!(empty.cache, Some(Path::new("user").join(".cache").join("huggingface").join("hub")));
        assert_eq!((empty.offline, empty.endpoint, empty.token), (false, None, None));

        let all = options(&[
            ("HF_HOME", "home"),
            ("HF_HUB_CACHE", "cache"),
            ("HF_ENDPOINT", "http://mirror"),
            ("HF_TOKEN", " secret\n"),
            ("HF_HUB_OFFLINE", "YES"),
        ]);
        assert_eq!(all.cache, Some("cache".into()));
        assert_eq!(
            (all.offline, all.endpoint.as_deref(), all.token.as_deref()),
            (true, Some("http://mirror"), Some("secret"))
        );
        assert!(!format!("{all:?} {:?}", Hub::new(all.clone()).unwrap()).contains("secret"));

        assert_eq!(options(&[("HF_HOME", "home")]).cache, Some(Path::new("home").join("hub")));
        let cache = |variables: &[(&str, &str)]| options(variables).cache.unwrap();
        assert_eq!(cache(&[("HF_HOME", "~/hf")]), Path::new("user").join("hf").join("hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "xdg")]), Path::new("xdg").join("huggingface").join("hub"));
        assert_eq!(cache(&[("XDG_CACHE_HOME", "xdg"), ("HF_HOME", "home")]), Path::new("home").join("hub"));
        assert_eq!(cache(&[("HUGGINGFACE_HUB_CACHE", "old"), ("HF_HOME", "home")]), Path::new("old"));
        assert_eq!(cache(&[("HUGGINGFACE_HUB_CACHE", "old"), ("HF_HUB_CACHE", "~x/new")]), Path::new("~x/new"));
        for (value, offline) in [("1", true), ("true", true), ("on", true), ("0", false), ("", false), ("no", false)] {
            assert_eq!(options(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value}");
        }
    }

    #[test]
    fn the_token_is_read_from_a_file() {
        let folder = std::env::temp_dir().join(format!("asym-hub-token-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("token"), "from a file\n").unwrap();
        let home = folder.to_str().unwrap();
        // The token is in HF_HOME even if the cache is elsewhere.
        let found = options(&[("HF_HOME", home), ("HF_HUB_CACHE", "elsewhere")]);
        assert_eq!(found.token.as_deref(), Some("from a file"));
        assert_eq!(options(&[("HF_HOME", home), ("HF_TOKEN", "given")]).token.as_deref(), Some("given"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn endpoints_are_validated() {
        let hub = |endpoint: &str| Hub::new(HubOptions { endpoint: Some(endpoint.into()), ..HubOptions::default() });
        assert_eq!(hub("http://127.0.0.1:80/mirror/").unwrap().client.endpoint, "http://127.0.0.1:80/mirror");
        for wrong in ["", "mirror", "ftp://mirror", "https://", "https:///x", "https://a b", "https://a?b"] {
            assert!(matches!(hub(wrong), Err(HubError::Endpoint { found }) if found == wrong), "{wrong}");
        }
    }
}
