//! Tables of what schemes accept and match, how ACLs are fixed up, and who passes a check.

use super::*;
use quorate_wire::acl::{ADMIN, ALL, READ, WRITE};

fn acl(perms: i32, scheme: &'static str, id: &'static str) -> Acl<'static> {
    Acl { perms, id: Id::new(scheme, id) }
}

fn local() -> Identities {
    Identities::from_address("10.1.2.3".parse().unwrap())
}

fn with_user(user_password: &str) -> Identities {
    let auth = Some(user_password.as_bytes());
    authenticate(&AccessConfig::default(), Some("digest"), auth, &local()).unwrap()
}

fn all_schemes() -> Schemes {
    Schemes { digest: true, x509: true, sasl: true }
}

#[test]
fn ids_are_valid_as_their_schemes_say() {
    let table: &[(&str, &[&str], &[&str])] = &[
        (
            "digest",
            &["a:b", ":b", "a:b:", "a:b::", "a b:c d"],
            &["", "a", "a:", ":", "::", "a:b:c", "a::b"],
        ),
        (
            "ip",
            &["1.2.3.4", "1.2.3.4/0", "1.2.3.4/32", "0.0.0.0/+8", "::1", "::", "1::", "::1/128"],
            &[
                "",
                "localhost",
                "1.2.3",
                "1.2.3.4.5",
                "1.2.3.256",
                "1.2.3.-1",
                "1.2.3.4/33",
                "1.2.3.4/",
            ],
        ),
        (
            "ip",
            &["1:2:3:4:5:6:7:8", "fe80::1/64", "2001:DB8::a", "1:2:3:4:5:6:7::/0"],
            &[
                "1.2.3.4/x",
                "1.2.3.4/-1",
                "1.2.3.4/8/8",
                "1:2:3",
                ":::",
                "::1::",
                "::1/129",
                "::12345",
            ],
        ),
        (
            "ip",
            &[],
            &["1:2:3:4:5:6:7:8:9", "1:2:3:4::5:6:7:8", "::1%eth0", "::g", "::1.2.3.4", "1..2.3"],
        ),
        ("sasl", &["a", "a@B", "a/b@C", "", "a/b/c"], &["a/b/c@D", "a@B@C", "a@B/c"]),
        (
            "x509",
            &["CN=a", "CN=a, O=b", "", "CN=a\\,b", "CN=\"a,b\"+OU=c"],
            &["a", "CN=a,b", "=a", "CN=\"a"],
        ),
    ];
    for (scheme, good, bad) in table {
        let scheme = Scheme::of(scheme).unwrap();
        for id in *good {
            assert!(scheme.is_valid(id), "{scheme:?} {id:?}");
        }
        for id in *bad {
            assert!(!scheme.is_valid(id), "{scheme:?} {id:?}");
        }
    }
}

#[test]
fn addresses_match_under_the_mask() {
    let table = [
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false),
        ("10.1.2.3", "10.1.0.0/16", true),
        ("10.1.2.3", "10.2.0.0/15", false),
        ("10.1.2.3", "10.1.2.2/31", true),
        ("10.1.2.3", "99.0.0.0/0", true),
        ("10.1.2.3", "::/0", false),
        ("0:0:0:0:0:0:0:1", "::1", true),
        ("fe80:0:0:0:1:2:3:4", "fe80::/10", true),
        ("fe80:0:0:0:1:2:3:4", "fe80::1:2:3:5", false),
        ("fe80:0:0:0:1:2:3:4", "fe80::1:2:3:5/127", true),
        ("fe80:0:0:0:1:2:3:4", "fe80::1:2:3:6/127", false),
        ("fe80:0:0:0:1:2:3:4", "::/0", true),
    ];
    for (own, wanted, expected) in table {
        assert_eq!(Scheme::Ip.matches(own, wanted), expected, "{own} {wanted}");
    }
}

#[test]
fn an_address_is_written_as_java_writes_it() {
    for (address, text) in [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "0:0:0:0:0:0:0:1"),
        ("2001:db8::A", "2001:db8:0:0:0:0:0:a"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
    ] {
        let identities = Identities::from_address(address.parse().unwrap());
        let ids: Vec<_> = identities.iter().map(|id| (id.scheme(), id.id())).collect();
        assert_eq!(ids, [("ip", text)]);
    }
}

#[test]
fn authentication_follows_the_providers() {
    let config = AccessConfig::default();
    let refused = Err(ErrorCode::AuthFailed);
    for scheme in [None, Some("world"), Some("auth"), Some("super"), Some("sasl"), Some("x509")]
        .into_iter()
        .chain([Some(""), Some("Digest"), Some("ensemble")])
    {
        assert_eq!(authenticate(&config, scheme, Some(b"a:b"), &local()), refused, "{scheme:?}");
    }
    assert_eq!(authenticate(&config, Some("digest"), None, &local()), refused);
    assert_eq!(authenticate(&config, Some("ip"), None, &local()), Ok(local()));

    let off = AccessConfig { schemes: Schemes { digest: false, ..all_schemes() }, ..config };
    assert_eq!(authenticate(&off, Some("digest"), Some(b"a:b"), &local()), refused);
}

#[test]
fn digest_identities_are_apaches() {
    // The identity of user "super" with password "test" in Apache's own documentation and tests.
    let alg = DigestAlgorithm::Sha1;
    assert_eq!(alg.identity("super:test"), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    assert!(alg.identity("x").starts_with("x:"), "no colon");
    assert!(alg.identity("a:b:c").starts_with("a:"));
    assert_ne!(alg.identity("a:b:c"), alg.identity("a:b"), "the hash covers all");
    assert_eq!(DigestAlgorithm::from_name("sha-512"), Some(DigestAlgorithm::Sha512));
    assert_eq!(DigestAlgorithm::from_name("SHA9"), None);
    assert_eq!(DigestAlgorithm::Sha512.identity("a:b").len(), 2 + 88);
}

#[test]
fn the_super_digest_opens_every_door() {
    let super_digest = Some(DigestAlgorithm::Sha1.identity("super:test"));
    let config = AccessConfig { super_digest, ..AccessConfig::default() };
    let wrong = authenticate(&config, Some("digest"), Some(b"super:tset"), &local()).unwrap();
    assert!(!wrong.is_super());
    let right = authenticate(&config, Some("digest"), Some(b"super:test"), &local()).unwrap();
    assert!(right.is_super());
    assert!(check(&right, &[acl(0, "ip", "9.9.9.9")], ALL, false));
    let who: Vec<_> = who_am_i(&right)
        .into_iter()
        .map(|info| (info.scheme.unwrap().into_owned(), info.user.unwrap().into_owned()))
        .collect();
    let expected = [("ip", "10.1.2.3"), ("super", ""), ("digest", "super")];
    assert_eq!(who, expected.map(|(scheme, user)| (scheme.to_owned(), user.to_owned())));
}

#[test]
fn identities_are_a_set() {
    let once = with_user("a:b");
    let twice = authenticate(&AccessConfig::default(), Some("digest"), Some(b"a:b"), &once);
    assert_eq!(twice.as_ref(), Ok(&once));
    assert_eq!(once.iter().count(), 2);
    assert_eq!(Identities::none().iter().count(), 0);
}

#[test]
fn a_check_needs_a_matching_entry_with_a_needed_permission() {
    let user = with_user("u:p");
    let own = DigestAlgorithm::Sha1.identity("u:p");
    let digest = |perms| Acl { perms, id: Id::new("digest", own.clone()) };
    let nobody = Identities::none();
    for (who, list, needed, expected) in [
        (&nobody, vec![], ALL, true),
        (&nobody, vec![Acl::world(READ)], READ, true),
        (&nobody, vec![Acl::world(READ)], WRITE, false),
        (&nobody, vec![Acl::world(READ)], READ | ADMIN, true),
        (&nobody, vec![acl(ALL, "world", "somebody")], READ, false),
        (&user, vec![digest(READ)], READ, true),
        (&user, vec![digest(READ)], WRITE, false),
        (&user, vec![digest(READ), acl(WRITE, "ip", "10.1.0.0/16")], WRITE, true),
        (&user, vec![acl(ALL, "digest", "u:other")], READ, false),
        (&user, vec![acl(ALL, "sasl", "u"), acl(ALL, "auth", "")], READ, false),
        (&user, vec![acl(ALL, "unknown", "10.1.2.3")], READ, false),
        (&nobody, vec![digest(ALL)], READ, false),
    ] {
        assert_eq!(check(who, &list, needed, false), expected, "{list:?} {needed}");
        assert!(check(who, &list, needed, true), "skipACL");
    }
    let sasl = Identities::none().with(Id::new("sasl", "bob"));
    assert!(check(&sasl, &[acl(READ, "sasl", "bob")], READ, false));
    assert!(!check(&sasl, &[acl(READ, "sasl", "eve")], READ, false));
}

#[test]
fn fix_up_keeps_the_order_and_drops_exact_duplicates() {
    let list = vec![
        acl(READ, "ip", "1.2.3.4"),
        Acl::world(READ),
        acl(READ, "ip", "1.2.3.4"),
        acl(WRITE, "ip", "1.2.3.4"),
        Acl::world(READ),
        acl(READ, "ip", "1.2.3.4/32"),
    ];
    let expected = vec![
        acl(READ, "ip", "1.2.3.4"),
        Acl::world(READ),
        acl(WRITE, "ip", "1.2.3.4"),
        acl(READ, "ip", "1.2.3.4/32"),
    ];
    assert_eq!(fix_up(list.clone(), &local(), Schemes::default()), Ok(expected.clone()));

    let many: Vec<_> = (0..50_000).map(|i| list[i % list.len()].clone()).collect();
    assert_eq!(fix_up(many, &local(), Schemes::default()), Ok(expected), "also when it is long");
    let odd = vec![Acl::world(0), acl(1 << 20, "ip", "::")];
    assert_eq!(fix_up(odd.clone(), &local(), Schemes::default()), Ok(odd), "any bits");
}

#[test]
fn auth_becomes_every_authenticated_identity() {
    let user = with_user("u:p");
    let both = authenticate(&AccessConfig::default(), Some("digest"), Some(b"v:q"), &user).unwrap();
    let (u, v) = (DigestAlgorithm::Sha1.identity("u:p"), DigestAlgorithm::Sha1.identity("v:q"));
    let digest = |perms, id: &str| Acl { perms, id: Id::new("digest", id.to_owned()) };
    let list = vec![acl(READ, "auth", "ignored"), Acl::world(READ), acl(READ, "auth", "")];
    let fixed = fix_up(list, &both, Schemes::default());
    let twice = vec![
        digest(READ, &u),
        digest(READ, &v),
        Acl::world(READ),
        digest(READ, &u),
        digest(READ, &v),
    ];
    assert_eq!(fixed, Ok(twice), "expanded duplicates stay");

    let auth = || vec![acl(ALL, "auth", "")];
    assert_eq!(fix_up(auth(), &local(), Schemes::default()), Err(ErrorCode::InvalidAcl), "only ip");
    let only_super = local().with(Id::new("super", ""));
    assert_eq!(fix_up(auth(), &only_super, Schemes::default()), Err(ErrorCode::InvalidAcl));
    let null = vec![Acl { perms: READ, id: Id { scheme: Some("auth".into()), id: None } }];
    assert_eq!(fix_up(null, &user, Schemes::default()), Ok(vec![digest(READ, &u)]));
    let no_digest = Schemes { digest: false, ..all_schemes() };
    assert_eq!(fix_up(auth(), &user, no_digest), Err(ErrorCode::InvalidAcl));
}

#[test]
fn fix_up_refuses_what_no_provider_accepts() {
    let null = |scheme: Option<&'static str>, id: Option<&'static str>| Acl {
        perms: READ,
        id: Id { scheme: scheme.map(Into::into), id: id.map(Into::into) },
    };
    for (list, code) in [
        (vec![], ErrorCode::InvalidAcl),
        (vec![null(None, None)], ErrorCode::InvalidAcl),
        (vec![null(None, Some("anyone"))], ErrorCode::InvalidAcl),
        (vec![acl(READ, "world", "someone")], ErrorCode::InvalidAcl),
        (vec![acl(READ, "super", "")], ErrorCode::InvalidAcl),
        (vec![acl(READ, "", "")], ErrorCode::InvalidAcl),
        (vec![acl(READ, "sasl", "a")], ErrorCode::InvalidAcl),
        (vec![acl(READ, "x509", "CN=a")], ErrorCode::InvalidAcl),
        (vec![Acl::world(ALL), acl(READ, "digest", "nocolon")], ErrorCode::InvalidAcl),
        (vec![null(Some("world"), None)], ErrorCode::MarshallingError),
        (vec![null(Some("digest"), None)], ErrorCode::MarshallingError),
        (vec![Acl::world(READ), null(None, None)], ErrorCode::MarshallingError),
        (vec![Acl::world(WRITE), null(None, None)], ErrorCode::InvalidAcl),
    ] {
        let fixed = fix_up(list.clone(), &with_user("u:p"), Schemes::default());
        assert_eq!(fixed, Err(code), "{list:?}");
    }
    let seam = vec![acl(READ, "sasl", "a@B"), acl(READ, "x509", "CN=a")];
    assert_eq!(fix_up(seam.clone(), &local(), all_schemes()), Ok(seam));
}

#[test]
fn readers_without_admin_see_no_hashes() {
    let list = [
        acl(READ, "digest", "u:hash"),
        acl(READ, "digest", "none"),
        acl(READ, "digest", "u:a:b\nc:d"),
        acl(READ, "ip", "::1"),
        Acl::world(READ),
    ];
    let expected = [
        acl(READ, "digest", "u:x"),
        acl(READ, "digest", "none"),
        acl(READ, "digest", "u:x\nc:x"),
        acl(READ, "ip", "::1"),
        Acl::world(READ),
    ];
    assert_eq!(masked_for_reader(&list), expected);
}

#[test]
fn identities_are_limited_in_number_and_size() {
    let config = AccessConfig::default();
    let add =
        |ids: &Identities, text: &[u8]| authenticate(&config, Some("digest"), Some(text), ids);
    let mut many = Identities::none();
    for n in 0..MOST_IDENTITIES {
        many = add(&many, format!("u{n}:p").as_bytes()).unwrap();
    }
    assert_eq!(add(&many, b"one:more"), Err(ErrorCode::AuthFailed));
    let long = |c: u8| [vec![c; 900_000], b":p".to_vec()].concat();
    let two = add(&add(&Identities::none(), &long(b'a')).unwrap(), &long(b'b')).unwrap();
    assert_eq!(add(&two, &long(b'c')), Err(ErrorCode::AuthFailed));
    assert!(add(&two, b"short:p").is_ok());
}

#[test]
fn auth_entries_are_limited_in_what_they_become() {
    let auth = [b"u".repeat(500_000), b":p".to_vec()].concat();
    let who =
        authenticate(&AccessConfig::default(), Some("digest"), Some(&auth), &Identities::none());
    let who = who.unwrap();
    let list = |n| (1..=n).map(|perms| Acl { perms, id: Id::new("auth", "") }).collect();
    assert_eq!(fix_up(list(8), &who, Schemes::default()).unwrap().len(), 8);
    assert_eq!(fix_up(list(9), &who, Schemes::default()), Err(ErrorCode::InvalidAcl));
}
