//! U16, barriers: `/queue_barrier` holds 3; when three have arrived all proceed. Then the double barrier: enter and leave together.
//! `cargo run -p quorate --example u16_barrier`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::barrier::DoubleBarrier;
use quorate::recipes::counting_barrier::CountingBarrier;
use quorate::server::Server;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().volatile().no_port().start()?;
    let client = wait(Client::builder().in_process(&server).connect())?;
    wait(CountingBarrier::new(&client, "/queue_barrier").prepare(3))?;
    let (arrived, inside) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let member = |number: u64| -> Outcome {
        let client = wait(Client::builder().in_process(&server).connect())?;
        // They do not come at the same time.
        std::thread::sleep(Duration::from_millis(number * 20));
        arrived.fetch_add(1, Ordering::SeqCst);
        println!("{number} arrives");
        let place = wait(CountingBarrier::new(&client, "/queue_barrier").arrive(b""))?;
        if arrived.load(Ordering::SeqCst) != 3 {
            return Err("the barrier opened too early".into());
        }
        println!("{number} proceeds");
        wait(place.release())?;

        let entered = wait(DoubleBarrier::new(&client, "/double", 3).enter())?;
        inside.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(number * 20));
        println!("{number} has done its part");
        wait(entered.leave())?;
        if inside.load(Ordering::SeqCst) != 3 {
            return Err("one left before all were done".into());
        }
        println!("{number} has left");
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=3)
            .map(|number| {
                scope.spawn({
                    let member = &member;
                    move || member(number)
                })
            })
            .collect();
        for thread in threads {
            match thread.join() {
                Ok(outcome) => outcome.map_err(|error| error.to_string())?,
                Err(_) => return Err("a member failed".into()),
            }
        }
        Ok(())
    })
}
