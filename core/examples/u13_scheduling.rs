//! U13, system scheduling: an elected controller gives tasks to agents by changing nodes; agents react. A dead agent's tasks move
//! when its session has timed out.
//!
//! `cargo run -p quorate --example u13_scheduling`

use quorate::client::Client;
use quorate::client::blocking::wait;
use quorate::recipes::assignment::Assignments;
use quorate::recipes::latch::LeaderLatch;
use quorate::server::Server;
use std::error::Error;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    // Sessions last a second, and the server looks for their ends twenty times a second.
    let server = Server::builder()
        .volatile()
        .no_port()
        .configure(|config| config.tick_time_ms = 50)
        .start()?;
    wait(async {
        let client = Client::builder().in_process(&server).connect().await?;
        let candidate = LeaderLatch::new(&client, "/system/controller").join();
        let controller = Assignments::new(&client, "/system").led_by(candidate.leads().await?);
        let agents = controller.agents().await?;

        let connect = || {
            let timeout = Duration::from_secs(1);
            Client::builder().in_process(&server).session_timeout(timeout).connect()
        };
        let (machine_1, machine_2) = (connect().await?, connect().await?);
        let (one, two) =
            (Assignments::new(&machine_1, "/system"), Assignments::new(&machine_2, "/system"));
        let (_up_1, _up_2) = (one.register("agent-1", ""), two.register("agent-2", ""));
        agents.until(|list| list.len() == 2).await.ok_or("the controller ended")?;
        println!("two agents are there");

        controller.assign("agent-1", "push-news", b"to everybody").await?;
        controller.assign("agent-1", "clean-up", b"/tmp").await?;
        let tasks = one.tasks("agent-1").await?;
        tasks.until(|list| list.len() == 2).await.ok_or("agent-1 ended")?;
        one.finish("agent-1", "push-news", b"9,000 sent").await?;
        let result = controller.result("push-news").await?.ok_or("no result")?;
        println!("agent-1 has done push-news: {}", String::from_utf8_lossy(&result));

        println!("agent-1 dies");
        // As if the process were killed: nobody says goodbye, and the session stays until it has timed out.
        machine_1.abandon();
        let death = Instant::now();
        agents.until(|list| list.len() == 1).await.ok_or("the controller ended")?;
        println!("the controller knows {} ms after", death.elapsed().as_millis());
        let moved = controller.reassign("agent-1", |_| "agent-2".to_owned()).await?;
        let tasks = two.tasks("agent-2").await?;
        let list = tasks.until(|list| !list.is_empty()).await.ok_or("agent-2 ended")?;
        println!(
            "{moved} task moved: agent-2 has {}",
            list.iter().map(|it| &*it.name).collect::<String>()
        );
        two.finish("agent-2", "clean-up", b"done").await?;

        candidate.leave().await?;
        match controller.assign("agent-2", "late", b"").await {
            Ok(()) => Err("a controller that leads no more must not assign".into()),
            Err(error) => {
                println!("the controller has resigned, and cannot assign: {error}");
                Ok(())
            }
        }
    })
}
