use super::MembershipProblem as Problem;
use super::*;

/// As an Apache server wrote it.
const CAPTURED: &str = "server.1=127.0.0.1:23211:23221:participant;127.0.0.1:23201\n\
                        server.2=127.0.0.1:23212:23222:participant;127.0.0.1:23202\n\
                        server.4=127.0.0.1:23214:23224:observer;127.0.0.1:23204\n\
                        version=100000010";

fn error(text: &str) -> MembershipError {
    Membership::parse(text).unwrap_err()
}

#[test]
fn a_captured_text_is_read_and_written_as_it_was() {
    let read = Membership::parse(CAPTURED).unwrap();
    assert_eq!(read.to_string(), CAPTURED);
    assert_eq!(read.version, 0x1_0000_0010);
    assert_eq!((read.voters().collect(), read.observers().collect()), (vec![1, 2], vec![4]));
    assert_eq!(read.role(3), None);
    assert!(read.is_voter(2) && !read.is_voter(4) && !read.is_hierarchical());
    let server = read.servers.get(&4).unwrap();
    let address = server.addresses.first().unwrap();
    assert_eq!(
        (address.quorum().to_string(), address.election().port),
        ("127.0.0.1:23214".into(), 23224)
    );
    assert_eq!(server.client, Some(HostPort::new("127.0.0.1", 23204)));
}

#[test]
fn every_lenient_form_has_one_exact_one() {
    for (lenient, exact) in [
        ("server.1=a:1:2", "server.1=a:1:2:participant\nversion=0"),
        ("server.1=a:1:2;2181\n", "server.1=a:1:2:participant;0.0.0.0:2181\nversion=0"),
        (
            "server.1=a:1:2:Observer\nserver.2=b:1:2",
            "server.1=a:1:2:observer\nserver.2=b:1:2:participant\nversion=0",
        ),
        (
            "# members\r\n version = 0Ab \r\n\r\n! of three\r\nserver.10 = b:1:2\r\nserver.9= a:1:2 ; c:3 ",
            "server.9=a:1:2:participant;c:3\nserver.10=b:1:2:participant\nversion=ab",
        ),
        ("server.1=b:1:2|a:3:4:participant", "server.1=a:3:4|b:1:2:participant\nversion=0"),
        (
            "server.1=a:1:2:observer|a:3:4:observer\nserver.2=b:1:2",
            "server.1=a:1:2|a:3:4:observer\nserver.2=b:1:2:participant\nversion=0",
        ),
        ("server.1=[::1]:1:2;[::]:3", "server.1=[::1]:1:2:participant;[::]:3\nversion=0"),
        ("server.1=a:1:2;c:3;d:4", "server.1=a:1:2:participant;c:3;d:4\nversion=0"),
        ("server.1=a:1:2;;4", "server.1=a:1:2:participant;;0.0.0.0:4\nversion=0"),
    ] {
        let read = Membership::parse(lenient).unwrap();
        assert_eq!(read.to_string(), exact);
        assert_eq!(Membership::parse(exact), Ok(read));
    }
}

#[test]
fn addresses_are_written_in_their_order() {
    let mut server = Server::new(Address::new("b", 1, 2), Role::Participant);
    server.addresses.extend([Address::new("a", 3, 4), Address::new("a", 1, 2)]);
    assert_eq!(server.to_string(), "a:1:2|a:3:4|b:1:2:participant");
}

/// As `QuorumHierarchical` writes it: groups, then weights, those left out as 1.
#[test]
fn groups_and_weights_are_read_and_written() {
    let servers: String =
        (1..=6).map(|sid| format!("server.{sid}=h{sid}:1:2:participant\n")).collect();
    let observer = "server.7=h7:1:2:observer\n";
    let lenient =
        format!("weight.6=0\ngroup.2=6:5:4\n{servers}{observer}group.1=1:2:3\nweight.1=2");
    let exact = format!(
        "{servers}{observer}group.1=1:2:3\ngroup.2=4:5:6\n\
         weight.1=2\nweight.2=1\nweight.3=1\nweight.4=1\nweight.5=1\nweight.6=0\nversion=0"
    );
    let read = Membership::parse(&lenient).unwrap();
    assert!(read.is_hierarchical());
    assert_eq!(read.to_string(), exact);
    assert_eq!(Membership::parse(&exact), Ok(read));
}

#[test]
fn versions_do_not_make_other_members() {
    let read = Membership::parse(CAPTURED).unwrap();
    let later = Membership { version: read.version + 1, ..read.clone() };
    assert!(read.same_members(&later) && read != later);
    let other = Membership::parse(&CAPTURED.replace("23204", "23205")).unwrap();
    assert!(!read.same_members(&other));
}

#[test]
fn each_wrong_line_is_named() {
    let text = |what: &str| what.to_owned();
    for (line, problem) in [
        ("server.2", Problem::NoValue(text("server.2"))),
        ("hello world", Problem::NoValue(text("hello world"))),
        ("tickTime=2000", Problem::UnknownKey(text("tickTime"))),
        ("servers.2=b:1:2", Problem::UnknownKey(text("servers.2"))),
        ("version.1=1", Problem::UnknownKey(text("version.1"))),
        ("server.x=b:1:2", Problem::Id(text("x"))),
        ("server.-2=b:1:2", Problem::Id(text("-2"))),
        ("server.=b:1:2", Problem::Id(text(""))),
        ("server.1=b:1:2", Problem::Duplicate(text("server.1"))),
        ("server.2=", Problem::Address(text(""))),
        ("server.2=b", Problem::Address(text("b"))),
        ("server.2=b:1", Problem::Address(text("b:1"))),
        ("server.2=b:1:x", Problem::Address(text("b:1:x"))),
        ("server.2=b:1:65536", Problem::Address(text("b:1:65536"))),
        ("server.2=:1:2", Problem::Address(text(":1:2"))),
        ("server.2=b:1:2:leader", Problem::Address(text("b:1:2:leader"))),
        ("server.2=b:1:2:observer:x", Problem::Address(text("b:1:2:observer:x"))),
        ("server.2=b:1:2|", Problem::Address(text("b:1:2|"))),
        ("server.2=::1:1:2", Problem::Address(text("::1:1:2"))),
        ("server.2=b:7:7", Problem::SamePorts(text("b:7:7"))),
        ("server.2=b:1:2|b:1:2", Problem::SameAddress(text("b:1:2|b:1:2"))),
        (
            "server.2=b:1:2:observer|c:1:2:participant",
            Problem::Roles(text("b:1:2:observer|c:1:2:participant")),
        ),
        ("server.2=b:1:2;", Problem::Client(text(""))),
        ("server.2=b:1:2;c:x", Problem::Client(text("c:x"))),
        ("server.2=b:1:2;1;2;3", Problem::Client(text("b:1:2;1;2;3"))),
        ("group.1=", Problem::Id(text(""))),
        ("group.1=1:x", Problem::Id(text("x"))),
        ("group.1=1:1", Problem::InTwoGroups { sid: 1 }),
        ("group.1=1:3", Problem::NotAVoter { sid: 3, group: 1 }),
        ("weight.1=x", Problem::Weight(text("x"))),
        ("weight.1=-1", Problem::Weight(text("-1"))),
        ("version=", Problem::Version(text(""))),
        ("version=xyz", Problem::Version(text("xyz"))),
        ("version=-1", Problem::Version(text("-1"))),
        ("version=8000000000000000", Problem::Version(text("8000000000000000"))),
    ] {
        let found = error(&format!("# a comment\nserver.1=a:1:2\n{line}\n"));
        assert_eq!(found, MembershipError { line: Some(3), problem }, "{line}");
        assert!(found.to_string().starts_with("line 3 of the configuration: "), "{found}");
    }
}

#[test]
fn repetitions_are_named_with_the_later_line() {
    let line = |text: &str| error(text).line;
    assert_eq!(line("version=1\nserver.1=a:1:2\nversion=1"), Some(3));
    assert_eq!(line("server.1=a:1:2\ngroup.1=1\ngroup.1=2"), Some(3));
    assert_eq!(line("server.1=a:1:2\nweight.1=1\nweight.1=2"), Some(3));
    assert_eq!(line("server.1=a:1:2\nserver.2=a:1:2\ngroup.1=1:2\ngroup.2=2"), Some(4));
}

#[test]
fn what_is_wrong_with_the_whole_is_said() {
    for (text, line, problem) in [
        ("", None, Problem::NoVoters),
        ("version=1", None, Problem::NoVoters),
        ("server.1=a:1:2:observer", None, Problem::NoVoters),
        ("server.1=a:1:2\nserver.2=b:1:2\ngroup.1=1", Some(2), Problem::InNoGroup { sid: 2 }),
        ("server.1=a:1:2\nweight.1=1", Some(1), Problem::InNoGroup { sid: 1 }),
        ("server.1=a:1:2\nweight.1=0\ngroup.1=1", None, Problem::NoWeight),
        (
            "server.1=a:1:2\nserver.2=b:1:2\ngroup.5=1:2\nweight.1=9223372036854775807",
            Some(3),
            Problem::TooHeavy { group: 5 },
        ),
    ] {
        assert_eq!(error(text), MembershipError { line, problem }, "{text}");
    }
}

#[test]
fn messages_stay_short() {
    let long = "x".repeat(100_000);
    for text in
        [long.clone(), format!("{long}=1"), format!("server.1={long}"), format!("version={long}")]
    {
        assert!(error(&text).to_string().len() < 300);
    }
}
