//! Requests to the endpoint, and to the hosts of large files.
//!
//! Requests are made with hf-hub's client and addresses. The download function of hf-hub is not used for four reasons. It
//! accepts compressed answers, for which the Hub's network sends whole files instead of ranges. hf-hub 0.5 reports such an
//! answer as a missing Content-Range (its issue 141), or appends the whole file to its part file. The function has no time
//! limits, it panics at a redirect without a valid target, and it sends the token to the host of a redirect.
//!
//! Redirects are followed here, because the client compares only the hosts, and not the ports, before it forwards the token.

use std::time::Duration;

use chrono::{DateTime, Utc};
use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo};
use ureq::Body;
use ureq::http::{HeaderMap, Response};

use super::address;
use super::checksum::Checksum;
use super::fault::Fault;
use super::name::{escaped, is_component};

/// The time limit of a connection attempt.
const CONNECT: Duration = Duration::from_secs(10);
/// The largest size of a list of files, which is read into memory.
const LONGEST_LIST: u64 = 128 << 20;
/// The largest number of redirects that are followed.
const HOPS: usize = 10;

/// A file as the server announces it.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The address of its content.
    url: String,
    /// Its etag, without quotes.
    pub etag: String,
    /// Its length, if the server announces it before the content.
    pub size: Option<u64>,
}

impl Source {
    /// The address of its content.
    pub fn url(&self) -> &str {
        &self.url
    }
}

#[derive(Debug, Clone)]
pub(super) struct Client {
    /// The address of the endpoint as it may be shown: without a user and a password.
    pub endpoint: String,
    /// The address for requests.
    base: String,
    /// The client that sends the token, if there is one.
    known: Api,
    anonymous: Api,
    /// The time limit for the next byte of an answer.
    pub stall: Duration,
}

impl Client {
    /// A client that gives up a request if nothing is received for the time `stall`.
    pub fn new(endpoint: String, token: Option<String>, cache: &Cache, stall: Duration) -> Result<Self, Fault> {
        let api = |token: Option<String>| {
            ApiBuilder::from_cache(cache.clone())
                .with_endpoint(endpoint.clone())
                .with_token(token)
                .with_user_agent("asym", env!("CARGO_PKG_VERSION"))
                .build()
        };
        let (known, anonymous) = (api(token)?, api(None)?);
        Ok(Self { endpoint: address::without_user(&endpoint), base: endpoint, known, anonymous, stall })
    }

    /// A repository's commit and list of files.
    pub fn info(&self, repo: Repo) -> Result<RepoInfo, Fault> {
        let url = format!("{}/api/{}", self.base, repo.api_url());
        // A list that arrives byte by byte never stalls, so the time limit also applies to the whole answer.
        let mut answer = self.follow(url, None, Some(self.stall))?;
        let text = answer.body_mut().with_config().limit(LONGEST_LIST).read_to_vec()?;
        let info: RepoInfo = serde_json::from_slice(&text).map_err(|error| Fault::Answer(error.to_string()))?;
        // The commit becomes the name of a folder.
        if !is_component(&info.sha) {
            return Err(Fault::Answer(format!("`{}` is not the name of a commit", info.sha)));
        }
        Ok(info)
    }

    /// The address, etag and length of a file. The revision of `repo` is a commit.
    ///
    /// A redirect that has both the etag and the length is not followed.
    pub fn find(&self, repo: Repo, file: &str) -> Result<Source, Fault> {
        let commit = repo.revision().to_string();
        let mut url = self.known.repo(repo).url(&escaped(file));
        let (mut linked_etag, mut linked_size, mut has_commit) = (None, None, false);
        for _ in 0..HOPS {
            let answer = self.get(&url, Some("bytes=0-0"), None)?;
            let headers = answer.headers();
            if let Some(found) = text(headers, "x-repo-commit") {
                if found != commit {
                    return Err(Fault::Answer(format!("it belongs to commit `{found}`, but `{commit}` was requested")));
                }
                has_commit = true;
            }
            linked_etag = linked_etag.or_else(|| text(headers, "x-linked-etag").map(String::from));
            linked_size = linked_size.or_else(|| text(headers, "x-linked-size")?.parse().ok());
            let (etag, size) = match redirect(&url, &answer)? {
                Some(next) => {
                    url = next;
                    if linked_etag.is_none() || linked_size.is_none() {
                        continue;
                    }
                    (linked_etag, linked_size)
                }
                None => {
                    refuse_page(file, &answer)?;
                    let etag = linked_etag.or_else(|| text(headers, "etag").map(String::from));
                    (etag, linked_size.or_else(|| length(&answer)))
                }
            };
            let etag = etag.ok_or_else(|| Fault::Answer("it has no etag".into()))?;
            // A proxy that compresses answers marks the etag as weak. The names of files in the cache do not have this mark.
            let etag = etag.strip_prefix("W/").unwrap_or(&etag).replace('"', "");
            if !is_component(&etag) {
                return Err(Fault::Answer(format!("`{etag}` is not a valid etag")));
            }
            if Checksum::of_etag(&etag).is_none() {
                // Any server can send a length and an etag, even for a login page. Such a page must not enter the cache,
                // because the other programs that share the cache would never download the file again.
                if !has_commit {
                    return Err(Fault::Answer("it has neither a commit (x-repo-commit) nor a checksum (etag)".into()));
                }
                if size.is_none() {
                    return Err(Fault::Answer("it has neither a length nor a checksum".into()));
                }
            }
            return Ok(Source { url, etag, size });
        }
        Err(too_many())
    }

    /// The content of a file from byte `from` on. A server that does not support ranges sends the whole file, so the caller
    /// must check the status.
    pub fn content(&self, file: &str, source: &Source, from: u64) -> Result<Response<Body>, Fault> {
        let range = (from > 0).then(|| format!("bytes={from}-"));
        let answer = self.follow(source.url.clone(), range.as_deref(), None)?;
        refuse_page(file, &answer)?;
        Ok(answer)
    }

    /// The answer at the end of all redirects.
    fn follow(&self, mut url: String, range: Option<&str>, whole: Option<Duration>) -> Result<Response<Body>, Fault> {
        for _ in 0..=HOPS {
            let answer = self.get(&url, range, whole)?;
            match redirect(&url, &answer)? {
                Some(next) => url = next,
                None => return Ok(answer),
            }
        }
        Err(too_many())
    }

    /// Sends one request. Redirects are not followed here, because the client would send the token to another port of the same
    /// host.
    ///
    /// The token is sent to the endpoint only. For the host that stores large files, the address is signed instead. `whole` is
    /// the time limit of the whole answer.
    fn get(&self, url: &str, range: Option<&str>, whole: Option<Duration>) -> Result<Response<Body>, Fault> {
        let own = address::origin(url) == address::origin(&self.base);
        let api = if own { &self.known } else { &self.anonymous };
        // hf-hub exposes only this request, so its address is replaced.
        let mut request = api.model(String::new()).info_request().uri(url);
        if let Some(range) = range {
            request = request.header("Range", range);
        }
        let answer = request
            .config()
            .accept_encoding("identity")
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_per_read(Some(self.stall))
            .timeout_global(whole)
            .build()
            .call()
            .map_err(|error| Fault::from(error).at(url))?;
        let status = answer.status();
        if status.is_client_error() || status.is_server_error() {
            let wish = text(answer.headers(), "retry-after").and_then(|text| wish(text, Utc::now()));
            return Err(Fault::Status(status.as_u16(), wish));
        }
        Ok(answer)
    }
}

/// The address to which an answer redirects. `None` if it is not a redirect.
fn redirect(url: &str, answer: &Response<Body>) -> Result<Option<String>, Fault> {
    if !answer.status().is_redirection() {
        return Ok(None);
    }
    let target = text(answer.headers(), "location").and_then(|location| address::join(url, location));
    target.map(Some).ok_or_else(|| Fault::Answer("a redirect without a usable Location header".into()))
}

fn too_many() -> Fault {
    Fault::Answer(format!("more than {HOPS} redirects"))
}

/// Refuses a web page, such as a login page, in place of a file that is not a web page.
fn refuse_page(file: &str, answer: &Response<Body>) -> Result<(), Fault> {
    let is_page = text(answer.headers(), "content-type")
        .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("text/html"));
    if is_page && !file.ends_with(".html") && !file.ends_with(".htm") {
        return Err(Fault::Answer("it is a web page (text/html), such as a login page".into()));
    }
    Ok(())
}

/// The wait in a `Retry-After` header: seconds, or a date.
fn wish(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => (DateTime::parse_from_rfc2822(text.trim()).ok()?.to_utc() - now).to_std().ok(),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The length of a file, from the answer to a request for its first byte. The answer may contain the whole file.
fn length(answer: &Response<Body>) -> Option<u64> {
    match text(answer.headers(), "content-range") {
        Some(range) => range.rsplit('/').next()?.parse().ok(),
        None if answer.status() == 200 => answer.body().content_length(),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_accepts_seconds_and_dates() {
        let now = DateTime::parse_from_rfc2822("Wed, 21 Oct 2015 07:28:00 GMT").unwrap().to_utc();
        let wish = |text| wish(text, now).map(|wish| wish.as_secs());
        assert_eq!(wish("120"), Some(120));
        assert_eq!(wish("Wed, 21 Oct 2015 07:29:30 GMT"), Some(90));
        for none in ["-1", "x", "", "Wed, 21 Oct 2015 07:00:00 GMT"] {
            assert_eq!(wish(none), None, "{none}");
        }
    }
}
