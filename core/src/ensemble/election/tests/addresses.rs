//! Where members are, and where they are not.

use super::peer::{Peer, looking};
use super::*;
use quorate_wire::quorum::election::InitialForm;
use socket2::{Domain, Socket, Type};
use std::net::{TcpListener, TcpStream};
use std::sync::Condvar;

/// Server 2 of two, the first of which is at these places; whether it connects to the last of them.
fn finds(places: &str, listener: &TcpListener, lookup: Lookup) -> Member {
    let home = home();
    let text = format!("server.1={places}\nserver.2={home}:2002:3002\n");
    let membership = Membership::parse(&text).unwrap();
    let two = Member::start_with(config(2, &membership), lookup).unwrap();
    two.thread.look(history(5, 1));
    let mut peer = Peer::accept(listener);
    let greeting = peer.greeted();
    assert_eq!((greeting.sid, greeting.form), (2, InitialForm::V1));
    assert_eq!(greeting.addresses, [HostPort::new(home, 3002)]);
    assert_eq!(peer.ballot().vote.leader, 2);
    two
}

#[test]
fn the_second_address_is_taken_when_the_first_refuses_or_says_nothing() {
    let home = home();
    let listener = TcpListener::bind((home.as_str(), 4002)).unwrap();
    // Sorted by port: 4001 is first.
    let two = finds(&format!("{home}:1:4001|{home}:1:4002"), &listener, names::system());
    assert_eq!(two.lines.lock().unwrap().len(), 0, "it was reached");
    let (_full, _waiting) = full(&home, 4003);
    let listener = TcpListener::bind((home.as_str(), 4004)).unwrap();
    finds(&format!("{home}:1:4003|{home}:1:4004"), &listener, names::system());
}

/// A port that answers nobody: its queue is full.
fn full(home: &str, port: u16) -> (Socket, Vec<Socket>) {
    let address: SocketAddr = format!("{home}:{port}").parse().unwrap();
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&address.into()).unwrap();
    listener.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let made = socket.connect_timeout(&address.into(), Duration::from_millis(200));
        waiting.push(socket);
        if made.is_err() {
            return (listener, waiting);
        }
        assert!(waiting.len() < 10);
    }
}

#[test]
fn a_name_may_have_dead_addresses_and_live_ones() {
    let home = home();
    let listener = TcpListener::bind((home.as_str(), 4002)).unwrap();
    let live = listener.local_addr().unwrap();
    let dead: SocketAddr = format!("{home}:4001").parse().unwrap();
    let lookup: Lookup = Arc::new(move |place| {
        assert_eq!(place.to_string(), "one.test:4002");
        Ok(vec![dead, dead, live])
    });
    finds("one.test:1:4002", &listener, lookup);
}

#[test]
fn a_resolver_that_hangs_holds_up_nobody() {
    let home = home();
    let text = format!("server.1=gone.test:1:4001\n{}", membership(&home, 3, ""));
    let text = text.replacen(&format!("server.1={home}:2001:3001:participant\n"), "", 1);
    let membership = Membership::parse(&text).unwrap();
    let gate = Arc::new((Mutex::new(0), Condvar::new()));
    let lookup: Lookup = {
        let gate = Arc::clone(&gate);
        Arc::new(move |_| {
            let (asked, opened) = &*gate;
            *asked.lock().unwrap() += 1;
            let open = |asked: &mut i32| *asked < 1000;
            drop(opened.wait_while(asked.lock().unwrap(), open).unwrap());
            Err(io::ErrorKind::NotFound.into())
        })
    };
    let options = Options { finalize_wait: 700, ..OPTIONS };
    let members = [2, 3].map(|sid| {
        let config = ElectionConfig { options, ..config(sid, &membership) };
        Member::start_with(config, Arc::clone(&lookup)).unwrap()
    });
    members.iter().for_each(|member| member.thread.look(history(5, 1)));
    for member in &members {
        assert_eq!(member.decided().1, 3);
    }
    // Votes were repeated meanwhile, and each has asked once.
    eventually("both ask", || (*gate.0.lock().unwrap() >= 2).then_some(()));
    assert_eq!(*gate.0.lock().unwrap(), 2);
    *gate.0.lock().unwrap() = 1000;
    gate.1.notify_all();
    let line = members[0].says("server 1 cannot be reached");
    assert!(line.contains("gone.test:4001: "), "{line}");
}

#[test]
fn who_is_told_another_address_tries_the_configured_one_as_well() {
    let home = home();
    let listener = TcpListener::bind((home.as_str(), port(1))).unwrap();
    let two = Member::start(config(2, &membership(&home, 3, "")));
    let mut peer = Peer::connect(&home, 2);
    // A smaller id, so that the other side connects back.
    peer.send(&peer::greeting(&self::home(), 1));
    peer.is_closed();
    two.thread.look(history(5, 1));
    let mut peer = Peer::accept(&listener);
    assert_eq!(peer.greeted().sid, 2);
    assert_eq!(peer.ballot().vote.leader, 2);
}

#[test]
fn what_cannot_be_listened_on_is_said_with_what_to_do() {
    let home = home();
    let taken = TcpListener::bind((home.as_str(), port(1))).unwrap();
    let fails = |config: ElectionConfig| {
        Member::start_with(config, names::system()).err().unwrap().to_string()
    };
    let own = membership(&home, 3, "");
    let error = fails(config(1, &own));
    assert!(
        error.contains(&format!("{home}:3001")) && error.contains("another process"),
        "{error}"
    );
    drop(taken);
    let error = fails(config(4, &own));
    assert!(error.contains("no server.4") && error.contains("myid"), "{error}");
    let elsewhere = Membership::parse("server.1=192.0.2.1:2001:3001").unwrap();
    let error = fails(config(1, &elsewhere));
    assert!(error.contains("192.0.2.1:3001") && error.contains("quorumListenOnAllIPs"), "{error}");
    let nowhere = Membership::parse("server.1=no.such.host.invalid:2001:3001").unwrap();
    let lookup: Lookup = Arc::new(|_| Err(io::ErrorKind::NotFound.into()));
    let error = Member::start_with(config(1, &nowhere), lookup).err().unwrap().to_string();
    assert!(error.contains("no.such.host.invalid:3001") && error.contains("server.1"), "{error}");
}

#[test]
fn a_server_may_listen_on_all_addresses() {
    let (member, port) = (0..50)
        .find_map(|_| {
            let port = TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
            // No address of this machine, as behind a translation of addresses.
            let text = format!("server.1=192.0.2.1:1:{port}|192.0.2.2:1:{port}");
            let membership = Membership::parse(&text).unwrap();
            let config = ElectionConfig { listen_on_all: true, ..config(1, &membership) };
            match Member::start_with(config, names::system()) {
                Ok(member) => Some((member, port)),
                Err(ElectionError::Bind { cause, .. })
                    if cause.kind() == io::ErrorKind::AddrInUse =>
                {
                    None
                }
                Err(error) => panic!("{error}"),
            }
        })
        .unwrap();
    member.thread.look(history(5, 1));
    assert_eq!(member.decided(), (ServerState::Leading, 1));
    let mut socket = TcpStream::connect((home().as_str(), port)).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    let ask = peer::frame(looking(9, history(0, 0), 1), None);
    io::Write::write_all(&mut socket, &[peer::greeting("h", 9), ask].concat()).unwrap();
    let mut bytes = [0; 8];
    io::Read::read_exact(&mut socket, &mut bytes).unwrap();
    assert_eq!(bytes[4..], [0, 0, 0, 2], "it leads");
}

#[test]
fn several_own_addresses_are_all_listened_on_and_told() {
    let home = home();
    let text = format!("server.1={home}:1:4001\nserver.2={home}:1:3002|{home}:1:3012\n");
    let two = Member::start(config(2, &Membership::parse(&text).unwrap()));
    let listener = TcpListener::bind((home.as_str(), 4001)).unwrap();
    two.thread.look(history(5, 1));
    let greeting = Peer::accept(&listener).greeted();
    assert_eq!(greeting.form, InitialForm::V2);
    let ports: Vec<u16> = greeting.addresses.iter().map(|address| address.port).collect();
    assert_eq!(ports, [3002, 3012]);
    for sid in [2, 12] {
        Peer::greet(&home, sid, 9).say(looking(9, history(0, 0), 1));
    }
}
