//! U11, heartbeat detection: machines that know nothing of each other; a monitor sees which are up, by their ephemeral nodes.
//! `cargo run -p quorate --example u11_heartbeat`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::directory::Change;
use quorate::recipes::group::Group;
use quorate::server::Server;
use std::error::Error;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().volatile().no_port().start()?;
    wait(async {
        let monitor = Client::builder().in_process(&server).connect().await?;
        let mut machines = Group::new(&monitor, "/machines").members().await?;
        let mut up = Vec::new();
        for name in ["db-1", "db-2", "web-1"] {
            let client = Client::builder().in_process(&server).connect().await?;
            let beat = Group::new(&client, "/machines").join(name, "");
            beat.there().await?;
            up.push((client, beat));
        }
        machines.until(|list| list.len() == 3).await.ok_or("the monitor ended")?;
        report(machines.changes().await);
        // This one is shut down, and leaves the list at once. One that hangs leaves it too, when its session has timed out.
        let start = Instant::now();
        let (client, _beat) = up.remove(1);
        client.close().await?;
        machines.until(|list| list.len() == 2).await.ok_or("the monitor ended")?;
        let down = machines.changes().await;
        report(down.clone());
        println!("seen after {:?}", start.elapsed());
        match down.as_deref() {
            Some([Change::Left(entry)]) if entry.name == "db-2" => Ok(()),
            other => Err(format!("db-2 should have gone: {other:?}").into()),
        }
    })
}

fn report(changes: Option<Vec<Change>>) {
    for change in changes.unwrap_or_default() {
        match change {
            Change::Joined(entry) => println!("{} is up", entry.name),
            Change::Changed(entry) => println!("{} says something", entry.name),
            Change::Left(entry) => println!("{} is down", entry.name),
        }
    }
}
