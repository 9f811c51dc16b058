//! U8, coordination and notification: many processes watch one node; a change reaches all of them, in order.
//!
//! `cargo run -p quorate --example u08_notification`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::value::SharedValue;
use quorate::server::Server;
use std::sync::mpsc;
use std::time::{Duration, Instant};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// What a watcher has read: who, which value, at which transaction.
type Reading = (usize, u32, i64);

fn main() -> Outcome {
    let server = Server::builder().volatile().no_port().start()?;
    let connect = || wait(Client::builder().in_process(&server).connect());
    let controller = connect()?;
    let signal = SharedValue::new(&controller, "/signal");
    wait(signal.set(&0_u32.to_be_bytes()))?;

    let (send, readings) = mpsc::channel();
    for number in 0..WATCHERS {
        watch(connect()?, number, send.clone())?;
    }
    println!("{WATCHERS} processes watch one node");

    let mut newest = vec![0; WATCHERS];
    for change in 1..=5_u32 {
        let start = Instant::now();
        wait(signal.set(&change.to_be_bytes()))?;
        let count = until_all_have(change, &readings, &mut newest)?;
        println!("change {change} has reached all {count} after {:?}", start.elapsed());
    }
    let start = Instant::now();
    for change in 6..=LAST {
        wait(signal.set(&change.to_be_bytes()))?;
    }
    let count = until_all_have(LAST, &readings, &mut newest)?;
    println!(
        "{} changes at once: everybody has the last after {:?}, and {count} of {} states were seen, none out of order",
        LAST - 5,
        start.elapsed(),
        45 * WATCHERS,
    );
    Ok(())
}

/// A process that follows the node and reports what it reads.
fn watch(client: Client, number: usize, send: mpsc::Sender<Reading>) -> Outcome {
    let mut subscription = wait(SharedValue::new(&client, "/signal").subscribe())?;
    let environment = std::sync::Arc::clone(client.environment());
    environment.spawn(Box::pin(async move {
        while let Ok(Some(state)) = subscription.changed().await {
            let value = state.data.as_slice().try_into().map_or(0, u32::from_be_bytes);
            if send.send((number, value, state.stat.mzxid)).is_err() || value == LAST {
                break;
            }
        }
        drop(client);
    }));
    Ok(())
}

/// Waits until every watcher has read `change`; answers how many readings that took.
fn until_all_have(
    change: u32,
    readings: &mpsc::Receiver<Reading>,
    newest: &mut [i64],
) -> Outcome<usize> {
    let (mut arrived, mut count) = (0, 0);
    while arrived < newest.len() {
        let (number, value, zxid) = readings.recv_timeout(PATIENCE)?;
        let last = newest.get_mut(number).ok_or("an unknown watcher")?;
        if zxid <= *last || value > change {
            return Err("broken promise: changes come in order".into());
        }
        *last = zxid;
        count += 1;
        arrived += usize::from(value == change);
    }
    Ok(count)
}

const WATCHERS: usize = 40;
const LAST: u32 = 50;
const PATIENCE: Duration = Duration::from_secs(10);
