//! What should not come to an election port, comes, and changes nothing.

use super::peer::{Peer, frame, greeting, looking};
use super::*;
use std::net::{Shutdown, TcpStream};

/// Three members of which the first gets something odd. They elect afterwards, and the connection is closed with this line, and no other.
fn closed_with(say: impl Fn(&str) -> Vec<u8>, words: &str) {
    closed_in(LINKS, say, words);
}

fn closed_in(links: LinkOptions, say: impl Fn(&str) -> Vec<u8>, words: &str) {
    let home = home();
    let membership = membership(&home, 3, "");
    let members: Vec<Member> = membership
        .voters()
        .map(|sid| Member::start(ElectionConfig { links, ..config(sid, &membership) }))
        .collect();
    let mut peer = Peer::connect(&home, 1);
    peer.send(&say(&home));
    peer.is_closed();
    let line = members[0].says(words);
    let from = peer.socket.local_addr().unwrap().to_string();
    assert!(line.contains(&from), "{line}");
    members.iter().for_each(|member| member.thread.look(history(5, 1)));
    for member in &members {
        assert_eq!(member.decided().1, 3);
    }
    assert_eq!(members[0].lines(), [line]);
}

#[test]
fn what_is_no_greeting_is_closed_with_a_line() {
    // What begins with a letter could be the id of a very large server of old.
    closed_with(|_| b"GET / HTTP/1.1\r\n\r\n".to_vec(), "a frame of 1414541105 bytes");
    closed_with(|_| vec![0xFF; 64], "-1 is neither the id");
    let version = |home: &str| {
        let mut bytes = greeting(home, 2);
        bytes[7] = 7;
        bytes
    };
    closed_with(version, "-65529 is neither the id");
    let endless = |_: &str| [&0xFFFF_FFFF_FFFF_0000_u64.to_be_bytes()[..], &[0x7F; 12]].concat();
    closed_with(endless, "bytes of addresses are announced");
}

/// Long enough for members on a busy machine, which greet in the same way.
const SHORT: LinkOptions = LinkOptions { greeting_timeout: 1500, ..LINKS };

#[test]
fn who_says_nothing_is_closed_with_a_line() {
    closed_in(SHORT, |_| Vec::new(), "nothing was said in time");
}

#[test]
fn who_says_half_a_greeting_is_closed_with_a_line() {
    closed_in(SHORT, |home| greeting(home, 2)[..19].to_vec(), "nothing was said in time");
}

#[test]
fn our_own_id_is_refused_with_a_line() {
    closed_with(|home| greeting(home, 1), "two servers have the same myid");
}

#[test]
fn impossible_frames_are_closed_with_a_line() {
    let with = |sid, length: u32| {
        move |home: &str| [greeting(home, sid), length.to_be_bytes().to_vec()].concat()
    };
    closed_with(with(2, 0), "a frame of 0 bytes");
    closed_with(with(9, 0x7FFF_FFFF), "a frame of 2147483647 bytes");
    closed_with(with(9, 512 * 1024 + 1), "a frame of 524289 bytes");
}

#[test]
fn what_is_no_notification_is_dropped_and_the_rest_is_heard() {
    let home = home();
    let one = Member::start(config(1, &membership(&home, 3, "")));
    one.thread.look(history(5, 1));
    let mut peer = Peer::greet(&home, 1, 2);
    let short = [&[0, 0, 0, 3][..], b"abc"].concat();
    let mut state = frame(looking(2, history(9, 1), 1), None);
    state[7] = 9;
    for odd in [short, state] {
        peer.send(&odd);
    }
    peer.say(looking(2, history(9, 1), 1));
    peer.hears(|ballot| ballot.vote.leader == 2);
    let line = one.says("a notification of server 2 is dropped: a notification of 3 bytes");
    assert_eq!(one.lines(), [line], "the next one is too soon");
}

#[test]
fn bytes_come_one_by_one_and_connections_end_anywhere() {
    let home = home();
    let membership = membership(&home, 3, "");
    let members = ensemble(&membership);
    let config = membership.to_string();
    let stream = [greeting(&home, 9), frame(looking(9, history(9, 9), 1), Some(&config))].concat();
    for end in (0..stream.len()).step_by(7) {
        let mut peer = Peer::connect(&home, 1);
        let _ = peer.socket.set_nodelay(true);
        for byte in &stream[..end] {
            peer.send(&[*byte]);
        }
        if end % 2 == 0 {
            peer.socket.shutdown(Shutdown::Write).unwrap();
            peer.is_closed();
        }
    }
    members.iter().for_each(|member| member.thread.look(history(5, 1)));
    for member in &members {
        assert_eq!(member.decided().1, 3);
    }
    assert_eq!(members[0].lines(), [""; 0]);
}

#[test]
fn a_flood_makes_one_line() {
    let home = home();
    let one = Member::start(config(1, &membership(&home, 1, "")));
    for _ in 0..200 {
        let mut peer = Peer::connect(&home, 1);
        peer.send(&[0xFF; 8]);
        peer.is_closed();
    }
    assert_eq!(one.lines().len(), 1);
    one.thread.look(history(5, 1));
    assert_eq!(one.decided(), (ServerState::Leading, 1));
}

#[test]
fn a_crowd_of_strangers_is_kept_small() {
    let home = home();
    let links = LinkOptions { strangers: 4, ..LINKS };
    let one = Member::start(ElectionConfig { links, ..config(1, &membership(&home, 3, "")) });
    one.thread.look(history(5, 1));
    let mut crowd: Vec<Peer> = (0..4).map(|sid| Peer::greet(&home, 1, 10 + sid)).collect();
    let mut member = Peer::greet(&home, 1, 2);
    assert_eq!(member.ballot().vote.leader, 1, "a member is let in");
    crowd.remove(0).is_closed();
    let line = one.says("there are 4 of strangers, and another one has come");
    assert_eq!(one.lines(), [line]);
    // The others stay.
    for mut peer in crowd {
        peer.socket.set_nonblocking(true).unwrap();
        let error = io::Read::read(&mut peer.socket, &mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}

#[test]
fn two_servers_with_one_id_are_told_and_nobody_else_is_disturbed() {
    let home = home();
    let one = Member::start(config(1, &membership(&home, 3, "")));
    one.thread.look(history(5, 1));
    let mut twins = Vec::new();
    for _ in 0..4 {
        let mut twin = Peer::greet(&home, 1, 3);
        twin.say(looking(3, history(0, 0), 1));
        twin.hears(|ballot| ballot.vote.leader == 1);
        twins.push(twin);
    }
    let line = one.says("two servers may have the myid 3");
    assert_eq!(one.lines(), [line]);
    let mut two = Peer::greet(&home, 1, 2);
    two.say(looking(2, history(9, 1), 1));
    two.hears(|ballot| ballot.vote.leader == 2);
}

#[test]
fn who_does_not_read_holds_up_nobody() {
    let home = home();
    let alone = Member::start(config(1, &membership(&home, 1, "")));
    alone.thread.look(history(5, 1));
    assert_eq!(alone.decided(), (ServerState::Leading, 1));
    let mut deaf = Peer::greet(&home, 1, 9);
    // Each is answered, with more bytes than fit between the two.
    let ask = frame(looking(9, history(0, 0), 1), None).repeat(2000);
    for _ in 0..100 {
        deaf.send(&ask);
    }
    let mut peer = Peer::greet(&home, 1, 8);
    peer.say(looking(8, history(0, 0), 1));
    assert_eq!(peer.ballot().state, ServerState::Leading);
    // It begins to read, and gets whole frames to the last.
    deaf.say(looking(9, history(0, 0), 1));
    for _ in 0..100 {
        assert_eq!(deaf.ballot().vote.leader, 1);
    }
    assert_eq!(alone.lines(), [""; 0]);
}

#[test]
fn a_member_that_refuses_causes_no_busy_loop_and_one_line() {
    let home = home();
    let one = Member::start(config(1, &membership(&home, 3, "")));
    one.thread.look(history(5, 1));
    one.says("server 2 cannot be reached");
    let line = one.says("server 3 cannot be reached");
    assert!(line.contains(&format!("{home}:3003")) && line.contains("refused"), "{line}");
    // The vote is repeated after 200, 400, 800 ms: a few attempts, of which nothing more is said.
    let round = one.thread.inbox.rounds.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(700));
    let rounds = one.thread.inbox.rounds.load(Ordering::Relaxed) - round;
    assert!(rounds < 50, "{rounds} rounds in a moment of peace");
    assert_eq!(one.lines.lock().unwrap().len(), 2);
    // It is there after all.
    let _: TcpStream = TcpStream::connect((home.as_str(), port(1))).unwrap();
}
