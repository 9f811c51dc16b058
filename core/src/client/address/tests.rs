//! Tests of connection strings: what each form means, what is refused and how, and that no text
//! does anything else.

use super::AddressProblem as P;
use super::*;

fn parse(text: &str) -> Address {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn refused(text: &str) -> AddressError {
    match text.parse::<Address>() {
        Ok(address) => panic!("{text:?} was understood as {address:?}"),
        Err(error) => error,
    }
}

fn list(text: &str) -> Vec<(String, u16)> {
    match parse(text).servers {
        Servers::List(list) => list.into_iter().map(|server| (server.host, server.port)).collect(),
        Servers::Srv(name) => panic!("{text:?} is the SRV name {name:?}"),
    }
}

fn named(servers: &[(&str, u16)]) -> Vec<(String, u16)> {
    servers.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect()
}

#[test]
fn reads_lists_as_zookeeper_does() {
    for (text, servers, chroot) in [
        ("h1", &[("h1", 2181)][..], ""),
        ("h1:2182,h2:2183", &[("h1", 2182), ("h2", 2183)], ""),
        (" h1:2182 , h2 /a/b ", &[("h1", 2182), ("h2", 2181)], "/a/b"),
        ("h1,,h2,", &[("h1", 2181), ("h2", 2181)], ""),
        ("h1:2182/", &[("h1", 2182)], ""),
        ("h1:2182/a/", &[("h1", 2182)], "/a"),
        ("10.0.0.1:1,zoo_1.x-y.org.:65535", &[("10.0.0.1", 1), ("zoo_1.x-y.org.", 65535)], ""),
        ("[::1]:2182,[fe80::1%eth0]", &[("::1", 2182), ("fe80::1%eth0", 2181)], ""),
        ("h1/a b?c=%41", &[("h1", 2181)], "/a b?c=%41"),
        ("h1/a@b", &[("h1", 2181)], "/a@b"),
    ] {
        assert_eq!(list(text), named(servers), "{text:?}");
        assert_eq!(parse(text).chroot, chroot, "{text:?}");
    }
}

#[test]
fn reads_urls_as_dubbo_writes_them() {
    for (text, servers) in [
        ("zookeeper://h1:2182", &[("h1", 2182)][..]),
        ("zk://h1,h2:2182/", &[("h1", 2181), ("h2", 2182)]),
        (
            "ZooKeeper://h1:2182?backup=h2:2183,h3,[::1]",
            &[("h1", 2182), ("h2", 2183), ("h3", 2181), ("::1", 2181)],
        ),
        ("zookeeper://h1?backup=h2%3A2183%2Ch3", &[("h1", 2181), ("h2", 2183), ("h3", 2181)]),
        ("zookeeper://?backup=h2", &[("h2", 2181)]),
    ] {
        assert_eq!(list(text), named(servers), "{text:?}");
    }
    let address = parse(
        "zookeeper://h1:2181/org.apache.dubbo.registry.RegistryService?application=a%ZZ&group=/my\
         /dubbo&timeout=3000&session=40000;dubbo=2.0.2&check&=&tls=true&timeout=&pid=1",
    );
    assert_eq!(address.chroot, "");
    assert_eq!(address.group.as_deref(), Some("/my/dubbo"));
    assert_eq!(address.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!(address.session_timeout, Some(Duration::from_secs(40)));
    assert_eq!(address.tls, Some(true));
    assert_eq!(address.auth, []);
    let address = parse("zookeeper://h1/app?group=dubbo&zk.session.expire=1");
    assert_eq!((address.chroot.as_str(), address.group.as_deref()), ("/app", Some("/dubbo")));
    assert_eq!(address.session_timeout, Some(Duration::from_millis(1)));
    assert_eq!(parse("zk://h1/%C3%A9%20a").chroot, "/é a");
}

#[test]
fn takes_credentials_before_the_host_or_from_the_parameters() {
    for (text, data) in [
        ("zookeeper://me:pass@h1", &b"me:pass"[..]),
        ("zookeeper://me:p:a@s+s@h1", b"me:p:a@s+s"),
        ("zookeeper://m%40e:%2F%3f%25@h1", b"m@e:/?%"),
        ("zookeeper://me@h1", b"me:"),
        ("zookeeper://h1?username=me&password=p%26s", b"me:p&s"),
        ("zookeeper://h1?username=me", b"me:"),
        ("zookeeper://me@h1?username=you&password=pass", b"me:pass"),
        ("zookeeper://:pass@h1", b":pass"),
        ("zookeeper://me:first@h1?username=you&password=second", b"me:first"),
        ("dns+srv://me:pass@name", b"me:pass"),
    ] {
        let auth = vec![Auth { scheme: "digest".into(), data: data.into() }];
        assert_eq!(parse(text).auth, auth, "{text:?}");
    }
    for text in ["zookeeper://h1", "zookeeper://@h1", "zookeeper://:@h1?username=&password="] {
        assert_eq!(parse(text).auth, [], "{text:?}");
    }
}

#[test]
fn reads_srv_names() {
    for (text, name, chroot) in [
        ("dns+srv://_zookeeper._tcp.example.org/app", "_zookeeper._tcp.example.org", "/app"),
        ("dns-srv://name.", "name.", ""),
        ("DNS+SRV://name/org.apache.dubbo.x", "name", "/org.apache.dubbo.x"),
    ] {
        let address = parse(text);
        assert_eq!(address.servers, Servers::Srv(name.into()), "{text:?}");
        assert_eq!(address.chroot, chroot, "{text:?}");
    }
}

#[test]
fn refuses_with_the_place_and_the_piece() {
    for (text, problem, offset, found) in [
        ("", P::NoServers, 0, ""),
        (" , ", P::NoServers, 1, ","),
        ("/a", P::NoServers, 0, ""),
        ("h1,:2181", P::NoHost, 3, ":2181"),
        ("h1:2181,h2:x/a", P::Port, 8, "h2:x"),
        ("h1:", P::Port, 0, "h1:"),
        ("h1:0", P::Port, 0, "h1:0"),
        ("h1:+1", P::Port, 0, "h1:+1"),
        ("h1:65536", P::Port, 0, "h1:65536"),
        ("h1 h2", P::Host, 0, "h1 h2"),
        ("h1,zoé", P::Host, 3, "zoé"),
        ("h1;h2", P::Host, 0, "h1;h2"),
        ("h1, ::1", P::BareIpv6, 4, "::1"),
        ("h1:2181:2182", P::BareIpv6, 0, "h1:2181:2182"),
        ("[::1", P::Brackets, 0, "[::1"),
        ("[h1]:2181", P::Brackets, 0, "[h1]:2181"),
        ("[::1]2181", P::Brackets, 0, "[::1]2181"),
        ("[fe80::1%]", P::Brackets, 0, "[fe80::1%]"),
        ("h1//", P::Chroot, 2, "//"),
        ("h1/a//b", P::Chroot, 2, "/a//b"),
        ("h1/a/../b", P::Chroot, 2, "/a/../b"),
        ("h1/a\u{1}", P::Chroot, 2, "/a\\u{1}"),
        ("http://h1", P::UnknownScheme, 0, "http"),
        (" tcp://h1", P::UnknownScheme, 1, "tcp"),
        ("://h1", P::NoHost, 0, ":"),
        ("zookeeper://", P::NoServers, 12, ""),
        // Decoded before it is cut, so the place is that of the whole parameter.
        ("zookeeper://h1?backup=h2,h3:x", P::Port, 22, "h3:x"),
        ("zookeeper://h1?group=/a/", P::Group, 21, "/a/"),
        ("zookeeper://h1?timeout=5s", P::Duration, 23, "5s"),
        ("zookeeper://h1?session=0", P::Duration, 23, "0"),
        ("zookeeper://h1?tls=yes", P::Switch, 19, "yes"),
        ("zookeeper://h1/a%2", P::Escape, 14, ""),
        ("zookeeper://h1/%FF", P::Escape, 14, ""),
        ("zookeeper://h1/%+1", P::Escape, 14, ""),
        ("dns+srv://", P::SrvName, 10, ""),
        ("dns+srv://name:53", P::SrvName, 10, "name:53"),
        ("dns+srv://a..b", P::SrvName, 10, "a..b"),
    ] {
        let error = refused(text);
        let expected = AddressError { problem, offset, found: found.to_owned() };
        assert_eq!(error, expected, "{text:?}");
    }
    let message = refused("zoo1,zoo2:x").to_string();
    assert_eq!(
        message,
        "connection string, at byte 5 (`zoo2:x`): the port is no number from 1 to 65535; write \
         `host:port`, such as `zoo1:2181`"
    );
}

/// alexguan/node-zookeeper-client #24: with a chroot behind each server, all that followed the first one was taken for its name.
#[test]
fn node_24_a_chroot_behind_each_server_is_refused() {
    for (text, offset, found) in [
        ("h1:2181/app,h2:2181/app,h3:2181/app", 12, "h2:2181/app"),
        ("h1/app,h2:2181", 7, "h2:2181"),
        // Decoded before it is looked at, so the place is that of the whole chroot.
        ("zookeeper://h1:2181/app,h2:2181/app?timeout=5", 19, "h2:2181/app"),
    ] {
        let problem = P::ServerAfterChroot;
        assert_eq!(refused(text), AddressError { problem, offset, found: found.to_owned() });
    }
    // Once, at the end, it is that of all servers; a comma may be part of a name.
    assert_eq!(list("h1:1,h2:2/app"), named(&[("h1", 1), ("h2", 2)]));
    assert_eq!(parse("h1:1,h2:2/app").chroot, "/app");
    assert_eq!(parse("h1/a,b").chroot, "/a,b");
}

#[test]
fn never_shows_a_password() {
    for text in [
        "me:hunter2@h1:2181",
        "h1,me:hunter2@h2:x",
        "zookeeper://me:hunter2%@h1",
        "zookeeper://me:hunter2/x@h1",
        "zookeeper://me:hunter2?x@h1",
        "zookeeper://me:hunter2@h1:x",
        "zookeeper://h1?username=me&password=hunter2%",
        "zookeeper://h1:2181&password=hunter2",
        "http://me:hunter2@h1",
    ] {
        let error = refused(text);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{text:?}: {error}");
    }
    let address = parse("zookeeper://me:hunter2@h1");
    assert!(!format!("{address} {address:?}").contains("hunter2"), "{address:?}");
}

#[test]
fn writes_what_it_can_read() {
    for (text, written) in [
        (" h1 , h2:2182/a/ ", "h1:2181,h2:2182/a"),
        ("[::1]:2182", "[::1]:2182"),
        ("zookeeper://me:pass@h1?backup=h2&application=a", "h1:2181,h2:2181"),
        (
            "zk://h1,h2/a?group=b%20c&timeout=5&session=6&tls=false",
            "zookeeper://h1:2181/a?backup=h2:2181&group=/b%20c&timeout=5&session=6&tls=false",
        ),
        ("zk://h1/a%20", "zookeeper://h1:2181/a%20"),
        ("zk://[fe80::1%a],[fe80::1%b]?tls=true", {
            "zookeeper://[fe80::1%a]:2181?backup=[fe80::1%25b]:2181&tls=true"
        }),
        ("dns-srv://name./é?tls=true", "dns+srv://name./%C3%A9?tls=true"),
    ] {
        let address = parse(text);
        assert_eq!(address.to_string(), written, "{text:?}");
        assert_eq!(parse(written), Address { auth: Vec::new(), ..address }, "{text:?}");
    }
}

#[test]
fn any_text_gives_a_value_that_round_trips_or_an_error_inside_the_text() {
    let pieces = [
        "zookeeper://",
        "zk://",
        "dns+srv://",
        "dns-srv://",
        "h1",
        "h2",
        ":2181",
        ":",
        ",",
        "/",
        "//",
        "@",
        "?",
        "&",
        ";",
        "=",
        "%",
        "%25",
        "%C3%A9",
        "%FF",
        "[",
        "]",
        "[::1]",
        "::1",
        " ",
        "backup=",
        "group=",
        "timeout=",
        "session=",
        "tls=true",
        "username=",
        "password=",
        "1",
        "é",
        ".",
        "..",
        "_",
        "\u{0}",
        "\u{10FFFF}",
        "\u{3000}",
        "a",
    ];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut understood = 0;
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..next(&mut state) % 9 {
            let index = usize::try_from(next(&mut state)).unwrap() % pieces.len();
            text.push_str(pieces[index]);
        }
        match text.parse::<Address>() {
            Ok(address) => {
                understood += 1;
                let written = address.to_string();
                assert_eq!(parse(&written), Address { auth: Vec::new(), ..address }, "{text:?}");
            }
            Err(error) => {
                assert!(error.offset <= text.len() && text.is_char_boundary(error.offset));
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(understood > 1000, "only {understood} of the texts were understood");
    assert_eq!(refused(&"h".repeat(70_000)).problem, P::TooLong);
}

/// xorshift64: the same texts at every run.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 8
}
