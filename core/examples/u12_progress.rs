//! U12, progress reporting: workers report, the controller sees it live; with the worker its report vanishes, when its session has timed out.
//!
//! `cargo run -p quorate --example u12_progress`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::progress::{Progress, Report};
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
        let controller = Client::builder().in_process(&server).connect().await?;
        let timeout = Duration::from_secs(1);
        let worker =
            Client::builder().in_process(&server).session_timeout(timeout).connect().await?;
        let board = Progress::new(&controller, "/progress/import").watch().await?;
        let reporter =
            Progress::new(&worker, "/progress/import").report_as("worker-1", &Report::new(0, 300));
        for done in [0, 100, 200] {
            reporter.report(&Report::new(done, 300).remark("rows"));
            let seen = board
                .until(|reports| reports.iter().any(|(_, report)| report.done == done))
                .await
                .ok_or("the controller ended")?;
            for (name, report) in seen {
                println!("controller sees {name}: {report}");
            }
        }
        println!("the worker dies");
        // As if the process were killed: nobody says goodbye, and the session stays until it has timed out.
        worker.abandon();
        let death = Instant::now();
        board.until(<[_]>::is_empty).await.ok_or("the controller ended")?;
        println!("controller sees nobody, {} ms after", death.elapsed().as_millis());
        Ok(())
    })
}
