//! Where clients meet: barriers, and items that are shared out.

use crate::drills;
use crate::scene::{Scene, nobody};
use quorate::client::Client;
use quorate::recipes::barrier::{Barrier, DoubleBarrier};
use quorate::recipes::counting_barrier::CountingBarrier;
use quorate::recipes::layout::barrier::Style;
use quorate::recipes::partitioner::{Member, Partitioner};
use std::time::Duration;

drills![
    a_barrier_that_is_closed: nobody, closes, opens_again;
    a_barrier_that_is_opened: closes_before, opens, passes;
    a_barrier_that_is_waited_at: opens_after_a_while, waits, passes;
    a_barrier_that_is_waited_at_for_too_short: opens_after_a_while, waits_too_short, passes;
    a_double_barrier: meets::<CURATOR>, meets_too::<CURATOR>, enters_alone::<CURATOR>;
    a_double_barrier_of_kazoo: meets::<KAZOO>, meets_too::<KAZOO>, enters_alone::<KAZOO>;
    a_double_barrier_of_both: meets::<CURATOR>, meets_too::<KAZOO>, enters_alone::<KAZOO>;
    a_double_barrier_that_is_left: nobody, leaves::<CURATOR>, enters_alone::<CURATOR>;
    a_double_barrier_of_kazoo_that_is_left: nobody, leaves::<KAZOO>, enters_alone::<KAZOO>;
    a_counting_barrier_that_is_prepared: nobody, prepares, arrives_alone;
    a_counting_barrier: prepares_and_arrives, arrives_too, arrives_alone;
    shares: nobody, has_all, has_all_again;
    shares_of_two: has_all_and_shares, shares_with_another, has_all_again;
];

fn barrier(client: &Client) -> Barrier {
    Barrier::new(client, "/barrier")
}

async fn closes(scene: Scene) -> Option<()> {
    let barrier = barrier(&scene.client);
    scene.act(barrier.close()).await
}

async fn opens_again(scene: Scene) -> Option<()> {
    let barrier = barrier(&scene.client);
    let closed = scene.ok(scene.client.exists("/barrier").await)?.is_some();
    if scene.succeeded() && !closed {
        scene.part.fail("closed, and it is open");
    }
    scene.ok(barrier.close().await)?;
    scene.ok(barrier.open().await)?;
    scene.ok(barrier.wait().await)
}

async fn closes_before(scene: Scene) -> Option<()> {
    scene.ok(barrier(&scene.client).close().await)
}

async fn opens(scene: Scene) -> Option<()> {
    let barrier = barrier(&scene.client);
    scene.act(barrier.open()).await
}

async fn passes(scene: Scene) -> Option<()> {
    let barrier = barrier(&scene.client);
    if !scene.succeeded() {
        scene.ok(barrier.open().await)?;
    }
    scene.ok(barrier.wait().await)
}

async fn opens_after_a_while(scene: Scene) -> Option<()> {
    let barrier = barrier(&scene.client);
    scene.ok(barrier.close().await)?;
    scene.pause().await;
    scene.ok(barrier.open().await)
}

async fn waits(scene: Scene) -> Option<()> {
    let barrier = barrier(&scene.client);
    scene.act(barrier.wait()).await
}

async fn waits_too_short(scene: Scene) -> Option<()> {
    let barrier = barrier(&scene.client);
    scene.act(barrier.wait_within(Duration::from_millis(20))).await.map(drop)
}

const CURATOR: bool = false;
const KAZOO: bool = true;

fn double<const STYLE: bool>(client: &Client, size: usize) -> DoubleBarrier {
    let style = if STYLE == KAZOO { Style::Kazoo } else { Style::Curator };
    DoubleBarrier::new(client, "/double", size).style(style)
}

/// Waits for the other one for a while: it may have been dropped.
async fn meets<const STYLE: bool>(scene: Scene) -> Option<()> {
    let double = double::<STYLE>(&scene.client, 2);
    scene.ready();
    let patience = Duration::from_millis(500);
    if let Some(inside) = scene.ok(double.enter_within(patience).await)? {
        let environment = scene.client.environment();
        let left = quorate::client::within(&**environment, patience, inside.leave()).await;
        scene.ok(left.unwrap_or(Ok(())))?;
    }
    Some(())
}

async fn meets_too<const STYLE: bool>(scene: Scene) -> Option<()> {
    let double = double::<STYLE>(&scene.client, 2);
    let whole = async {
        // The other one may have given up while this one slept.
        let Some(inside) = double.enter_within(Duration::from_millis(300)).await? else {
            return Ok(());
        };
        scene.watch_over(inside.held());
        let environment = scene.client.environment();
        let limit = Duration::from_millis(500);
        quorate::client::within(&**environment, limit, inside.leave()).await.unwrap_or(Ok(()))
    };
    scene.act(whole).await
}

async fn leaves<const STYLE: bool>(scene: Scene) -> Option<()> {
    let double = double::<STYLE>(&scene.client, 1);
    let whole = async { double.enter().await?.leave().await };
    scene.act(whole).await
}

async fn enters_alone<const STYLE: bool>(scene: Scene) -> Option<()> {
    let inside = scene.ok(double::<STYLE>(&scene.client, 1).enter().await)?;
    scene.ok(inside.leave().await)
}

fn counting(client: &Client) -> CountingBarrier {
    CountingBarrier::new(client, "/counting")
}

async fn prepares(scene: Scene) -> Option<()> {
    let counting = counting(&scene.client);
    scene.act(counting.prepare(1)).await
}

async fn prepares_and_arrives(scene: Scene) -> Option<()> {
    let counting = counting(&scene.client);
    scene.ok(counting.prepare(2).await)?;
    scene.ready();
    let arrived = scene.ok(counting.arrive_within(b"", Duration::from_millis(500)).await)?;
    match arrived {
        Some(held) => scene.ok(held.release().await),
        None => Some(()),
    }
}

async fn arrives_too(scene: Scene) -> Option<()> {
    let counting = counting(&scene.client);
    let whole = async {
        match counting.arrive_within(b"", Duration::from_millis(300)).await? {
            Some(held) => {
                scene.watch_over(&held);
                held.release().await
            }
            None => Ok(()),
        }
    };
    scene.act(whole).await
}

async fn arrives_alone(scene: Scene) -> Option<()> {
    let counting = counting(&scene.client);
    scene.ok(counting.prepare(1).await)?;
    let held = scene.ok(counting.arrive(b"").await)?;
    scene.ok(held.release().await)
}

async fn join(client: &Client) -> quorate::client::Result<Member> {
    let items = Partitioner::new(client, "/parts", ["a", "b"])?;
    items.quiet(Duration::from_millis(10)).join().await
}

async fn has_all(scene: Scene) -> Option<()> {
    let whole = async {
        let mut member = join(&scene.client).await?;
        let share = member.acquire().await?;
        ["a", "b"]
            .iter()
            .filter_map(|item| share.held(item))
            .for_each(|held| scene.watch_over(held));
        share.release().await?;
        member.leave().await
    };
    scene.act(whole).await
}

async fn has_all_again(scene: Scene) -> Option<()> {
    let mut member = scene.ok(join(&scene.client).await)?;
    loop {
        let mut share = scene.ok(member.acquire().await)?;
        if share.items().count() == 2 {
            break scene.ok(share.release().await)?;
        }
        share.changed().await;
    }
    scene.ok(member.leave().await)
}

async fn has_all_and_shares(scene: Scene) -> Option<()> {
    let mut member = scene.ok(join(&scene.client).await)?;
    let mut share = scene.ok(member.acquire().await)?;
    scene.ready();
    let environment = scene.client.environment();
    let limit = Duration::from_millis(500);
    let changed = quorate::client::within(&**environment, limit, share.changed()).await;
    scene.ok(share.release().await)?;
    if changed.is_some() {
        let again = quorate::client::within(&**environment, limit, member.acquire()).await;
        drop(again);
    }
    scene.ok(member.leave().await)
}

async fn shares_with_another(scene: Scene) -> Option<()> {
    has_all(scene).await
}
