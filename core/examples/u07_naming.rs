//! U7, naming: many callers get ids, no two the same; sortable ones do not repeat even when the directory was recreated.
//! `cargo run -p quorate --example u07_naming`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::naming::Naming;
use quorate::server::Server;
use std::collections::BTreeSet;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().volatile().no_port().start()?;
    let callers = std::thread::scope(|scope| {
        let caller = || -> Result<Vec<String>, quorate::client::Error> {
            let client = wait(Client::builder().in_process(&server).connect())?;
            let naming = Naming::new(&client, "/jobs", "type-job-");
            (0..25).map(|_| wait(naming.unique())).collect()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(caller)).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut ids = BTreeSet::new();
    for caller in callers {
        ids.extend(caller.map_err(|_| "a caller failed")??);
    }
    println!("4 callers took 25 ids each; {} are different", ids.len());
    println!("first {:?}, last {:?}", ids.first(), ids.last());
    if ids.len() != 100 {
        return Err("an id was given out twice".into());
    }
    wait(async {
        let client = Client::builder().in_process(&server).connect().await?;
        let naming = Naming::new(&client, "/again", "job-");
        let before = naming.sortable().await?;
        while !client.children("/again").await?.0.is_empty() {}
        client.delete("/again", None).await?;
        let after = naming.sortable().await?;
        println!("sortable: {before}; the directory is deleted and made anew: {after}");
        if after <= before { Err("a sortable id repeated".into()) } else { Ok(()) }
    })
}
