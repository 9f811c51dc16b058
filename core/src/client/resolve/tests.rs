//! Tests of lookups against a name server of our own on loopback, and of the messages against
//! damaged bytes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;

use super::message::Question;
use super::*;

const NAME: &str = "_zookeeper._tcp.example.org";

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(20), test).await.unwrap() })
}

/// What a name server sends back for a question; the flag tells whether it came over TCP.
type Script = fn(question: &[u8], tcp: bool) -> Vec<Vec<u8>>;

/// A name server on loopback, and the number of questions it got.
async fn name_server(script: Script) -> (SocketAddr, Arc<AtomicUsize>) {
    let (udp, tcp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // The same port need not be free for UDP.
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (size, from) = udp.recv_from(&mut buffer).await.unwrap();
            counter.fetch_add(1, Ordering::Relaxed);
            for answer in script(&buffer[..size], false) {
                udp.send_to(&answer, from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = tcp.accept().await.unwrap();
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            for answer in script(&question, true) {
                stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        }
    });
    (address, asked)
}

/// An answer to `question` with these flags and records (already encoded).
fn answer(question: &[u8], flags: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = question[..2].to_vec();
    let count = u16::try_from(records.len()).unwrap();
    for field in [0x8180 | flags, 1, count, 0, 0] {
        out.extend(field.to_be_bytes());
    }
    out.extend(&question[12..]);
    out.extend(records.concat());
    out
}

/// A record whose owner is `owner`, encoded.
fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let mut out = owner.to_vec();
    out.extend(kind.to_be_bytes());
    out.extend([0, 1, 0, 0, 0, 60]);
    out.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend(data);
    out
}

/// An SRV record of the name in the question, which a pointer names.
fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Vec<u8> {
    record(&[0xC0, 12], 33, &srv_data(priority, weight, port, &encoded(target)))
}

fn srv_data(priority: u16, weight: u16, port: u16, target: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    for field in [priority, weight, port] {
        data.extend(field.to_be_bytes());
    }
    data.extend(target);
    data
}

fn encoded(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend(label.as_bytes());
    }
    out.push(0);
    out
}

fn hosts(servers: Vec<Server>) -> Vec<String> {
    servers.iter().map(ToString::to_string).collect()
}

/// The outcome of a lookup at a name server that follows the script.
fn look_up(script: Script) -> Result<Vec<String>, SrvError> {
    run(async {
        let (address, _) = name_server(script).await;
        let resolver = Resolver::new(vec![address]).with_timeout(LONG).with_attempts(1);
        resolver.servers(NAME).await.map(hosts)
    })
}

#[test]
fn finds_the_servers_in_their_order() {
    let servers = look_up(|question, _| {
        vec![answer(
            question,
            0,
            &[
                srv(2, 0, 2183, "zoo3.example.org"),
                srv(1, 5, 2182, "zoo2.example.org"),
                srv(0, 0, 2181, "zoo1.example.org"),
            ],
        )]
    });
    let expected = ["zoo1.example.org:2181", "zoo2.example.org:2182", "zoo3.example.org:2183"];
    assert_eq!(servers.unwrap(), expected);
}

#[test]
fn asks_over_tcp_when_the_answer_is_cut() {
    let servers = look_up(|question, tcp| match tcp {
        false => vec![answer(question, 0x0200, &[])],
        true => {
            let records: Vec<_> = (1..200).map(|n| srv(n, 0, n, &format!("zoo{n}.org"))).collect();
            vec![answer(question, 0, &records)]
        }
    });
    assert_eq!(servers.unwrap().len(), 199);
}

#[test]
fn waits_past_answers_that_are_not_its_own() {
    let servers = look_up(|question, _| {
        let good = answer(question, 0, &[srv(0, 0, 1, "good")]);
        let bad = answer(question, 0, &[srv(0, 0, 1, "bad")]);
        let mut other_id = bad.clone();
        other_id[0] ^= 1;
        let mut other_name = bad.clone();
        other_name[13] = b'x';
        let mut other_type = bad.clone();
        other_type[12 + encoded(NAME).len() + 1] = 1;
        let mut question_again = bad;
        question_again[2] = 1;
        let short = vec![question[0], question[1], 0x81];
        vec![other_id, other_name, other_type, question_again, short, Vec::new(), good]
    });
    assert_eq!(servers.unwrap(), ["good:1"]);
}

#[test]
fn follows_aliases_and_ignores_records_of_others() {
    let servers = look_up(|question, _| {
        let alias = encoded("real.org");
        vec![answer(
            question,
            0,
            &[
                record(&[0xC0, 12], 5, &alias),
                record(&encoded("other.org"), 33, &srv_data(0, 0, 1, &encoded("bad"))),
                record(&encoded("REAL.org"), 33, &srv_data(0, 0, 1, &encoded("good"))),
                record(&alias, 16, b"\x04text"),
            ],
        )]
    });
    assert_eq!(servers.unwrap(), ["good:1"]);
}

#[test]
fn tells_why_there_are_no_servers() {
    let error = |script| look_up(script).unwrap_err();
    let none = error(|question, _| vec![answer(question, 3, &[])]);
    assert!(matches!(&none, SrvError::NoSuchName(name) if name == NAME), "{none}");
    let empty = error(|question, _| vec![answer(question, 0, &[])]);
    assert!(matches!(empty, SrvError::NoRecords(_)), "{empty}");
    let root = error(|question, _| vec![answer(question, 0, &[srv(0, 0, 0, "")])]);
    assert!(matches!(root, SrvError::NotProvided(_)), "{root}");
    let failing = error(|question, _| vec![answer(question, 2, &[])]);
    assert!(failing.to_string().ends_with("error code 2"), "{failing}");
    let damaged = error(|question, _| vec![answer(question, 0, &[vec![0xC0]])]);
    assert!(damaged.to_string().ends_with("damaged"), "{damaged}");
    let nowhere = run(Resolver::new(Vec::new()).servers(NAME)).unwrap_err();
    assert!(nowhere.to_string().ends_with("there is none to ask"), "{nowhere}");
    for name in ["", "a..b", "a b", &"a".repeat(64), &["a"; 130].join(".")] {
        let error = run(Resolver::new(Vec::new()).servers(name)).unwrap_err();
        assert!(matches!(error, SrvError::Name(_)), "{name}: {error}");
    }
}

#[test]
fn goes_on_to_the_next_name_server() {
    run(async {
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let (failing, _) = name_server(|question, _| vec![answer(question, 2, &[])]).await;
        let (silent, _) = name_server(|_, _| Vec::new()).await;
        let (good, _) =
            name_server(|question, _| vec![answer(question, 0, &[srv(0, 0, 1, "good")])]).await;
        // A slow machine may need more than one round.
        let resolver =
            Resolver::new(vec![closed, failing, silent, good]).with_timeout(SHORT).with_attempts(9);
        assert_eq!(hosts(resolver.servers(NAME).await.unwrap()), ["good:1"]);
    });
}

#[test]
fn asks_all_of_them_as_often_as_told() {
    run(async {
        let (failing, asked) = name_server(|question, _| vec![answer(question, 2, &[])]).await;
        let (silent, ignored) = name_server(|_, _| Vec::new()).await;
        let resolver = Resolver::new(vec![failing, silent]).with_timeout(SHORT).with_attempts(3);
        let error = resolver.servers(NAME).await.unwrap_err();
        assert!(error.to_string().ends_with("no answer within 200ms"), "{error}");
        for counter in [asked, ignored] {
            while counter.load(Ordering::Relaxed) < 3 {
                tokio::task::yield_now().await;
            }
            assert_eq!(counter.load(Ordering::Relaxed), 3);
        }
    });
}

#[test]
fn any_bytes_give_an_answer_or_an_error() {
    let question = Question::new(NAME).unwrap();
    let asked = question.message(7);
    let at = u16::try_from(asked.len()).unwrap();
    // A pointer to itself, two that point at each other, one past the end, one to a longer name.
    for owner in [
        vec![0xC0 | u8::try_from(at >> 8).unwrap(), u8::try_from(at & 0xFF).unwrap()],
        vec![0xC0, u8::try_from(at + 2).unwrap(), 0xC0, u8::try_from(at).unwrap()],
        vec![0xFF, 0xFF],
        vec![0x40, 0],
        [&[63][..], &[b'a'; 63]].concat().repeat(5),
    ] {
        let message = answer(&asked, 0, &[record(&owner, 33, &srv_data(0, 0, 1, &[0]))]);
        assert_eq!(question.answer(7, &message), Err(Malformed::Broken), "{owner:?}");
    }
    // A target that no host has, and data that ends early or late.
    for data in [
        srv_data(0, 0, 1, b"\x03a b\0"),
        srv_data(0, 0, 1, b"\x03\xC3\xA9/\0"),
        srv_data(0, 0, 1, b"\x01a\0\0"),
        vec![0; 5],
    ] {
        let message = answer(&asked, 0, &[record(&[0xC0, 12], 33, &data)]);
        assert_eq!(question.answer(7, &message), Err(Malformed::Broken), "{data:?}");
    }
    let whole = answer(&asked, 0, &[srv(0, 0, 1, "zoo1.org"), srv(0, 0, 2, "zoo2.org")]);
    assert!(matches!(question.answer(7, &whole), Ok(Answer::Records(r)) if r.len() == 2));
    for end in 0..whole.len() {
        assert!(question.answer(7, &whole[..end]).is_err(), "cut at {end}");
    }
    for at in 0..whole.len() {
        for value in 0..=u8::MAX {
            let mut damaged = whole.clone();
            damaged[at] = value;
            let _either = question.answer(7, &damaged);
        }
    }
}

#[test]
fn orders_by_priority_then_by_weight() {
    let record = |priority, weight| SrvRecord {
        priority,
        weight,
        server: Server { host: String::new(), port: weight },
    };
    let records = || vec![record(1, 30), record(0, 9), record(1, 0), record(1, 70)];
    let weights = |number: fn(u64) -> u64| -> Vec<u16> {
        ordered(records(), number).into_iter().map(|record| record.weight).collect()
    };
    assert_eq!(weights(|_| 0), [9, 0, 30, 70]);
    assert_eq!(weights(|bound| bound - 1), [9, 70, 30, 0]);
    assert_eq!(weights(|bound| 30.min(bound - 1)), [9, 30, 70, 0]);
    let first = |_| ordered(vec![record(0, 10), record(0, 90)], random_below)[0].weight;
    let light = (0..2000).map(first).filter(|weight| *weight == 10).count();
    assert!((100..400).contains(&light), "{light} of 2000, where 10 % are due");
}

#[test]
fn reads_resolv_conf() {
    let resolver = Resolver::from_resolv_conf(
        "# a comment\nsearch example.org\nnameserver 10.0.0.1\nnameserver fe80::1%2 # x\n\
         nameserver nonsense\nnameserver\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n\
         options ndots:5 timeout:1 attempts:99 rotate\n",
    );
    let expected: Vec<SocketAddr> =
        ["10.0.0.1:53", "[fe80::1%2]:53", "10.0.0.3:53"].map(|text| text.parse().unwrap()).into();
    assert_eq!(resolver.nameservers, expected);
    assert_eq!((resolver.timeout, resolver.attempts), (Duration::from_secs(1), 5));
    let default = Resolver::from_resolv_conf("");
    assert_eq!(default, Resolver::new(vec!["127.0.0.1:53".parse().unwrap()]));
    Resolver::system().unwrap();
}

#[test]
fn looks_up_hosts() {
    run(async {
        let found = lookup("localhost", 2181).await.unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 2181));
        assert_eq!(lookup("::1", 1).await.unwrap(), ["[::1]:1".parse().unwrap()]);
        let error = lookup("a..b", 1).await.unwrap_err();
        assert!(error.to_string().contains("`a..b`"), "{error}");
    });
}

/// For what comes; no test takes it.
const LONG: Duration = Duration::from_secs(15);
/// For what never comes.
const SHORT: Duration = Duration::from_millis(200);
