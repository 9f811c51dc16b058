use super::*;
use std::collections::BTreeMap;

const OPTIONS: LinkOptions =
    LinkOptions { connect_timeout: 5000, greeting_timeout: 1000, strangers: 4 };

fn greeting(sid: i64) -> InitialMessage {
    InitialMessage::v1(sid, HostPort::new(format!("h{sid}"), 3888))
}

fn greeted(sid: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    greeting(sid).write(&mut bytes);
    bytes
}

fn links(me: i64) -> Links {
    let mut links = Links::new(me, &greeting(me), OPTIONS);
    links.set_members((1..=3).collect());
    links
}

fn frame(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    quorate_wire::frame::write_frame(&mut bytes, |out| out.extend_from_slice(text.as_bytes()));
    bytes
}

fn commands(links: &mut Links) -> Vec<Command> {
    std::iter::from_fn(|| links.next_command()).collect()
}

/// Accepts a connection of server `sid`, which says so.
fn accept(links: &mut Links, sid: i64) -> Link {
    let link = links.accepted(0);
    links.received(0, link, &greeted(sid));
    link
}

fn write(link: Link, text: &str) -> Command {
    Command::Write { link, bytes: frame(text) }
}

fn heard(from: i64, text: &str) -> Command {
    Command::Heard { from, payload: text.as_bytes().to_vec() }
}

#[test]
fn a_small_id_says_who_it_is_and_hangs_up() {
    let mut links = links(1);
    links.send(0, 2, frame("a"));
    assert_eq!(commands(&mut links), [Command::Connect { link: 1, to: 2, at: vec![] }]);
    links.send(0, 2, frame("b"));
    assert_eq!(commands(&mut links), [], "it is connecting already");
    links.connected(0, 1);
    let greeting = Command::Write { link: 1, bytes: greeted(1) };
    assert_eq!(commands(&mut links), [greeting, Command::Close { link: 1 }]);
    // The other one connects back, and gets the newest message.
    let link = accept(&mut links, 2);
    assert_eq!(commands(&mut links), [Command::Reachable(2), write(link, "b")]);
}

#[test]
fn a_large_id_connects_back_to_where_the_other_says_it_is() {
    let mut links = links(3);
    let first = accept(&mut links, 1);
    let at = vec![HostPort::new("h1", 3888)];
    let connect = Command::Connect { link: 2, to: 1, at };
    assert_eq!(commands(&mut links), [Command::Close { link: first }, connect]);
    links.connected(0, 2);
    let greeting = Command::Write { link: 2, bytes: greeted(3) };
    assert_eq!(commands(&mut links), [greeting, Command::Reachable(1)]);
    // It connects again, although there is a connection: that one is dead for it.
    let again = accept(&mut links, 1);
    assert_eq!(
        commands(&mut links)[..2],
        [Command::Close { link: 2 }, Command::Close { link: again }]
    );
    // Wildcards are of no use to others.
    let mut links = self::links(3);
    let link = links.accepted(0);
    let mut bytes = Vec::new();
    InitialMessage::v1(1, HostPort::new("0.0.0.0", 1)).write(&mut bytes);
    links.received(0, link, &bytes);
    assert_eq!(commands(&mut links)[1], Command::Connect { link: 2, to: 1, at: vec![] });
}

#[test]
fn a_server_whose_addresses_change_says_so_from_then_on() {
    let mut links = links(3);
    let moved = InitialMessage::v1(3, HostPort::new("elsewhere", 1));
    links.set_greeting(&moved);
    links.send(0, 1, frame("a"));
    links.connected(0, 1);
    let mut bytes = Vec::new();
    moved.write(&mut bytes);
    assert_eq!(commands(&mut links)[1], Command::Write { link: 1, bytes });
}

#[test]
fn a_newer_connection_replaces_the_older() {
    let mut links = links(1);
    let old = accept(&mut links, 2);
    links.received(0, old, &frame("one"));
    links.send(0, 2, frame("last"));
    links.written(old);
    commands(&mut links);
    let new = accept(&mut links, 2);
    let expected = [Command::Close { link: old }, Command::Reachable(2), write(new, "last")];
    assert_eq!(commands(&mut links), expected, "the last message is repeated");
    links.closed(0, old);
    links.received(0, old, &frame("late"));
    assert_eq!(commands(&mut links), []);
    links.received(0, new, &frame("two"));
    assert_eq!(commands(&mut links), [heard(2, "two")]);
}

/// By what it said before, others would take a server that rests for one that has a leader, or is one.
#[test]
fn who_has_forgotten_what_it_said_does_not_repeat_it() {
    let mut links = links(1);
    let old = accept(&mut links, 2);
    links.received(0, old, &frame("one"));
    links.send(0, 2, frame("I lead"));
    links.written(old);
    links.send(0, 2, frame("I lead still"));
    commands(&mut links);
    links.forget();
    let new = accept(&mut links, 2);
    assert_eq!(commands(&mut links), [Command::Close { link: old }, Command::Reachable(2)]);
    links.send(0, 2, frame("I look"));
    assert_eq!(commands(&mut links), [write(new, "I look")]);
}

#[test]
fn the_newest_message_wins() {
    let mut links = links(1);
    let link = accept(&mut links, 2);
    commands(&mut links);
    for text in ["a", "b", "c"] {
        links.send(0, 2, frame(text));
    }
    assert_eq!(commands(&mut links), [write(link, "a")]);
    links.written(link);
    assert_eq!(commands(&mut links), [write(link, "c")]);
    links.written(link);
    assert_eq!(commands(&mut links), []);
}

#[test]
fn messages_come_in_pieces() {
    let mut links = links(1);
    let link = links.accepted(0);
    let stream = [greeted(2), frame("one"), frame("two")].concat();
    for byte in &stream {
        links.received(0, link, &[*byte]);
    }
    assert_eq!(commands(&mut links), [Command::Reachable(2), heard(2, "one"), heard(2, "two")]);
    let mut links = self::links(1);
    let link = links.accepted(0);
    links.received(0, link, &stream);
    assert_eq!(commands(&mut links), [Command::Reachable(2), heard(2, "one"), heard(2, "two")]);
}

#[test]
fn what_cannot_be_is_refused_with_a_word() {
    let fails = |bytes: &[u8]| {
        let mut links = links(1);
        let link = links.accepted(0);
        links.received(0, link, bytes);
        let commands = commands(&mut links);
        assert_eq!(commands.last(), Some(&Command::Close { link }));
        assert!(links.sockets.is_empty() && links.peers.values().all(|peer| peer.link.is_none()));
        commands.into_iter().find_map(|command| match command {
            Command::Problem { problem, .. } => Some(problem),
            _ => None,
        })
    };
    assert_eq!(fails(&greeted(1)), Some(Problem::OwnId(1)));
    assert_eq!(fails(&[0xFF; 8]), Some(Problem::Greeting(InitialError::Version(-1))));
    let empty = [greeted(2), vec![0; 4]].concat();
    assert_eq!(fails(&empty), Some(Problem::Frame(2, 0)));
    let long = [greeted(2), vec![0x7F; 4]].concat();
    assert_eq!(fails(&long), Some(Problem::Frame(2, 0x7F7F_7F7F)));
}

#[test]
fn whoever_says_nothing_is_hung_up_on() {
    let mut links = links(1);
    let link = links.accepted(500);
    assert_eq!(links.next_deadline(), Some(1500));
    links.tick(1499);
    assert_eq!(commands(&mut links), []);
    links.tick(1500);
    assert_eq!(
        commands(&mut links),
        [Command::Problem { link, problem: Problem::Silent }, Command::Close { link }]
    );
    // A connection that is never made.
    links.send(2000, 2, frame("a"));
    links.tick(7000);
    assert_eq!(commands(&mut links)[1..], [Command::Close { link: 2 }]);
    links.send(7000, 2, frame("b"));
    assert_eq!(commands(&mut links).len(), 1, "the next message tries again");
}

#[test]
fn a_dead_process_is_told_from_a_connection_that_was_replaced() {
    // The smaller id knocks, and says nothing: the other may be connecting.
    let mut links = links(1);
    let link = accept(&mut links, 3);
    links.received(0, link, &frame("x"));
    commands(&mut links);
    links.closed(0, link);
    assert_eq!(commands(&mut links), [Command::Connect { link: 2, to: 3, at: vec![] }]);
    let mut other = links.clone();
    links.connected(0, 2);
    assert_eq!(commands(&mut links), [Command::Close { link: 2 }]);
    other.failed(2, true);
    assert_eq!(commands(&mut other), [Command::Unreachable(3)]);
    other.send(0, 3, frame("a"));
    other.failed(3, false);
    assert_eq!(commands(&mut other).len(), 1, "no word about what is only not reached");
    // With something to say it goes on as usual.
    let mut links = self::links(1);
    let link = accept(&mut links, 3);
    links.received(0, link, &frame("x"));
    links.closed(0, link);
    links.send(0, 3, frame("a"));
    commands(&mut links);
    links.connected(0, 2);
    assert_eq!(commands(&mut links)[0], Command::Write { link: 2, bytes: greeted(1) });
    // The larger one connects again.
    let mut links = self::links(3);
    links.send(0, 1, frame("a"));
    links.connected(0, 1);
    links.received(0, 1, &frame("x"));
    commands(&mut links);
    links.closed(0, 1);
    links.connected(0, 2);
    let expected = [
        Command::Connect { link: 2, to: 1, at: vec![] },
        Command::Write { link: 2, bytes: greeted(3) },
        Command::Reachable(1),
        write(2, "a"),
    ];
    assert_eq!(commands(&mut links), expected);
    // Not if nothing was ever heard: somebody could close it again and again.
    links.closed(0, 2);
    assert_eq!(commands(&mut links), []);
}

#[test]
fn strangers_are_heard_and_forgotten() {
    let mut links = links(2);
    let mut bytes = Vec::new();
    InitialMessage { sid: i64::MAX, ..greeting(9) }.write(&mut bytes);
    let nameless = links.accepted(0);
    links.received(0, nameless, &[bytes, frame("x")].concat());
    assert_eq!(commands(&mut links), [Command::Reachable(-1), heard(-1, "x")]);
    links.send(0, -1, frame("a"));
    assert_eq!(commands(&mut links), [write(nameless, "a")]);
    links.closed(0, nameless);
    let named = accept(&mut links, 9);
    links.closed(0, named);
    links.send(0, 9, frame("a"));
    links.send(0, 2, frame("a"));
    assert_eq!(commands(&mut links), [Command::Reachable(9)]);
    assert!(links.peers.is_empty() && links.sockets.is_empty());
    // Only so many at a time.
    let open: Vec<Link> = (0..4).map(|sid| accept(&mut links, 10 + sid)).collect();
    commands(&mut links);
    let member = accept(&mut links, 3);
    let crowd = Command::Problem { link: open[0], problem: Problem::Crowd(4) };
    let replaced = [crowd, Command::Close { link: open[0] }, Command::Reachable(3)];
    assert_eq!(commands(&mut links), replaced, "a member is let in whoever stands in its way");
    links.closed(0, member);
    open.into_iter().for_each(|link| links.closed(0, link));
    assert!(links.sockets.is_empty());
}

#[test]
fn connections_that_are_made_for_strangers_make_room_too() {
    let mut links = links(9);
    for sid in 4..8 {
        accept(&mut links, sid);
    }
    // Each has been hung up on, and is being connected to.
    commands(&mut links);
    let sid = 3;
    accept(&mut links, sid);
    let crowd = Command::Problem { link: 2, problem: Problem::Crowd(4) };
    assert_eq!(commands(&mut links)[..2], [crowd, Command::Close { link: 2 }]);
    assert!(!links.peers.contains_key(&4), "nothing is left of it");
}

#[test]
fn two_servers_with_one_id_make_no_storm_and_are_told() {
    // Of the two with the id 3, this one loses its connection to server 1 again and again.
    let mut links = links(3);
    for (now, missed) in [(0, true), (50, false), (199, false), (200, true), (399, false)] {
        links.send(now, 1, frame("a"));
        let made = links.next_link;
        links.connected(now, made);
        links.received(now, made, &frame("x"));
        commands(&mut links);
        links.closed(now, made);
        let connects = commands(&mut links);
        assert_eq!(connects.len(), usize::from(missed), "at {now}: {connects:?}");
        links.failed(links.next_link, false);
    }
    // The server to which they connect is told of it, once it cannot be an accident.
    let mut links = self::links(1);
    let mut old = accept(&mut links, 3);
    for turn in 0..4 {
        links.received(0, old, &frame("x"));
        commands(&mut links);
        let new = accept(&mut links, 3);
        let told = Command::Problem { link: old, problem: Problem::Twins(3) };
        assert_eq!(commands(&mut links).first() == Some(&told), turn >= 2, "{turn}");
        old = new;
    }
}

#[test]
fn a_member_that_is_removed_is_let_go() {
    let mut links = links(1);
    let link = accept(&mut links, 2);
    links.send(0, 3, frame("a"));
    commands(&mut links);
    links.set_members([1].into());
    assert_eq!(commands(&mut links), [Command::Close { link }, Command::Close { link: 2 }]);
    assert!(links.peers.is_empty() && links.sockets.is_empty());
}

/// Servers with real connections between them, in any order of events: afterwards each has heard the last word of each other one, with one
/// connection for each pair, and there is an end to connecting.
#[test]
fn whatever_happens_one_connection_stays() {
    for seed in 0..300 {
        let mut net = Net::new(seed);
        for turn in 0..40 {
            let (a, b) = (net.below(3) + 1, net.below(3) + 1);
            if a != b {
                net.send(a, b, &format!("{turn}"));
            }
            if net.below(4) == 0 {
                net.break_one();
            }
            for _ in 0..net.below(6) {
                net.step();
            }
        }
        for (a, b) in PAIRS {
            net.send(a, b, "last");
        }
        net.settle();
        // What was on its way when a connection broke is lost until it is said again.
        for (a, b) in PAIRS {
            net.send(a, b, "again");
        }
        net.settle();
        for (a, b) in PAIRS {
            assert_eq!(
                net.heard.get(&(b, a)).map(String::as_str),
                Some("again"),
                "seed {seed}: {a} to {b}"
            );
        }
        assert_eq!(net.wires.len(), 3, "seed {seed}");
    }
}

const PAIRS: [(i64, i64); 6] = [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2)];

/// One end of a connection: the server, and its name for it.
type End = (i64, Link);

/// What is on its way to one end.
enum Arrival {
    Connected,
    Accepted(End),
    Bytes(Vec<u8>),
    Written,
    Closed,
}

/// A network of three servers: each connection carries things in order, different ones do not wait for each other.
struct Net {
    servers: BTreeMap<i64, Links>,
    /// Both ends of each connection.
    wires: Vec<(End, End)>,
    arrivals: Vec<(End, Arrival)>,
    heard: BTreeMap<(i64, i64), String>,
    state: u64,
    steps: usize,
}

impl Net {
    fn new(seed: u64) -> Self {
        Self {
            servers: (1..=3).map(|sid| (sid, links(sid))).collect(),
            wires: Vec::new(),
            arrivals: Vec::new(),
            heard: BTreeMap::new(),
            state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1,
            steps: 0,
        }
    }

    fn below(&mut self, limit: i64) -> i64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        i64::try_from(self.state % u64::try_from(limit).unwrap()).unwrap()
    }

    fn send(&mut self, from: i64, to: i64, text: &str) {
        self.servers.get_mut(&from).unwrap().send(0, to, frame(text));
        self.carry_out(from);
    }

    /// Something arrives, the oldest of some connection.
    fn step(&mut self) {
        if self.arrivals.is_empty() {
            return;
        }
        let any = self.below(i64::try_from(self.arrivals.len()).unwrap());
        let end = self.arrivals[usize::try_from(any).unwrap()].0;
        let at = self.arrivals.iter().position(|(other, _)| *other == end).unwrap();
        let (_, arrival) = self.arrivals.remove(at);
        self.steps += 1;
        let (sid, link) = end;
        let server = self.servers.get_mut(&sid).unwrap();
        match arrival {
            Arrival::Connected => server.connected(0, link),
            Arrival::Accepted(from) => {
                let link = server.accepted(0);
                self.wires.push((from, (sid, link)));
                self.arrivals.push((from, Arrival::Connected));
            }
            Arrival::Bytes(bytes) => server.received(0, link, &bytes),
            Arrival::Written => server.written(link),
            Arrival::Closed => server.closed(0, link),
        }
        self.carry_out(sid);
    }

    fn carry_out(&mut self, sid: i64) {
        for command in commands(self.servers.get_mut(&sid).unwrap()) {
            match command {
                Command::Connect { link, to, .. } => {
                    self.arrivals.push(((to, 0), Arrival::Accepted((sid, link))));
                }
                Command::Write { link, bytes } => {
                    if let Some(other) = self.other((sid, link)) {
                        self.arrivals.push((other, Arrival::Bytes(bytes)));
                        self.arrivals.push(((sid, link), Arrival::Written));
                    }
                }
                Command::Close { link } => {
                    if let Some(other) = self.other((sid, link)) {
                        self.arrivals.push((other, Arrival::Closed));
                        self.wires.retain(|&(a, b)| a != (sid, link) && b != (sid, link));
                    }
                }
                Command::Heard { from, payload } => {
                    self.heard.insert((sid, from), String::from_utf8(payload).unwrap());
                }
                Command::Reachable(_) | Command::Unreachable(_) => {}
                Command::Problem { problem, .. } => panic!("{problem}"),
            }
        }
    }

    fn other(&self, end: End) -> Option<End> {
        self.wires.iter().find_map(|&(a, b)| match end {
            end if end == a => Some(b),
            end if end == b => Some(a),
            _ => None,
        })
    }

    /// A connection breaks; both sides notice, with what was on its way lost.
    fn break_one(&mut self) {
        if self.wires.is_empty() {
            return;
        }
        let any = self.below(i64::try_from(self.wires.len()).unwrap());
        let (a, b) = self.wires.remove(usize::try_from(any).unwrap());
        self.arrivals.retain(|(end, _)| *end != a && *end != b);
        self.arrivals.extend([(a, Arrival::Closed), (b, Arrival::Closed)]);
    }

    fn settle(&mut self) {
        self.steps = 0;
        while !self.arrivals.is_empty() {
            assert!(self.steps < 1000, "they connect without end");
            self.step();
        }
    }
}
