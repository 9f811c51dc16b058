//! Verdicts on reconfigurations, at a leader.

use super::*;
use crate::quorum::Quorums;
use ErrorCode::{
    BadArguments, BadVersion, MarshallingError, NewConfigNoQuorum, NoAuth, ReconfigInProgress,
    SessionExpired,
};
use quorate_wire::quorum::Membership;

/// Never established, led by server 1; all four servers follow it, and 4 has no vote.
const BEFORE: &str = "server.1=a:1:2:participant;a:9\nserver.2=b:1:2:participant;b:9\n\
                      server.3=c:1:2:participant;c:9\nserver.4=d:1:2:observer;d:9\nversion=0";

struct Change<'a> {
    joining: Option<&'a str>,
    leaving: Option<&'a str>,
    members: Option<&'a str>,
    from: i64,
}

const NOTHING: Change<'_> = Change { joining: None, leaving: None, members: None, from: -1 };

impl Change<'_> {
    fn request(&self) -> (OpCode, Vec<u8>) {
        let text = |text: Option<&str>| text.map(|text| text.to_owned().into());
        let request = ReconfigRequest {
            joining: text(self.joining),
            leaving: text(self.leaving),
            new_members: text(self.members),
            cur_config_id: self.from,
        };
        (OpCode::Reconfig, request.to_bytes())
    }
}

fn leader(before: &str, config: PrepConfig) -> World {
    let mut world = World::new(PrepConfig { reconfig_enabled: true, ..config });
    let mut ensemble = Ensemble::new(1, Quorums::new(Membership::parse(before).unwrap()));
    ensemble.followed_by([2, 3, 7].into());
    world.prep.govern(ensemble);
    world.who = Identities::believed(&[Id::new("super", "")]);
    world
}

/// Asks a leader of [`BEFORE`], and returns the configuration that it makes of it.
fn asked(change: &Change<'_>) -> Result<String, ErrorCode> {
    let mut world = leader(BEFORE, PrepConfig::default());
    match world.ask(&change.request()) {
        Some(error) => Err(error),
        None => Ok(proposed(&mut world)),
    }
}

/// The configuration of the transaction in flight, without its version, which is its zxid.
fn proposed(world: &mut World) -> String {
    let bytes = world.in_flight.back().unwrap().clone();
    let record = TxnRecord::from_bytes(&bytes).unwrap();
    let Txn::Reconfig(body) = record.txn else { panic!("{record:?}") };
    assert_eq!((&*body.path, body.version), ("/zookeeper/config", -1));
    let text = std::str::from_utf8(body.data.unwrap()).unwrap();
    let (members, version) = text.rsplit_once('\n').unwrap();
    assert_eq!(version, format!("version={:x}", record.header.zxid.0));
    members.to_owned()
}

/// As in Apache, several addresses of a member are a feature to be switched on.
#[test]
fn members_have_several_addresses_only_where_that_is_switched_on() {
    for (several_addresses, error) in [(false, Some(BadArguments)), (true, None)] {
        let config = PrepConfig { several_addresses, ..PrepConfig::default() };
        let joins = Change { joining: Some("server.7=g:1:2|h:3:4;9"), ..NOTHING };
        assert_eq!(leader(BEFORE, config).ask(&joins.request()), error);
    }
}

#[test]
fn who_joins_and_who_leaves_make_the_next_configuration() {
    let lines: Vec<&str> = BEFORE.lines().collect();
    let [one, two, three, four] = [lines[0], lines[1], lines[2], lines[3]];
    for (change, expected) in [
        (Change { leaving: Some("3"), ..NOTHING }, vec![one, two, four]),
        (Change { leaving: Some(" 4 , 9"), from: 0, ..NOTHING }, vec![one, two, three]),
        (
            Change { joining: Some("server.7=g:1:2;9"), ..NOTHING },
            vec![one, two, three, four, "server.7=g:1:2:participant;0.0.0.0:9"],
        ),
        // A vote for the observer, another port for 2, and 3 goes.
        (
            Change {
                joining: Some("server.4=d:1:2;d:9,server.2=b:1:7:participant;b:9"),
                leaving: Some("3"),
                ..NOTHING
            },
            vec![one, "server.2=b:1:7:participant;b:9", "server.4=d:1:2:participant;d:9"],
        ),
        (
            Change {
                members: Some("server.1=a:1:2;9,server.2=b:1:2\nserver.5=e:1:2:observer"),
                ..NOTHING
            },
            vec![
                "server.1=a:1:2:participant;0.0.0.0:9",
                "server.2=b:1:2:participant",
                "server.5=e:1:2:observer",
            ],
        ),
        // Each on a host of its own.
        (
            Change { joining: Some("server.7=g:1:2;9,server.8=h:1:2;9"), ..NOTHING },
            vec![
                one,
                two,
                three,
                four,
                "server.7=g:1:2:participant;0.0.0.0:9",
                "server.8=h:1:2:participant;0.0.0.0:9",
            ],
        ),
        (Change { joining: Some(""), leaving: Some(","), ..NOTHING }, vec![one, two, three, four]),
    ] {
        assert_eq!(asked(&change).as_deref(), Ok(expected.join("\n").as_str()));
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let long = format!("server.7={}:1:2;9", "g".repeat(300_000));
    for (change, error) in [
        (Change { from: 4, ..NOTHING }, BadVersion),
        (Change { from: -2, ..NOTHING }, BadVersion),
        (Change { leaving: Some("x"), ..NOTHING }, MarshallingError),
        (Change { joining: Some("server.x=g:1:2;9"), ..NOTHING }, MarshallingError),
        (Change { joining: Some("server.7"), ..NOTHING }, BadArguments),
        (Change { joining: Some("server.7=g:1"), ..NOTHING }, BadArguments),
        (Change { joining: Some("server.7=g:1:2"), ..NOTHING }, BadArguments),
        (Change { joining: Some("server.7=a:1:2;9"), ..NOTHING }, BadArguments),
        (Change { joining: Some("server.7=g:1:2;a:2"), ..NOTHING }, BadArguments),
        (Change { joining: Some("server.7=A:3:4;9"), ..NOTHING }, BadArguments),
        (Change { joining: Some("server.7=a:3:4;9"), ..NOTHING }, BadArguments),
        (Change { joining: Some("server.255=g:1:2;9"), ..NOTHING }, BadArguments),
        (Change { joining: Some("server.7=g:0:2;9"), ..NOTHING }, BadArguments),
        (Change { joining: Some(&long), ..NOTHING }, BadArguments),
        (Change { members: Some("server.1=a:1:2,server.2=a:1:3"), ..NOTHING }, BadArguments),
        (Change { members: Some("server.1=a:1:2,tickTime=5"), ..NOTHING }, BadArguments),
        (Change { members: Some(""), ..NOTHING }, BadArguments),
        (Change { members: Some("server.1=a:1:2;9"), ..NOTHING }, BadArguments),
        (Change { leaving: Some("1,2"), ..NOTHING }, BadArguments),
        // 4 observes, so it cannot acknowledge; 5 and 6 are not here.
        (
            Change { leaving: Some("2,3"), joining: Some("server.4=d:1:2;9"), ..NOTHING },
            NewConfigNoQuorum,
        ),
        (
            Change { members: Some("server.1=a:1:2,server.5=e:1:2,server.6=f:1:2"), ..NOTHING },
            NewConfigNoQuorum,
        ),
    ] {
        let asked = asked(&change);
        assert_eq!(asked, Err(error), "{:?} {:?}", change.joining, change.members);
    }
}

#[test]
fn permission_is_the_last_thing_that_is_looked_at() {
    let mut world = leader(BEFORE, PrepConfig::default());
    let (op, body) = NOTHING.request();
    assert_eq!(world.ask_as(CLOSED, (op, &body)), Some(SessionExpired));
    world.who = Identities::none();
    let bad = Change { from: 4, ..NOTHING };
    assert_eq!(world.ask(&bad.request()), Some(BadVersion));
    assert_eq!(world.ask(&NOTHING.request()), Some(NoAuth));
    // Refused, so nothing is under way.
    world.who = Identities::believed(&[Id::new("super", "")]);
    assert_eq!(world.ask(&NOTHING.request()), None);
}

#[test]
fn one_reconfiguration_is_under_way_at_a_time() {
    let mut world = leader(BEFORE, PrepConfig::default());
    assert_eq!(world.ask(&NOTHING.request()), None);
    assert_eq!(world.ask(&NOTHING.request()), Some(ReconfigInProgress));
    world.apply_all();
    assert_eq!(world.ask(&NOTHING.request()), Some(ReconfigInProgress), "not in effect yet");
    let config = world.tree.find("/zookeeper/config").unwrap();
    let text = std::str::from_utf8(world.tree.data(config).unwrap()).unwrap();
    let (committed, stat) = (Membership::parse(text).unwrap(), world.tree.stat(config));
    assert_eq!((stat.version, stat.mzxid), (-1, committed.version));
    world.prep.ensemble_mut().unwrap().commit(committed.clone());
    assert_eq!(world.ask(&Change { from: 0, ..NOTHING }.request()), Some(BadVersion));
    assert_eq!(world.ask(&Change { from: committed.version, ..NOTHING }.request()), None);
}

#[test]
fn groups_change_as_a_whole_only() {
    let groups = format!("{BEFORE}\ngroup.1=1:2:3");
    let mut world = leader(&groups, PrepConfig::default());
    assert_eq!(world.ask(&Change { leaving: Some("3"), ..NOTHING }.request()), Some(BadArguments));
    let whole = "server.1=a:1:2,server.2=b:1:2,group.1=1:2,weight.2=3";
    assert_eq!(world.ask(&Change { members: Some(whole), ..NOTHING }.request()), None);
    assert!(proposed(&mut world).ends_with("group.1=1:2\nweight.1=1\nweight.2=3"));
}

#[test]
fn an_ensemble_of_one_must_be_wanted() {
    let mut world =
        leader(BEFORE, PrepConfig { standalone_enabled: false, ..PrepConfig::default() });
    assert_eq!(world.ask(&Change { leaving: Some("2,3,4"), ..NOTHING }.request()), None);
    assert_eq!(proposed(&mut world), BEFORE.lines().next().unwrap());
}
