//! Reports and tables of ensembles in every condition.

use super::answers::{Brief, Figures, Place, Role};
use super::report::{Health, Report, Writes};
use super::survey::{Found, Sighting};
use super::table;
use quorate_wire::Zxid;

/// A server as `srvr` alone shows it, which is all that is on by default.
fn seen(port: u16, role: Role, zxid: i64) -> Sighting {
    let brief = Brief { role, version: None, zxid: Some(Zxid(zxid)), connections: Some(1) };
    let found = Found { brief, figures: None, place: None, unlisted: vec!["mntr", "conf"] };
    Sighting { address: format!("h:{port}"), found: Ok(found) }
}

fn gone(port: u16) -> Sighting {
    Sighting { address: format!("h:{port}"), found: Err("connection refused".to_owned()) }
}

/// The same server, one that lists all words.
fn open(mut sighting: Sighting, id: i64, members: &str) -> Sighting {
    if let Ok(found) = &mut sighting.found {
        found.unlisted.clear();
        let membership: quorate::config::membership::Membership = members.parse().unwrap();
        let voters = Some(membership.voters().count());
        found.figures = Some(Figures { sessions: Some(4), watches: Some(2), voters });
        found.place = Some(Place { id, membership });
    }
    sighting
}

const AT: i64 = 0x2_0000_0005;
const THREE: &str = "server.1=h:11:21\nserver.2=h:12:22\nserver.3=h:13:23";

#[test]
fn three_that_serve_can_lose_one() {
    let report = Report::of(vec![
        seen(1, Role::Follower, AT - 2),
        seen(2, Role::Leader, AT),
        seen(3, Role::Follower, AT + 1),
    ]);
    assert_eq!((report.writes, report.health()), (Writes::Yes { margin: 1 }, Health::Whole));
    assert_eq!(report.leader.as_deref(), Some("h:2"));
    let lags: Vec<_> = report.rows.iter().map(|row| row.lag).collect();
    assert_eq!(lags, [Some(2), Some(0), Some(0)]);
    assert_eq!(report.warnings, [""; 0]);
    let text = table::text(&report);
    assert_eq!(
        text,
        "server  role      epoch  zxid         lag  connections  sessions  watches\n\
         h:1     follower  2      0x200000003  2    1            -         -\n\
         h:2     leader    2      0x200000005  0    1            -         -\n\
         h:3     follower  2      0x200000006  0    1            -         -\n\
         takes writes: 3 of 3 voters serve, and 1 may fail now\n\
         not known: sessions and watches of h:1, h:2, h:3: mntr is not in 4lw.commands.whitelist there\n\
         not known: how many voters there are: no member could be asked mntr or conf; 3 is the number of those asked \
         that do not say that they observe\n"
    );
}

#[test]
fn two_of_three_write_on_and_can_lose_none() {
    let sightings = vec![
        open(seen(1, Role::Follower, AT), 1, THREE),
        gone(2),
        open(seen(3, Role::Leader, AT), 3, THREE),
    ];
    let report = Report::of(sightings);
    assert_eq!((report.writes, report.health()), (Writes::Yes { margin: 0 }, Health::Impaired));
    assert_eq!((report.unknown.len(), report.warnings.len()), (0, 0), "{report:?}");
    let text = table::text(&report);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "h:1     follower  2      0x200000005  0    1            4         2");
    assert_eq!(lines[2], "h:2     connection refused");
    assert_eq!(
        lines[4],
        "takes writes: 2 of 3 voters serve, and none may fail now (1 when all are up)"
    );
    let json = table::json(&report);
    assert_eq!((json["can_fail"].as_u64(), json["survives"].as_u64()), (Some(0), Some(1)));
    assert_eq!(json["servers"][1]["error"], "connection refused");
    assert_eq!(json["servers"][2]["zxid"], "0x200000005");
    assert_eq!((&json["writes"], &json["leader"]), (&true.into(), &"h:3".into()));
}

#[test]
fn one_of_three_takes_no_writes_whatever_it_says() {
    for role in [Role::Leader, Role::Follower, Role::Looking, Role::ReadOnly, Role::Unknown] {
        let report = Report::of(vec![gone(1), seen(2, role, AT), gone(3)]);
        assert_eq!((report.writes, report.health()), (Writes::No, Health::Stuck), "{role:?}");
    }
    // Two that followed, and their leader is gone.
    let left = vec![seen(1, Role::Follower, AT), gone(2), seen(3, Role::Follower, AT)];
    let report = Report::of(left);
    assert_eq!(report.writes, Writes::No);
    let verdict = "takes no writes: 2 of 3 voters serve, and nobody leads\n";
    assert!(table::text(&report).contains(verdict), "{report:?}");
}

#[test]
fn an_observer_has_no_vote_and_is_missed() {
    let mut sightings: Vec<_> = (1..=2).map(|port| seen(port, Role::Follower, AT)).collect();
    sightings.extend([seen(3, Role::Leader, AT), seen(4, Role::Observer, AT - 1)]);
    let whole = Report::of(sightings.clone());
    assert_eq!((whole.voters.count(), whole.health()), (3, Health::Whole));
    assert_eq!((whole.rows[3].lag, whole.warnings.len()), (Some(1), 0));
    // Unknown whether it votes, it is taken for a voter, unless a member tells how many there are.
    sightings[3] = gone(4);
    assert_eq!(Report::of(sightings.clone()).voters.count(), 4);
    let members = format!("{THREE}\nserver.4=h:14:24:observer");
    sightings[2] = open(sightings[2].clone(), 3, &members);
    let report = Report::of(sightings);
    assert_eq!((report.voters.count(), report.voters.unasked()), (3, 0));
    assert_eq!((report.writes, report.health()), (Writes::Yes { margin: 1 }, Health::Impaired));
}

#[test]
fn too_few_questions_are_no_failures() {
    let one = vec![open(seen(1, Role::Leader, AT), 1, THREE)];
    let report = Report::of(one);
    assert_eq!((report.writes, report.health()), (Writes::Likely, Health::Impaired));
    assert_eq!(report.voters.unasked(), 2);
    assert!(report.unknown[0].starts_with("whether 2 more of the 3 voters serve"), "{report:?}");
    // Its leader is somewhere.
    assert_eq!(Report::of(vec![seen(1, Role::Follower, AT)]).writes, Writes::Likely);
    // Two are a quorum of three, whatever the third does.
    let two = vec![
        open(seen(1, Role::Leader, AT), 1, THREE),
        open(seen(2, Role::Follower, AT), 2, THREE),
    ];
    let report = Report::of(two);
    assert_eq!((report.writes, report.health()), (Writes::Yes { margin: 0 }, Health::Impaired));
}

#[test]
fn groups_decide_where_there_are_groups() {
    let six: String = (1..=6).map(|sid| format!("server.{sid}=h:1{sid}:2{sid}\n")).collect();
    let members = format!("{six}group.1=1:2:3\ngroup.2=4:5:6");
    let mut sightings: Vec<_> =
        (1..=6).map(|sid| open(seen(sid, Role::Follower, AT), sid.into(), &members)).collect();
    sightings[0] = open(seen(1, Role::Leader, AT), 1, &members);
    assert_eq!(Report::of(sightings.clone()).writes, Writes::Yes { margin: 1 });
    // Four of six, and a whole group without a majority.
    (sightings[3], sightings[4]) = (gone(4), gone(5));
    assert_eq!(Report::of(sightings).writes, Writes::No);
}

#[test]
fn what_is_weak_is_told() {
    let warnings = |sightings: Vec<Sighting>| Report::of(sightings).warnings;
    let two = vec![seen(1, Role::Leader, AT), seen(2, Role::Follower, AT)];
    assert_eq!(
        warnings(two.clone()),
        ["2 voters: the ensemble survives no failure; 3 survive one"]
    );
    let four = [two, (3..=4).map(|port| seen(port, Role::Follower, AT)).collect()].concat();
    let even = "4 voters, an even number: the ensemble survives 1 failure, as 3 voters would";
    assert_eq!(warnings(four), [even]);
    let alone = vec![seen(1, Role::Standalone, AT)];
    assert_eq!(Report::of(alone.clone()).health(), Health::Whole);
    assert_eq!(
        warnings(alone),
        ["a server that is alone survives no failure; an ensemble of 3 survives one"]
    );
}

#[test]
fn servers_that_do_not_belong_together_are_told() {
    let mixed = Report::of(vec![
        seen(1, Role::Leader, AT),
        seen(2, Role::Leader, 0x1_0000_0009),
        seen(3, Role::Follower, AT),
        seen(4, Role::Standalone, 7),
    ]);
    assert_eq!(mixed.leader.as_deref(), Some("h:1"));
    assert_eq!(mixed.rows[1].lag, None, "of another epoch");
    assert!(mixed.warnings[0].starts_with("h:1 and h:2 say that they lead"), "{mixed:?}");
    assert_eq!(mixed.warnings[1], "standalone, a member of no ensemble: h:4");
}
