//! U14, cluster management: a live list of members with their data; joins, leaves and changes reach everyone.
//! `cargo run -p quorate --example u14_cluster`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::group::Group;
use quorate::server::Server;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().volatile().no_port().start()?;
    wait(async {
        let mut members = Vec::new();
        for name in ["alpha", "beta", "gamma"] {
            let client = Client::builder().in_process(&server).connect().await?;
            let group = Group::new(&client, "/cluster");
            let (membership, view) = (group.join(name, "idle"), group.members().await?);
            members.push((name, client, membership, view));
        }
        for (name, _, _, view) in &members {
            let list = view.until(|list| list.len() == 3).await.ok_or("the client ended")?;
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
        let (gone, client, ..) = members.remove(0);
        println!("{gone} dies");
        client.close().await?;
        for (name, _, _, view) in &members {
            let list = view.until(|list| list.len() == 2).await.ok_or("the client ended")?;
            println!("{name} sees {} members", list.len());
        }
        Ok(())
    })
}
