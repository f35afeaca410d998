//! Requests to the endpoint, and to the hosts of large files.
//!
//! Requests are made with hf-hub's client and addresses. Its own download is not used for four reasons. It accepts
//! compressed answers, for which the Hub's network sends whole files instead of ranges. hf-hub 0.5 reports those as a
//! missing Content-Range (its issue 141), or appends them to the part that it has. It has no time limits, it panics at
//! a redirect without a valid target, and it sends the token to the host of a redirect.

use std::time::Duration;

use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo};
use ureq::http::{HeaderMap, Response};
use ureq::{Body, Error};

use super::checksum::Checksum;
use super::fault::Fault;
use super::name::{escaped, is_component};

/// The time limit of a connection attempt.
const CONNECT: Duration = Duration::from_secs(10);
/// The largest size of a list of files, which is read into memory.
const LONGEST_LIST: u64 = 256 << 20;
/// The largest number of redirects that are followed.
const HOPS: usize = 10;

/// A file as the server announces it.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The address of its content.
    url: String,
    /// Its etag, without quotes.
    pub etag: String,
    /// Its length, if the server gives it before the content.
    pub size: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    pub endpoint: String,
    /// Sends the token, if there is one.
    known: Api,
    anonymous: Api,
    stall: Duration,
}

impl Client {
    /// A client that gives up if nothing is received for as long as `stall`.
    pub fn new(endpoint: String, token: Option<String>, cache: &Cache, stall: Duration) -> Result<Self, Fault> {
        let api = |token: Option<String>| {
            ApiBuilder::from_cache(cache.clone())
                .with_endpoint(endpoint.clone())
                .with_token(token)
                .with_user_agent("asym", env!("CARGO_PKG_VERSION"))
                .build()
        };
        Ok(Self { known: api(token)?, anonymous: api(None)?, endpoint, stall })
    }

    /// A repository's commit and list of files.
    pub fn info(&self, repo: Repo) -> Result<RepoInfo, Fault> {
        let request = self.known.repo(repo).info_request().config();
        let request = request.timeout_connect(Some(CONNECT)).timeout_global(Some(self.stall));
        let mut answer = request.build().call()?;
        let text = answer.body_mut().with_config().limit(LONGEST_LIST).read_to_vec()?;
        let info: RepoInfo = serde_json::from_slice(&text).map_err(|error| Fault::Answer(error.to_string()))?;
        // The commit becomes the name of a folder.
        if !is_component(&info.sha) {
            return Err(Fault::Answer(format!("its commit is `{}`", info.sha)));
        }
        Ok(info)
    }

    /// The address, etag and length of a file. `repo` is at a commit.
    ///
    /// A redirect that gives both the etag and the length is not followed.
    pub fn find(&self, repo: Repo, file: &str) -> Result<Source, Fault> {
        let commit = repo.revision().to_string();
        let mut url = self.known.repo(repo).url(&escaped(file));
        let (mut linked_etag, mut linked_size) = (None, None);
        for _ in 0..HOPS {
            let answer = self.get(&url, Some("bytes=0-0"), 0)?;
            let headers = answer.headers();
            if let Some(found) = text(headers, "x-repo-commit").filter(|found| *found != commit) {
                return Err(Fault::Answer(format!("it is of commit `{found}` where `{commit}` was asked for")));
            }
            linked_etag = linked_etag.or_else(|| text(headers, "x-linked-etag").map(String::from));
            linked_size = linked_size.or_else(|| text(headers, "x-linked-size")?.parse().ok());
            let (etag, size) = if answer.status().is_redirection() {
                let location = text(headers, "location").and_then(|location| join(&url, location));
                url = location.ok_or_else(|| Fault::Answer("a redirect that leads nowhere".into()))?;
                if linked_etag.is_none() || linked_size.is_none() {
                    continue;
                }
                (linked_etag, linked_size)
            } else {
                let etag = linked_etag.or_else(|| text(headers, "etag").map(String::from));
                (etag, linked_size.or_else(|| length(&answer)))
            };
            let etag = etag.ok_or_else(|| Fault::Answer("it has no etag".into()))?;
            // A proxy that compresses marks the etag as weak. The names of files in the cache have no such mark.
            let etag = etag.strip_prefix("W/").unwrap_or(&etag).replace('"', "");
            if !is_component(&etag) {
                return Err(Fault::Answer(format!("its etag is `{etag}`")));
            }
            if size.is_none() && Checksum::of_etag(&etag).is_none() {
                return Err(Fault::Answer("it has neither a length nor a checksum".into()));
            }
            return Ok(Source { url, etag, size });
        }
        Err(Fault::Answer(format!("more than {HOPS} redirects")))
    }

    /// The content of a file from a byte on, if the server supports ranges. The caller must check the status.
    pub fn content(&self, source: &Source, from: u64) -> Result<Response<Body>, Fault> {
        let range = (from > 0).then(|| format!("bytes={from}-"));
        Ok(self.get(&source.url, range.as_deref(), HOPS as u32)?)
    }

    /// Sends the token to the endpoint only. The host that stores large files gets a signed address instead.
    fn get(&self, url: &str, range: Option<&str>, redirects: u32) -> Result<Response<Body>, Error> {
        let own = origin(url) == origin(&self.endpoint);
        let api = if own { &self.known } else { &self.anonymous };
        // hf-hub gives access to this request only, so its address is replaced.
        let mut request = api.model(String::new()).info_request().uri(url);
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        request
            .config()
            .accept_encoding("identity")
            .max_redirects(redirects)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(self.stall))
            .build()
            .call()
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The length of a file, from the answer to a request for its first byte. The answer may hold the whole file.
fn length(answer: &Response<Body>) -> Option<u64> {
    match text(answer.headers(), "content-range") {
        Some(range) => range.rsplit('/').next()?.parse().ok(),
        None if answer.status() == 200 => answer.body().content_length(),
        None => None,
    }
}

/// Scheme, host and port of an address.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    url[host..].find(['/', '?', '#']).map_or(url, |end| &url[..host + end])
}

/// The target of a redirect: a path of the same host, or a whole address.
fn join(url: &str, location: &str) -> Option<String> {
    if location.starts_with("//") {
        Some(format!("{}{location}", &url[..url.find("//")?]))
    } else if location.starts_with('/') {
        Some(format!("{}{location}", origin(url)))
    } else {
        (location.starts_with("http://") || location.starts_with("https://")).then(|| location.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let url = "https://host:1/a/b?c=d/e";
        assert_eq!(origin(url), "https://host:1");
        assert_eq!(origin("http://host"), "http://host");
        // Neither a name that begins alike nor another port or scheme is the same.
        for other in ["https://host:12/a", "https://host.else:1/", "http://host:1/", "https://host"] {
            assert_ne!(origin(other), origin(url));
        }
        let joined = |location| join(url, location);
        assert_eq!(joined("/x?y=/z").as_deref(), Some("https://host:1/x?y=/z"));
        assert_eq!(joined("//other/x").as_deref(), Some("https://other/x"));
        assert_eq!(joined("http://other/x").as_deref(), Some("http://other/x"));
        assert_eq!(joined("x"), None);
        assert_eq!(joined("file:///etc/passwd"), None);
    }
}
