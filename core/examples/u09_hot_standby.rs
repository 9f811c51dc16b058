//! U9, hot standby: two instances of a task; one runs and records how far it is; when it dies the other goes on from there.
//! `cargo run -p quorate --example u09_hot_standby`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::standby::HotStandby;
use quorate::server::Server;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().volatile().no_port().start()?;
    wait(async {
        let one = Client::builder().in_process(&server).connect().await?;
        let two = Client::builder().in_process(&server).connect().await?;
        let mut running = HotStandby::new(&one, "/tasks", "copy", "alpha").stand_by().await?;
        println!("alpha runs `copy`, from {:?}", running.position());
        for row in [1_000, 2_000, 3_000] {
            running.record(row.to_string().as_bytes()).await?;
            println!("alpha has copied {row} rows");
        }
        let standby = HotStandby::new(&two, "/tasks", "copy", "beta");
        let waiting = std::thread::spawn(move || wait(standby.stand_by()));
        println!("alpha dies");
        one.close().await?;
        let mut next = waiting.join().map_err(|_| "beta failed")??;
        let position = String::from_utf8_lossy(next.position().unwrap_or_default()).into_owned();
        println!("beta takes over at row {position}, token {} > {}", next.token(), running.token());
        if position != "3000" || next.token() <= running.token() {
            return Err("beta should begin where alpha stopped".into());
        }
        if running.record(b"4000").await.is_ok() {
            return Err("a dead instance must not record anything".into());
        }
        println!("alpha, not knowing that it is dead, cannot record any more");
        next.record(b"3500").await?;
        next.complete().await?;
        Ok(())
    })
}
