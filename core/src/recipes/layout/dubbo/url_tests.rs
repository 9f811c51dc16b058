//! Tests of Dubbo's URL: every part, odd forms, and the way there and back.

use super::*;
use crate::recipes::layout::testing::Random;

fn parse(text: &str) -> Url {
    Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Protocol, user, password, host, port, path.
type Parts<'a> =
    (Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<&'a str>, u16, Option<&'a str>);

#[test]
fn parts_of_a_url() {
    let cases: [(&str, Parts<'_>); 14] = [
        ("", (None, None, None, None, 0, None)),
        ("h", (None, None, None, Some("h"), 0, None)),
        ("h:20880", (None, None, None, Some("h"), 20880, None)),
        ("h:", (None, None, None, Some("h:"), 0, None)),
        ("dubbo://h:20880", (Some("dubbo"), None, None, Some("h"), 20880, None)),
        ("dubbo://h/a.B?x=y", (Some("dubbo"), None, None, Some("h"), 0, Some("a.B"))),
        ("d://u:p@h:1/a/b", (Some("d"), Some("u"), Some("p"), Some("h"), 1, Some("a/b"))),
        ("d://u@h//a", (Some("d"), Some("u"), None, Some("h"), 0, Some("a"))),
        ("d://a@b:p@h", (Some("d"), Some("a@b"), Some("p"), Some("h"), 0, None)),
        ("file:/path/to", (Some("file"), None, None, None, 0, Some("path/to"))),
        ("/path", (None, None, None, None, 0, Some("path"))),
        ("d://[::1]:9/x", (Some("d"), None, None, Some("[::1]"), 9, Some("x"))),
        ("d://fe80::1%en0/x", (Some("d"), None, None, Some("fe80::1%en0"), 0, Some("x"))),
        ("d://h:1/x#y?k=v", (Some("d"), None, None, Some("h"), 1, Some("x"))),
    ];
    for (text, (protocol, username, password, host, port, path)) in cases {
        let url = parse(text);
        assert_eq!(url.protocol.as_deref(), protocol, "{text}");
        assert_eq!(url.username.as_deref(), username, "{text}");
        assert_eq!(url.password.as_deref(), password, "{text}");
        assert_eq!(url.host.as_deref(), host, "{text}");
        assert_eq!(url.port, port, "{text}");
        assert_eq!(url.path.as_deref(), path, "{text}");
    }
}

#[test]
fn refuses_what_dubbo_refuses() {
    for (text, error) in [
        ("://h", UrlError::MissingProtocol),
        (":/h", UrlError::MissingProtocol),
        ("d://h:x/a", UrlError::Port("x".into())),
        ("d://h:/a", UrlError::Port(String::new())),
        ("d://h:65536", UrlError::Port("65536".into())),
        ("d://[::1]/a", UrlError::Port("1]".into())),
        ("d://:p@h", UrlError::PasswordWithoutUser),
    ] {
        assert_eq!(Url::parse(text), Err(error), "{text}");
    }
    assert_eq!(Url::from_node_name("%4"), Err(UrlError::Escape(BadEscape { at: 0 })));
}

#[test]
fn parameters_in_every_form() {
    for (query, expected) in [
        ("", ""),
        ("a=1&b=2", "a=1 b=2"),
        ("b=2;a=1", "a=1 b=2"),
        ("a", "a="),
        ("a=", "a="),
        ("a=b=c", "a=b=c"),
        ("=a=1&&;=", "a=1"),
        ("default.a=1", "a=1 default.a=1"),
        ("default.a=1&a=2", "a=2 default.a=1"),
        ("a=2&default.a=1", "a=2 default.a=1"),
    ] {
        let url = parse(&format!("d://h/p?{query}"));
        let found: Vec<String> =
            url.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(found.join(" "), expected, "{query}");
    }
    let url = parse("d://h/p?yes=TRUE&no=1&empty=");
    assert!(url.flag("yes", false) && !url.flag("no", true) && url.flag("empty", true));
    assert_eq!(url.parameter("empty"), None);
    assert_eq!(url.interface(), Some("p"));
    assert_eq!(url.with_parameter("interface", "a.B").interface(), Some("a.B"));
}

#[test]
fn prints_sorted_and_encodes_the_whole() {
    for (text, printed) in [
        ("dubbo://u:p@h:20880//a.B?z=1&a=x y ", "dubbo://u:p@h:20880/a.B?a=x y&z=1"),
        ("dubbo://h/?k", "dubbo://h?k="),
        ("h:0", "h"),
        ("", ""),
    ] {
        assert_eq!(parse(text).to_string(), printed);
    }
    let url = parse("dubbo://10.0.0.1:20880/a.B?side=provider&methods=x,y");
    let name = "dubbo%3A%2F%2F10.0.0.1%3A20880%2Fa.B%3Fmethods%3Dx%2Cy%26side%3Dprovider";
    assert_eq!(url.to_node_name(), name);
    assert_eq!(Url::from_node_name(name).unwrap(), url);
    // A value that was encoded by itself stays so.
    let url = parse("d://h/p?k=a%26b");
    assert_eq!(Url::from_node_name(&url.to_node_name()).unwrap(), url);
}

#[test]
fn addresses_of_a_registry() {
    for (text, servers, root) in [
        ("zookeeper://h1:2181?backup=h2:2181,h3:2181", "h1:2181,h2:2181,h3:2181", "/dubbo"),
        ("zookeeper://h1?backup=h2&group=x", "h1,h2", "/x"),
        ("zookeeper://u:p@h1:2181?group=/a/b&backup=,", "h1:2181", "/a/b"),
    ] {
        let url = parse(text);
        assert_eq!(url.servers(), servers);
        assert_eq!(url.root(), root);
    }
}

#[test]
fn any_text_is_read_without_a_panic() {
    let mut random = Random::new(15);
    let parts = ["://", ":/", "/", "?", "&", "=", "@", ":", "#", "h", "1", "default.", "%", " "];
    for _ in 0..20_000 {
        let text = random.text(&parts);
        if let Ok(url) = Url::parse(&text) {
            let printed = url.to_string();
            if let Ok(again) = Url::parse(&printed) {
                assert_eq!(Url::parse(&again.to_string()).as_ref(), Ok(&again), "{text}");
            }
        }
        let _ = Url::from_node_name(&text);
    }
}
