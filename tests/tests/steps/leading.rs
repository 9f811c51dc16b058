//! Leaders, and tasks that one runs at a time.

use crate::drills;
use crate::scene::{Scene, nobody};
use quorate::client::{Client, Result, within};
use quorate::recipes::election::{Election, Form};
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::leader::{Candidate, Leadership, Policy};
use quorate::recipes::selector::LeaderSelector;
use quorate::recipes::standby::{ColdStandby, Duty, HotStandby};
use std::time::Duration;

drills![
    a_latch: led::<Latch>, leads::<Latch>, leads_again::<Latch>;
    a_latch_that_holds_on: led::<Patient>, leads::<Patient>, leads_again::<Patient>;
    kazoos_election: led::<Kazoo>, leads::<Kazoo>, leads_again::<Kazoo>;
    an_election_by_offers: led::<Offers>, leads::<Offers>, leads_again::<Offers>;
    an_election_by_one_node: led::<OneNode>, leads::<OneNode>, leads_again::<OneNode>;
    a_candidate_that_resigns: led::<Latch>, resigns, leads_again::<Latch>;
    a_selector: selected, is_selected, is_selected_again;
    an_observer: led::<Latch>, observes, leads_again::<Latch>;
    who_takes_part: led::<Latch>, looks_who_takes_part, leads_again::<Latch>;
    a_hot_standby: on_duty, takes_over, takes_over_again;
    a_hot_standby_that_tries: on_duty, tries_to_take_over, takes_over_again;
    a_task_that_is_completed: nobody, completes, starts_anew;
    a_cold_standby: on_duty, looks_for_a_task, looks_for_a_task_again;
];

trait Way {
    fn join(client: &Client) -> Candidate;
}

struct Latch;
struct Patient;
struct Kazoo;
struct Offers;
struct OneNode;

fn latch(client: &Client) -> LeaderLatch {
    LeaderLatch::new(client, "/latch").policy(Policy::Connection)
}

fn elect(client: &Client, form: Form) -> Candidate {
    Election::new(client, "/election", form).join()
}

impl Way for Latch {
    fn join(client: &Client) -> Candidate {
        latch(client).join()
    }
}

impl Way for Patient {
    fn join(client: &Client) -> Candidate {
        LeaderLatch::new(client, "/latch").policy(Policy::Session).join()
    }
}

impl Way for Kazoo {
    fn join(client: &Client) -> Candidate {
        elect(client, Form::Kazoo)
    }
}

impl Way for Offers {
    fn join(client: &Client) -> Candidate {
        elect(client, Form::Offer)
    }
}

impl Way for OneNode {
    fn join(client: &Client) -> Candidate {
        elect(client, Form::SingleNode)
    }
}

fn watch_over(scene: &Scene, term: &Leadership) {
    let (own, lost) = (term.clone(), Box::pin(term.lost()));
    scene.part.watch_over(term.path(), move || own.holds(), Some(lost));
}

async fn led<W: Way>(scene: Scene) -> Option<()> {
    let candidate = W::join(&scene.client);
    let term = scene.ok(candidate.leads().await)?;
    watch_over(&scene, &term);
    scene.occupy_alone();
    scene.pause().await;
    scene.vacate();
    scene.ok(candidate.leave().await)
}

async fn leads<W: Way>(scene: Scene) -> Option<()> {
    let whole = async {
        let candidate = W::join(&scene.client);
        let term = candidate.leads().await?;
        watch_over(&scene, &term);
        scene.occupy_alone();
        scene.vacate();
        candidate.leave().await
    };
    scene.act(whole).await
}

async fn leads_again<W: Way>(scene: Scene) -> Option<()> {
    let candidate = W::join(&scene.client);
    scene.ok(candidate.leads().await)?;
    scene.ok(candidate.leave().await)
}

async fn resigns(scene: Scene) -> Option<()> {
    let candidate = Latch::join(&scene.client);
    scene.client.sleep(Duration::from_millis(20)).await;
    scene.act(candidate.leave()).await
}

async fn selected(scene: Scene) -> Option<()> {
    let selector = LeaderSelector::new(&scene.client, "/selector");
    let work = |_| async {
        scene.occupy_alone();
        scene.pause().await;
        scene.vacate();
    };
    scene.ok(selector.lead(work).await).map(drop)
}

async fn is_selected(scene: Scene) -> Option<()> {
    let selector = LeaderSelector::new(&scene.client, "/selector");
    let work = |term| {
        watch_over(&scene, &term);
        scene.occupy_alone();
        scene.vacate();
        std::future::ready(())
    };
    scene.act(selector.lead(work)).await.map(drop)
}

async fn is_selected_again(scene: Scene) -> Option<()> {
    let selector = LeaderSelector::new(&scene.client, "/selector");
    scene.ok(selector.lead(|_| std::future::ready(())).await).map(drop)
}

async fn observes(scene: Scene) -> Option<()> {
    let latch = latch(&scene.client);
    let whole = async {
        let observer = latch.observe().await?;
        // Who has slept may have missed it.
        let environment = scene.client.environment();
        within(&**environment, Duration::from_secs(1), observer.newer_than(0)).await;
        Ok(())
    };
    scene.act(whole).await
}

async fn looks_who_takes_part(scene: Scene) -> Option<()> {
    let latch = latch(&scene.client);
    scene.act(latch.participants()).await.map(drop)
}

fn hot(client: &Client) -> HotStandby {
    HotStandby::new(client, "/tasks", "copy", "host")
}

async fn record(scene: &Scene, mut duty: Duty, position: &[u8]) -> Result<()> {
    let lost = duty.lost();
    scene.part.watch_over("a duty", || false, Some(Box::pin(async move { _ = lost.await })));
    duty.record(position).await?;
    duty.end().await
}

async fn on_duty(scene: Scene) -> Option<()> {
    let mut duty = scene.ok(hot(&scene.client).stand_by().await)?;
    scene.ok(duty.record(b"1").await)?;
    scene.pause().await;
    scene.ok(duty.end().await)
}

async fn takes_over(scene: Scene) -> Option<()> {
    let hot = hot(&scene.client);
    let whole = async {
        let duty = hot.stand_by().await?;
        if duty.position() != Some(b"1") {
            scene.part.fail(format!("taken over at {:?}", duty.position()));
        }
        record(&scene, duty, b"2").await
    };
    scene.act(whole).await
}

async fn tries_to_take_over(scene: Scene) -> Option<()> {
    let hot = hot(&scene.client);
    let whole = async {
        match hot.try_run().await? {
            Some(duty) => record(&scene, duty, b"2").await,
            None => Ok(()),
        }
    };
    scene.act(whole).await
}

async fn takes_over_again(scene: Scene) -> Option<()> {
    let duty = scene.ok(hot(&scene.client).stand_by().await)?;
    let positions: &[&[u8]] = if scene.succeeded() { &[b"2", b"1"] } else { &[b"1", b"2"] };
    if !duty.position().is_some_and(|position| positions.contains(&position)) {
        scene.part.fail(format!("taken over at {:?}", duty.position()));
    }
    scene.ok(duty.end().await)
}

async fn completes(scene: Scene) -> Option<()> {
    let hot = hot(&scene.client);
    let whole = async {
        let mut duty = hot.stand_by().await?;
        duty.record(b"9").await?;
        duty.complete().await
    };
    scene.act_unsure(whole).await
}

async fn starts_anew(scene: Scene) -> Option<()> {
    let duty = scene.ok(hot(&scene.client).stand_by().await)?;
    if scene.succeeded() && duty.position().is_some() {
        scene.part.fail(format!("completed, and there is {:?}", duty.position()));
    }
    scene.ok(duty.complete().await)
}

fn cold(client: &Client) -> ColdStandby {
    ColdStandby::new(client, "/tasks", "host")
}

async fn looks_for_a_task(scene: Scene) -> Option<()> {
    let cold = cold(&scene.client);
    let whole = async {
        let duty = cold.find(Duration::from_millis(30)).await?;
        record(&scene, duty, b"2").await
    };
    scene.act(whole).await
}

async fn looks_for_a_task_again(scene: Scene) -> Option<()> {
    let duty = scene.ok(cold(&scene.client).find(Duration::from_millis(30)).await)?;
    scene.ok(duty.end().await)
}
