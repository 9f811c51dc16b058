//! What one client has at a time: locks of all kinds, leases, places in a queue.

use crate::drills;
use crate::scene::{Scene, nobody};
use quorate::client::{Client, Error, Result, Stat};
use quorate::recipes::kit::Held;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::layout::read_write::Mode as SharedMode;
use quorate::recipes::layout::semaphore::Kind;
use quorate::recipes::lease::LeaseLock;
use quorate::recipes::lock::{Lock, Revocable as _};
use quorate::recipes::multi_lock::MultiLock;
use quorate::recipes::process_queue::ProcessQueue;
use quorate::recipes::read_write::ReadWriteLock;
use quorate::recipes::semaphore::Semaphore;
use quorate::recipes::simple_lock::SimpleLock;
use quorate::recipes::wall_lease::{MultiWallLease, WallLease};
use std::time::Duration;

drills![
    a_lock: has::<Curator>, takes::<Curator>, takes_again::<Curator>;
    a_lock_that_is_free: nobody, takes::<Curator>, takes_again::<Curator>;
    a_lock_of_kazoo: has::<Kazoo>, takes::<Kazoo>, takes_again::<Kazoo>;
    a_lock_across_a_bridge: has::<Bridge>, takes::<Bridge>, takes_again::<Bridge>;
    a_lock_of_one_node: has::<Simple>, takes::<Simple>, takes_again::<Simple>;
    a_lock_that_is_tried: has::<Curator>, tries, takes_again::<Curator>;
    a_lock_within_a_time: has::<Curator>, waits_too_short, takes_again::<Curator>;
    a_lock_entered_again: has::<Curator>, enters_again, takes_again::<Curator>;
    a_lock_to_be_released: nobody, is_asked_to_release, takes_again::<Curator>;
    a_lock_of_somebody_to_ask: is_asked, asks_to_release, takes_again::<Curator>;
    several_locks: has::<Second>, takes_several, takes_several_again;
    a_read_lock: has::<Writer>, takes::<Reader>, takes_again::<Writer>;
    a_write_lock: has::<Reader>, takes::<Writer>, takes_again::<Writer>;
    a_write_lock_of_kazoo: has::<WriterOfKazoo>, takes::<WriterOfKazoo>, takes_again::<WriterOfKazoo>;
    a_read_lock_of_kazoo: has::<WriterOfKazoo>, takes::<ReaderOfKazoo>, takes_again::<WriterOfKazoo>;
    a_write_lock_across_a_bridge: has::<BridgeWriter>, takes::<BridgeWriter>, takes_again::<BridgeWriter>;
    a_read_lock_across_a_bridge: has::<BridgeWriter>, takes::<BridgeReader>, takes_again::<BridgeWriter>;
    a_write_lock_of_the_documentation: has::<DocumentedReader>, takes::<DocumentedWriter>, takes_again::<DocumentedWriter>;
    a_read_lock_of_the_documentation: has::<DocumentedWriter>, takes::<DocumentedReader>, takes_again::<DocumentedWriter>;
    a_write_lock_of_the_textbook: has::<TextbookReader>, takes::<TextbookWriter>, takes_again::<TextbookWriter>;
    a_read_lock_of_the_textbook: has::<TextbookWriter>, takes::<TextbookReader>, takes_again::<TextbookWriter>;
    a_write_lock_that_becomes_a_read_lock: nobody, weakens::<0>, takes_again::<Writer>;
    a_write_lock_of_kazoo_that_becomes_a_read_lock: nobody, weakens::<1>, takes_again::<WriterOfKazoo>;
    a_write_lock_across_a_bridge_that_becomes_a_read_lock: nobody, weakens::<2>, takes_again::<BridgeWriter>;
    a_write_lock_of_the_documentation_that_becomes_a_read_lock: nobody, weakens::<3>, takes_again::<DocumentedWriter>;
    a_write_lock_of_the_textbook_that_becomes_a_read_lock: nobody, weakens::<4>, takes_again::<TextbookWriter>;
    a_read_lock_beside_a_write_lock: nobody, reads_beside::<0>, takes_again::<Writer>;
    a_read_lock_beside_a_write_lock_of_kazoo: nobody, reads_beside::<1>, takes_again::<WriterOfKazoo>;
    a_read_lock_beside_a_write_lock_across_a_bridge: nobody, reads_beside::<2>, takes_again::<BridgeWriter>;
    a_write_lock_of_an_owner: has::<Reader>, owns, takes_again::<Writer>;
    a_lease_of_a_semaphore: has::<Permit>, takes::<Permit>, takes_again::<Permit>;
    a_lease_of_kazoos_semaphore: has::<PermitOfKazoo>, takes::<PermitOfKazoo>, takes_again::<PermitOfKazoo>;
    several_leases: has_permits, takes_permits, takes_permits_again;
    a_semaphore_whose_limit_grows: has_all_permits, raises_the_limit, takes_permits_again;
    a_turn_in_a_queue: has::<Turn>, takes::<Turn>, takes_again::<Turn>;
    a_place_in_a_queue: has::<Turn>, leaves_the_queue, takes_again::<Turn>;
    a_lease: has::<Curator>, borrows, takes_again::<Curator>;
    a_lease_by_the_wall_clock: nobody, takes_wall_lease, has_wall_lease;
    one_of_several_leases_by_the_wall_clock: nobody, takes_wall_leases, has_wall_leases;
];

/// How something is got that is then [`Held`].
trait Way {
    fn get(client: &Client) -> impl Future<Output = Result<Held>> + Send;
}

macro_rules! ways {
    ($($name:ident: |$client:ident| $recipe:expr, $get:ident;)*) => {
        $(struct $name;

        impl Way for $name {
            async fn get($client: &Client) -> Result<Held> {
                $recipe.$get().await
            }
        })*
    };
}

ways![
    Curator: |client| lock(client), acquire;
    Second: |client| Lock::new(client, "/second"), acquire;
    Kazoo: |client| lock(client).mode(Mode::Kazoo { yields_to_curator: true }), acquire;
    Bridge: |client| lock(client).mode(Mode::Bridge), acquire;
    Simple: |client| SimpleLock::new(client, "/simple"), acquire;
    Reader: |client| table(client), read;
    Writer: |client| table(client), write;
    ReaderOfKazoo: |client| table_in::<1>(client), read;
    WriterOfKazoo: |client| table_in::<1>(client), write;
    BridgeReader: |client| table_in::<2>(client), read;
    BridgeWriter: |client| table_in::<2>(client), write;
    DocumentedReader: |client| table_in::<3>(client), read;
    DocumentedWriter: |client| table_in::<3>(client), write;
    TextbookReader: |client| table_in::<4>(client), read;
    TextbookWriter: |client| table_in::<4>(client), write;
    Permit: |client| Semaphore::new(client, "/permits", 1), acquire;
    PermitOfKazoo: |client| Semaphore::new(client, "/permits", 1).kind(Kind::Kazoo), acquire;
    Turn: |client| ProcessQueue::new(client, "/queue"), turn;
];

fn lock(client: &Client) -> Lock {
    Lock::new(client, "/lock")
}

fn table(client: &Client) -> ReadWriteLock {
    ReadWriteLock::new(client, "/table")
}

fn table_in<const MODE: usize>(client: &Client) -> ReadWriteLock {
    table(client).mode(match MODE {
        0 => SharedMode::Curator,
        1 => SharedMode::Kazoo,
        2 => SharedMode::Bridge,
        3 => SharedMode::Documentation,
        _ => SharedMode::Textbook("host".into()),
    })
}

/// Has it first, until the other waits.
async fn has<W: Way>(scene: Scene) -> Option<()> {
    let held = scene.ok(W::get(&scene.client).await)?;
    scene.occupy(&held);
    scene.pause().await;
    scene.vacate();
    scene.ok(held.release().await)
}

async fn takes<W: Way>(scene: Scene) -> Option<()> {
    let whole = async {
        let held = W::get(&scene.client).await?;
        scene.occupy(&held);
        scene.vacate();
        held.release().await
    };
    scene.act(whole).await
}

async fn takes_again<W: Way>(scene: Scene) -> Option<()> {
    let held = scene.ok(W::get(&scene.client).await)?;
    scene.occupy(&held);
    scene.ok(held.release().await)
}

async fn tries(scene: Scene) -> Option<()> {
    let lock = lock(&scene.client);
    scene.act(lock.try_acquire()).await.map(drop)
}

async fn waits_too_short(scene: Scene) -> Option<()> {
    let lock = lock(&scene.client);
    scene.act(lock.acquire_within(Duration::from_millis(20))).await.map(drop)
}

async fn enters_again(scene: Scene) -> Option<()> {
    let owner = lock(&scene.client).owner();
    let whole = async {
        let first = owner.acquire().await?;
        scene.occupy(&first);
        scene.client.exists("/").await.or_else(lost)?;
        // No time has passed since: what it enters is held, or was lost just now and is another.
        let second = owner.acquire().await?;
        if !second.is_held() {
            scene.part.fail("a lock was entered again that is lost");
        }
        scene.vacate();
        first.release().await?;
        second.release().await
    };
    scene.act(whole).await
}

/// A question that is asked only so that something can happen meanwhile.
fn lost(error: Error) -> Result<Option<Stat>> {
    if error.is_connection_loss() || error.is_session_end() { Ok(None) } else { Err(error) }
}

/// Its lock is asked for by another task, as another client would.
async fn is_asked_to_release(scene: Scene) -> Option<()> {
    let lock = lock(&scene.client).revocable();
    let whole = async {
        let held = lock.acquire().await?;
        for participant in lock.participants().await? {
            lock.revoke(&participant).await?;
        }
        held.revoked().await?;
        held.release().await
    };
    scene.act(whole).await
}

async fn is_asked(scene: Scene) -> Option<()> {
    let held = scene.ok(lock(&scene.client).revocable().acquire().await)?;
    scene.pause().await;
    scene.ok(held.release().await)
}

async fn asks_to_release(scene: Scene) -> Option<()> {
    let lock = lock(&scene.client).revocable();
    let whole = async {
        for participant in lock.participants().await? {
            // It may have been released since.
            let _ = lock.revoke(&participant).await;
        }
        Ok(())
    };
    scene.act(whole).await
}

fn several(client: &Client) -> Result<MultiLock> {
    MultiLock::new(["/second", "/first"].map(|path| Lock::new(client, path)))
}

async fn takes_several(scene: Scene) -> Option<()> {
    let several = scene.ok(several(&scene.client))?;
    let whole = async {
        let held = several.acquire().await?;
        held.locks().iter().for_each(|held| scene.watch_over(held));
        held.release().await
    };
    scene.act(whole).await
}

async fn takes_several_again(scene: Scene) -> Option<()> {
    let several = scene.ok(several(&scene.client))?;
    let held = scene.ok(several.acquire().await)?;
    scene.ok(held.release().await)
}

async fn weakens<const MODE: usize>(scene: Scene) -> Option<()> {
    let table = table_in::<MODE>(&scene.client);
    let whole = async {
        let write = table.write().await?;
        let read = table.downgrade(write).await?;
        scene.watch_over(&read);
        read.release().await
    };
    scene.act(whole).await
}

async fn reads_beside<const MODE: usize>(scene: Scene) -> Option<()> {
    let table = table_in::<MODE>(&scene.client);
    let whole = async {
        let write = table.write().await?;
        let read = table.read_beside(&write).await?;
        write.release().await?;
        read.release().await
    };
    scene.act(whole).await
}

async fn owns(scene: Scene) -> Option<()> {
    let owner = table(&scene.client).owner();
    let whole = async {
        let write = owner.write().await?;
        scene.occupy(&write);
        let read = owner.read().await?;
        scene.vacate();
        write.release().await?;
        read.release().await
    };
    scene.act(whole).await
}

fn permits(client: &Client) -> Semaphore {
    Semaphore::adjustable(client, "/permits", "/count", 2)
}

async fn has_permits(scene: Scene) -> Option<()> {
    let held = scene.ok(permits(&scene.client).acquire().await)?;
    scene.pause().await;
    scene.ok(held.release().await)
}

async fn takes_permits(scene: Scene) -> Option<()> {
    let permits = permits(&scene.client);
    let whole = async {
        for held in permits.acquire_many(2).await? {
            scene.watch_over(&held);
            held.release().await?;
        }
        Ok(())
    };
    scene.act(whole).await
}

async fn takes_permits_again(scene: Scene) -> Option<()> {
    let permits = permits(&scene.client);
    for held in scene.ok(permits.acquire_many(2).await)? {
        scene.ok(held.release().await)?;
    }
    Some(())
}

async fn has_all_permits(scene: Scene) -> Option<()> {
    let all = scene.ok(permits(&scene.client).acquire_many(2).await)?;
    scene.pause().await;
    scene.client.sleep(Duration::from_millis(200)).await;
    for held in all {
        scene.ok(held.release().await)?;
    }
    Some(())
}

/// There is one more then, and it is had at once.
async fn raises_the_limit(scene: Scene) -> Option<()> {
    let permits = permits(&scene.client);
    let whole = async {
        permits.set_limit(3).await?;
        let held = permits.acquire().await?;
        scene.watch_over(&held);
        held.release().await
    };
    scene.act(whole).await
}

async fn leaves_the_queue(scene: Scene) -> Option<()> {
    let queue = ProcessQueue::new(&scene.client, "/queue");
    let whole = async {
        let place = queue.join().await?;
        place.ahead().await?;
        place.leave().await
    };
    scene.act(whole).await
}

async fn borrows(scene: Scene) -> Option<()> {
    let lease = LeaseLock::new(lock(&scene.client), Duration::from_millis(500));
    let whole = async {
        let first = lease.acquire().await?;
        first.renew();
        first.release().await?;
        // Its end comes by itself.
        let second = lease.acquire().await?;
        second.ended().await;
        Ok(())
    };
    scene.act(whole).await
}

fn wall_lease(client: &Client) -> WallLease {
    WallLease::new(client, "/hourly", "host-1", Duration::from_secs(3_600))
}

async fn takes_wall_lease(scene: Scene) -> Option<()> {
    let lease = wall_lease(&scene.client);
    scene.act(lease.obtain()).await.map(drop)
}

/// The same host, which has it already.
async fn has_wall_lease(scene: Scene) -> Option<()> {
    scene.ok(wall_lease(&scene.client).obtain().await)?.map(drop)
}

async fn takes_wall_leases(scene: Scene) -> Option<()> {
    let leases = MultiWallLease::new(wall_lease(&scene.client), 2);
    scene.act(leases.obtain()).await.map(drop)
}

async fn has_wall_leases(scene: Scene) -> Option<()> {
    let leases = MultiWallLease::new(wall_lease(&scene.client), 2);
    scene.ok(leases.obtain().await)?.map(drop)
}
