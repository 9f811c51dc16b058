//! Counters, names, and writes that are repeated.

use crate::drills;
use crate::scene::{Scene, nobody};
use quorate::client::{Client, CreateMode, RetryPolicy};
use quorate::recipes::counter::{BlockCounter, Counter};
use quorate::recipes::naming::Naming;

drills![
    a_counter: nobody, adds::<LONG>, has_counted::<LONG>;
    a_counter_in_text: nobody, adds::<TEXT>, has_counted::<TEXT>;
    a_counter_of_32_bits: nobody, adds::<INT>, has_counted::<INT>;
    an_exact_counter: nobody, adds_exactly::<LONG>, has_counted::<LONG>;
    an_exact_counter_in_text: nobody, adds_exactly::<TEXT>, has_counted::<TEXT>;
    a_counter_that_is_set: nobody, sets::<LONG>, has_counted::<LONG>;
    a_counter_in_text_that_is_set: nobody, sets::<TEXT>, has_counted::<TEXT>;
    a_counter_that_is_compared: starts_counting::<LONG>, compares::<LONG>, has_counted::<LONG>;
    a_counter_in_text_that_is_compared: starts_counting::<TEXT>, compares::<TEXT>, has_counted::<TEXT>;
    a_block_of_numbers: nobody, takes_a_block, takes_another_block;
    a_unique_name: nobody, takes_a_name, takes_another_name;
    a_registered_name: nobody, takes_a_registered_name, takes_another_registered_name;
    a_sortable_name: nobody, takes_a_sortable_name, takes_another_sortable_name;
    a_protected_node: nobody, creates_protected, finds_it_protected;
    a_node_that_is_created_again: nobody, creates, finds_it;
    a_node_that_is_set_again: has_node, writes, finds_it;
    a_node_that_is_deleted_again: has_node, deletes, finds_nothing;
];

const LONG: usize = 0;
const TEXT: usize = 1;
const INT: usize = 2;

fn counter<const FORMAT: usize>(client: &Client) -> Counter {
    match FORMAT {
        TEXT => Counter::text(client, "/count"),
        INT => Counter::int(client, "/count"),
        _ => Counter::long(client, "/count"),
    }
}

async fn starts_counting<const FORMAT: usize>(scene: Scene) -> Option<()> {
    scene.ok(counter::<FORMAT>(&scene.client).set(0).await).map(drop)
}

async fn adds<const FORMAT: usize>(scene: Scene) -> Option<()> {
    let counter = counter::<FORMAT>(&scene.client);
    scene.act_unsure(counter.add(1)).await.map(drop)
}

async fn adds_exactly<const FORMAT: usize>(scene: Scene) -> Option<()> {
    let counter = counter::<FORMAT>(&scene.client).exact();
    scene.act(counter.add(1)).await.map(drop)
}

async fn sets<const FORMAT: usize>(scene: Scene) -> Option<()> {
    let counter = counter::<FORMAT>(&scene.client);
    scene.act_unsure(counter.set(1)).await.map(drop)
}

async fn compares<const FORMAT: usize>(scene: Scene) -> Option<()> {
    let counter = counter::<FORMAT>(&scene.client);
    scene.act_unsure(counter.compare_and_set(0, 1)).await.map(drop)
}

async fn has_counted<const FORMAT: usize>(scene: Scene) -> Option<()> {
    let counter = counter::<FORMAT>(&scene.client);
    let counted = usize::try_from(scene.ok(counter.get().await)?).unwrap();
    if !scene.may_have_happened(counted) {
        scene
            .part
            .fail(format!("counted to {counted}, known to have happened: {}", scene.succeeded()));
    }
    scene.ok(counter.add(1).await).map(drop)
}

fn blocks(client: &Client) -> BlockCounter {
    BlockCounter::new(counter::<LONG>(client), 2)
}

async fn takes_a_block(scene: Scene) -> Option<()> {
    let blocks = blocks(&scene.client);
    let whole = async {
        let (first, second) = (blocks.next().await?, blocks.next().await?);
        if first == second {
            scene.part.fail(format!("{first} was given twice"));
        }
        Ok(())
    };
    scene.act_unsure(whole).await
}

async fn takes_another_block(scene: Scene) -> Option<()> {
    let next = scene.ok(blocks(&scene.client).next().await)?;
    if scene.succeeded() && next < 2 {
        scene.part.fail(format!("{next} was given twice"));
    }
    Some(())
}

fn naming(client: &Client) -> Naming {
    Naming::new(client, "/names", "id-")
}

async fn takes_a_name(scene: Scene) -> Option<()> {
    let naming = naming(&scene.client);
    scene.act(naming.unique()).await.map(drop)
}

async fn takes_another_name(scene: Scene) -> Option<()> {
    let name = scene.ok(naming(&scene.client).unique().await)?;
    if scene.succeeded() && name == "id-0000000000" {
        scene.part.fail(format!("{name} was given twice"));
    }
    Some(())
}

async fn takes_a_registered_name(scene: Scene) -> Option<()> {
    let naming = naming(&scene.client).registers();
    scene.act(naming.unique()).await.map(drop)
}

async fn takes_another_registered_name(scene: Scene) -> Option<()> {
    let naming = naming(&scene.client).registers();
    let new = scene.ok(naming.unique().await)?;
    // A name of which nobody heard may stand in the register.
    let (names, _) = scene.ok(scene.client.children("/names").await)?;
    if names.iter().any(|name| *name > new) || names.len() > 3 {
        scene.part.fail(format!("{names:?} are registered, {new} last"));
    }
    for name in names {
        scene.ok(scene.client.delete(&format!("/names/{name}"), None).await)?;
    }
    Some(())
}

async fn takes_a_sortable_name(scene: Scene) -> Option<()> {
    let naming = naming(&scene.client);
    scene.act(naming.sortable()).await.map(drop)
}

async fn takes_another_sortable_name(scene: Scene) -> Option<()> {
    scene.ok(naming(&scene.client).sortable().await).map(drop)
}

const TRIES: RetryPolicy = RetryPolicy::tries(5);

async fn creates_protected(scene: Scene) -> Option<()> {
    let patient = scene.client.retrying(TRIES);
    let create = patient.create_protected("/node-", b"", CreateMode::EphemeralSequential);
    let created = scene.act(create).await?;
    let _ = scene.client.delete(&created.path, None).await;
    Some(())
}

/// There is at most one of them while its creator lives.
async fn finds_it_protected(scene: Scene) -> Option<()> {
    let (nodes, _) = scene.ok(scene.client.children("/").await)?;
    let left: Vec<&String> = nodes.iter().filter(|node| node.contains("node-")).collect();
    if !left.is_empty() {
        scene.part.fail(format!("{left:?}"));
    }
    Some(())
}

async fn creates(scene: Scene) -> Option<()> {
    let patient = scene.client.retrying(TRIES);
    scene.act_unsure(patient.create("/node", b"mine", CreateMode::Persistent)).await.map(drop)
}

async fn finds_it(scene: Scene) -> Option<()> {
    let found = scene.client.get("/node").await.ok().map(|(data, _)| data);
    if !scene.may_have_happened(usize::from(found.as_deref() == Some(b"mine"))) {
        scene.part.fail(format!("{found:?}, known to be written: {}", scene.succeeded()));
    }
    Some(())
}

async fn has_node(scene: Scene) -> Option<()> {
    scene.ok(scene.client.create("/node", b"", CreateMode::Persistent).await).map(drop)
}

async fn writes(scene: Scene) -> Option<()> {
    let patient = scene.client.retrying(TRIES);
    scene.act_unsure(patient.set("/node", b"mine", None)).await.map(drop)
}

async fn deletes(scene: Scene) -> Option<()> {
    let patient = scene.client.retrying(TRIES);
    scene.act_unsure(patient.delete("/node", None)).await
}

async fn finds_nothing(scene: Scene) -> Option<()> {
    let gone = scene.ok(scene.client.exists("/node").await)?.is_none();
    if !scene.may_have_happened(usize::from(gone)) {
        scene.part.fail(format!("gone: {gone}, known to be deleted: {}", scene.succeeded()));
    }
    // In the calm world it is gone.
    let _ = scene.client.delete("/node", None).await;
    Some(())
}
