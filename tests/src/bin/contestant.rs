//! A contestant of the demonstration, in Rust: see `tests/demo/README.md`.
//!
//! `contestant ADDRESS NAME`

use anyhow::Context as _;
use quorate::client::blocking::wait;
use quorate::client::{Client, Result};
use quorate::recipes::latch::LeaderLatch;
use std::io::Write as _;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().context("an address is needed")?;
    let name = arguments.next().context("a name is needed")?;
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while std::io::stdin().read_line(&mut line).is_ok_and(|length| length > 0) {
            if line.trim() == "step down" && tell.send(()).is_err() {
                return;
            }
            line.clear();
        }
        // The end of the input orders nothing.
        std::mem::forget(tell);
    });
    let builder = Client::builder().servers(&address).session_timeout(Duration::from_secs(2));
    let client = wait(builder.connect())?;
    while !lead(&client, &name, &told)? {
        say(&format!("lost {name}"))?;
    }
    wait(client.close())?;
    say(&format!("left {name}"))
}

/// One term. True if it ended because this was told to step down.
fn lead(client: &Client, name: &str, told: &Receiver<()>) -> anyhow::Result<bool> {
    say(&format!("waiting {name}"))?;
    let candidate = LeaderLatch::new(client, "/demo/latch").id(name).join();
    let term = wait(candidate.leads())?;
    let value = format!("{name} {}", term.token());
    say(&format!("leading {value}"))?;
    let write = |text: String| -> Result<_> {
        wait(term.guarded().set("/demo/leader", text, None).commit())
    };
    let mut steps_down = false;
    // Whether the term goes on is not looked at: that it does is what the guard is for.
    for count in 0_u64.. {
        let text = if count == 0 { value.clone() } else { format!("{value} {count}") };
        if write(text).is_err() {
            break;
        }
        if count == 0 {
            say(&format!("wrote {value}"))?;
        }
        match told.recv_timeout(Duration::from_millis(50)) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
            Ok(()) => {
                steps_down = true;
                break;
            }
        }
    }
    wait(candidate.leave())?;
    Ok(steps_down)
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
