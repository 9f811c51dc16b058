//! U9, hot standby: two instances of a task; one runs and records how far it is; when it dies the other goes on from there,
//! as soon as its session has timed out.
//!
//! `cargo run -p quorate --example u09_hot_standby`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::standby::HotStandby;
use quorate::server::Server;
use std::error::Error;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    // Sessions last a second, and the server looks for their ends twenty times a second.
    let server = Server::builder()
        .volatile()
        .no_port()
        .configure(|config| config.tick_time_ms = 50)
        .start()?;
    wait(async {
        let connect = || {
            let timeout = Duration::from_secs(1);
            Client::builder().in_process(&server).session_timeout(timeout).connect()
        };
        let (one, two) = (connect().await?, connect().await?);
        let mut running = HotStandby::new(&one, "/tasks", "copy", "alpha").stand_by().await?;
        println!("alpha runs `copy`, from {:?}", running.position());
        for row in [1_000, 2_000, 3_000] {
            running.record(row.to_string().as_bytes()).await?;
            println!("alpha has copied {row} rows");
        }
        let standby = HotStandby::new(&two, "/tasks", "copy", "beta");
        let waiting = std::thread::spawn(move || wait(standby.stand_by()));
        println!("alpha dies");
        // As if the process were killed: nobody says goodbye, and the session stays until it has timed out.
        one.abandon();
        let death = Instant::now();
        let mut next = waiting.join().map_err(|_| "beta failed")??;
        let position = String::from_utf8_lossy(next.position().unwrap_or_default()).into_owned();
        println!("beta takes over at row {position}, {} ms after", death.elapsed().as_millis());
        println!("its token is {} > {}", next.token(), running.token());
        if position != "3000" || next.token() <= running.token() {
            return Err("beta should begin where alpha stopped".into());
        }
        if running.record(b"4000").await.is_ok() {
            return Err("a dead instance must not record anything".into());
        }
        println!("what is left of alpha cannot record any more");
        next.record(b"3500").await?;
        next.complete().await?;
        Ok(())
    })
}
