//! U11, heartbeat detection: machines that know nothing of each other; a monitor sees which are up, by their ephemeral nodes. Each machine is a
//! process of its own: one is shut down, another is killed (kill -9) and missed when its session has timed out.
//!
//! `cargo run -p quorate --example u11_heartbeat`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::directory::{Change, Directory};
use quorate::recipes::group::Group;
use quorate::server::Server;
use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [address, name] => wait(machine(address, name)),
        _ => monitor(),
    }
}

/// What runs on a machine: it is there for as long as its input is open.
async fn machine(address: &str, name: &str) -> Outcome {
    let timeout = Duration::from_secs(1);
    let client = Client::builder().servers(address).session_timeout(timeout).connect().await?;
    let _beat = Group::new(&client, "/machines").join(name, "");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(client.close().await?)
}

fn monitor() -> Outcome {
    let server = Server::builder()
        .volatile()
        .free_port()
        .configure(|config| config.tick_time_ms = 50)
        .start()?;
    let address = server.address().ok_or("no address")?.to_string();
    let client = wait(Client::builder().in_process(&server).connect())?;
    let mut machines = wait(Group::new(&client, "/machines").members())?;
    let [_db_1, db_2, web_1] =
        [begin(&address, "db-1")?, begin(&address, "db-2")?, begin(&address, "web-1")?];
    left(&mut machines, 3)?;

    // Its input ends, and it says goodbye.
    let start = Instant::now();
    web_1.shut_down()?;
    expect(&left(&mut machines, 2)?, "web-1", start)?;

    // It cannot say anything any more; what tells is its silence.
    let start = Instant::now();
    db_2.kill()?;
    expect(&left(&mut machines, 1)?, "db-2", start)
}

/// Waits until so many are left, and says what has changed.
fn left(machines: &mut Directory, count: usize) -> Outcome<Vec<Change>> {
    wait(machines.until(|list| list.len() == count)).ok_or("the monitor ended")?;
    let changes = wait(machines.changes()).ok_or("the monitor ended")?;
    for change in &changes {
        match change {
            Change::Joined(entry) => println!("{} is up", entry.name),
            Change::Changed(entry) => println!("{} says something", entry.name),
            Change::Left(entry) => println!("{} is down", entry.name),
        }
    }
    Ok(changes)
}

fn expect(changes: &[Change], name: &str, start: Instant) -> Outcome {
    println!("  seen {} ms after", start.elapsed().as_millis());
    match changes {
        [Change::Left(entry)] if entry.name == name => Ok(()),
        other => Err(format!("{name} should have gone: {other:?}").into()),
    }
}

/// A process, which ends with this one at the latest.
struct Machine(Child);

fn begin(address: &str, name: &str) -> Outcome<Machine> {
    let program = std::env::current_exe()?;
    Ok(Machine(Command::new(program).args([address, name]).stdin(Stdio::piped()).spawn()?))
}

impl Machine {
    fn shut_down(mut self) -> Outcome {
        println!("web-1 is shut down");
        drop(self.0.stdin.take());
        self.0.wait()?;
        Ok(())
    }

    fn kill(mut self) -> Outcome {
        println!("db-2 is killed");
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
