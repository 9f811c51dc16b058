//! U3, master election: three servers want to be master, one is at a time; when it dies the next takes over as soon as
//! its session has timed out, with a greater token. A bystander sees it without taking part. `cargo run -p quorate --example u03_master_election`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::election::{Election, Form};
use quorate::recipes::latch::LeaderLatch;
use quorate::server::Server;
use std::error::Error;
use std::time::{Duration, Instant};

/// How long a session outlives the last sign of life.
const TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    // The server looks for their ends twenty times a second.
    let server = Server::builder()
        .volatile()
        .no_port()
        .configure(|config| config.tick_time_ms = 50)
        .start()?;
    wait(by_latch(&server))?;
    wait(by_single_node(&server))
}

async fn by_latch(server: &Server) -> Result<(), Box<dyn Error>> {
    println!("The fair form: lowest number first.");
    let bystander = connect(server).await?;
    let observer = LeaderLatch::new(&bystander, "/master").observe().await?;
    let mut queue = Vec::new();
    for host in ["alpha", "beta", "gamma"] {
        let client = connect(server).await?;
        let candidate = LeaderLatch::new(&client, "/master").id(host).join();
        // Wait until it stands in line, so that the story is the same each time.
        while LeaderLatch::new(&client, "/master").participants().await?.len() <= queue.len() {}
        queue.push((host, client, candidate));
    }
    let (mut last, mut death) = (0, None);
    for (host, client, candidate) in queue {
        let leadership = candidate.leads().await?;
        let seen = observer.newer_than(last).await.ok_or("nobody leads")?;
        let name = String::from_utf8_lossy(&seen.data).into_owned();
        println!("  {name} leads with token {}{}", seen.token, after(death));
        if name != host || seen.token != leadership.token() || seen.token <= last {
            return Err(format!("{host} should lead, with a greater token").into());
        }
        last = seen.token;
        println!("  {host} dies");
        // As if the process were killed: nobody says goodbye, and the session stays until it has timed out.
        client.abandon();
        death = Some(Instant::now());
        leadership.lost().await;
        if leadership.holds() || candidate.is_leader() {
            return Err("a dead master must not believe that it leads".into());
        }
    }
    Ok(())
}

async fn by_single_node(server: &Server) -> Result<(), Box<dyn Error>> {
    println!("The textbook's form: who creates the node is master.");
    let (first, second) = (connect(server).await?, connect(server).await?);
    let election =
        |client: &Client, id: &str| Election::new(client, "/single", Form::SingleNode).id(id);
    let one = election(&first, "one").join();
    let term = one.leads().await?;
    let two = election(&second, "two").join();
    println!("  one is master, token {}", term.token());
    first.abandon();
    let death = Some(Instant::now());
    let next = two.leads().await?;
    println!("  one died; two is master, token {}{}", next.token(), after(death));
    if next.token() <= term.token() || term.holds() {
        return Err("two masters".into());
    }
    two.leave().await?;
    Ok(())
}

async fn connect(server: &Server) -> quorate::client::Result<Client> {
    Client::builder().in_process(server).session_timeout(TIMEOUT).connect().await
}

/// How soon, when somebody had died.
fn after(death: Option<Instant>) -> String {
    death.map_or_else(String::new, |death| {
        format!(", {} ms after the death", death.elapsed().as_millis())
    })
}
