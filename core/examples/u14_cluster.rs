//! U14, cluster management: a live list of members with their data; joins, leaves, changes and deaths reach everyone.
//! `cargo run -p quorate --example u14_cluster`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::directory::Directory;
use quorate::recipes::group::Group;
use quorate::recipes::persistent::Kept;
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
        let mut members = Vec::new();
        for name in ["alpha", "beta", "gamma", "delta"] {
            let timeout = Duration::from_secs(1);
            let client =
                Client::builder().in_process(&server).session_timeout(timeout).connect().await?;
            let group = Group::new(&client, "/cluster");
            let (membership, view) = (group.join(name, "idle"), group.members().await?);
            members.push((name, client, membership, view));
        }
        for (name, _, _, view) in &members {
            let list = view.until(|list| list.len() == 4).await.ok_or("the client ended")?;
            println!(
                "{name} sees {}",
                list.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
            );
        }
        if let Some((name, _, membership, _)) = members.first() {
            println!("{name} says that it is busy");
            membership.set("busy");
        }
        for (name, _, _, view) in &members {
            let busy = |list: &[quorate::recipes::directory::Entry]| {
                list.iter().any(|it| it.name == "alpha" && it.data == b"busy")
            };
            view.until(busy).await.ok_or("the client ended")?;
            println!("{name} has seen it");
        }
        let (gone, client, ..) = members.remove(3);
        println!("{gone} leaves");
        let start = Instant::now();
        client.close().await?;
        told(&members, 3, start).await?;

        let (gone, client, ..) = members.remove(0);
        println!("{gone} dies");
        // As if the process were killed: nobody says goodbye, and the session stays until it has timed out.
        client.abandon();
        told(&members, 2, Instant::now()).await
    })
}

type Member = (&'static str, Client, Kept, Directory);

/// Everybody sees that so many are left.
async fn told(members: &[Member], left: usize, start: Instant) -> Result<(), Box<dyn Error>> {
    for (name, _, _, view) in members {
        view.until(|list| list.len() == left).await.ok_or("the client ended")?;
        println!("{name} sees {left} members, {} ms after", start.elapsed().as_millis());
    }
    Ok(())
}
