//! The bystander of `watch`: reads and writes a node of its own at a fixed pace.
//!
//! One thread sends at the intended times without waiting for answers, another one reads the answers, so a
//! stall of the server is felt by every request that falls into it, and by none that comes after.

use crate::bench::client::{Client, read_frame};
use crate::bench::clock::Clock;
use crate::bench::options::Context;
use crate::bench::request::{self, Template};
use anyhow::{Context as _, Result, bail, ensure};
use quorate_wire::Reader;
use quorate_wire::frame::ReplyHeader;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// One request of the bystander, nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When it was sent.
    pub(super) start: u64,
    /// When its answer had been read.
    pub(super) end: u64,
}

/// Sends `requests` in turn, `rate` a second, until `over`.
///
/// # Errors
/// When the connection fails or a request is answered with an error.
pub(super) fn stand_by(
    context: &Context,
    requests: &[Template],
    rate: u64,
    clock: Clock,
    over: &AtomicBool,
) -> Result<Vec<Sample>> {
    let stream = Client::connect(context.servers.first())?.into_stream();
    let far = stream.try_clone()?;
    let (sent, starts) = channel();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read(far, clock, starts));
        send(stream, requests, rate, clock, over, sent)?;
        match reader.join() {
            Ok(samples) => samples,
            Err(_) => bail!("the bystander's reader has panicked"),
        }
    })
}

/// Sends at intended times; a late wake-up of this thread is not the server's fault, so a request
/// counts from when it really leaves.
fn send(
    mut stream: TcpStream,
    requests: &[Template],
    rate: u64,
    clock: Clock,
    over: &AtomicBool,
    sent: Sender<u64>,
) -> Result<()> {
    let interval = 1_000_000_000_u64.checked_div(rate).unwrap_or(0).max(1);
    let mut intended = clock.now();
    let mut out = Vec::new();
    for (xid, request) in (1..i32::MAX).zip(requests.iter().cycle()) {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let ahead = intended.saturating_sub(clock.now());
        std::thread::sleep(Duration::from_nanos(ahead));
        intended = intended.saturating_add(interval);
        out.clear();
        request.push(xid, &mut out);
        sent.send(clock.now()).context("the bystander's connection has failed")?;
        stream.write_all(&out).context("the bystander cannot send")?;
    }
    // Without a start in the channel: the reader then knows that this is the end.
    drop(sent);
    out.clear();
    request::close().push(i32::MAX, &mut out);
    stream.write_all(&out).context("the bystander cannot close its session")
}

/// Reads one answer for each start.
fn read(mut stream: TcpStream, clock: Clock, starts: Receiver<u64>) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    let mut input = Vec::new();
    for start in starts {
        read_frame(&mut stream, &mut input)?;
        let end = clock.now();
        let header: ReplyHeader = Reader::new(&input).get()?;
        ensure!(header.err == 0, "the bystander's request failed with {}", header.err);
        samples.push(Sample { start, end });
    }
    // The answer to the end of the session.
    read_frame(&mut stream, &mut input)?;
    Ok(samples)
}
