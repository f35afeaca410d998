//! Addresses: whose they are, and how they may be shown.

/// Scheme, host and port of an address, by which two addresses of one server are known. They are in lower case, and the
/// port is always there.
pub(super) fn origin(url: &str) -> String {
    let host = host(url).to_ascii_lowercase();
    let has_port =
        host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
    let port = match host.split_once("://") {
        _ if has_port => "",
        Some(("https", _)) => ":443",
        _ => ":80",
    };
    format!("{}{port}", host.trim_end_matches(':'))
}

/// Scheme and host of an address, without the user and everything after the host, which may contain a signature.
pub(super) fn host(url: &str) -> String {
    let url = without_user(url);
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end);
    url[..end].to_string()
}

/// An address without the user and the password in it.
pub(super) fn without_user(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end);
    match url[start..end].rfind('@') {
        Some(at) => format!("{}{}", &url[..start], &url[start + at + 1..]),
        None => url.to_string(),
    }
}

/// The target of a redirect: a path of the same host, or a whole address.
pub(super) fn join(url: &str, location: &str) -> Option<String> {
    let scheme = &url[..url.find("//")?];
    if location.starts_with("//") {
        Some(format!("{scheme}{location}"))
    } else if location.starts_with('/') {
        // The user of the address belongs to its host.
        let start = scheme.len() + 2;
        let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end);
        Some(format!("{}{location}", &url[..end]))
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
        assert_eq!(origin("HTTP://Host"), "http://host:80");
        assert_eq!(origin("https://user:pass@host/x"), origin("https://host:443"));
        assert_eq!(origin("http://[::1]/x"), "http://[::1]:80");
        assert_eq!(origin("http://[::1]:7"), "http://[::1]:7");
        // Neither a name that begins alike nor another port or scheme is the same.
        for other in
            ["https://host:12/a", "https://host.else:1/", "http://host:1/", "https://host", "https://host:1@x/"]
        {
            assert_ne!(origin(other), origin(url));
        }
        let joined = |location| join(url, location);
        assert_eq!(joined("/x?y=/z").as_deref(), Some("https://host:1/x?y=/z"));
        assert_eq!(joined("//other/x").as_deref(), Some("https://other/x"));
        assert_eq!(joined("http://other/x").as_deref(), Some("http://other/x"));
        assert_eq!(joined("x"), None);
        assert_eq!(joined("file:///etc/passwd"), None);
        assert_eq!(join("http://u:p@host/a", "/b").as_deref(), Some("http://u:p@host/b"));
    }

    #[test]
    fn a_password_is_not_shown() {
        for (url, shown) in [
            ("https://user:pass@host/a@b", "https://host/a@b"),
            ("https://p@ss@host", "https://host"),
            ("user:pass@host", "host"),
            ("https://host/@x", "https://host/@x"),
        ] {
            assert_eq!(without_user(url), shown);
        }
        assert_eq!(host("https://user:pass@cdn:8/file?signature=secret"), "https://cdn:8");
    }
}
