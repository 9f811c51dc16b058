//! Queues of all layouts: items are put, taken, held, completed, given back.

use crate::drills;
use crate::scene::{Scene, nobody};
use quorate::client::{Client, CreateMode, Result, Task, within};
use quorate::recipes::queue::{Holding, Layout, Order, QueueSharder, ShardedQueue, WorkQueue};
use std::time::Duration;

drills![
    an_item_that_is_put_once: nobody, puts_once::<CURATOR>, finds_what_was_put::<CURATOR>;
    an_item_that_is_put_once_by_name: nobody, puts_once::<ID>, finds_what_was_put::<ID>;
    an_item_that_is_put_by_priority: nobody, puts_once::<PRIORITY>, finds_what_was_put::<PRIORITY>;
    an_item_that_is_put_for_later: nobody, puts_once::<DELAY>, finds_what_was_put::<DELAY>;
    an_item_that_is_put_into_the_simple_queue: nobody, puts_once::<SIMPLE>, finds_what_was_put::<SIMPLE>;
    an_item_that_is_put_into_kazoos_queue: nobody, puts_once::<KAZOO>, finds_what_was_put::<KAZOO>;
    an_item_that_is_put: nobody, puts, finds_what_was_put::<CURATOR>;
    an_item_that_is_waited_for: puts_later::<CURATOR>, takes::<CURATOR>, takes_the_rest::<CURATOR>;
    an_item_of_the_simple_queue: puts_later::<SIMPLE>, takes::<SIMPLE>, takes_the_rest::<SIMPLE>;
    an_item_by_priority: puts_later::<PRIORITY>, takes::<PRIORITY>, takes_the_rest::<PRIORITY>;
    an_item_that_is_held: puts_later::<CURATOR>, holds::<CURATOR>, holds_the_rest::<CURATOR>;
    an_item_of_kazoos_queue_that_is_held: puts_later::<KAZOO>, holds::<KAZOO>, holds_the_rest::<KAZOO>;
    an_item_by_priority_that_is_held: puts_later::<PRIORITY>, holds::<PRIORITY>, holds_the_rest::<PRIORITY>;
    an_item_by_name_that_is_held: puts_later::<ID>, holds::<ID>, holds_the_rest::<ID>;
    an_item_that_is_done_with_a_result: puts_now::<CURATOR>, completes_with::<CURATOR>, finds_one_result::<CURATOR>;
    an_item_of_kazoos_queue_that_is_done_with_a_result: puts_now::<KAZOO>, completes_with::<KAZOO>, finds_one_result::<KAZOO>;
    an_item_of_the_simple_queue_that_is_done_with_a_result: puts_now::<SIMPLE>, completes_with::<SIMPLE>, finds_one_result::<SIMPLE>;
    an_item_that_is_given_back: puts_now::<CURATOR>, gives_back::<CURATOR>, holds_the_rest::<CURATOR>;
    an_item_of_kazoos_queue_that_is_given_back: puts_now::<KAZOO>, gives_back::<KAZOO>, holds_the_rest::<KAZOO>;
    an_item_that_goes_to_the_end: puts_now::<CURATOR>, puts_behind::<CURATOR>, holds_the_rest::<CURATOR>;
    an_item_that_is_removed: puts_now::<ID>, removes, takes_the_rest::<ID>;
    the_length_of_a_queue: puts_now::<CURATOR>, counts, takes_the_rest::<CURATOR>;
    an_item_that_finds_no_room: fills, puts_when_there_is_room, empties;
    an_item_of_a_queue_in_parts: nobody, puts_in_parts, takes_from_parts;
];

const CURATOR: usize = 0;
const ID: usize = 1;
const PRIORITY: usize = 2;
const DELAY: usize = 3;
const SIMPLE: usize = 4;
const KAZOO: usize = 5;
const LAYOUTS: [Layout; 6] = [
    Layout::Curator,
    Layout::Id,
    Layout::Priority,
    Layout::Delay,
    Layout::Simple,
    Layout::KazooLocking,
];

fn queue<const LAYOUT: usize>(client: &Client) -> WorkQueue {
    WorkQueue::new(client, "/queue", LAYOUTS[LAYOUT])
}

fn order(layout: usize) -> Order<'static> {
    match layout {
        ID => Order::Id("one"),
        PRIORITY => Order::Priority(3),
        DELAY => Order::At(1),
        _ => Order::End,
    }
}

async fn puts_once<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    scene.act_unsure(queue.put_once(order(LAYOUT), &[b"item"])).await
}

async fn puts(scene: Scene) -> Option<()> {
    let queue = queue::<CURATOR>(&scene.client);
    scene.act_unsure(queue.put(b"item")).await
}

/// It is there once if it is known to have been put, and otherwise at most once.
async fn finds_what_was_put<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    let mut found = 0;
    while scene.ok(queue.try_take().await)?.is_some() {
        found += 1;
    }
    if !scene.may_have_happened(found) {
        scene.part.fail(format!("{found} items, known to be put: {}", scene.succeeded()));
    }
    Some(())
}

async fn puts_now<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    scene.ok(queue.put_in(order(LAYOUT), &[b"item"]).await)
}

/// The other waits until then.
async fn puts_later<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    // Makes the directories.
    scene.ok(queue.put_in(order(LAYOUT), &[b"first"]).await)?;
    scene.ok(queue.take().await)?;
    scene.pause().await;
    scene.ok(queue.put_in(order(LAYOUT), &[b"item"]).await)
}

/// Nobody else takes anything: it gets the item, or is told that it may have had it.
async fn take(scene: &Scene, queue: &WorkQueue) -> Result<()> {
    let environment = scene.client.environment();
    let taken = within(&**environment, Duration::from_secs(5), queue.take()).await;
    if taken.is_none() {
        scene.part.fail("it waits for another item, and is not told that it took one");
    }
    taken.transpose().map(drop)
}

async fn takes<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    scene.act_unsure(take(&scene, &queue)).await
}

/// What was taken is there no more. It may be lost when nobody knows whether it was taken: at most once.
async fn takes_the_rest<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    let mut found = 0;
    while scene.ok(queue.try_take().await)?.is_some() {
        found += 1;
    }
    if found > 1 || !scene.may_have_happened(1 - found) {
        scene
            .part
            .fail(format!("{found} items are left, known to be taken: {}", scene.succeeded()));
    }
    Some(())
}

fn watch_over(scene: &Scene, holding: &Holding) {
    let lost = holding.lost();
    let lost: Task = Box::pin(async move { _ = lost.await });
    scene.part.watch_over("an item", || false, Some(lost));
}

async fn holds<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    let whole = async {
        let holding = queue.hold().await?;
        watch_over(&scene, &holding);
        holding.complete().await
    };
    scene.act_unsure(whole).await
}

/// What was not completed for certain is there for the next one: at least once.
async fn holds_the_rest<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    let mut found = 0;
    while let Some(holding) = scene.ok(queue.try_hold().await)? {
        scene.ok(holding.complete().await)?;
        found += 1;
    }
    // Given back or completed: that is the subject's affair.
    if found > 1 {
        scene.part.fail(format!("{found} items are left"));
    }
    Some(())
}

async fn completes_with<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    let whole = async {
        let holding = queue.hold().await?;
        watch_over(&scene, &holding);
        let result = holding.data().to_vec();
        let mode = CreateMode::PersistentSequential;
        holding.complete_with(|multi| multi.create("/result-", &*result, mode)).await
    };
    scene.act_unsure(whole).await
}

/// Exactly once: there is a result if the item is gone, and none if it is there.
async fn finds_one_result<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    let (nodes, _) = scene.ok(scene.client.children("/").await)?;
    let results: Vec<String> = nodes.into_iter().filter(|it| it.starts_with("result-")).collect();
    let mut items = 0;
    while let Some(holding) = scene.ok(queue.try_hold().await)? {
        scene.ok(holding.complete().await)?;
        items += 1;
    }
    if items + results.len() != 1 || !scene.may_have_happened(results.len()) {
        scene.part.fail(format!("{results:?}, and {items} items, done: {}", scene.succeeded()));
    }
    for result in results {
        scene.ok(scene.client.delete(&format!("/{result}"), None).await)?;
    }
    Some(())
}

async fn gives_back<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    let whole = async { queue.hold().await?.release().await };
    scene.act(whole).await
}

async fn puts_behind<const LAYOUT: usize>(scene: Scene) -> Option<()> {
    let queue = queue::<LAYOUT>(&scene.client);
    let whole = async { queue.hold().await?.requeue().await };
    scene.act_unsure(whole).await
}

async fn removes(scene: Scene) -> Option<()> {
    let queue = queue::<ID>(&scene.client);
    scene.act_unsure(queue.remove("one")).await.map(drop)
}

async fn counts(scene: Scene) -> Option<()> {
    let queue = queue::<CURATOR>(&scene.client);
    let whole = async {
        queue.len().await?;
        queue.peek_all().await?;
        take(&scene, &queue).await
    };
    scene.act_unsure(whole).await
}

async fn fills(scene: Scene) -> Option<()> {
    let queue = queue::<SIMPLE>(&scene.client).bounded(1);
    scene.ok(queue.put(b"first").await)?;
    scene.pause().await;
    scene.ok(queue.queue().take().await).map(drop)
}

async fn puts_when_there_is_room(scene: Scene) -> Option<()> {
    let queue = queue::<SIMPLE>(&scene.client).bounded(1);
    scene.act_unsure(queue.put(b"item")).await
}

async fn empties(scene: Scene) -> Option<()> {
    finds_what_was_put::<SIMPLE>(scene.clone()).await?;
    let queue = queue::<SIMPLE>(&scene.client).bounded(1);
    scene.ok(queue.put(b"again").await)?;
    scene.ok(queue.queue().take().await).map(drop)
}

async fn sharder(client: &Client) -> Result<QueueSharder> {
    ShardedQueue::new(client, "/parts", Layout::Curator).start().await
}

async fn puts_in_parts(scene: Scene) -> Option<()> {
    let whole = async {
        let sharder = sharder(&scene.client).await?;
        sharder.put(b"item").await?;
        sharder.hold().await?.complete().await?;
        sharder.stop().await;
        Ok(())
    };
    scene.act_unsure(whole).await
}

async fn takes_from_parts(scene: Scene) -> Option<()> {
    let sharder = scene.ok(sharder(&scene.client).await)?;
    scene.client.sleep(Duration::from_millis(100)).await;
    while scene.ok(sharder.try_take().await)?.is_some() {}
    sharder.stop().await;
    Some(())
}
