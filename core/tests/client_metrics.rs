//! What a client tells about itself when it is asked: counters, latencies, spans.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, Inbox, Request, RetryPolicy};
use quorate::recipes::lock::Lock;
use quorate::server;
use service::Server;
use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

#[path = "support/service.rs"]
mod service;

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Keeps each span as one line: name, fields, and `closed` at the end.
#[derive(Clone, Default)]
struct Spans {
    lines: Arc<Mutex<BTreeMap<u64, String>>>,
    last: Arc<AtomicU64>,
    references: Arc<Mutex<BTreeMap<u64, usize>>>,
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("quorate::")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut line = span.metadata().name().to_owned();
        span.record(&mut Line(&mut line));
        self.lines.lock().unwrap().insert(id, line);
        self.references.lock().unwrap().insert(id, 1);
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        values.record(&mut Line(self.lines.lock().unwrap().get_mut(&span.into_u64()).unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut line = "event".to_owned();
        event.record(&mut Line(&mut line));
        self.lines.lock().unwrap().insert(id, line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}

    fn clone_span(&self, id: &Id) -> Id {
        *self.references.lock().unwrap().get_mut(&id.into_u64()).unwrap() += 1;
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        let mut references = self.references.lock().unwrap();
        let count = references.get_mut(&id.into_u64()).unwrap();
        *count -= 1;
        if *count == 0 {
            self.lines.lock().unwrap().get_mut(&id.into_u64()).unwrap().push_str(" closed");
        }
        *count == 0
    }
}

impl Spans {
    /// Waits for a line with all of this.
    fn find(&self, parts: &[&str]) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            // A copy: a failing test must not poison what other threads trace into.
            let lines = self.lines.lock().unwrap().clone();
            let found = lines.values().find(|line| parts.iter().all(|part| line.contains(part)));
            if let Some(line) = found {
                return line.clone();
            }
            assert!(Instant::now() < end, "no {parts:?} in {lines:#?}");
            std::thread::yield_now();
        }
    }
}

/// The only test here that traces: a subscriber is the whole process's.
#[test]
fn spans_cover_sessions_attempts_and_operations() -> Outcome {
    let server = Server::start();
    let spans = Spans::default();
    tracing::subscriber::set_global_default(spans.clone())?;
    let address = server.address().unwrap().to_string();
    let client = wait(Client::builder().servers(&address).connect())?;
    let id = format!("session id={:#x}", client.session_id());
    spans.find(&["connect server=", &address, "attempt=1", "closed"]);
    assert!(!spans.find(&[&id]).contains("closed"));

    wait(client.create("/traced", b"", CreateMode::Persistent))?;
    spans.find(&["operation op=\"create2\" path=\"/traced\" outcome=\"Ok\" closed"]);
    wait(client.get("/untraced")).unwrap_err();
    spans.find(&["operation op=\"getData\" path=\"/untraced\" outcome=NoNode closed"]);
    let (_, _, watch) = wait(client.get_and_watch("/traced"))?;
    spans.find(&["operation op=\"getData\" path=\"/traced\" outcome=\"Ok\" closed"]);
    drop(watch);
    // Whoever wants the answer, and however: the span ends.
    drop(client.exists("/dropped"));
    let inbox = Arc::new(Inbox::new(None));
    client.submit_to(&inbox, &Request::Exists { path: "/queued", watch: None }, 1)?;
    for path in ["/dropped", "/queued"] {
        spans.find(&["operation op=\"exists\"", path, "outcome=\"Ok\" closed"]);
    }
    wait(client.get("no path")).unwrap_err();
    spans.find(&["operation", "no path", "closed"]);

    let held = wait(Lock::new(&client, "/traced/lock").acquire())?;
    spans.find(&["acquire path=\"/traced/lock\" closed"]);
    let hold = format!("hold path={:?} token={}", held.path(), held.token());
    assert!(!spans.find(&[&hold]).ends_with("closed"));
    wait(held.release())?;
    assert!(spans.find(&[&hold, "closed"]).ends_with("closed"));

    wait(client.close())?;
    assert!(spans.find(&[&id, "closed"]).ends_with("closed"));
    spans.find(&["event", "state=Closed"]);
    server.stop()?;
    Ok(())
}

#[test]
fn latencies_are_measured_for_who_asks() -> Outcome {
    let server = Server::start();
    for builder in server.ways() {
        let client = wait(builder.metrics(true).connect())?;
        let none = client.metrics().unwrap();
        assert_eq!((none.reads.count(), none.writes.count()), (0, 0));
        let began = Instant::now();
        for _ in 0..20 {
            wait(client.exists("/"))?;
        }
        let some: Vec<_> = (0..30).map(|_| client.set("/", b"", None)).collect();
        some.into_iter().try_for_each(|one| wait(one).map(drop))?;
        wait(client.get("/none")).unwrap_err();
        let elapsed = began.elapsed();
        let metrics = client.metrics().unwrap();
        assert_eq!((metrics.reads.count(), metrics.writes.count()), (21, 30));
        for latency in [metrics.reads, metrics.writes] {
            assert!(latency.max() <= elapsed && latency.quantile(0.5) <= latency.max());
            assert!(latency.sum() >= latency.max());
        }
        wait(client.close())?;
    }
    let client = wait(server.client().connect())?;
    wait(client.exists("/"))?;
    assert_eq!(client.metrics(), None);
    server.stop()?;
    Ok(())
}

#[test]
fn retries_and_reconnects_are_counted() -> Outcome {
    let directory = tempfile::tempdir()?;
    let start = |port: u16| {
        server::Server::builder()
            .data_dir(directory.path())
            .listen(([127, 0, 0, 1], port).into())
            .start()
    };
    let server = start(0)?;
    let address = server.address().unwrap();
    let client = wait(Client::builder().servers(&address.to_string()).connect())?;
    let counters = client.counters();
    assert_eq!((counters.reconnects(), counters.retries, counters.in_flight), (0, 0, 0));
    let mut states = client.states();
    server.stop()?;
    wait(states.next());
    let server = start(address.port())?;
    wait(client.connected())?;
    assert_eq!(client.counters().reconnects(), 1);
    let patient = client.retrying(RetryPolicy::tries(3));
    let loss =
        || quorate::client::Error::new(quorate::client::ErrorCode::ConnectionLoss, "test", "");
    let failed: quorate::client::Result<()> = wait(patient.repeat(|| async { Err(loss()) }));
    assert!(failed.is_err());
    assert_eq!(client.counters().retries, 2);
    wait(client.close())?;
    server.stop()?;
    Ok(())
}
