//! Downloads from a local Hub, with possible faults of a connection or a server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use crate::hub_server::*;
use asym_data::hub::{Hub, HubError, HubOptions};

#[test]
fn a_model_is_downloaded_once() {
    let (server, cache) = (model_server(), empty("once"));
    let folder = hub(&server, &cache).model(MODEL).unwrap();
    assert_eq!(folder, cache.join("models--owner--model/snapshots").join(COMMIT));
    // Only the files that a model needs: no README, no other weights, and only one of the two forms of the tokenizer.
    assert_eq!(files_below(&folder), ["config.json", WEIGHTS, "tokenizer.json"].map(String::from).into());
    assert_eq!(content(&folder), weights());
    // The layout is that of huggingface_hub: the file of a branch contains the commit, and the name of a blob is its etag.
    let repo = cache.join("models--owner--model");
    assert_eq!(std::fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    assert!(repo.join("blobs").join(File::large("", weights()).etag()).is_file());
    assert_clean(&cache);
    assert!(!server.requests().is_empty());

    // The second call makes only one request, for the commit.
    assert_eq!(hub(&server, &cache).model(MODEL).unwrap(), folder);
    let paths: Vec<String> = server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/api/models/owner/model/revision/main"]);

    // In offline mode no request is made, and the cache may have been moved.
    assert_eq!(offline(&server, &cache).model(MODEL).unwrap(), folder);
    let moved = empty("moved");
    std::fs::rename(&cache, &moved).unwrap();
    assert_eq!(content(&offline(&server, &moved).model(MODEL).unwrap()), weights());
    assert!(server.requests().is_empty());
}

#[test]
fn shards_and_older_tokenizers_are_downloaded() {
    let (server, cache) = (Server::start(), empty("shards"));
    let shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    let index = format!(r#"{{"weight_map": {{"a": "{}", "b": "{}", "c": "{0}"}}}}"#, shards[0], shards[1]);
    let mut model = vec![
        File::plain("config.json", "{}"),
        File::plain("vocab.json", "{}"),
        File::plain("merges.txt", "a b"),
        File::plain("tokenizer_config.json", "{ }"),
        File::plain("special_tokens_map.json", "{  }"),
        File::plain("model.safetensors.index.json", index),
        File::large(shards[0], "first"),
    ];
    // A shard in the index is missing from the repository. The error is returned before any shard is requested.
    server.add(MODEL, "main", COMMIT, model.clone());
    let error = hub(&server, &cache).model(MODEL).unwrap_err();
    assert!(matches!(&error, HubError::FileNotFound { file, .. } if file == shards[1]), "{error}");
    assert!(ranges(&server.requests()).is_empty());

    model.push(File::large(shards[1], "second"));
    server.add(MODEL, "main", COMMIT, model.clone());
    let folder = hub(&server, &cache).model(MODEL).unwrap();
    assert_eq!(files_below(&folder), model.iter().map(|file| file.name.clone()).collect());
    assert_eq!(std::fs::read(folder.join(shards[1])).unwrap(), b"second");

    // In offline mode, the error includes the name of a shard whose blob is missing.
    std::fs::remove_file(std::fs::canonicalize(folder.join(shards[1])).unwrap()).unwrap();
    let error = offline(&server, &cache).model(MODEL).unwrap_err();
    assert!(matches!(&error, HubError::NotCached { missing, .. } if missing == shards[1]), "{error}");
    // In online mode, the shard is downloaded again and replaces a broken link.
    #[cfg(unix)]
    {
        std::fs::remove_file(folder.join(shards[1])).unwrap();
        std::os::unix::fs::symlink("nowhere", folder.join(shards[1])).unwrap();
    }
    hub(&server, &cache).model(MODEL).unwrap();
    assert_eq!(std::fs::read(folder.join(shards[1])).unwrap(), b"second");
}

#[test]
fn invalid_shard_indexes_are_rejected() {
    let (server, cache) = (Server::start(), empty("index"));
    for index in ["[", "{}", r#"{"weight_map": {"a": 1}}"#] {
        let files = [("config.json", "{}"), ("model.safetensors.index.json", index)];
        server.add(MODEL, "main", COMMIT, files.map(|(name, content)| File::plain(name, content)).into());
        let _ = std::fs::remove_dir_all(&cache);
        assert!(matches!(hub(&server, &cache).model(MODEL), Err(HubError::Index { .. })), "{index}");
    }
}

#[test]
fn interrupted_downloads_are_resumed() {
    // Without a length, the end of the connection looks like the end of the file.
    for (name, first) in [("cut", Fault::Cut(1000)), ("cut-without-length", Fault::CutWithoutLength(1000))] {
        let (server, cache) = (model_server(), empty(name));
        server.plan("/large/", For::Downloads, 1, first);
        server.plan("/large/", For::Downloads, 1, Fault::Cut(500));
        let folder = hub(&server, &cache).model(MODEL).unwrap();
        let requests = server.requests();
        assert_eq!(ranges(&requests), ["whole", "bytes=1000-", "bytes=1500-"], "{name}");
        assert_eq!(content(&folder), weights());
        assert_clean(&cache);
        // This server, like the Hub's network, sends no ranges to a client that accepts compressed answers.
        for request in requests.iter().filter(|request| !request.path.starts_with("/api/")) {
            assert_eq!(request.accept_encoding.as_deref(), Some("identity"), "{request:?}");
        }
    }
}

#[test]
fn failed_downloads_are_resumed_by_the_next_call() {
    let (server, cache) = (model_server(), empty("next-call"));
    server.plan("/large/", For::Downloads, 4, Fault::Cut(1000));
    let error = hub(&server, &cache).model(MODEL).unwrap_err();
    // There are four attempts: the first one, and three retries as in the options.
    assert!(matches!(&error, HubError::Interrupted { file, attempts: 4, .. } if file == WEIGHTS), "{error}");
    assert_eq!(part(&cache).metadata().unwrap().len(), 4000);
    assert!(!cache.join("models--owner--model/refs/main").exists());
    server.requests();

    let folder = hub(&server, &cache).model(MODEL).unwrap();
    assert_eq!(ranges(&server.requests()), ["bytes=4000-"]);
    assert_eq!(content(&folder), weights());
    assert!(!part(&cache).exists());
}

#[test]
fn attempts_with_progress_do_not_count_as_retries() {
    let (server, cache) = (Server::start(), empty("much"));
    let large: Vec<u8> = weights().repeat(20);
    let files = vec![File::plain("config.json", "{}"), File::large(WEIGHTS, large.clone())];
    server.add(MODEL, "main", COMMIT, files);
    server.plan("/large/", For::Downloads, 6, Fault::Cut((1 << 20) + 1));
    let folder = hub(&server, &cache).model(MODEL).unwrap();
    assert_eq!(ranges(&server.requests()).len(), 7);
    assert!(content(&folder) == large);
}

#[test]
fn server_errors_are_retried() {
    let (server, cache) = (model_server(), empty("stumbles"));
    // After status 500, hf-hub's own retries would start from byte 0 and append the content to the part file.
    leave_part(&cache, &weights()[..1000]);
    server.plan("/api/", For::All, 2, Fault::Status(500));
    server.plan("/plain", For::Probes, 2, Fault::Status(503));
    server.plan("/large/", For::Downloads, 2, Fault::Status(500));
    let folder = hub(&server, &cache).model(MODEL).unwrap();
    assert_eq!(ranges(&server.requests()), ["bytes=1000-"; 3]);
    assert_eq!(content(&folder), weights());

    let other = empty("stumbles-for-ever");
    server.plan("/api/", For::All, 100, Fault::Status(502));
    let error = hub(&server, &other).model(MODEL).unwrap_err();
    assert!(matches!(error, HubError::Server { status: 502, .. }), "{error}");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn invalid_part_files_are_downloaded_again() {
    let right = weights();
    let mut wrong = right.clone();
    wrong[10] ^= 1;
    let longer = [right.as_slice(), b"more"].concat();
    let cases: [(&str, &[u8], &[&str]); 5] = [
        ("wrong", &wrong[..1000], &["bytes=1000-", "whole"]),
        // If the part file is at least as long as the file, there are no missing bytes to request.
        ("wrong-whole", &wrong, &["whole"]),
        ("longer", &longer, &["whole"]),
        // A process that ended between the last byte and the renaming leaves a complete part file.
        ("whole", &right, &[]),
        ("empty", &[], &["whole"]),
    ];
    for (name, left, expected) in cases {
        let (server, cache) = (model_server(), empty(&format!("part-{name}")));
        leave_part(&cache, left);
        let folder = hub(&server, &cache).model(MODEL).unwrap();
        assert_eq!(ranges(&server.requests()), expected, "{name}");
        assert_eq!(content(&folder), right, "{name}");
        assert_clean(&cache);
    }
}

#[test]
fn ignored_and_wrong_ranges_are_handled() {
    let cases: [(&str, Fault, &[&str]); 2] =
        [("ignores", Fault::IgnoreRange, &["bytes=1000-"]), ("another", Fault::WrongRange, &["bytes=1000-", "whole"])];
    for (name, fault, expected) in cases {
        let (server, cache) = (model_server(), empty(&format!("range-{name}")));
        leave_part(&cache, &weights()[..1000]);
        server.plan("/large/", For::Downloads, 1, fault);
        let folder = hub(&server, &cache).model(MODEL).unwrap();
        assert_eq!(ranges(&server.requests()), expected, "{name}");
        assert_eq!(content(&folder), weights(), "{name}");
        assert_clean(&cache);
    }
}

#[test]
fn files_without_a_length_are_downloaded() {
    let (server, cache) = (model_server(), empty("no-length"));
    server.plan("/plain", For::All, 4, Fault::Bare);
    let folder = hub(&server, &cache).model(MODEL).unwrap();
    assert_eq!(std::fs::read(folder.join("config.json")).unwrap(), model_files()[1].content);
    // Only the checksum can show whether the file is complete.
    let (server, cache) = (model_server(), empty("no-length-cut"));
    server.plan("/plain", For::Probes, 1, Fault::Bare);
    server.plan("/plain", For::Downloads, 1, Fault::CutWithoutLength(5));
    let error = hub(&server, &cache).model(MODEL).unwrap_err();
    assert!(matches!(error, HubError::Checksum { .. }), "{error}");
    assert_clean(&cache);
}

#[test]
fn mirrors_with_fewer_headers_are_supported() {
    for with_etag in [true, false] {
        let (server, cache) = (model_server(), empty(&format!("mirror-{with_etag}")));
        // The redirect lacks some headers, so a request is sent to the other host, which ignores the range of one byte.
        server.plan(WEIGHTS, For::Probes, 2, Fault::Unlinked(with_etag));
        server.plan("/large/", For::Probes, 2, Fault::IgnoreRange);
        server.plan("/large/", For::Downloads, 1, Fault::Cut(1000));
        assert_eq!(content(&hub(&server, &cache).model(MODEL).unwrap()), weights());
        let ranges = server.requests().into_iter().filter(|request| request.path.starts_with("/large/"));
        let ranges: Vec<String> = ranges.map(|request| request.range.unwrap_or("whole".into())).collect();
        assert_eq!(ranges, ["bytes=0-0", "whole", "bytes=0-0", "bytes=1000-"]);
    }
}

#[test]
fn wrong_lengths_are_detected() {
    let etag = File::large(WEIGHTS, weights()).etag();
    let faults = [
        ("total-more", WEIGHTS, For::All, Fault::Total(1000)),
        ("total-less", WEIGHTS, For::All, Fault::Total(-1000)),
        ("total-much-less", WEIGHTS, For::All, Fault::Total(-399_999)),
        ("range-more", etag.as_str(), For::All, Fault::Total(1000)),
        ("range-less", etag.as_str(), For::All, Fault::Total(-1000)),
        ("length-more", "/large/", For::Downloads, Fault::Length(1000)),
        ("length-less", "/large/", For::Downloads, Fault::Length(-1000)),
    ];
    for (name, path, which, fault) in faults {
        for times in [2, 1000] {
            for resumed in [0, 1000] {
                let (server, cache) = (model_server(), empty(&format!("{name}-{times}-{resumed}")));
                leave_part(&cache, &weights()[..resumed]);
                server.plan(path, which, times, fault);
                let result = hub(&server, &cache).model(MODEL);
                assert_clean(&cache);
                // A body that is longer than announced is not read to its end.
                let more = matches!(&result, Err(HubError::Checksum { found, .. }) if found == "more");
                assert_eq!(more, name.starts_with("total") && name.ends_with("less"), "{name}: {result:?}");
                if let Ok(folder) = result {
                    assert_eq!(content(&folder), weights());
                }
                // The download succeeds when the server sends the true length again.
                server.clear_faults();
                let folder = hub(&server, &cache).model(MODEL).unwrap();
                assert_eq!(content(&folder), weights(), "{name} {times} {resumed}");
            }
        }
    }
}

#[test]
fn corrupted_weights_are_detected() {
    let (server, cache) = (model_server(), empty("flipped"));
    let right = File::large(WEIGHTS, weights()).etag();
    server.plan("/large/", For::Downloads, 1, Fault::Flip(12_345));
    let error = hub(&server, &cache).model(MODEL).unwrap_err();
    let HubError::Checksum { file, expected, found, .. } = &error else { panic!("{error}") };
    assert_eq!((file.as_str(), expected), (WEIGHTS, &format!("SHA-256 {right}")));
    assert!(found != expected && found.starts_with("SHA-256 "), "{found}");
    // There is no blob, no pointer and no part file, so the next run starts from the beginning.
    let repo = cache.join("models--owner--model");
    assert!(!repo.join("blobs").join(&right).exists() && !part(&cache).exists());
    assert!(!repo.join("snapshots").join(COMMIT).join(WEIGHTS).exists());
    assert!(matches!(offline(&server, &cache).model(MODEL), Err(HubError::NotCached { .. })));
    server.requests();

    let folder = hub(&server, &cache).model(MODEL).unwrap();
    assert_eq!(ranges(&server.requests()), ["whole"]);
    assert_eq!(content(&folder), weights());
}

#[test]
fn corrupted_plain_files_are_detected() {
    let (server, cache) = (model_server(), empty("flipped-plain"));
    server.plan("/plain/owner/model/resolve", For::Downloads, 1, Fault::Flip(3));
    let error = hub(&server, &cache).model(MODEL).unwrap_err();
    let expected = format!("git blob {}", model_files()[1].etag());
    assert!(matches!(&error, HubError::Checksum { file, expected: e, .. } if file == "config.json" && *e == expected));
    hub(&server, &cache).model(MODEL).unwrap();
    assert_clean(&cache);
}

#[test]
fn etags_need_not_be_checksums_but_must_be_safe_names() {
    let server = Server::start();
    let files = vec![File::plain("config.json", "{}"), File::plain(WEIGHTS, weights())];
    server.add(MODEL, "main", COMMIT, files.clone());
    // The mark of a weak etag, which a proxy that compresses answers adds, is ignored.
    let weak: &'static str = format!("W/\"{}\"", files[1].etag()).leak();
    for (name, etag, blob) in [("weak", weak, files[1].etag()), ("other", "\"0x8DB-5.gz\"", "0x8DB-5.gz".to_string())] {
        let cache = empty(&format!("etag-{name}"));
        server.plan(WEIGHTS, For::All, 4, Fault::Etag(etag));
        let folder = hub(&server, &cache).model(MODEL).unwrap();
        let target = std::fs::canonicalize(folder.join(WEIGHTS)).unwrap();
        assert_eq!(target.file_name().unwrap().to_str().unwrap(), blob);
        assert_eq!(std::fs::read(target).unwrap(), weights());
        server.clear_faults();
    }
    // Without a checksum, the length is still checked. Nothing is resumed, because the part file may belong to another file.
    let short = empty("etag-short");
    server.requests();
    server.plan("/plain", For::Probes, 4, Fault::Etag("\"other\""));
    server.plan("/plain/owner/model/resolve", For::Downloads, 2, Fault::CutWithoutLength(1000));
    let folder = hub(&server, &short).model(MODEL).unwrap();
    assert_eq!(content(&folder), weights());
    let downloads: Vec<_> =
        server.requests().into_iter().filter(|r| r.is_download() && r.path.ends_with(WEIGHTS)).collect();
    assert!(downloads.len() == 2 && downloads.iter().all(|request| request.range.is_none()), "{downloads:?}");
    server.clear_faults();
    // An etag that would lead outside the folder of blobs is refused before it is passed to hf-hub.
    for etag in ["../../escape", "/escape", "a/b", ""] {
        let cache = empty("etag-outside");
        server.plan(WEIGHTS, For::All, 2, Fault::Etag(etag));
        let error = hub(&server, &cache).model(MODEL).unwrap_err();
        assert!(matches!(&error, HubError::Answer { .. }), "{error}");
        server.clear_faults();
        assert!(!files_below(&cache).iter().any(|file| file.contains("escape")));
    }
}

#[test]
fn the_token_is_sent_only_to_the_endpoint() {
    // If the redirect of a large file has no length, the length is first requested from its target.
    for (name, unlinked) in [("told", 0), ("asked", 1)] {
        let (server, cache) = (model_server(), empty(&format!("token-{name}")));
        server.plan(WEIGHTS, For::Probes, unlinked, Fault::Unlinked(true));
        let options = HubOptions { token: Some("secret".into()), ..options(&server, &cache) };
        Hub::new(options).unwrap().model(MODEL).unwrap();
        let (large, own): (Vec<_>, Vec<_>) =
            server.requests().into_iter().partition(|request| request.host.starts_with("localhost"));
        assert!(own.len() > 3 && own.iter().all(|request| request.authorization.as_deref() == Some("Bearer secret")));
        assert_eq!(large.len(), 1 + unlinked);
        assert!(large.iter().all(|request| request.authorization.is_none()), "{large:?}");
    }
}

#[test]
fn private_and_gated_repositories_are_reported() {
    let server = model_server();
    let with = |token: Option<&str>, name: &str| {
        let options = options(&server, &empty(name));
        Hub::new(HubOptions { token: token.map(String::from), ..options }).unwrap().model(MODEL)
    };
    server.close("secret", true);
    let error = with(None, "private").unwrap_err();
    assert!(matches!(error, HubError::NotFound { status: 401, token: false, .. }), "{error}");
    for word in ["private", "HF_TOKEN", "no token is set", "./name", MODEL, &server.endpoint()] {
        assert!(error.to_string().contains(word), "{error}");
    }
    let error = with(Some("wrong"), "private").unwrap_err();
    assert!(matches!(error, HubError::NotFound { token: true, .. }), "{error}");
    let folder = with(Some("secret"), "private").unwrap();
    assert_eq!(content(&folder), weights());

    // The list of files of a gated repository is public.
    server.close("secret", false);
    let error = with(None, "gated").unwrap_err();
    assert!(matches!(&error, HubError::Refused { status: 401, file, .. } if file == "config.json"), "{error}");
    let error = with(Some("wrong"), "gated").unwrap_err();
    assert!(matches!(error, HubError::Refused { .. }), "{error}");
    with(Some("secret"), "gated").unwrap();
}

#[test]
fn missing_repositories_and_files_are_reported() {
    let (server, cache) = (Server::start(), empty("not-there"));
    let hub = hub(&server, &cache);
    let error = hub.model("owner/nothing").unwrap_err();
    // The Hub sends this status for a repository that does not exist.
    assert!(matches!(error, HubError::NotFound { status: 401, kind: "model", .. }), "{error}");
    let error = hub.dataset("owner/nothing", &|_| true).unwrap_err();
    assert!(matches!(error, HubError::NotFound { kind: "dataset", .. }), "{error}");
    for wrong in ["", "a/b/c", "./model", "owner/..", "owner/model@"] {
        assert!(matches!(hub.model(wrong), Err(HubError::Name { .. })), "{wrong}");
    }

    server.add(MODEL, "main", COMMIT, vec![File::large(WEIGHTS, weights())]);
    let error = hub.model(MODEL).unwrap_err();
    assert!(matches!(&error, HubError::FileNotFound { file, .. } if file == "config.json"), "{error}");
    let files = ["config.json", "pytorch_model.bin", "tf_model.h5"].map(|name| File::plain(name, "{}"));
    server.add(MODEL, "main", COMMIT, files.into());
    let error = hub.model(MODEL).unwrap_err();
    assert!(
        matches!(&error, HubError::NoSafetensors { found, .. } if found == &["pytorch_model.bin", "tf_model.h5"]),
        "{error}"
    );
    // No file was downloaded before these errors.
    assert!(server.requests().iter().all(|request| request.path.starts_with("/api/")));

    // A file is listed, but it does not exist. Small files are downloaded first.
    server.add(MODEL, "main", COMMIT, model_files());
    server.plan("tokenizer.json", For::All, 1, Fault::Status(404));
    let error = hub.model(MODEL).unwrap_err();
    assert!(matches!(&error, HubError::FileNotFound { file, .. } if file == "tokenizer.json"), "{error}");
    assert!(ranges(&server.requests()).is_empty());
}

#[test]
fn files_missing_in_offline_mode_are_reported() {
    let (server, cache) = (model_server(), empty("offline"));
    let error = offline(&server, &cache).model(MODEL).unwrap_err();
    assert!(matches!(&error, HubError::NotCached { cache: c, repo, .. } if *c == cache && repo == MODEL), "{error}");
    for word in [MODEL, "offline mode is on", "--offline", cache.to_str().unwrap()] {
        assert!(error.to_string().contains(word), "{error}");
    }
    assert!(matches!(offline(&server, &cache).dataset("a/b", &|_| true), Err(HubError::NotCached { .. })));
    assert!(server.requests().is_empty());

    // The error includes the name of a missing file.
    let folder = hub(&server, &cache).model(MODEL).unwrap();
    for file in [WEIGHTS, "config.json"] {
        std::fs::remove_file(folder.join(file)).unwrap();
        let error = offline(&server, &cache).model(MODEL).unwrap_err();
        assert!(matches!(&error, HubError::NotCached { missing, .. } if missing.contains(file)), "{error}");
    }
}

#[test]
fn a_cache_of_huggingface_hub_is_used() {
    // The snapshot contains files instead of links, as on a system without links.
    let (server, cache) = (model_server(), empty("foreign"));
    let repo = cache.join("models--owner--model");
    let folder = repo.join("snapshots").join(COMMIT);
    for file in ["config.json", "tokenizer.json", WEIGHTS] {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(file), file).unwrap();
    }
    std::fs::create_dir_all(repo.join("refs/pr")).unwrap();
    std::fs::write(repo.join("refs/main"), COMMIT).unwrap();
    std::fs::write(repo.join("refs/pr/1"), format!("{COMMIT}\n")).unwrap();
    for revision in ["", "@main", "@pr/1", &format!("@{COMMIT}")] {
        assert_eq!(offline(&server, &cache).model(&format!("{MODEL}{revision}")).unwrap(), folder, "{revision}");
    }
    for revision in ["@v2", &format!("@{NEXT}")] {
        let error = offline(&server, &cache).model(&format!("{MODEL}{revision}")).unwrap_err();
        assert!(matches!(error, HubError::NotCached { .. }), "{error}");
    }
    // In online mode, these files are not downloaded again.
    assert_eq!(hub(&server, &cache).model(MODEL).unwrap(), folder);
    assert_eq!(server.requests().len(), 1);
    // A branch whose file contains a path outside the snapshots is refused.
    std::fs::rename(&folder, repo.join("elsewhere")).unwrap();
    std::fs::write(repo.join("refs/main"), "../elsewhere").unwrap();
    assert!(matches!(offline(&server, &cache).model(MODEL), Err(HubError::NotCached { .. })));
}

#[test]
fn refused_connections_are_reported() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = HubOptions {
        cache: Some(empty("nobody")),
        endpoint: Some(format!("http://{address}")),
        ..HubOptions::default()
    };
    let started = Instant::now();
    let error = Hub::new(options).unwrap().model(MODEL).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(matches!(&error, HubError::NoConnection { .. }), "{error}");
    for word in [&format!("http://{address}"), "--offline", "HF_ENDPOINT"] {
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn stalled_servers_time_out() {
    let server = model_server();
    let silence = Fault::Silence(Duration::from_secs(4));
    for (name, path, which) in
        [("list", "/api/", For::All), ("probe", WEIGHTS, For::Probes), ("file", "/large/", For::Downloads)]
    {
        let options = HubOptions { stall: Duration::from_millis(200), retries: 0, ..options(&server, &empty(name)) };
        server.plan(path, which, 1, silence);
        let started = Instant::now();
        let error = Hub::new(options).unwrap().model(MODEL).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(3), "{name}: {:?}", started.elapsed());
        assert!(matches!(&error, HubError::Interrupted { .. }), "{name}: {error}");
    }
}

#[test]
fn invalid_answers_are_rejected() {
    let (server, cache) = (model_server(), empty("nonsense"));
    for fault in [Fault::Nowhere, Fault::Commit(NEXT)] {
        server.plan(WEIGHTS, For::Probes, 1, fault);
        let error = hub(&server, &cache).model(MODEL).unwrap_err();
        assert!(matches!(&error, HubError::Answer { file, .. } if file == WEIGHTS), "{error}");
    }
    for (revision, commit) in [("up", "../../up"), ("none", ""), ("deep", "a/b")] {
        server.add(MODEL, revision, commit, model_files());
        let error = hub(&server, &cache).model(&format!("{MODEL}@{revision}")).unwrap_err();
        assert!(matches!(&error, HubError::Answer { .. }), "{error}");
    }
}

#[test]
fn only_the_requested_dataset_files_are_downloaded() {
    let (server, cache) = (Server::start(), empty("dataset"));
    server.add("datasets/owner/set", "main", COMMIT, set_files());
    let (folder, names) = hub(&server, &cache).dataset("owner/set", &|name| name.starts_with("mrpc/")).unwrap();
    assert_eq!(names, ["mrpc/test-0.parquet", "mrpc/train-0.parquet"]);
    assert_eq!(folder, cache.join("datasets--owner--set/snapshots").join(COMMIT));
    assert_eq!(files_below(&folder), names.iter().cloned().collect());
    assert_eq!(std::fs::read_to_string(folder.join(&names[1])).unwrap(), names[1].repeat(100));

    let error = hub(&server, &cache).dataset("owner/set", &|name| name.starts_with("sst2/")).unwrap_err();
    assert!(matches!(&error, HubError::NoneWanted { examples, .. } if examples.len() == 5), "{error}");
    assert!(error.to_string().contains("mrpc/train-0.parquet"), "{error}");

    // Names that are escaped in addresses.
    let (folder, names) = hub(&server, &cache).dataset("owner/set", &|name| name.contains('#')).unwrap();
    assert_eq!(std::fs::read_to_string(folder.join(&names[0])).unwrap(), "cola/a #1.txt".repeat(100));

    server.requests();
    let offline = offline(&server, &cache);
    let (again, names) = offline.dataset("owner/set", &|name| name.ends_with(".parquet")).unwrap();
    assert_eq!((again, names.len()), (folder, 2));
    let error = offline.dataset("owner/set", &|name| name.starts_with("sst2/")).unwrap_err();
    assert!(matches!(&error, HubError::NotCached { missing, .. } if missing.contains("mrpc/")), "{error}");
    assert!(server.requests().is_empty());
}

#[test]
fn paths_outside_the_cache_are_rejected() {
    let (server, cache) = (Server::start(), empty("outside"));
    for name in ["../../../../outside", "/outside", "a/../../outside"] {
        server.add("datasets/owner/set", "main", COMMIT, vec![File::plain(name, "x")]);
        let error = hub(&server, &cache).dataset("owner/set", &|_| true).unwrap_err();
        assert!(matches!(&error, HubError::UnsafePath { file, .. } if file == name), "{error}");
    }
    assert!(!cache.exists());
}

#[test]
fn revisions_share_identical_files() {
    let (server, cache) = (model_server(), empty("revisions"));
    let first = hub(&server, &cache).model(MODEL).unwrap();
    server.requests();
    let mut files = model_files();
    files[1] = File::plain("config.json", "{\"other\": 1}");
    server.add(MODEL, "v2/beta", NEXT, files.clone());
    let second = hub(&server, &cache).model("owner/model@v2/beta").unwrap();
    assert_ne!(first, second);
    assert_eq!(std::fs::read_to_string(second.join("config.json")).unwrap(), "{\"other\": 1}");
    assert_eq!(std::fs::read(second.join(WEIGHTS)).unwrap(), weights());
    let requests = server.requests();
    assert!(requests.iter().any(|request| request.path.contains("/revision/v2%2Fbeta")));
    // The weights are the same blob.
    assert!(ranges(&requests).is_empty());
    // In offline mode, each revision is found. A commit can be used as a revision as well.
    assert_eq!(offline(&server, &cache).model("owner/model@v2/beta").unwrap(), second);
    assert_eq!(offline(&server, &cache).model(MODEL).unwrap(), first);
    assert_eq!(hub(&server, &cache).model(&format!("{MODEL}@{NEXT}")).unwrap(), second);
    let refs = cache.join("models--owner--model/refs");
    assert_eq!(files_below(&refs), ["main", "v2/beta"].map(String::from).into());

    // A branch that moves to another commit.
    server.add(MODEL, "main", NEXT, files);
    assert_eq!(hub(&server, &cache).model(MODEL).unwrap(), second);
    let error = hub(&server, &cache).model("owner/model@v3").unwrap_err();
    assert!(matches!(&error, HubError::NotFound { status: 404, revision, .. } if revision == "v3"), "{error}");
}

#[test]
fn concurrent_calls_download_once() {
    let (server, cache) = (model_server(), empty("two"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| hub(&server, &cache).model(MODEL).unwrap());
        }
    });
    assert_eq!(ranges(&server.requests()), ["whole"]);
    assert_clean(&cache);
}

#[test]
fn unwritable_caches_are_reported() {
    let (server, cache) = (model_server(), empty("unwritable"));
    // A file where the folder should be.
    std::fs::create_dir_all(cache.parent().unwrap()).unwrap();
    std::fs::write(&cache, "").unwrap();
    let error = hub(&server, &cache).model(MODEL).unwrap_err();
    assert!(matches!(&error, HubError::Io { .. }), "{error}");
    std::fs::remove_file(&cache).unwrap();
}
