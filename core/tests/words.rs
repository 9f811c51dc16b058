//! Four-letter words on a running server, in both I/O modes: who may say which, how they may arrive, and what the
//! figures in the answers count. Their form is compared with Apache's texts in `tests/tests/vectors_words.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/raw.rs"]
mod raw;

use quorate::config::{FourLetterWords, IoMode};
use quorate::server::Server;
use quorate_wire::OpCode;
use quorate_wire::four_letter::FourLetterWord;
use raw::{Raw, ask, create, eventually, figure, watched};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

const MODES: [IoMode; 2] = [IoMode::Fused, IoMode::Sharded];

fn server(mode: IoMode, words: FourLetterWords) -> (Server, SocketAddr) {
    let builder = Server::builder().volatile().free_port().io(mode).configure(|config| {
        config.four_letter_words = words;
        config.shards = Some(2);
        config.tick_time_ms = 2000;
    });
    let server = builder.start().unwrap();
    let address = server.address().unwrap();
    (server, address)
}

#[test]
fn by_default_only_srvr_is_answered() {
    let (_server, address) = server(IoMode::Fused, FourLetterWords::default());
    for word in FourLetterWord::ALL.iter().map(|word| word.word()) {
        let text = ask(address, word.as_bytes());
        if word == "srvr" {
            assert!(text.starts_with("Zookeeper version: 3.9."), "{text}");
        } else {
            assert_eq!(
                text,
                format!("{word} is not executed because it is not in the whitelist.\n")
            );
        }
    }
}

#[test]
fn a_list_allows_what_it_names() {
    let (_server, address) = server(IoMode::Fused, FourLetterWords::only(["ruok", "isro"]));
    assert_eq!(ask(address, b"ruok"), "imok");
    assert_eq!(ask(address, b"isro"), "rw");
    assert!(ask(address, b"srvr").contains("Mode: standalone\n"));
    assert!(ask(address, b"mntr").starts_with("mntr is not executed"));
}

#[test]
fn words_may_arrive_in_pieces_and_with_bytes_behind_them() {
    for mode in MODES {
        let (_server, address) = server(mode, FourLetterWords::all());
        for cut in 1..4 {
            let mut stream = raw::open(address);
            stream.write_all(&b"ruok"[..cut]).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            stream.write_all(&b"ruok"[cut..]).unwrap();
            assert_eq!(raw::until_closed(&mut stream), b"imok", "cut at {cut}");
        }
        assert_eq!(ask(address, b"ruok\n"), "imok");
        assert_eq!(ask(address, b"ruokruok"), "imok");
        assert_eq!(ask(address, b"abcd"), "", "a frame of 1.6 GB");
        assert_eq!(ask(address, &[0xFF, 0xF4, 0xFF, 0xFD]), "", "telnet's interrupt");
        assert_eq!(ask(address, &[0xFF, 0xF4, 0xFF, 0xFD, 0xFF, 0xFD, 0x06]), "");
    }
}

/// As `echo ruok | nc -N` does.
#[test]
fn who_ends_the_connection_behind_the_word_is_answered() {
    for mode in MODES {
        let (_server, address) = server(mode, FourLetterWords::all());
        for _ in 0..200 {
            let mut socket = TcpStream::connect(address).unwrap();
            socket.write_all(b"ruok").unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, "imok", "{mode:?}");
        }
    }
}

#[test]
fn after_the_handshake_a_word_is_an_illegal_length() {
    for mode in MODES {
        let (_server, address) = server(mode, FourLetterWords::all());
        let mut client = Raw::connect(address);
        client.stream.write_all(b"ruok").unwrap();
        assert!(raw::until_closed(&mut client.stream).is_empty());
        assert_eq!(ask(address, b"ruok"), "imok");
    }
}

#[test]
fn the_trace_mask_is_kept() {
    for mode in MODES {
        let (_server, address) = server(mode, FourLetterWords::all());
        assert_eq!(ask(address, b"gtmk"), "306");
        assert_eq!(ask(address, &[b"stmk", &514i64.to_be_bytes()[..]].concat()), "514");
        let mut stream = raw::open(address);
        stream.write_all(b"stmk\0\0\0").unwrap();
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(&[0, 0, 0, 1, 2]).unwrap();
        assert_eq!(raw::until_closed(&mut stream), b"258", "a mask in two pieces");
        assert_eq!(ask(address, b"gtmk"), "258");
    }
}

#[test]
fn figures_count_what_happened() {
    for mode in MODES {
        let (_server, address) = server(mode, FourLetterWords::all());
        let srvr = ask(address, b"srvr");
        assert!(srvr.ends_with("Zxid: 0x0\nMode: standalone\nNode count: 5\n"), "{srvr}");
        let mut a = Raw::connect(address);
        let mut b = Raw::connect(address);
        assert_eq!(a.call(OpCode::Create, &create("/a", 0)), 0);
        assert_eq!(a.call(OpCode::Create, &create("/e", 1)), 0);
        for client in [&mut a, &mut b] {
            assert_eq!(client.call(OpCode::GetData, &watched("/a", true)), 0);
        }
        assert_eq!(b.call(OpCode::GetChildren, &watched("/", true)), 0);
        let stat = ask(address, b"stat");
        assert!(
            stat.contains("\nConnections: 3\n") && stat.contains("\nNode count: 7\n"),
            "{stat}"
        );
        assert!(stat.contains("\nZxid: 0x4\n"), "{stat}");
        assert_eq!(ask(address, b"wchs"), "2 connections watching 1 paths\nTotal watches:2\n");
        let sessions = format!("\t0x{:x}\n\t0x{:x}\n", a.session, b.session);
        assert_eq!(ask(address, b"wchp"), format!("/a\n{sessions}\n"));
        let by_session = format!("0x{:x}\n\t/a\n0x{:x}\n\t/a\n\n", a.session, b.session);
        assert_eq!(ask(address, b"wchc"), by_session);
        let dump = ask(address, b"dump");
        let ephemerals = format!("Sessions with Ephemerals (1):\n0x{:x}:\n\t/e\n", a.session);
        assert!(dump.contains(&ephemerals), "{dump}");
        assert!(dump.contains(")/(2):\n") && dump.contains(")/(3):\n"), "{dump}");
        let cons = ask(address, b"cons");
        let of_a = format!("recved=4,sent=4,sid=0x{:x},lop=GETD,est=", a.session);
        assert!(cons.contains(&of_a), "{of_a} in {cons}");
        assert!(cons.contains("to=10000,lcxid=0x3,lzxid=0x4,lresp="), "{cons}");
        for (key, value) in [
            ("zk_znode_count", 7.0),
            ("zk_watch_count", 3.0),
            ("zk_ephemerals_count", 1.0),
            ("zk_global_sessions", 2.0),
            ("zk_num_alive_connections", 3.0),
            ("zk_cnt_updatelatency", 2.0),
            ("zk_cnt_readlatency", 3.0),
            ("zk_auth_failed_count", 0.0),
        ] {
            assert_eq!(figure(address, key).to_bits(), f64::to_bits(value), "{key}");
        }
        a.close();
        eventually(2.0, || figure(address, "zk_num_alive_connections"));
        assert_eq!(figure(address, "zk_ephemerals_count").to_bits(), 0);
    }
}

#[test]
fn figures_can_be_reset() {
    for mode in MODES {
        let (_server, address) = server(mode, FourLetterWords::all());
        let mut client = Raw::connect(address);
        assert_eq!(client.call(OpCode::Create, &create("/a", 0)), 0);
        assert!(ask(address, b"cons").contains("recved=2,sent=2,sid="));
        assert_eq!(ask(address, b"crst"), "Connection stats reset.\n");
        let cons = ask(address, b"cons");
        assert!(cons.contains("recved=0,sent=0,sid=") && cons.contains("lop=NA"), "{cons}");
        assert_eq!(ask(address, b"srst"), "Server stats reset.\n");
        // The answer to srst is the first thing that counts again.
        assert!(ask(address, b"srvr").contains("Received: 1\nSent: 1\n"));
    }
}

#[test]
fn digests_are_kept_at_every_128th_transaction() {
    for mode in MODES {
        let (_server, address) = server(mode, FourLetterWords::all());
        assert_eq!(ask(address, b"hash"), "");
        let mut client = Raw::connect(address);
        for n in 0..260 {
            client.send(OpCode::Create, &create(&format!("/n{n}"), 0));
        }
        for _ in 0..260 {
            assert_eq!(client.reply().unwrap().0.err, 0);
        }
        let hash = ask(address, b"hash");
        let zxids: Vec<_> = hash.lines().map(|line| line.split_once(": ").unwrap().0).collect();
        assert_eq!(zxids, ["80", "100"], "{hash}");
    }
}

#[test]
fn a_server_in_memory_has_no_directories() {
    let (_server, address) = server(IoMode::Fused, FourLetterWords::all());
    let conf = ask(address, b"conf");
    assert!(conf.starts_with(&format!("clientPort={}\nsecureClientPort=-1\n", address.port())));
    assert!(conf.contains("\ndataDirSize=0\n"), "{conf}");
    assert_eq!(ask(address, b"dirs"), "datadir_size: 0\nlogdir_size: 0\n");
}

#[test]
fn words_are_heard_within_the_process_too() {
    for mode in MODES {
        let (server, _) = server(mode, FourLetterWords::all());
        let mut stream = server.connect();
        stream.set_read_timeout(Some(raw::WAIT));
        stream.write_all(b"cons").unwrap();
        let mut text = String::new();
        Read::read_to_string(&mut stream, &mut text).unwrap();
        assert!(text.starts_with(" /in-process:0[0](queued=0,recved=1,sent=0)\n"), "{text}");
    }
}
