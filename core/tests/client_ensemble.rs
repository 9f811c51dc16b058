//! A client at an ensemble of somebody else's: sessions that move, reading without a quorum, and a membership that changes.
//!
//! `QUORATE_TEST_MEMBERS` lists three members, `QUORATE_TEST_CONTROL` is where to say what is to happen to them, in lines such as `kill 2`.
//! `tests/peers/interop/members.py` starts both, with Apache's servers and with ours.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use quorate::client::blocking::wait;
use quorate::client::{
    Builder, Client, CreateMode, Error, ErrorCode, EventType, Identity, State, Watch, WatchEvent,
    WatchMode, Watcher, within,
};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(90);
/// Longer than the ensemble is away.
const SESSION: Duration = Duration::from_secs(100);

/// The servers.
struct Members {
    addresses: Vec<String>,
    control: BufReader<TcpStream>,
}

impl Members {
    fn new() -> Self {
        let list = std::env::var("QUORATE_TEST_MEMBERS").unwrap();
        let control = std::env::var("QUORATE_TEST_CONTROL").unwrap();
        let addresses = list.split(',').map(str::to_owned).collect();
        Self { addresses, control: BufReader::new(TcpStream::connect(control).unwrap()) }
    }

    /// Says what is to happen, and waits until it has.
    fn tell(&mut self, what: &str) {
        writeln!(self.control.get_mut(), "{what}").unwrap();
        let mut answer = String::new();
        self.control.read_line(&mut answer).unwrap();
        assert_eq!(answer, "done\n", "{what}");
    }

    /// How to get to all of them.
    fn all(&self) -> Builder {
        builder(&self.addresses.join(","))
    }

    /// How to get to one, and no other. They count from 1.
    fn only(&self, number: usize) -> Builder {
        builder(&self.addresses[number - 1])
    }

    /// Waits until all of them know what has been written so far.
    fn catch_up(&self) {
        for number in 1..=self.addresses.len() {
            let client = wait(self.only(number).connect()).unwrap();
            wait(client.sync("/")).unwrap();
            wait(client.close()).unwrap();
        }
    }
}

fn builder(servers: &str) -> Builder {
    Client::builder().servers(servers).session_timeout(SESSION).patience(PATIENCE)
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits, but not for ever.
#[track_caller]
fn soon<T>(client: &Client, future: impl Future<Output = T>) -> T {
    let environment = &**client.environment();
    wait(within(environment, PATIENCE, future)).expect("it happens in time")
}

/// The event of a one-shot watch.
fn once(client: &Client, watch: Watch) -> Result<EventType, Error> {
    soon(client, watch).map(|event| event.kind)
}

/// The next change that a lasting watch is told, and how often it was told before that it may have missed some.
fn next(client: &Client, watcher: &mut Watcher) -> (usize, EventType) {
    let mut missed = 0;
    loop {
        match soon(client, watcher.next()).unwrap() {
            WatchEvent::Changed(event) => return (missed, event.kind),
            WatchEvent::Missed => missed += 1,
        }
    }
}

fn owner(client: &Client, path: &str) -> Option<i64> {
    soon(client, client.exists(path)).unwrap().map(|stat| stat.ephemeral_owner)
}

/// Empties what an earlier run, or test, may have left.
fn clear(client: &Client, path: &str) {
    for name in wait(client.children(path)).map(|(names, _)| names).unwrap_or_default() {
        wait(client.delete(&format!("{path}/{name}"), None)).unwrap();
    }
    let _none = wait(client.delete(path, None));
}

/// The one that gives it away ends at once; what the session holds goes along, what the client was waiting for does not.
#[test]
#[ignore = "needs an ensemble: tests/run-peers servers"]
fn a_session_is_handed_over() -> Outcome {
    let members = Members::new();
    let witness = wait(members.only(3).connect())?;
    clear(&witness, "/hand-over");
    let giver = wait(members.only(1).connect())?;
    wait(giver.create("/hand-over", b"", CreateMode::Persistent))?;
    wait(giver.create("/hand-over/mine", b"", CreateMode::Ephemeral))?;
    let (_, _, watch) = wait(giver.get_and_watch("/hand-over"))?;
    let mut lasting = wait(giver.watch("/hand-over", WatchMode::Node))?;
    let (mut states, life) = (giver.states(), giver.lifetime());
    let identity = giver.identity().unwrap();
    giver.abandon();
    assert_eq!(soon(&giver, states.next()), Some(State::Closed));
    assert!(!life.is_alive());
    assert!(once(&giver, watch).unwrap_err().is_session_end());
    assert!(soon(&giver, lasting.next()).unwrap_err().is_session_end());
    assert!(wait(giver.exists("/")).unwrap_err().is_session_end());

    // Who does not know the password does not get it, neither from the leader nor from the others.
    let password = identity.password.map(|byte| !byte);
    for number in 1..=members.addresses.len() {
        let thief = members.only(number).resume(Identity { password, ..identity }).renew(false);
        assert!(wait(thief.connect()).unwrap_err().is_session_end());
    }

    let heir = wait(members.only(2).resume(identity).renew(false).connect())?;
    assert_eq!((heir.session_id(), heir.counters().watches), (identity.id, 0));
    assert_eq!(owner(&heir, "/hand-over/mine"), Some(identity.id));
    assert_eq!(wait(heir.ephemerals("/hand-over"))?, ["/hand-over/mine"]);
    // The watches of the other one are nothing to it: it sets its own.
    let (_, _, watch) = wait(heir.get_and_watch("/hand-over"))?;
    wait(heir.create("/hand-over/too", b"", CreateMode::Ephemeral))?;
    wait(witness.set("/hand-over", b"x", None))?;
    assert_eq!(once(&heir, watch)?, EventType::DataChanged);
    wait(witness.sync("/"))?;
    assert_eq!(owner(&witness, "/hand-over/too"), Some(identity.id));
    // All of it ends with the session, which is the heir's to end.
    wait(heir.close())?;
    wait(witness.sync("/"))?;
    assert!(wait(witness.children("/hand-over"))?.0.is_empty());
    Ok(wait(witness.close())?)
}

/// It goes to who came last. The one before learns it with its next write: the server ends its connection, and nothing of the write happens.
#[test]
#[ignore = "needs an ensemble: tests/run-peers servers"]
fn a_session_is_taken_away() -> Outcome {
    let members = Members::new();
    let witness = wait(members.only(3).connect())?;
    clear(&witness, "/taken");
    let giver = wait(members.only(1).connect())?;
    wait(giver.create("/taken", b"", CreateMode::Persistent))?;
    wait(giver.create("/taken/mine", b"", CreateMode::Ephemeral))?;
    members.catch_up();
    let mut states = giver.states();
    let identity = giver.identity().unwrap();
    let heir = wait(members.only(2).resume(identity).connect())?;
    assert_eq!(heir.session_id(), identity.id);
    wait(heir.set("/taken", b"heir", None))?;

    let error = wait(giver.set("/taken", b"giver", None)).unwrap_err();
    assert!(error.is_connection_loss() && error.outcome_unknown(), "{error}");
    assert_eq!(soon(&giver, states.next()), Some(State::Suspended));
    // Otherwise it would go on trying, and take the session back.
    giver.abandon();
    eventually("the heir goes on", || wait(heir.set("/taken", b"heir again", None)).is_ok());
    assert_eq!((heir.session_id(), heir.counters().session.lost), (identity.id, 0));
    assert_eq!(owner(&heir, "/taken/mine"), Some(identity.id));
    let stat = wait(heir.get("/taken"))?.1;
    assert_eq!(wait(heir.get("/taken"))?.0, b"heir again");
    assert!(stat.version >= 2, "{stat:?}");
    wait(heir.close())?;
    Ok(wait(witness.close())?)
}

/// Servers give nothing but new sessions without a quorum, and these only if sessions may be local. What a quorum has given stays
/// suspended until there is one again.
#[test]
#[ignore = "needs an ensemble: tests/run-peers servers"]
fn read_only_mode() -> Outcome {
    let mut members = Members::new();
    let holder = wait(members.all().read_only(true).connect())?;
    clear(&holder, "/read-only");
    wait(holder.create("/read-only", b"before", CreateMode::Persistent))?;
    // Now its session is one of the whole ensemble.
    wait(holder.create("/read-only/mine", b"", CreateMode::Ephemeral))?;
    let session = holder.session_id();
    let held = Watches::set(&holder)?;
    members.catch_up();
    let (mut states, life) = (holder.states(), holder.lifetime());

    members.tell("kill 2");
    members.tell("kill 3");
    // The one that is left may take a moment to find out that it is alone.
    let mut reader = wait(members.all().read_only(true).connect())?;
    eventually("it only reads", || {
        if reader.state() != State::ReadOnly {
            reader = wait(members.all().read_only(true).connect()).unwrap();
        }
        reader.state() == State::ReadOnly
    });
    assert_eq!(reader.server().as_ref(), Some(&members.addresses[0]));
    reads_only(&reader);
    let read = Watches::set(&reader)?;
    let (mut reader_states, reader_life) = (reader.states(), reader.lifetime());
    // Who does not put up with that has no session.
    let strict = members.all().patience(Duration::from_secs(1));
    assert!(wait(strict.connect()).unwrap_err().is_connection_loss());
    assert_eq!(holder.state(), State::Suspended);
    reads_only(&reader);

    members.tell("launch 2");
    members.tell("launch 3");
    for (client, states) in [(&reader, &mut reader_states), (&holder, &mut states)] {
        let mut seen = Vec::new();
        while seen.last() != Some(&State::Connected) {
            seen.extend(soon(client, states.next()));
            assert_ne!(seen.last(), Some(&State::Lost), "{seen:?}");
        }
        assert!(seen.ends_with(&[State::Suspended, State::Connected]), "{seen:?}");
    }
    members.tell("serving 3");
    assert_eq!((holder.session_id(), owner(&holder, "/read-only/mine")), (session, Some(session)));
    assert!(life.is_alive() && reader_life.is_alive());
    // The watches have seen all of it, those too that were set without a quorum.
    written(&reader, "/read-only", b"after");
    for (client, watches) in [(&holder, held), (&reader, read)] {
        watches.see_a_change(client)?;
    }
    wait(reader.close())?;
    Ok(wait(holder.close())?)
}

/// A watch of each kind.
struct Watches {
    data: Watch,
    children: Watch,
    lasting: Watcher,
}

impl Watches {
    fn set(client: &Client) -> Result<Self, Error> {
        let (_, _, data) = soon(client, client.get_and_watch("/read-only"))?;
        let (_, _, children) = soon(client, client.children_and_watch("/read-only"))?;
        let lasting = soon(client, client.watch("/read-only", WatchMode::Recursive))?;
        Ok(Self { data, children, lasting })
    }

    /// Data has been written; a child is created now.
    fn see_a_change(mut self, client: &Client) -> Outcome {
        assert_eq!(once(client, self.data)?, EventType::DataChanged);
        let (missed, kind) = next(client, &mut self.lasting);
        assert!(missed > 0 && kind == EventType::DataChanged, "{missed}, {kind:?}");
        soon(client, client.create("/read-only/new-", b"", CreateMode::PersistentSequential))?;
        assert_eq!(once(client, self.children)?, EventType::ChildrenChanged);
        assert_eq!(next(client, &mut self.lasting).1, EventType::Created);
        Ok(())
    }
}

/// Writes, whatever happens to the connection meanwhile.
fn written(client: &Client, path: &str, data: &[u8]) {
    eventually("written", || wait(client.set(path, data, None)).is_ok());
}

/// Everything can be read, nothing written.
fn reads_only(client: &Client) {
    assert_eq!(soon(client, client.get("/read-only")).unwrap().0, b"before");
    assert_eq!(soon(client, client.children("/read-only")).unwrap().0, ["mine"]);
    let refused = |error: Error| {
        assert_eq!(error.code(), ErrorCode::NotReadOnly, "{error}");
        assert!(!error.outcome_unknown(), "{error}");
    };
    refused(soon(client, client.set("/read-only", b"x", None)).unwrap_err());
    refused(soon(client, client.delete("/read-only/mine", None)).unwrap_err());
    let create = client.create("/read-only/no", b"", CreateMode::Persistent);
    refused(soon(client, create).unwrap_err());
    let multi = client.multi().set("/read-only", b"x", None).commit();
    refused(soon(client, multi).unwrap_err());
    refused(soon(client, client.sync("/read-only")).unwrap_err());
    assert_eq!(client.state(), State::ReadOnly);
}

/// How many of these are connected to a server.
fn at(clients: &[Client], server: &str) -> usize {
    clients.iter().filter(|client| client.server().as_deref() == Some(server)).count()
}

/// Lets the third member join, or leave. The ensemble may have to elect meanwhile, and the answer be lost: then it is looked for.
fn reconfigured(admin: &Client, joining: Option<&str>) {
    let leaving = if joining.is_none() { Some("3") } else { None };
    eventually("reconfigured", || {
        let done = wait(admin.reconfigure(joining, leaving, None, None));
        let config = done.or_else(|_| wait(admin.config())).map(|(config, _)| config);
        let has = |config: &Vec<u8>| String::from_utf8_lossy(config).contains("server.3=");
        config.is_ok_and(|config| has(&config) == joining.is_some())
    });
}

/// Creates a node, whatever happens to the connection meanwhile.
fn created(client: &Client, path: &str, mode: CreateMode) {
    eventually("created", || match wait(client.create(path, b"", mode)) {
        Ok(_) => true,
        Err(error) => error.code() == ErrorCode::NodeExists,
    });
}

#[test]
#[ignore = "needs an ensemble: tests/run-peers servers"]
fn clients_follow_a_reconfiguration() -> Outcome {
    let mut members = Members::new();
    let staying = members.addresses[..2].join(",");
    let admin = wait(builder(&staying).auth("digest", b"super:test").connect())?;
    let (config, _) = wait(admin.config())?;
    let config = String::from_utf8(config)?;
    let third = config.lines().find(|line| line.starts_with("server.3=")).unwrap().to_owned();
    let (two, three) = (members.addresses[..2].to_vec(), members.addresses.clone());
    let sorted = |client: &Client| {
        let mut servers = client.servers();
        servers.sort();
        servers
    };
    let knows = |client: &Client, list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        sorted(client) == list
    };
    // Whoever knows one of them hears of the others.
    let first = wait(members.only(1).follow_config(true).connect())?;
    eventually("it knows all", || knows(&first, &three));
    // Who is at the one that goes has to move, with its session.
    let moved = wait(members.only(3).follow_config(true).connect())?;
    let session = moved.session_id();
    eventually("it knows all", || knows(&moved, &three));

    reconfigured(&admin, None);
    for client in [&first, &moved] {
        eventually("one has gone", || knows(client, &two));
    }
    eventually("it has moved", || {
        moved.state().is_connected() && moved.server().is_some_and(|server| two.contains(&server))
    });
    assert_eq!((moved.session_id(), moved.counters().session.lost), (session, 0));
    members.tell("kill 3");

    created(&first, "/followers", CreateMode::Persistent);
    let clients: Vec<Client> = (0..CLIENTS)
        .map(|_| wait(builder(&two.join(",")).follow_config(true).connect()).unwrap())
        .collect();
    let sessions: Vec<i64> = clients.iter().map(Client::session_id).collect();
    for (number, client) in clients.iter().enumerate() {
        created(client, &format!("/followers/{number}"), CreateMode::Ephemeral);
    }
    let [here, there] = [at(&clients, &two[0]), at(&clients, &two[1])];
    assert!(here > 0 && there > 0 && here + there == CLIENTS, "{here} and {there}");
    // One that joins gets its share of them.
    members.tell("launch 3");
    members.tell("serving 3");
    reconfigured(&admin, Some(&third));
    eventually("all know it", || clients.iter().all(|client| knows(client, &three)));
    eventually("some have moved to it", || {
        at(&clients, &three[2]) >= CLIENTS / 12
            && clients.iter().all(|client| client.state().is_connected())
    });
    let share = at(&clients, &three[2]);
    assert!(share <= CLIENTS * 2 / 3, "{share} of {CLIENTS} have moved");
    // And gives it back.
    reconfigured(&admin, None);
    eventually("all know that it goes", || clients.iter().all(|client| knows(client, &two)));
    eventually("nobody is there any more", || {
        at(&clients, &two[0]) + at(&clients, &two[1]) == CLIENTS
            && clients.iter().all(|client| client.state().is_connected())
    });
    members.tell("kill 3");
    let now: Vec<i64> = clients.iter().map(Client::session_id).collect();
    assert_eq!(now, sessions);
    assert!(clients.iter().all(|client| client.counters().session.lost == 0));
    let mut left = 0;
    eventually("they are counted", || {
        let counted = wait(first.sync("/")).and_then(|()| wait(first.children("/followers")));
        left = counted.as_ref().map_or(0, |(names, _)| names.len());
        counted.is_ok()
    });
    assert_eq!(left, CLIENTS);
    for client in clients.iter().chain([&first, &moved, &admin]) {
        let _or_lost = wait(client.close());
    }
    Ok(())
}

/// Of so many the shares come near enough to what is expected.
const CLIENTS: usize = 60;
