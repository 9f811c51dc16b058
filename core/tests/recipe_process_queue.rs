//! The queue of processes: turns in order, one wake-up each, places that end with their session.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/tasks.rs"]
mod tasks;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, Result, within};
use quorate::recipes::process_queue::ProcessQueue;
use quorate_wire::OpCode;
use std::time::Duration;
use tasks::Server;

/// Long enough for anything that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn server() -> Server {
    Server::start()
}

fn connect(server: &Server) -> Client {
    wait(server.client().connect()).unwrap()
}

#[test]
fn turns_are_taken_in_the_order_of_joining() -> Result<()> {
    let server = server();
    let client = connect(&server);
    wait(async {
        client.create("/queue", b"", CreateMode::Persistent).await?;
        client.create("/queue/foreign", b"", CreateMode::Persistent).await?;
        let queue = |name: &str| ProcessQueue::new(&client, "/queue").name(name);
        // The textbook's form, by somebody else.
        let textbook = client.create("/queue/host-", b"", CreateMode::EphemeralSequential).await?;
        let (a, b) = (queue("a").join().await?, queue("b-1").join().await?);
        let names: Vec<_> = queue("x").members().await?.into_iter().map(|m| m.name).collect();
        assert_eq!(names, ["host", "a", "b-1"]);
        assert_eq!((a.ahead().await?, b.ahead().await?), (1, 2));
        let environment = client.environment();
        assert!(within(&**environment, Duration::from_millis(20), a.wait()).await.is_none());
        assert_eq!(a.ahead().await?, 1, "a cancelled wait keeps the place");
        client.delete(&textbook.path, None).await?;
        let first = a.turn().await?;
        assert_eq!(b.ahead().await?, 1);
        let token = first.token();
        first.release().await?;
        let second = within(&**environment, PATIENCE, b.turn()).await.unwrap()?;
        assert!(second.token() > token);
        drop(second);
        let last = within(&**environment, PATIENCE, queue("c").turn()).await.unwrap()?;
        last.release().await?;
        let (left, _) = client.children("/queue").await?;
        assert_eq!(left, ["foreign"]);
        Ok(())
    })
}

#[test]
fn who_waits_is_woken_by_its_predecessor_only() -> Result<()> {
    let server = server();
    let client = connect(&server);
    let proxy = Proxy::start(server.address().unwrap());
    let watched = wait(Client::builder().servers(&proxy.servers()).connect())?;
    wait(async {
        let queue = ProcessQueue::new(&client, "/queue");
        let mut before = Vec::new();
        for _ in 0..10 {
            before.push(queue.join().await?);
        }
        let place = ProcessQueue::new(&watched, "/queue").join().await?;
        let turn = place.turn();
        let mut turn = std::pin::pin!(turn);
        let short = Duration::from_millis(100);
        assert!(within(&**client.environment(), short, turn.as_mut()).await.is_none());
        let listings = proxy.requests(OpCode::GetChildren2);
        let last = before.pop().unwrap();
        for place in before {
            place.leave().await?;
        }
        assert!(within(&**client.environment(), short, turn.as_mut()).await.is_none());
        assert_eq!(proxy.requests(OpCode::GetChildren2), listings, "nine left without waking it");
        last.leave().await?;
        within(&**client.environment(), PATIENCE, turn).await.unwrap()?;
        assert_eq!(proxy.requests(OpCode::GetChildren2), listings + 1);
        Ok(())
    })
}

#[test]
fn a_lost_answer_leaves_one_place() -> Result<()> {
    let server = server();
    let proxy = Proxy::start(server.address().unwrap());
    let client = wait(Client::builder().servers(&proxy.servers()).connect())?;
    wait(async {
        client.create("/queue", b"", CreateMode::Persistent).await?;
        proxy.lose_answer(OpCode::Create2);
        let queue = ProcessQueue::new(&client, "/queue");
        let turn = queue.turn().await?;
        assert_eq!((queue.members().await?.len(), proxy.cuts()), (1, 1));
        proxy.lose_answer(OpCode::Delete);
        turn.release().await?;
        assert_eq!((queue.members().await?.len(), proxy.cuts()), (0, 2));
        Ok(())
    })
}

#[test]
fn a_dead_process_gives_way() -> Result<()> {
    let server = server();
    let (dead, living) = (connect(&server), connect(&server));
    wait(async {
        let first = ProcessQueue::new(&dead, "/queue").join().await?;
        let second = ProcessQueue::new(&living, "/queue").join().await?;
        dead.close().await?;
        within(&**living.environment(), PATIENCE, second.turn()).await.unwrap()?;
        let error = first.turn().await.unwrap_err();
        assert!(matches!(error.code(), ErrorCode::Closing | ErrorCode::SessionExpired), "{error}");
        Ok(())
    })
}
