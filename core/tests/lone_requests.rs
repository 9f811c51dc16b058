//! A request that is alone is sent by the thread that makes it: here the client's own thread does something else all the time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/raw.rs"]
mod raw;

use quorate::client::blocking::wait;
use quorate::client::{Client, Completion, CreateMode, Inbox, Op, Request, Stat};
use quorate::config::FourLetterWords;
use quorate::recipes::lock::Lock;
use quorate::server::{Server, ServerError};
use quorate_wire::Jute;
use quorate_wire::frame::{RequestHeader, write_frame};
use quorate_wire::op::connect::ConnectResponse;
use quorate_wire::op::set_data::SetDataRequest;
use raw::{eventually, figure, frame};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Waker};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A runtime that can be kept busy.
struct Lent {
    handle: Handle,
    _stop: oneshot::Sender<()>,
    _thread: JoinHandle<()>,
}

impl Lent {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || drop(runtime.block_on(stopped)));
        Self { handle, _stop: stop, _thread: thread }
    }

    /// Nothing else runs there until the sender is dropped. Before, what is under way comes to rest.
    fn keep_busy(&self) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel::<()>();
        let (began, begun) = mpsc::channel();
        self.handle.spawn(async move {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            began.send(()).unwrap();
            let _released = released.recv();
        });
        begun.recv().unwrap();
        release
    }
}

fn server() -> Result<Server, ServerError> {
    let builder = Server::builder().volatile().free_port();
    builder.configure(|config| config.four_letter_words = FourLetterWords::all()).start()
}

/// What a server has received, without the questions for it.
struct Requests {
    address: SocketAddr,
    asked: f64,
}

impl Requests {
    fn of(server: &Server) -> Self {
        Self { address: server.address().unwrap(), asked: 0.0 }
    }

    fn count(&mut self) -> f64 {
        self.asked += 1.0;
        figure(self.address, "zk_packets_received") - self.asked
    }
}

#[test]
fn a_lone_request_does_not_wait_for_the_clients_thread() -> Outcome {
    let server = server()?;
    let servers = server.address().unwrap().to_string();
    let lent = Lent::new();
    let client = wait(Client::builder().servers(&servers).runtime(lent.handle.clone()).connect())?;
    let other = wait(Client::connect(&servers))?;
    wait(client.create("/n", b"", CreateMode::Persistent))?;
    for round in 1..=3 {
        let release = lent.keep_busy();
        let set = client.set("/n", b"x", None);
        eventually(round, || wait(other.exists("/n")).unwrap().unwrap().version);
        drop(release);
        assert_eq!(wait(set)?.version, round);
    }
    Ok(())
}

/// The first is sent by the caller, what is behind it by the client's thread.
#[test]
fn requests_that_go_two_ways_keep_their_order() -> Outcome {
    let server = server()?;
    let servers = server.address().unwrap().to_string();
    let lent = Lent::new();
    let client = wait(Client::builder().servers(&servers).runtime(lent.handle.clone()).connect())?;
    wait(client.create("/n", b"", CreateMode::Persistent))?;
    let release = lent.keep_busy();
    let mut requests = Requests::of(&server);
    let before = requests.count();
    let sets: Vec<Op<Stat>> = (0..100_u8).map(|n| client.set("/n", &[n], None)).collect();
    eventually(before + 1.0, || requests.count());
    drop(release);
    for (version, set) in (1..).zip(sets) {
        assert_eq!(wait(set)?.version, version);
    }
    assert_eq!(wait(client.get("/n"))?.0, [99]);
    Ok(())
}

/// A lock's node and the list of contenders are asked for in one piece.
#[test]
fn a_lock_costs_one_piece_to_acquire() -> Outcome {
    let server = server()?;
    let servers = server.address().unwrap().to_string();
    let lent = Lent::new();
    let client = wait(Client::builder().servers(&servers).runtime(lent.handle.clone()).connect())?;
    wait(client.create("/lock", b"", CreateMode::Persistent))?;
    let lock = Lock::new(&client, "/lock");
    let release = lent.keep_busy();
    let mut requests = Requests::of(&server);
    let before = requests.count();
    let mut acquiring = pin!(lock.acquire());
    let first = acquiring.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(first.is_pending());
    eventually(before + 2.0, || requests.count());
    drop(release);
    wait(wait(acquiring)?.release())?;
    Ok(())
}

/// Whoever has not taken the last result can do that while the next request is served.
#[test]
fn a_request_behind_an_untaken_result_is_left_to_other_threads() -> Outcome {
    let server = server()?;
    let lent = Lent::new();
    let client =
        wait(Client::builder().in_process(&server).runtime(lent.handle.clone()).connect())?;
    let inbox = Arc::new(Inbox::new(None));
    let submit = |token| client.submit_to(&inbox, &Request::Get { path: "/", watch: None }, token);
    let tokens = |done: Vec<Completion>| -> Vec<u64> {
        let token = |completion| match completion {
            Completion::Done { token, .. } | Completion::Event { token, .. } => token,
        };
        done.into_iter().map(token).collect()
    };
    let release = lent.keep_busy();
    submit(1)?;
    submit(2)?;
    assert_eq!(tokens(inbox.take()), [1], "served by this thread");
    drop(release);
    assert_eq!(tokens(inbox.wait(PATIENCE)), [2]);
    Ok(())
}

/// What a full socket does not take is sent by the client's thread, behind what it took.
#[test]
fn a_request_that_the_socket_takes_only_in_part_arrives_whole() -> Outcome {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let servers = listener.local_addr()?.to_string();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        frame(&mut stream).unwrap();
        let mut welcome = Vec::new();
        write_frame(&mut welcome, |out| {
            let password = Some(&[7; 16][..]);
            ConnectResponse {
                protocol_version: 0,
                timeout: 60_000,
                session_id: 7,
                password,
                read_only: Some(false),
            }
            .write(out);
        });
        stream.write_all(&welcome).unwrap();
        stream
    });
    let lent = Lent::new();
    let client = Client::builder().servers(&servers).runtime(lent.handle.clone());
    let client = wait(client.max_frames(64 << 20, 1 << 20).connect())?;
    let mut stream = server.join().unwrap();
    let release = lent.keep_busy();
    let data = b"sixteen bytes...".repeat(2 << 20);
    let _set = client.set("/n", &data, None);
    let _next = client.delete("/n", Some(4));
    drop(release);
    let first = frame(&mut stream).unwrap();
    let mut reader = quorate_wire::Reader::new(&first);
    let _header: RequestHeader = reader.get()?;
    assert!(reader.get::<SetDataRequest<'_>>()?.data == Some(&data));
    let second = frame(&mut stream).unwrap();
    assert_eq!(RequestHeader::from_bytes(&second)?.op, quorate_wire::OpCode::Delete.code());
    client.abandon();
    Ok(())
}

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Turns of all tasks, with a look at the sockets after each, until nothing is left to do.
const TURNS: usize = 20;
