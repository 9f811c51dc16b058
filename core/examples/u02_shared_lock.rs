//! U2, shared lock: readers together, a writer alone and in its turn, a downgrade, and an upgrade that is refused.
//!
//! `cargo run -p quorate --example u02_shared_lock`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::layout::read_write::Access;
use quorate::recipes::read_write::ReadWriteLock;
use quorate::server::Server;
use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let server = Server::builder().volatile().no_port().start()?;
    let connect = || wait(Client::builder().in_process(&server).connect());
    let (ann, ben, eve, guide) = (connect()?, connect()?, connect()?, connect()?);
    let lock = |client: &Client| ReadWriteLock::new(client, "/timetable");

    let (first, second) = (wait(lock(&ann).read())?, wait(lock(&ben).read())?);
    println!("Ann and Ben read the timetable together.");
    kept(wait(lock(&eve).try_write())?.is_none(), "no writer beside readers")?;

    let (send, receive) = mpsc::channel();
    let (eves, anns) = (lock(&eve), lock(&ann));
    let told = send.clone();
    std::thread::spawn(move || drop(told.send(("write", wait(eves.write())))));
    queue(&guide, 3)?;
    println!("Eve wants to write, and waits for both.");
    std::thread::spawn(move || drop(send.send(("read", wait(anns.read())))));
    queue(&guide, 4)?;
    println!("Ann wants to read once more: Eve was first, so she waits behind her.");
    for (_, access) in wait(lock(&guide).participants())? {
        println!("  in the queue: {access:?}");
    }
    wait(first.release())?;
    wait(second.release())?;
    let (what, write) = receive.recv_timeout(Duration::from_secs(20))?;
    kept(what == "write", "the order of the queue")?;
    let write = write?;
    println!("Both have left: Eve writes, token {}.", write.token());
    kept(receive.try_recv().is_err(), "no reader beside a writer")?;

    let read = wait(lock(&eve).downgrade(write))?;
    let (what, anns) = receive.recv_timeout(Duration::from_secs(20))?;
    kept(what == "read", "readers together again")?;
    println!("She has written and reads on, in her old place; Ann reads beside her.");
    let accesses: Vec<Access> =
        wait(lock(&guide).participants())?.into_iter().map(|(_, access)| access).collect();
    kept(accesses == [Access::Read, Access::Read], "two readers, no writer")?;
    wait(read.release())?;
    wait(anns?.release())?;

    let owner = lock(&ben).owner();
    let read = wait(owner.read())?;
    match wait(owner.write()) {
        Err(error) => println!("Ben reads and wants to write: {error}."),
        Ok(_) => kept(false, "an upgrade is refused")?,
    }
    wait(read.release())?;
    Ok(())
}

/// Waits until so many are in the queue.
fn queue(client: &Client, length: usize) -> Outcome {
    for _ in 0..10_000 {
        if wait(client.children("/timetable"))?.0.len() == length {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err("nobody queues".into())
}

fn kept(promise: bool, what: &str) -> Outcome {
    if promise { Ok(()) } else { Err(format!("not kept: {what}").into()) }
}
