//! U1, exclusive lock: both forms, the one node and the fair queue, and what happens when a holder dies.
//!
//! `cargo run -p quorate --example u01_exclusive_lock`

use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, Result};
use quorate::recipes::lock::Lock;
use quorate::recipes::simple_lock::SimpleLock;
use quorate::server::Server;
use std::error::Error;
use std::time::Duration;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let server = Server::builder()
        .volatile()
        .no_port()
        .configure(|config| config.tick_time_ms = 50)
        .start()?;
    let connect = || {
        let timeout = Duration::from_millis(400);
        wait(Client::builder().in_process(&server).session_timeout(timeout).connect())
    };
    let (ann, ben, eve) = (connect()?, connect()?, connect()?);
    wait(ann.create("/account", b"0", CreateMode::Persistent))?;

    println!("One node, /exclusive_lock/lock: who creates it, holds the lock.");
    wait(one_node(&ann, &ben))?;

    println!(
        "The queue: three clients add 1 to an account twenty times each, reading and writing."
    );
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            [&ann, &ben, &eve].map(|client| scope.spawn(|| wait(deposit(client)))).into();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(result) => result.map_err(Box::<dyn Error>::from),
            Err(_) => Err("a worker has failed".into()),
        })
    })?;
    let balance = text(&wait(ann.get("/account"))?.0);
    println!("  The account says {balance}.");
    kept(balance == "60", "no deposit is lost")?;

    println!("Eve takes the lock and falls silent: no goodbye, no heartbeat.");
    let hers = wait(Lock::new(&eve, "/lock").acquire())?;
    let lost = hers.lost();
    eve.abandon();
    let next = wait(Lock::new(&ann, "/lock").acquire_within(Duration::from_secs(20)))?;
    let next = next.ok_or("the lock of a dead client was never released")?;
    println!(
        "  Ann gets it when the session is over: token {} after {}.",
        next.token(),
        hers.token()
    );
    kept(next.token() > hers.token(), "tokens grow")?;
    println!("  Eve's side knows as well: {:?}.", wait(lost));
    kept(!hers.is_held(), "a lost lock is not held")?;
    Ok(())
}

async fn one_node(ann: &Client, ben: &Client) -> std::result::Result<(), Box<dyn Error>> {
    let (hers, his) =
        (SimpleLock::new(ann, "/exclusive_lock"), SimpleLock::new(ben, "/exclusive_lock"));
    let held = hers.acquire().await?;
    println!("  Ann holds {}, token {}.", held.path(), held.token());
    kept(his.try_acquire().await?.is_none(), "only one creates the node")?;
    println!("  Ben cannot have it now.");
    held.release().await?;
    let held = his.acquire().await?;
    println!("  Ann releases, Ben holds it: token {}.", held.token());
    Ok(held.release().await?)
}

/// Reads, adds, writes: right only if nobody else does so in between.
async fn deposit(client: &Client) -> Result<()> {
    let lock = Lock::new(client, "/lock");
    for _ in 0..20 {
        let held = lock.acquire().await?;
        let (data, _) = client.get("/account").await?;
        let balance = text(&data).parse::<u32>().unwrap_or(0) + 1;
        client.set("/account", balance.to_string().as_bytes(), None).await?;
        held.release().await?;
    }
    Ok(())
}

fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

fn kept(promise: bool, what: &str) -> std::result::Result<(), Box<dyn Error>> {
    if promise { Ok(()) } else { Err(format!("not kept: {what}").into()) }
}
