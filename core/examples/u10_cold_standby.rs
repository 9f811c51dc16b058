//! U10, cold standby: two processes scan five tasks, and run those that nobody runs. When one dies, the other finds its tasks as
//! soon as its session has timed out.
//!
//! `cargo run -p quorate --example u10_cold_standby`

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode};
use quorate::recipes::standby::ColdStandby;
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
        one.create("/tasks", b"", CreateMode::Persistent).await?;
        for task in ["mail", "bills", "backup", "index", "report"] {
            one.create(&format!("/tasks/{task}"), b"", CreateMode::Persistent).await?;
        }
        let (alpha, beta) =
            (ColdStandby::new(&one, "/tasks", "alpha"), ColdStandby::new(&two, "/tasks", "beta"));
        let (mut of_alpha, mut of_beta) = (Vec::new(), Vec::new());
        while of_alpha.len() + of_beta.len() < 5 {
            of_alpha.extend(alpha.scan().await?);
            of_beta.extend(beta.scan().await?);
        }
        let names = |duties: &[quorate::recipes::standby::Duty]| {
            duties.iter().map(|duty| duty.task().to_owned()).collect::<Vec<_>>().join(", ")
        };
        println!("alpha runs {}; beta runs {}", names(&of_alpha), names(&of_beta));
        if alpha.scan().await?.is_some() {
            return Err("a task runs twice".into());
        }
        println!("alpha dies");
        // As if the process were killed: nobody says goodbye, and the session stays until it has timed out.
        one.abandon();
        let death = Instant::now();
        for _ in 0..of_alpha.len() {
            of_beta.push(beta.find(Duration::from_millis(20)).await?);
        }
        let after = death.elapsed().as_millis();
        println!("beta runs {}, {after} ms after the death", names(&of_beta));
        if of_beta.len() == 5 { Ok(()) } else { Err("a task was left alone".into()) }
    })
}
