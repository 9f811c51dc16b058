//! U3, master election: three servers want to be master, one is at a time; when it dies the next takes over, with a greater token. A
//! bystander sees it without taking part. `cargo run -p quorate --example u03_master_election`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::election::{Election, Form};
use quorate::recipes::latch::LeaderLatch;
use quorate::server::Server;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().volatile().no_port().start()?;
    wait(by_latch(&server))?;
    wait(by_single_node(&server))
}

async fn by_latch(server: &Server) -> Result<(), Box<dyn Error>> {
    println!("The fair form: lowest number first.");
    let bystander = Client::builder().in_process(server).connect().await?;
    let observer = LeaderLatch::new(&bystander, "/master").observe().await?;
    let mut queue = Vec::new();
    for host in ["alpha", "beta", "gamma"] {
        let client = Client::builder().in_process(server).connect().await?;
        let candidate = LeaderLatch::new(&client, "/master").id(host).join();
        // Wait until it stands in line, so that the story is the same each time.
        while LeaderLatch::new(&client, "/master").participants().await?.len() <= queue.len() {}
        queue.push((host, client, candidate));
    }
    let mut last = 0;
    for (host, client, candidate) in queue {
        let leadership = candidate.leads().await?;
        let seen = observer.newer_than(last).await.ok_or("nobody leads")?;
        let name = String::from_utf8_lossy(&seen.data).into_owned();
        println!("  {name} leads with token {}", seen.token);
        if name != host || seen.token != leadership.token() || seen.token <= last {
            return Err(format!("{host} should lead, with a greater token").into());
        }
        last = seen.token;
        println!("  {host} dies");
        client.close().await?;
        leadership.lost().await;
        if leadership.holds() || candidate.is_leader() {
            return Err("a dead master must not believe that it leads".into());
        }
    }
    Ok(())
}

async fn by_single_node(server: &Server) -> Result<(), Box<dyn Error>> {
    println!("The textbook's form: who creates the node is master.");
    let first = Client::builder().in_process(server).connect().await?;
    let second = Client::builder().in_process(server).connect().await?;
    let election =
        |client: &Client, id: &str| Election::new(client, "/single", Form::SingleNode).id(id);
    let one = election(&first, "one").join();
    let term = one.leads().await?;
    let two = election(&second, "two").join();
    println!("  one is master, token {}", term.token());
    first.close().await?;
    let next = two.leads().await?;
    println!("  one died; two is master, token {}", next.token());
    if next.token() <= term.token() || term.holds() {
        return Err("two masters".into());
    }
    two.leave().await?;
    Ok(())
}
