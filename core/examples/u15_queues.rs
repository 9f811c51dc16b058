//! U15, FIFO queue: processes take turns by sequence number, each watching only its predecessor; and a work queue that loses no item when a consumer
//! dies.
//!
//! `cargo run -p quorate --example u15_queues`

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, within};
use quorate::recipes::process_queue::ProcessQueue;
use quorate::recipes::queue::{Layout, WorkQueue};
use quorate::server::Server;
use std::sync::mpsc;
use std::time::Duration;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let server = Server::builder().volatile().no_port().start()?;
    turns(&server)?;
    wait(work(&server))
}

/// Three processes want the printer, in the order in which they came.
fn turns(server: &Server) -> Outcome {
    let (send, printed) = mpsc::channel();
    let mut waiting = Vec::new();
    for name in NAMES {
        let client = wait(Client::builder().in_process(server).connect())?;
        let queue = ProcessQueue::new(&client, "/printer").name(name);
        let place = wait(queue.join())?;
        println!("{name} stands in the queue, {} before", wait(place.ahead())?);
        waiting.push((client, name, place));
    }
    for (client, name, place) in waiting {
        let send = send.clone();
        let environment = std::sync::Arc::clone(client.environment());
        environment.spawn(Box::pin(async move {
            if let Ok(turn) = place.turn().await {
                let _ = send.send((name, turn.token()));
                let _ = turn.release().await;
            }
            drop(client);
        }));
    }
    let mut last = 0;
    for expected in NAMES {
        let (name, token) = printed.recv_timeout(PATIENCE)?;
        println!("{name} prints, with token {token}");
        ensure(name == expected && token > last, "turns come in order, tokens grow")?;
        last = token;
    }
    Ok(())
}

/// Ten orders, two workers, one of which dies at work; each order is booked exactly once.
async fn work(server: &Server) -> Outcome {
    let shop = Client::builder().in_process(server).connect().await?;
    shop.create("/booked", b"", CreateMode::Persistent).await?;
    let orders = WorkQueue::new(&shop, "/orders", Layout::Curator);
    for order in 0..10 {
        orders.put(format!("order-{order}").as_bytes()).await?;
    }

    let doomed = Client::builder().in_process(server).connect().await?;
    let held = WorkQueue::new(&doomed, "/orders", Layout::Curator).hold().await?;
    println!("a worker takes {} and dies", text(held.data()));
    doomed.close().await?;

    let worker = Client::builder().in_process(server).connect().await?;
    let queue = WorkQueue::new(&worker, "/orders", Layout::Curator);
    let mut done = Vec::new();
    while done.len() < 10 {
        let work = within(&**worker.environment(), PATIENCE, queue.hold()).await;
        let work = work.ok_or("broken promise: no order is lost")??;
        let order = text(work.data());
        let booking = format!("/booked/{order}");
        // Booked and removed in one transaction: a second booking would fail.
        work.complete_with(|all| all.create(&*booking, b"", CreateMode::Persistent)).await?;
        done.push(order);
    }
    println!("another worker has done {}", done.join(", "));
    let late = held.complete().await;
    println!("the dead one's late word does not count: {}", late.is_err());
    let (booked, _) = shop.children("/booked").await?;
    ensure(
        booked.len() == 10 && done.first().is_some_and(|first| first == "order-0"),
        "no item is lost",
    )?;
    ensure(late.is_err() && orders.is_empty().await?, "nobody removes what is another's")
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn ensure(kept: bool, promise: &str) -> Outcome {
    if kept { Ok(()) } else { Err(format!("broken promise: {promise}").into()) }
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const PATIENCE: Duration = Duration::from_secs(10);
