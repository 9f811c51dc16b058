//! What is kept, said and followed: members, reports, tasks, values, caches.

use crate::drills;
use crate::scene::{Scene, nobody};
use quorate::client::{Client, CreateMode, ErrorCode, Result, WatchMode, within};
use quorate::recipes::assignment::Assignments;
use quorate::recipes::cache::{Builder, Cache};
use quorate::recipes::group::{Group, Style};
use quorate::recipes::kit::patiently;
use quorate::recipes::persistent::{PersistentNode, TtlNode};
use quorate::recipes::progress::{Progress, Report};
use quorate::recipes::staged::StagedConfig;
use quorate::recipes::value::SharedValue;
use std::time::Duration;

drills![
    a_member: nobody, joins::<false>, is_the_only_member::<false>;
    a_member_of_a_party: nobody, joins::<true>, is_the_only_member::<true>;
    a_list_of_members: joins_later, follows_members, is_the_only_member::<false>;
    a_node_that_is_kept: nobody, keeps, keeps_again;
    a_node_with_a_time_to_live: nobody, touches, touches_again;
    a_report: nobody, reports, sees_no_report;
    a_board_of_reports: reports_later, reads_the_board, sees_no_report;
    a_task: nobody, assigns, finds_it_assigned;
    a_task_that_is_finished: assigned, finishes, finds_it_finished;
    a_task_that_is_moved: assigned, reassigns, finds_it_once;
    a_task_that_is_withdrawn: assigned, withdraws, finds_it_withdrawn;
    a_value: nobody, says, hears;
    a_value_that_is_followed: says_later, follows, hears;
    a_configuration: nobody, publishes, reads_a_whole;
    a_configuration_that_goes_back: has_published, goes_back, reads_a_whole;
    a_configuration_that_is_followed: publishes_later, follows_configuration, reads_a_whole;
    a_cache_of_a_node: grows_later, caches::<0>, grows_again;
    a_cache_of_children: grows_later, caches::<1>, grows_again;
    a_cache_of_a_tree: grows_later, caches::<2>, grows_again;
    plain_watches: grows_later, watches, grows_again;
];

/// What may be waited for in vain by one who has slept.
pub(crate) async fn a_while<T>(scene: &Scene, future: impl Future<Output = T>) -> Option<T> {
    within(&**scene.client.environment(), Duration::from_millis(500), future).await
}

fn group(client: &Client, party: bool) -> Group {
    Group::new(client, "/group").style(if party { Style::Party } else { Style::default() })
}

async fn joins<const PARTY: bool>(scene: Scene) -> Option<()> {
    let group = group(&scene.client, PARTY);
    let whole = async {
        let kept = group.join("host-1", "up");
        kept.there().await?;
        kept.write("busy").await?;
        kept.remove().await
    };
    scene.act(whole).await
}

async fn joins_later(scene: Scene) -> Option<()> {
    scene.pause().await;
    let kept = group(&scene.client, false).join("host-2", "up");
    scene.ok(kept.there().await)?;
    scene.client.sleep(Duration::from_millis(50)).await;
    scene.ok(kept.remove().await)
}

async fn follows_members(scene: Scene) -> Option<()> {
    let group = group(&scene.client, false);
    let whole = async {
        let members = group.members().await?;
        a_while(&scene, members.until(|list| list.len() == 1)).await;
        Ok(())
    };
    scene.act(whole).await
}

async fn is_the_only_member<const PARTY: bool>(scene: Scene) -> Option<()> {
    let group = group(&scene.client, PARTY);
    let kept = group.join("host-1", "up");
    scene.ok(kept.there().await)?;
    let members = scene.ok(group.members().await)?;
    if a_while(&scene, members.until(|list| list.len() == 1)).await.is_none() {
        scene.part.fail(format!("members: {:?}", members.entries()));
    }
    scene.ok(kept.remove().await)
}

async fn keeps(scene: Scene) -> Option<()> {
    let node = PersistentNode::new(&scene.client, "/hosts/host-1").data("up");
    let whole = async {
        let kept = node.keep();
        let token = kept.there().await?;
        kept.write("busy").await?;
        scene.client.delete("/hosts/host-1", None).await.or_else(gone)?;
        a_while(&scene, kept.newer_than(token)).await.transpose()?;
        kept.remove().await
    };
    scene.act_unsure(whole).await
}

fn gone(error: quorate::client::Error) -> Result<()> {
    if error.code() == ErrorCode::NoNode || error.outcome_unknown() { Ok(()) } else { Err(error) }
}

async fn keeps_again(scene: Scene) -> Option<()> {
    let kept = PersistentNode::new(&scene.client, "/hosts/host-1").keep();
    scene.ok(kept.there().await)?;
    scene.ok(kept.remove().await)
}

async fn touches(scene: Scene) -> Option<()> {
    let node = TtlNode::new(&scene.client, "/seen", Duration::from_secs(1)).data("up");
    let whole = async {
        let touching = node.keep().await?;
        touching.outcomes().next().await.unwrap_or(Ok(()))
    };
    scene.act(whole).await
}

async fn touches_again(scene: Scene) -> Option<()> {
    let node = TtlNode::new(&scene.client, "/seen", Duration::from_secs(1)).data("up");
    scene.ok(node.keep().await).map(drop)
}

fn progress(client: &Client) -> Progress {
    Progress::new(client, "/progress")
}

async fn reports(scene: Scene) -> Option<()> {
    let progress = progress(&scene.client);
    let whole = async {
        let reporter = progress.report_as("worker-1", &Report::new(0, 10));
        reporter.kept().there().await?;
        reporter.report(&Report::new(5, 10));
        reporter.end().await
    };
    scene.act(whole).await
}

async fn reports_later(scene: Scene) -> Option<()> {
    scene.pause().await;
    let reporter = progress(&scene.client).report_as("worker-2", &Report::new(0, 10));
    scene.ok(reporter.kept().there().await)?;
    scene.client.sleep(Duration::from_millis(50)).await;
    scene.ok(reporter.end().await)
}

async fn reads_the_board(scene: Scene) -> Option<()> {
    let progress = progress(&scene.client);
    let whole = async {
        let board = progress.watch().await?;
        a_while(&scene, board.until(|reports| !reports.is_empty())).await;
        Ok(())
    };
    scene.act(whole).await
}

async fn sees_no_report(scene: Scene) -> Option<()> {
    let board = scene.ok(progress(&scene.client).watch().await)?;
    if !board.reports().is_empty() {
        scene.part.fail(format!("{:?}", board.reports()));
    }
    Some(())
}

fn tasks(client: &Client) -> Assignments {
    Assignments::new(client, "/system")
}

async fn count(scene: &Scene, path: &str) -> Option<usize> {
    match scene.client.exists(&format!("/system/{path}")).await {
        Ok(found) => Some(usize::from(found.is_some())),
        Err(error) => scene.ok(Err(error)),
    }
}

async fn assigns(scene: Scene) -> Option<()> {
    let tasks = tasks(&scene.client);
    scene.act_unsure(tasks.assign("one", "task", b"work")).await
}

async fn finds_it_assigned(scene: Scene) -> Option<()> {
    let there = count(&scene, "tasks/one/task").await?;
    if !scene.may_have_happened(there) {
        scene.part.fail(format!("assigned: {there}, known: {}", scene.succeeded()));
    }
    Some(())
}

async fn assigned(scene: Scene) -> Option<()> {
    scene.ok(tasks(&scene.client).assign("one", "task", b"work").await)
}

async fn finishes(scene: Scene) -> Option<()> {
    let tasks = tasks(&scene.client);
    scene.act_unsure(tasks.finish("one", "task", b"done")).await
}

async fn finds_it_finished(scene: Scene) -> Option<()> {
    let (task, result) =
        (count(&scene, "tasks/one/task").await?, count(&scene, "results/task").await?);
    if task + result != 1 || !scene.may_have_happened(result) {
        scene.part.fail(format!("{task} tasks, {result} results, {}", scene.succeeded()));
    }
    if task == 1 {
        scene.ok(tasks(&scene.client).finish("one", "task", b"done").await)?;
    }
    Some(())
}

async fn reassigns(scene: Scene) -> Option<()> {
    let tasks = tasks(&scene.client);
    scene.act_unsure(tasks.reassign("one", |_| "two".to_owned())).await.map(drop)
}

async fn finds_it_once(scene: Scene) -> Option<()> {
    let (one, two) =
        (count(&scene, "tasks/one/task").await?, count(&scene, "tasks/two/task").await?);
    if one + two != 1 || !scene.may_have_happened(two) {
        scene.part.fail(format!("{one} with one, {two} with two, {}", scene.succeeded()));
    }
    if one == 1 {
        scene.ok(tasks(&scene.client).reassign("one", |_| "two".to_owned()).await)?;
    }
    Some(())
}

async fn withdraws(scene: Scene) -> Option<()> {
    let tasks = tasks(&scene.client);
    scene.act_unsure(tasks.withdraw("one", "task")).await
}

async fn finds_it_withdrawn(scene: Scene) -> Option<()> {
    let there = count(&scene, "tasks/one/task").await?;
    if !scene.may_have_happened(1 - there) {
        scene.part.fail(format!("there: {there}, known: {}", scene.succeeded()));
    }
    if there == 1 {
        scene.ok(tasks(&scene.client).withdraw("one", "task").await)?;
    }
    Some(())
}

fn value(client: &Client) -> SharedValue {
    SharedValue::new(client, "/value")
}

async fn says(scene: Scene) -> Option<()> {
    let value = value(&scene.client);
    let whole = async {
        value.set(b"1").await?;
        let seen = value.get().await?;
        match &seen {
            Some(seen) => value.try_set(seen, b"2").await.map(drop),
            None => Ok(()),
        }
    };
    scene.act_unsure(whole).await
}

async fn says_later(scene: Scene) -> Option<()> {
    let value = value(&scene.client);
    scene.ok(value.set(b"1").await)?;
    scene.pause().await;
    scene.ok(value.set(b"2").await).map(drop)
}

async fn follows(scene: Scene) -> Option<()> {
    let value = value(&scene.client);
    let whole = async {
        let mut subscription = value.subscribe().await?;
        while subscription.current().is_none_or(|current| current.data != b"2") {
            if a_while(&scene, subscription.changed()).await.transpose()?.is_none() {
                break;
            }
        }
        Ok(())
    };
    scene.act(whole).await
}

async fn hears(scene: Scene) -> Option<()> {
    let found = scene.ok(value(&scene.client).get().await)?;
    if scene.succeeded() && found.as_ref().is_none_or(|found| found.data != b"2") {
        scene.part.fail(format!("{found:?}"));
    }
    scene.ok(value(&scene.client).set(b"3").await).map(drop)
}

fn configuration(client: &Client) -> StagedConfig {
    StagedConfig::new(client, "/staged").keep(2)
}

const FIRST: [(&str, &str); 2] = [("host", "db1"), ("port", "1")];
const SECOND: [(&str, &str); 2] = [("host", "db2"), ("port", "2")];

async fn publishes(scene: Scene) -> Option<()> {
    let configuration = configuration(&scene.client);
    let whole = async {
        configuration.publish(FIRST).await?;
        configuration.publish(SECOND).await
    };
    scene.act_unsure(whole).await.map(drop)
}

async fn has_published(scene: Scene) -> Option<()> {
    let configuration = configuration(&scene.client);
    scene.ok(configuration.publish(FIRST).await)?;
    scene.ok(configuration.publish(SECOND).await).map(drop)
}

async fn publishes_later(scene: Scene) -> Option<()> {
    let configuration = configuration(&scene.client);
    scene.ok(configuration.publish(FIRST).await)?;
    scene.pause().await;
    scene.ok(configuration.publish(SECOND).await).map(drop)
}

async fn goes_back(scene: Scene) -> Option<()> {
    let configuration = configuration(&scene.client);
    let whole = async {
        let versions = configuration.versions().await?;
        configuration.go_back(versions[0]).await
    };
    scene.act_unsure(whole).await
}

async fn follows_configuration(scene: Scene) -> Option<()> {
    let configuration = configuration(&scene.client);
    let whole = async {
        let mut subscription = configuration.subscribe().await?;
        a_while(&scene, subscription.changed()).await.transpose().map(drop)
    };
    scene.act(whole).await
}

/// The same number everywhere, and room for the next version.
async fn reads_a_whole(scene: Scene) -> Option<()> {
    let configuration = configuration(&scene.client);
    if let Some(found) = scene.ok(configuration.get().await)? {
        let (host, port) = (found.text("host").unwrap_or(""), found.text("port").unwrap_or("-"));
        if !host.ends_with(port) {
            scene.part.fail(format!("{host} and {port}"));
        }
    } else if scene.succeeded() {
        scene.part.fail("nothing is published");
    }
    scene.ok(configuration.publish(FIRST).await)?;
    scene.ok(configuration.publish(SECOND).await).map(drop)
}

async fn grows_later(scene: Scene) -> Option<()> {
    for path in ["/tree", "/tree/a", "/tree/a/b"] {
        scene.ok(scene.client.create(path, b"1", CreateMode::Persistent).await)?;
    }
    scene.pause().await;
    scene.ok(scene.client.create("/tree/c", b"1", CreateMode::Persistent).await)?;
    scene.ok(scene.client.set("/tree", b"2", None).await).map(drop)
}

fn cache(client: &Client, depth: usize) -> Builder {
    match depth {
        0 => Cache::node(client, "/tree"),
        1 => Cache::children(client, "/tree"),
        _ => Cache::tree(client, "/tree"),
    }
}

async fn caches<const DEPTH: usize>(scene: Scene) -> Option<()> {
    let builder = cache(&scene.client, DEPTH);
    let whole = async {
        let cache = builder.start()?;
        cache.ready().await?;
        let mut changes = cache.changes();
        while a_while(&scene, changes.next()).await.flatten().is_some() {}
        cache.current().await?;
        shows_what_there_is::<DEPTH>(&scene, &cache).await
    };
    scene.act(whole).await
}

/// In the end the server itself tells its owner nothing else.
async fn shows_what_there_is<const DEPTH: usize>(scene: &Scene, cache: &Cache) -> Result<()> {
    let what_there_is = || async {
        let (data, _) = patiently(|| scene.client.get("/tree")).await?;
        let (mut names, _) = patiently(|| scene.client.children("/tree")).await?;
        names.sort();
        let mut listed = cache.names("/tree").unwrap_or_default();
        listed.sort();
        let shown = cache.get("/tree").and_then(|entry| entry.data);
        Ok(shown.as_deref() == Some(&data) && (DEPTH == 0 || listed == names))
    };
    comes_to_show(scene, what_there_is).await
}

/// Asks again for a while: what it is about may still be changing.
pub(crate) async fn comes_to_show<F: Future<Output = Result<bool>>>(
    scene: &Scene,
    what_there_is: impl Fn() -> F,
) -> Result<()> {
    for _ in 0..100 {
        if what_there_is().await? {
            return Ok(());
        }
        scene.client.sleep(Duration::from_millis(50)).await;
    }
    scene.part.fail("it does not show what there is");
    Ok(())
}

async fn grows_again(scene: Scene) -> Option<()> {
    scene.ok(scene.client.set("/tree", b"3", None).await).map(drop)
}

async fn watches(scene: Scene) -> Option<()> {
    let whole = async {
        let (_, _, watch) = scene.client.get_and_watch("/tree").await?;
        let mut watcher = scene.client.watch("/tree", WatchMode::Recursive).await?;
        a_while(&scene, watch).await;
        a_while(&scene, watcher.next()).await;
        Ok(())
    };
    // Nobody repeats what is no recipe.
    scene.act_once(whole).await
}
