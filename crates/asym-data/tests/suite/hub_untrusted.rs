//! Servers that send false or endless answers, or redirect a client to other servers. The token is sent only to the endpoint,
//! no wrong file enters the cache, and every request ends.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use asym_data::hub::{Hub, HubError, HubOptions};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const SECRET: &str = "hf_secret";
/// A SHA-256 that matches no content in these tests.
const OTHER: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// Git's name of the blob `{}`.
const BRACES: &str = "9e26dfeeb6e641a33dae4961196235bdb965b21b";

/// The path of a request, and its headers in lower case.
type Request = (String, BTreeMap<String, String>);

/// A server whose answers are written to the stream by the function that is passed to [`start`](Self::start). It listens until
/// the program ends.
#[derive(Clone)]
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn start(behave: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let (seen, behave) = (server.seen.clone(), Arc::new(behave));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (seen, behave) = (seen.clone(), behave.clone());
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                    let Some(path) = lines.next().and_then(|line| line.split(' ').nth(1).map(String::from)) else {
                        return;
                    };
                    let header = |line: String| {
                        let (name, value) = line.split_once(':')?;
                        Some((name.to_ascii_lowercase(), value.trim().to_string()))
                    };
                    let request = (path, lines.take_while(|line| !line.is_empty()).filter_map(header).collect());
                    seen.lock().unwrap().push(request.clone());
                    behave(&request, &mut stream);
                    let _ = stream.shutdown(Shutdown::Write);
                });
            }
        });
        server
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// Whether a request had a token.
    fn saw_a_token(&self) -> bool {
        self.seen().iter().any(|(_, headers)| headers.contains_key("authorization"))
    }
}

/// Writes an answer. The client may have closed the connection already, as it should do after some answers.
fn answer(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\n");
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    if !headers.iter().any(|(name, _)| *name == "transfer-encoding") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(b"\r\n"))
        .and_then(|()| stream.write_all(body));
}

/// Sends the list of files of a model.
fn list(stream: &mut TcpStream) {
    let body = format!(
        r#"{{"sha": "{COMMIT}", "siblings": [{{"rfilename": "config.json"}}, {{"rfilename": "model.safetensors"}}]}}"#
    );
    answer(stream, 200, &[("content-type", "application/json")], body.as_bytes());
}

/// Sends a file with the content `{}`, as the Hub does.
fn braces(stream: &mut TcpStream) {
    answer(stream, 200, &[("etag", &format!("\"{BRACES}\"")), ("x-repo-commit", COMMIT)], b"{}");
}

/// A Hub with a correct list of files, whose files are sent by `file`.
fn files(file: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> Server {
    Server::start(
        move |request, stream| if request.0.starts_with("/api/") { list(stream) } else { file(request, stream) },
    )
}

/// An empty cache for the test `name`.
fn empty(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("asym-data-liars").join(name);
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

fn options(endpoint: String, name: &str) -> HubOptions {
    HubOptions {
        cache: Some(empty(name)),
        endpoint: Some(endpoint),
        token: Some(SECRET.to_string()),
        retries: 2,
        wait: Duration::from_millis(1),
        stall: Duration::from_millis(300),
        ..HubOptions::default()
    }
}

fn ask(server: &Server, name: &str) -> Result<PathBuf, HubError> {
    Hub::new(options(server.url(), name)).unwrap().model("owner/model")
}

/// The blobs in the cache of the test `name` with their lengths, parts included.
fn blobs(name: &str) -> Vec<(String, u64)> {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("asym-data-liars").join(name).join("models--owner--model/blobs");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = |entry: std::fs::DirEntry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len());
    entries.map(named).filter(|(name, _)| !name.ends_with(".lock")).collect()
}

#[test]
fn the_token_is_not_sent_to_other_ports_or_hosts() {
    for host in ["127.0.0.1", "localhost"] {
        // The answers of the other server are correct, so that the download continues.
        let other =
            Server::start(|request, stream| if request.0.starts_with("/api/") { list(stream) } else { braces(stream) });
        let away = format!("http://{host}:{}", other.address.port());
        let to = away.clone();
        let lists = Server::start(move |request, stream| {
            answer(stream, 307, &[("location", &format!("{to}{}", request.0))], b"")
        });
        ask(&lists, &format!("token-list-{host}")).unwrap();
        assert!(lists.saw_a_token() && !other.saw_a_token());
        assert!(other.seen().iter().any(|(path, _)| path.starts_with("/api/")));

        let to = away.clone();
        let probes =
            files(move |request, stream| answer(stream, 302, &[("location", &format!("{to}{}", request.0))], b""));
        ask(&probes, &format!("token-probe-{host}")).unwrap();
        // A redirect of the second request, for the content.
        let contents = files(move |(path, headers), stream| {
            if headers.contains_key("range") {
                return braces(stream);
            }
            answer(stream, 302, &[("location", &format!("{away}{path}"))], b"");
        });
        ask(&contents, &format!("token-content-{host}")).unwrap();
        assert!(probes.saw_a_token() && contents.saw_a_token() && !other.saw_a_token());
    }
}

#[test]
fn passwords_in_the_endpoint_are_not_shown() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [
        format!("http://somebody:hidden1@{free}"),
        "somebody:hidden1@host".to_string(),
        "http://somebody:hidden1@:1".to_string(),
    ] {
        let options = options(endpoint, "endpoint");
        assert!(!format!("{options:?}").contains("hidden1"), "{options:?}");
        let error = match Hub::new(options) {
            Ok(hub) => {
                assert!(!format!("{hub:?}").contains("hidden1"), "{hub:?}");
                hub.model("owner/model").unwrap_err()
            }
            Err(error) => error,
        };
        assert!(!error.to_string().contains("hidden1") && !error.to_string().contains("somebody"), "{error}");
    }
}

#[test]
fn login_pages_are_not_cached() {
    const PAGE: &[u8] = b"<html>Log in</html>";
    let page: fn(&mut TcpStream, &[(&str, &str)]) = |stream, headers| answer(stream, 200, headers, PAGE);
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("page", &[("content-type", "text/html"), ("etag", "\"abc\"")]),
        (
            "page-of-the-hub",
            &[("content-type", "Text/HTML; charset=utf-8"), ("etag", "\"abc\""), ("x-repo-commit", COMMIT)],
        ),
        // Without a content type, the page is refused because the answer has no commit or the checksum is wrong.
        ("no-commit", &[("etag", "\"abc\"")]),
        ("checksum", &[("etag", OTHER)]),
    ];
    for (name, headers) in cases {
        let headers: Vec<(&str, &str)> = headers.to_vec();
        let server = files(move |_, stream| page(stream, &headers));
        let error = ask(&server, name).unwrap_err();
        let expected = if name == "checksum" { "damaged" } else { "does not come from a Hub" };
        assert!(error.to_string().contains(expected), "{name}: {error}");
        assert_eq!(blobs(name), [], "{name}");
    }
    // A page in the second answer, after a session has ended.
    let server = files(move |(_, headers), stream| {
        if headers.contains_key("range") {
            return answer(stream, 200, &[("etag", "\"abc\""), ("x-repo-commit", COMMIT)], &[b' '; PAGE.len()]);
        }
        page(stream, &[("content-type", "text/html")]);
    });
    let error = ask(&server, "second").unwrap_err();
    assert!(matches!(&error, HubError::Answer { problem, .. } if problem.contains("web page")), "{error}");
    assert_eq!(blobs("second"), []);
}

/// Sends pieces until the client closes the connection or `most` bytes are sent.
fn endless(stream: &mut TcpStream, headers: &str, piece: &[u8], pause: Duration, most: usize) {
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{headers}\r\n");
    let mut sent = 0;
    let mut open = stream.write_all(head.as_bytes()).is_ok();
    while open && sent < most {
        open = stream.write_all(piece).is_ok();
        sent += piece.len();
        std::thread::sleep(pause);
    }
}

#[test]
fn endless_responses_are_limited_to_the_expected_length() {
    // If the length is not announced, the body is limited to the largest size of such a file.
    let server = files(|_, stream| {
        endless(stream, &format!("etag: \"{OTHER}\"\r\n"), &[b'x'; 1 << 16], Duration::ZERO, 200 << 20);
    });
    let error = ask(&server, "endless").unwrap_err();
    assert!(matches!(&error, HubError::Checksum { found, .. } if found == "more"), "{error}");
    assert_eq!(blobs("endless"), []);
    // The announced length is 100 bytes.
    let server = files(|_, stream| {
        let headers = format!("x-linked-etag: \"{OTHER}\"\r\nx-linked-size: 100\r\n");
        endless(stream, &headers, &[b'x'; 1 << 16], Duration::ZERO, 100 << 20);
    });
    let error = ask(&server, "endless-100").unwrap_err();
    let HubError::Checksum { expected, .. } = &error else { panic!("{error}") };
    assert!(expected.contains("at most 100 bytes"), "{error}");
    assert_eq!(blobs("endless-100"), []);
}

/// The body is a gzip archive that decompresses to 200 MiB. The decompressed bytes are counted.
#[test]
fn decompressed_bytes_are_counted_against_the_limit() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    (0..200).for_each(|_| packed.write_all(&[b' '; 1 << 20]).unwrap());
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 1 << 20);
    let server = files(move |_, stream| {
        answer(stream, 200, &[("etag", OTHER), ("content-encoding", "gzip")], &packed);
    });
    let error = ask(&server, "bomb").unwrap_err();
    assert!(matches!(&error, HubError::Checksum { .. }), "{error}");
    assert_eq!(blobs("bomb"), []);
}

#[test]
fn slow_downloads_time_out() {
    let slow =
        |headers: String| files(move |_, stream| endless(stream, &headers, b"x", Duration::from_millis(20), 1000));
    let started = Instant::now();
    let server = slow(format!("etag: \"{OTHER}\"\r\ncontent-length: 1000\r\n"));
    let error = ask(&server, "trickle").unwrap_err();
    assert!(matches!(&error, HubError::Interrupted { attempts: 2, .. }), "{error}");
    for part in ["2 attempts", "bytes arrived in"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    // A list that arrives slowly has a time limit too.
    let server = Server::start(|_, stream| endless(stream, "", b" ", Duration::from_millis(20), 1000));
    let error = ask(&server, "trickle-list").unwrap_err();
    assert!(matches!(&error, HubError::Interrupted { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn retry_after_headers_are_respected() {
    let refusals = |wait: &'static str, times: usize| {
        let left = Mutex::new(times);
        Server::start(move |request, stream| {
            if request.0.starts_with("/api/") {
                let mut left = left.lock().unwrap();
                if *left > 0 {
                    *left -= 1;
                    return answer(stream, 429, &[("retry-after", wait)], b"");
                }
                return list(stream);
            }
            braces(stream);
        })
    };
    let started = Instant::now();
    ask(&refusals("1", 2), "retry-after").unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    // A header without a valid wait has no effect.
    for none in ["-1", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"] {
        ask(&refusals(none, 2), "retry-none").unwrap();
    }
    // The client does not wait for an hour. The error includes the requested wait.
    let started = Instant::now();
    for long in ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"] {
        let error = ask(&refusals(long, 2), "retry-long").unwrap_err();
        assert!(matches!(&error, HubError::Server { status: 429, wait: Some(3600..), attempts: 1, .. }), "{error}");
        assert!(error.to_string().contains("seconds, as the server asks"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn hosts_that_refuse_connections_are_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let to = format!("http://user:pass@{free}/file?signature=private");
    let server = files(move |_, stream| answer(stream, 302, &[("location", &to)], b""));
    let error = ask(&server, "refusing").unwrap_err();
    let HubError::NoConnection { host, endpoint, .. } = &error else { panic!("{error}") };
    assert_eq!((host, endpoint), (&format!("http://{free}"), &server.url()));
    let text = error.to_string();
    assert!(text.contains(&format!("http://{free}, to which {} redirects", server.url())), "{text}");
    assert!(!text.contains("private") && !text.contains("pass"), "{text}");
}
