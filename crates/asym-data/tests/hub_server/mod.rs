//! A local Hub for tests. It answers the requests of hf-hub, with faults on demand, and records the requests.
//!
//! As on the Hub, the request for a file in large file storage is redirected to another host (here `localhost` instead of
//! `127.0.0.1`), and the request for a plain file to another path on the same host. A client that accepts compressed answers
//! gets no ranges. The connection is closed after every answer.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asym_data::hub::{Hub, HubOptions};
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// A commit, as the Hub writes it.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Another commit.
pub const NEXT: &str = "89abcdef0123456789abcdef0123456789abcdef";
pub const MODEL: &str = "owner/model";
pub const WEIGHTS: &str = "model.safetensors";

/// A received request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path as it was sent, without any decoding.
    pub path: String,
    pub host: String,
    pub range: Option<String>,
    pub authorization: Option<String>,
    pub accept_encoding: Option<String>,
}

impl Request {
    /// Whether this is a request for content, and not for a list, or for one byte to find the length of a file.
    pub fn is_download(&self) -> bool {
        !self.path.starts_with("/api/") && self.range.as_deref() != Some("bytes=0-0")
    }
}

/// A file in a repository.
#[derive(Debug, Clone)]
pub struct File {
    pub name: String,
    pub content: Vec<u8>,
    /// Whether the file is in large file storage, with SHA-256 as etag and a redirect to another host.
    pub large: bool,
}

impl File {
    pub fn plain(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), content: content.into(), large: false }
    }

    pub fn large(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), content: content.into(), large: true }
    }

    pub fn etag(&self) -> String {
        if self.large { hex(&Sha256::digest(&self.content)) } else { git_blob(&self.content) }
    }
}

/// Git's name of a blob.
fn git_blob(content: &[u8]) -> String {
    hex(&Sha1::new().chain_update(format!("blob {}\0", content.len())).chain_update(content).finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The fault of an answer.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Only this status is sent.
    Status(u16),
    /// The connection ends after this number of bytes of the body.
    Cut(usize),
    /// As [`Cut`](Fault::Cut), and the answer has no length.
    CutWithoutLength(usize),
    /// The byte at this index of the file is changed.
    Flip(usize),
    /// The whole file is sent, regardless of the requested range.
    IgnoreRange,
    /// The range begins at the start of the file, regardless of the requested range.
    WrongRange,
    /// The whole file is sent instead of the range, without its length.
    Bare,
    /// The headers announce a file that is longer or shorter by this number of bytes.
    Total(i64),
    /// The redirect has no length. If the value is false, it has no etag either.
    Unlinked(bool),
    /// The answer has this commit instead of the requested one.
    Commit(&'static str),
    /// Content-Length differs from the length of the body by this number of bytes.
    Length(i64),
    /// The answer has this etag.
    Etag(&'static str),
    /// The server waits for this time before it sends an answer.
    Silence(Duration),
    /// The answer is a redirect without a target.
    Nowhere,
}

/// The requests that a fault affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Requests for content.
    Downloads,
    /// Requests for one byte to find the length of a file.
    Probes,
    /// All requests.
    All,
}

#[derive(Debug)]
struct Planned {
    path: String,
    which: For,
    times: usize,
    fault: Fault,
}

#[derive(Debug)]
struct Repo {
    /// `owner/name` for a model, `datasets/owner/name` for a dataset.
    id: String,
    revision: String,
    commit: String,
    files: Vec<File>,
    /// The token that is required for the repository's files, and for its list of files if the repository is private.
    token: Option<String>,
    private: bool,
}

#[derive(Debug, Default)]
struct State {
    repos: Vec<Repo>,
    faults: Vec<Planned>,
    requests: Vec<Request>,
}

/// A server that listens until the program ends.
#[derive(Debug, Clone)]
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let answering = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = answering.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds a repository at a revision. `id` is `owner/name`, with `datasets/` before it for a dataset.
    pub fn add(&self, id: &str, revision: &str, commit: &str, files: Vec<File>) {
        let (id, revision, commit) = (id.to_string(), revision.to_string(), commit.to_string());
        let mut state = self.state.lock().unwrap();
        state.repos.retain(|repo| (&repo.id, &repo.revision) != (&id, &revision));
        state.repos.push(Repo { id, revision, commit, files, token: None, private: false });
    }

    /// Requires `token` for the files of every repository and, if `private` is true, for the lists of files.
    pub fn close(&self, token: &str, private: bool) {
        for repo in &mut self.state.lock().unwrap().repos {
            repo.token = Some(token.to_string());
            repo.private = private;
        }
    }

    /// Applies a fault to the next `times` requests of this kind whose path contains `path`.
    pub fn plan(&self, path: &str, which: For, times: usize, fault: Fault) {
        self.state.lock().unwrap().faults.push(Planned { path: path.into(), which, times, fault });
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.state.lock().unwrap().faults.clear();
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some(request) = read(&stream) else { return };
        let mut state = self.state.lock().unwrap();
        state.requests.push(request.clone());
        let fault = state.faults.iter_mut().find(|planned| {
            let kind = match planned.which {
                For::Downloads => request.is_download(),
                For::Probes => request.range.as_deref() == Some("bytes=0-0"),
                For::All => true,
            };
            planned.times > 0 && kind && request.path.contains(&planned.path)
        });
        let fault = fault.map(|planned| {
            planned.times -= 1;
            planned.fault
        });
        let (answer, pause) = match fault {
            Some(Fault::Silence(pause)) => (Answer::status(500), pause),
            Some(Fault::Status(status)) => (Answer::status(status), Duration::ZERO),
            Some(Fault::Nowhere) => (Answer::status(302), Duration::ZERO),
            fault => (state.answer(&request, fault, self.address.port()), Duration::ZERO),
        };
        drop(state);
        std::thread::sleep(pause);
        // The client may have closed the connection, as it should do after some faults.
        let _ = stream.write_all(&answer.bytes());
        let _ = stream.shutdown(Shutdown::Write);
    }
}

impl State {
    fn answer(&self, request: &Request, fault: Option<Fault>, port: u16) -> Answer {
        let path = request.path.as_str();
        if let Some(rest) = path
            .strip_prefix("/api/models/")
            .map(String::from)
            .or_else(|| path.strip_prefix("/api/datasets/").map(|rest| format!("datasets/{rest}")))
        {
            return self.info(&rest, request);
        }
        if let Some(rest) = path.strip_prefix("/large/") {
            let file = self.repos.iter().flat_map(|repo| &repo.files).find(|file| file.large && file.etag() == rest);
            return file.map_or(Answer::status(404), |file| part_of(file, request, fault));
        }
        let path = path.strip_prefix("/plain").unwrap_or(path);
        let Some((id, rest)) = path[1..].split_once("/resolve/") else { return Answer::status(404) };
        let Some((commit, name)) = rest.split_once('/') else { return Answer::status(404) };
        let Some(repo) = self.repos.iter().find(|repo| repo.id == id && repo.commit == commit) else {
            return Answer::status(401);
        };
        // Only the escapes that a test uses are decoded.
        let name = name.replace("%20", " ").replace("%23", "#");
        let Some(file) = repo.files.iter().find(|file| file.name == name) else { return Answer::status(404) };
        if !repo.opens(request) && !request.path.starts_with("/plain") {
            return Answer::status(401);
        }
        let etag = if let Some(Fault::Etag(etag)) = fault { etag.to_string() } else { format!("\"{}\"", file.etag()) };
        let commit = if let Some(Fault::Commit(commit)) = fault { commit } else { commit };
        let size = file.content.len() as i64 + if let Some(Fault::Total(more)) = fault { more } else { 0 };
        let mut answer = if file.large {
            Answer::redirect(&format!("http://localhost:{port}/large/{}", file.etag()))
        } else if request.path.starts_with("/plain") {
            part_of(file, request, fault)
        } else {
            Answer::redirect(&format!("/plain{}", request.path))
        };
        answer.header("x-repo-commit", commit);
        answer.header(if file.large { "x-linked-etag" } else { "etag" }, &etag);
        match fault {
            Some(Fault::Unlinked(true)) => {}
            Some(Fault::Unlinked(false)) => answer.headers = answer.headers.replace("x-linked-etag", "x-nothing"),
            _ if file.large => answer.header("x-linked-size", &size.to_string()),
            _ => {}
        }
        answer
    }

    fn info(&self, rest: &str, request: &Request) -> Answer {
        let Some((id, revision)) = rest.split_once("/revision/") else { return Answer::status(404) };
        let named: Vec<&Repo> = self.repos.iter().filter(|repo| repo.id == id).collect();
        if !named.iter().any(|repo| !repo.private || repo.opens(request)) {
            return Answer::status(401);
        }
        let revision = revision.replace("%2F", "/");
        let Some(repo) = named.into_iter().find(|repo| repo.revision == revision || repo.commit == revision) else {
            return Answer::status(404);
        };
        let siblings: Vec<_> = repo.files.iter().map(|file| serde_json::json!({ "rfilename": file.name })).collect();
        let body = serde_json::json!({ "sha": repo.commit, "siblings": siblings, "private": repo.private });
        let mut answer = Answer { body: body.to_string().into_bytes(), ..Answer::status(200) };
        answer.header("content-type", "application/json");
        answer
    }
}

impl Repo {
    fn opens(&self, request: &Request) -> bool {
        self.token.as_ref().is_none_or(|token| request.authorization == Some(format!("Bearer {token}")))
    }
}

/// An answer with the requested part of a file, changed by the fault.
fn part_of(file: &File, request: &Request, fault: Option<Fault>) -> Answer {
    let mut bytes = file.content.clone();
    let compressed = request.accept_encoding.as_deref().is_some_and(|accepted| accepted.contains("gzip"));
    let whole = compressed || matches!(fault, Some(Fault::IgnoreRange | Fault::Bare));
    let range = request.range.as_deref().filter(|_| !whole).and_then(|range| range.strip_prefix("bytes="));
    let (from, to) = range.and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let from: usize = if matches!(fault, Some(Fault::WrongRange)) { 0 } else { from.parse().unwrap() };
    let to = to.parse().map_or(bytes.len(), |last: usize| last + 1).min(bytes.len());
    if from >= to {
        return Answer::status(416);
    }
    let mut total = bytes.len() as i64;
    match fault {
        Some(Fault::Flip(at)) => bytes[at] ^= 1,
        Some(Fault::Total(more)) => total += more,
        _ => {}
    }
    let mut answer = Answer { body: bytes[from..to].to_vec(), ..Answer::status(200) };
    if range.is_some() {
        answer.status = 206;
        answer.header("content-range", &format!("bytes {from}-{}/{total}", to - 1));
    }
    if file.large {
        answer.header("etag", &format!("\"{}\"", file.etag()));
    }
    answer.length = Some(answer.body.len() as i64);
    match fault {
        Some(Fault::Cut(at)) => answer.body.truncate(at),
        Some(Fault::CutWithoutLength(at)) => {
            answer.body.truncate(at);
            answer.length = None;
        }
        Some(Fault::Bare) => answer.length = None,
        Some(Fault::Length(more)) => answer.length = answer.length.map(|length| length + more),
        _ => {}
    }
    answer
}

#[derive(Debug, Default)]
struct Answer {
    status: u16,
    headers: String,
    length: Option<i64>,
    body: Vec<u8>,
}

impl Answer {
    fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    fn redirect(location: &str) -> Self {
        let mut answer = Self::status(302);
        answer.length = Some(0);
        answer.header("location", location);
        answer
    }

    fn header(&mut self, name: &str, value: &str) {
        let _ = write!(self.headers, "{name}: {value}\r\n");
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes =
            format!("HTTP/1.1 {} Status\r\nconnection: close\r\n{}", self.status, self.headers).into_bytes();
        if let Some(length) = self.length {
            bytes.extend(format!("content-length: {length}\r\n").bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}

/// Reads a request, which consists only of a head.
fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_string();
    let mut request = Request { path, host: String::new(), range: None, authorization: None, accept_encoding: None };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let value = value.trim().to_string();
        match name.to_ascii_lowercase().as_str() {
            "host" => request.host = value,
            "range" => request.range = Some(value),
            "accept-encoding" => request.accept_encoding = Some(value),
            "authorization" => request.authorization = Some(value),
            _ => {}
        }
    }
    Some(request)
}

/// An empty cache for the test `name`.
pub fn empty(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("asym-data-hub").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

pub fn options(server: &Server, cache: &Path) -> HubOptions {
    HubOptions {
        cache: Some(cache.to_path_buf()),
        endpoint: Some(server.endpoint()),
        retries: 3,
        wait: Duration::from_millis(1),
        ..HubOptions::default()
    }
}

pub fn hub(server: &Server, cache: &Path) -> Hub {
    Hub::new(options(server, cache)).unwrap()
}

pub fn offline(server: &Server, cache: &Path) -> Hub {
    Hub::new(HubOptions { offline: true, ..options(server, cache) }).unwrap()
}

/// Content that differs at all offsets that the tests use.
pub fn weights() -> Vec<u8> {
    (0..100_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

pub fn model_files() -> Vec<File> {
    vec![
        File::plain("README.md", "words"),
        File::plain("config.json", "{\"model_type\": \"roberta\"}"),
        File::plain("tokenizer.json", "{}"),
        File::plain("vocab.json", "{}"),
        File::plain("merges.txt", "a b"),
        File::large(WEIGHTS, weights()),
        File::large("pytorch_model.bin", "other weights"),
    ]
}

/// A server with one model.
pub fn model_server() -> Server {
    let server = Server::start();
    server.add(MODEL, "main", COMMIT, model_files());
    server
}

/// The weights of a snapshot.
pub fn content(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join(WEIGHTS)).unwrap()
}

/// The paths of all files below a folder, relative to the folder.
pub fn files_below(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    found
}

/// Checks that the content of every blob in the cache matches its name.
pub fn assert_clean(cache: &Path) {
    let blobs = cache.join("models--owner--model").join("blobs");
    for entry in std::fs::read_dir(blobs).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some() {
            // A part file or a lock file.
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let content = std::fs::read(&path).unwrap();
        let known = [File::plain("", content.clone()).etag(), File::large("", content).etag()];
        assert!(known.contains(&name), "the content of {name} does not match its name");
    }
}

/// The path of the part file of an interrupted download.
pub fn part(cache: &Path) -> PathBuf {
    cache.join("models--owner--model/blobs").join(File::large(WEIGHTS, weights()).etag()).with_extension("part")
}

/// Writes `content` to the part file, as if a download had been interrupted.
pub fn leave_part(cache: &Path, content: &[u8]) {
    std::fs::create_dir_all(part(cache).parent().unwrap()).unwrap();
    std::fs::write(part(cache), content).unwrap();
}

/// The ranges of the requests for the weights' content.
pub fn ranges(requests: &[Request]) -> Vec<String> {
    let content = requests.iter().filter(|request| request.is_download() && request.path.starts_with("/large/"));
    content.map(|request| request.range.clone().unwrap_or("whole".into())).collect()
}

/// The files of a dataset with several tasks.
pub fn set_files() -> Vec<File> {
    let names = ["README.md", "mrpc/test-0.parquet", "mrpc/train-0.parquet", "cola/train-0.parquet", "cola/a #1.txt"];
    names.iter().map(|name| File::large(name, name.repeat(100))).collect()
}
