//! U10, cold standby: two processes scan five tasks, and run those that nobody runs. When one dies, the other finds its tasks.
//! `cargo run -p quorate --example u10_cold_standby`

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode};
use quorate::recipes::standby::ColdStandby;
use quorate::server::Server;
use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().volatile().no_port().start()?;
    wait(async {
        let one = Client::builder().in_process(&server).connect().await?;
        let two = Client::builder().in_process(&server).connect().await?;
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
        one.close().await?;
        for _ in 0..of_alpha.len() {
            of_beta.push(beta.find(Duration::from_millis(20)).await?);
        }
        println!("beta runs {}", names(&of_beta));
        if of_beta.len() == 5 { Ok(()) } else { Err("a task was left alone".into()) }
    })
}
