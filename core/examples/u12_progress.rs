//! U12, progress reporting: workers report, the controller sees it live; with the worker its report vanishes.
//! `cargo run -p quorate --example u12_progress`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::progress::{Progress, Report};
use quorate::server::Server;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().volatile().no_port().start()?;
    wait(async {
        let controller = Client::builder().in_process(&server).connect().await?;
        let worker = Client::builder().in_process(&server).connect().await?;
        let board = Progress::new(&controller, "/progress/import").watch().await?;
        let reporter =
            Progress::new(&worker, "/progress/import").report_as("worker-1", &Report::new(0, 300));
        for done in [0, 100, 200, 300] {
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
        worker.close().await?;
        board.until(<[_]>::is_empty).await.ok_or("the controller ended")?;
        println!("controller sees nobody");
        Ok(())
    })
}
