//! U15, FIFO queue: processes take turns by sequence number, each watching only its predecessor; and a work queue that loses no item when a consumer
//! dies: its turn and its item are another's when its session has timed out.
//!
//! `cargo run -p quorate --example u15_queues`

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, within};
use quorate::recipes::process_queue::ProcessQueue;
use quorate::recipes::queue::{Layout, WorkQueue};
use quorate::server::Server;
use std::time::{Duration, Instant};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let server = Server::builder()
        .volatile()
        .no_port()
        .configure(|config| config.tick_time_ms = 50)
        .start()?;
    wait(turns(&server))?;
    wait(work(&server))
}

/// Three processes want the printer, in the order in which they came. The first one dies at it, and the second gets its turn.
async fn turns(server: &Server) -> Outcome {
    let mut places = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let client = connect(server).await?;
        let place = ProcessQueue::new(&client, "/printer").name(name).join().await?;
        println!("{name} stands in the queue, {} before", place.ahead().await?);
        places.push((client, name, place));
    }
    let (mut last, mut death) = (0, None);
    for (client, name, place) in places {
        let turn = place.turn().await?;
        println!("{name} prints, with token {}{}", turn.token(), after(death.take()));
        ensure(turn.token() > last, "tokens grow")?;
        last = turn.token();
        if name == "alice" {
            println!("alice dies at the printer");
            // As if the process were killed: nobody says goodbye, and the session stays until it has timed out.
            client.abandon();
            death = Some(Instant::now());
            turn.lost().await;
        } else {
            turn.release().await?;
        }
    }
    Ok(())
}

/// Ten orders, two workers, one of which dies at work; each order is booked exactly once.
async fn work(server: &Server) -> Outcome {
    let shop = connect(server).await?;
    shop.create("/booked", b"", CreateMode::Persistent).await?;
    let orders = WorkQueue::new(&shop, "/orders", Layout::Curator);
    for order in 0..10 {
        orders.put(format!("order-{order}").as_bytes()).await?;
    }

    let doomed = connect(server).await?;
    let held = WorkQueue::new(&doomed, "/orders", Layout::Curator).hold().await?;
    let lost = text(held.data());
    println!("a worker takes {lost} and dies");
    doomed.abandon();
    let death = Instant::now();

    let worker = connect(server).await?;
    let queue = WorkQueue::new(&worker, "/orders", Layout::Curator);
    let mut done = Vec::new();
    while done.len() < 10 {
        let work = within(&**worker.environment(), PATIENCE, queue.hold()).await;
        let work = work.ok_or("broken promise: no order is lost")??;
        let order = text(work.data());
        if order == lost {
            println!("another worker has {order}{}", after(Some(death)));
        }
        let booking = format!("/booked/{order}");
        // Booked and removed in one transaction: a second booking would fail.
        work.complete_with(|all| all.create(&*booking, b"", CreateMode::Persistent)).await?;
        done.push(order);
    }
    println!("it has done {}", done.join(", "));
    let late = held.complete().await;
    println!("the dead one's late word does not count: {}", late.is_err());
    let (booked, _) = shop.children("/booked").await?;
    ensure(booked.len() == 10 && done.contains(&lost), "no item is lost")?;
    ensure(late.is_err() && orders.is_empty().await?, "nobody removes what is another's")
}

async fn connect(server: &Server) -> quorate::client::Result<Client> {
    Client::builder().in_process(server).session_timeout(Duration::from_secs(1)).connect().await
}

/// How soon, when somebody had died.
fn after(death: Option<Instant>) -> String {
    death.map_or_else(String::new, |death| {
        format!(", {} ms after the death", death.elapsed().as_millis())
    })
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn ensure(kept: bool, promise: &str) -> Outcome {
    if kept { Ok(()) } else { Err(format!("broken promise: {promise}").into()) }
}

const PATIENCE: Duration = Duration::from_secs(10);
