//! Fencing: a holder of a lock is paused, loses the lock without knowing, and writes late. A storage that looks at tokens refuses.
//!
//! `cargo run -p quorate --example fencing`, explained in `docs/recipes/fencing.md`.

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode};
use quorate::recipes::lock::Lock;
use quorate::server::Server;
use std::error::Error;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

/// Some storage outside of the service, which takes what it gets.
#[derive(Default)]
struct Storage {
    contents: String,
}

/// The same with one number more: the greatest token that has written.
#[derive(Default)]
struct FencedStorage {
    contents: String,
    newest: i64,
}

impl FencedStorage {
    fn write(&mut self, token: i64, contents: &str) -> Result<(), String> {
        if token < self.newest {
            return Err(format!("token {token} is older than {}", self.newest));
        }
        self.newest = token;
        self.contents = contents.to_owned();
        Ok(())
    }
}

fn main() -> Outcome {
    let server = Server::builder()
        .volatile()
        .no_port()
        .configure(|config| config.tick_time_ms = 50)
        .start()?;
    let connect = || {
        let timeout = Duration::from_millis(400);
        wait(Client::builder().in_process(&server).session_timeout(timeout).connect())
    };
    let (slow, quick) = (connect()?, connect()?);
    let (mut storage, mut fenced) = (Storage::default(), FencedStorage::default());
    wait(quick.create("/register", b"", CreateMode::Persistent))?;

    let old = wait(Lock::new(&slow, "/lock").acquire())?;
    println!(
        "The slow one holds the lock, token {}. It looks: held = {}.",
        old.token(),
        old.is_held()
    );
    let guarded = old.guarded().set("/register", "slow", None);
    println!(
        "Now, before it writes, its process stops: garbage collection, a laptop's lid, a debugger."
    );
    // What the server sees of that is silence.
    slow.abandon();

    let new = wait(Lock::new(&quick, "/lock").acquire_within(Duration::from_secs(20)))?;
    let new = new.ok_or("the lock was never released")?;
    println!("Its session ends; the quick one holds the lock, token {}, and writes.", new.token());
    storage.contents = "quick".to_owned();
    fenced.write(new.token(), "quick")?;
    wait(new.guarded().set("/register", "quick", None).commit())?;

    println!("The slow one wakes in the middle of its write, which it began in good faith.");
    storage.contents = "slow".to_owned();
    println!(
        "  Storage without tokens: {:?}. The write of the present holder is lost.",
        storage.contents
    );
    match fenced.write(old.token(), "slow") {
        Err(reason) => println!("  Storage with tokens: refused, {reason}."),
        Ok(()) => return Err("a late write was accepted".into()),
    }
    match wait(guarded.commit()) {
        Err(error) => println!("  Guarded write within the service: refused, {}.", error.code()),
        Ok(_) => return Err("a guarded late write was accepted".into()),
    }
    // Even one who makes up the path of the old node, in a living session, does not get through.
    let path = old.path();
    let forged = wait(quick.multi().check(path, None).set("/register", "slow", None).commit());
    match forged {
        Err(error) if error.code() == ErrorCode::NoNode => {}
        _ => return Err("the old holder's node is still there".into()),
    }
    println!("And when it looks: held = {}.", old.is_held());

    let register = wait(quick.get("/register"))?.0;
    if old.is_held() || fenced.contents != "quick" || register != b"quick" {
        return Err("a late write has gone through".into());
    }
    println!("Both registers say \"quick\".");
    Ok(())
}
