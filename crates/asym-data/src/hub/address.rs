//! Addresses (URLs): their origins, the targets of redirects, and their form in messages.

use std::ops::Range;

/// Scheme, host and port of an address. Two addresses of the same server have the same origin. An origin is in lower case and
/// always includes the port.
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

/// The scheme and the host of an address, with the port if the address has one. The user, the path and the query are removed,
/// because they may contain a password or a signature.
pub(super) fn host(url: &str) -> String {
    let url = without_user(url);
    url[..authority(&url).end].to_string()
}

/// The byte range of the user, the host and the port in an address.
fn authority(url: &str) -> Range<usize> {
    // An address without a scheme may contain another address, with a scheme, in its path or query.
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let start = url.find("://").filter(|at| is_scheme(&url[..*at])).map_or(0, |at| at + 3);
    start..url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end)
}

/// An address without the user and the password in it.
pub(super) fn without_user(url: &str) -> String {
    let Range { start, end } = authority(url);
    match url[start..end].rfind('@') {
        Some(at) => format!("{}{}", &url[..start], &url[start + at + 1..]),
        None => url.to_string(),
    }
}

/// The target of a redirect as an absolute address. `location` is a path on the same host or an absolute address. Any other
/// form is refused.
pub(super) fn join(url: &str, location: &str) -> Option<String> {
    let scheme = &url[..url.find("//")?];
    if location.starts_with("//") {
        Some(format!("{scheme}{location}"))
    } else if location.starts_with('/') {
        // The user and the password are kept, because the host stays the same.
        let start = scheme.len() + 2;
        let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |end| start + end);
        Some(format!("{}{location}", &url[..end]))
    } else {
        (location.starts_with("http://") || location.starts_with("https://")).then(|| location.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::config;

    #[test]
    fn origins_and_redirects_are_resolved() {
        let url = "https://host:1/a/b?c=d/e";
        assert_eq!(origin(url), "https://host:1");
        assert_eq!(origin("HTTP://Host"), "http://host:80");
        assert_eq!(origin("https://user:pass@host/x"), origin("https://host:443"));
        assert_eq!(origin("http://[::1]/x"), "http://[::1]:80");
        assert_eq!(origin("http://[::1]:7"), "http://[::1]:7");
        // A host with the same beginning, another port and another scheme are different origins.
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
    fn passwords_are_not_shown() {
        for (url, shown) in [
            ("https://user:pass@host/a@b", "https://host/a@b"),
            ("https://p@ss@host", "https://host"),
            ("user:pass@host", "host"),
            ("user:pass@host/x?from=https://other", "host/x?from=https://other"),
            ("https://host/@x", "https://host/@x"),
        ] {
            assert_eq!(without_user(url), shown);
        }
        assert_eq!(host("https://user:pass@cdn:8/file?signature=secret"), "https://cdn:8");
    }

    proptest! {
        #![proptest_config(config(1000))]

        #[test]
        fn user_information_is_not_shown(
            user in "[a-z:@.%-]{0,12}",
            host in "[a-z.]{1,12}(:[0-9]{1,5})?",
            rest in "([/?#][a-z:@/?#.-]{0,12})?",
        ) {
            for scheme in ["https://", "http://", ""] {
                let shown = without_user(&format!("{scheme}{user}@{host}{rest}"));
                prop_assert_eq!(&shown, &format!("{scheme}{host}{rest}"));
                prop_assert_eq!(origin(&shown), origin(&format!("{scheme}{user}@{host}")));
            }
        }

        /// A redirect to a path stays on the server.
        #[test]
        fn redirects_to_a_path_stay_on_the_host(
            host in "[a-z.]{1,12}(:[0-9]{1,5})?",
            rest in "([/?#][a-z:@/?#.-]{0,12})?",
            path in "(/[a-z:@?#.\\\\-][a-z:@/?#.-]{0,12})|/",
        ) {
            let url = format!("https://{host}{rest}");
            let joined = join(&url, &path).unwrap();
            prop_assert_eq!(&joined, &format!("https://{host}{path}"));
            prop_assert_eq!(origin(&joined), origin(&url));
        }

        #[test]
        fn arbitrary_urls_do_not_panic(url in "(\\PC|[:/@?#]){0,24}", location in "(\\PC|[:/@?#]){0,24}") {
            let shown = host(&url);
            prop_assert!(!shown.split_once("://").map_or(shown.as_str(), |(_, authority)| authority).contains('@'));
            let _ = (origin(&url), join(&url, &location));
        }
    }
}
