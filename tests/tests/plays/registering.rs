//! What processes register, and others follow: members of parties, providers in Dubbo's registry, progress. In the end everybody sees
//! exactly what there is.

use super::views::insist;
use super::{enough, is_of_the_world, leaves_nothing, perform};
use quorate::client::{Result, Task, within};
use quorate::recipes::directory::Directory;
use quorate::recipes::dubbo::{self, Registry, Subscription, Url};
use quorate::recipes::group::{Group, Style};
use quorate::recipes::persistent::Kept;
use quorate::recipes::progress::{Board, Progress, Report, Reporter};
use quorate_tests::sim::env::Checked;
use quorate_tests::sim::history::History;
use quorate_tests::sim::stage::{Part, Play};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// How something is registered and followed.
trait Roll: Send + Sync + 'static {
    /// Being registered. Dropping it ends that.
    type Entry: Send;
    /// What is followed.
    type View: Send;

    fn new(part: &Part) -> Self;
    fn register(&self, part: &Part) -> impl Future<Output = Result<Self::Entry>> + Send;
    fn follow(&self) -> impl Future<Output = Result<Self::View>> + Send;
    /// Says something new about itself.
    fn change(&self, _part: &Part, _entry: &Self::Entry) {}
    /// Ends it, and waits until it has.
    fn end(&self, entry: Self::Entry) -> impl Future<Output = Result<()>> + Send;
    /// The numbers of those that are seen, sorted, when they have changed.
    fn seen(view: &mut Self::View) -> impl Future<Output = Result<Vec<usize>>> + Send;
}

/// The play.
struct Registering<R> {
    content: Arc<AtomicUsize>,
    /// Entries that were made.
    made: Arc<AtomicU64>,
    roll: PhantomData<fn() -> R>,
}

impl<R> Default for Registering<R> {
    fn default() -> Self {
        Self { content: Arc::default(), made: Arc::default(), roll: PhantomData }
    }
}

impl<R: Roll> Play for Registering<R> {
    fn processes(&self) -> usize {
        ALL.len()
    }

    fn part(&self, part: Part) -> Task {
        let (content, made) = (Arc::clone(&self.content), Arc::clone(&self.made));
        Box::pin(async move {
            let roll = R::new(&part);
            let Some(mut view) = insist(&part, || roll.follow()).await else { return };
            let mut entry = None;
            while !part.is_over() {
                let polls = if part.below(3) == 0 { part.below(20) } else { u64::MAX };
                let result = match (part.below(4), entry.take()) {
                    (0, Some(own)) => part.cut_short(polls, roll.end(own)).await.unwrap_or(Ok(())),
                    (1, Some(_)) => Ok(()),
                    (_, Some(own)) => {
                        roll.change(&part, &own);
                        entry = Some(own);
                        Ok(())
                    }
                    (_, None) => match part.cut_short(polls, roll.register(&part)).await {
                        Some(Ok(own)) => {
                            entry = Some(own);
                            made.fetch_add(1, Relaxed);
                            Ok(())
                        }
                        Some(Err(error)) => Err(error),
                        None => Ok(()),
                    },
                };
                if let Err(error) = result
                    && !is_of_the_world(&error)
                {
                    part.fail(error.to_string());
                }
                part.client.sleep(Duration::from_millis(part.below(500))).await;
            }
            let own = match entry {
                Some(own) => own,
                None => {
                    let Some(own) = insist(&part, || roll.register(&part)).await else { return };
                    own
                }
            };
            let everybody = async {
                loop {
                    match R::seen(&mut view).await {
                        Ok(numbers) if numbers == ALL => return,
                        Ok(_) => {}
                        Err(error) => part.fail(error.to_string()),
                    }
                }
            };
            let environment = Arc::clone(part.client.environment());
            if within(&*environment, Duration::from_secs(120), everybody).await.is_none() {
                part.fail("not everybody is seen, or somebody twice");
            }
            content.fetch_add(1, Relaxed);
            while content.load(Relaxed) < ALL.len() {
                part.client.sleep(Duration::from_millis(50)).await;
            }
            drop((own, view));
            leaves_nothing(&part).await;
        })
    }

    fn check(&self, _: &History) -> Checked {
        Ok(())
    }
}

/// kazoo's parties.
struct Party<const SHALLOW: bool>(Group);

impl<const SHALLOW: bool> Roll for Party<SHALLOW> {
    type Entry = Kept;
    type View = (Group, Directory, bool);

    fn new(part: &Part) -> Self {
        let style = if SHALLOW { Style::Shallow } else { Style::Party };
        Self(Group::new(&part.client, "/party").style(style))
    }

    async fn register(&self, part: &Part) -> Result<Kept> {
        let kept = self.0.join(&part.number.to_string(), "");
        kept.there().await?;
        Ok(kept)
    }

    async fn follow(&self) -> Result<Self::View> {
        Ok((self.0.clone(), self.0.members().await?, false))
    }

    async fn end(&self, entry: Kept) -> Result<()> {
        entry.remove().await
    }

    async fn seen((group, directory, looked): &mut Self::View) -> Result<Vec<usize>> {
        // The list that there is, and then each change of it.
        if std::mem::replace(looked, true) {
            directory.changes().await;
        }
        Ok(numbers(directory.entries().iter().map(|entry| group.id(entry))))
    }
}

/// Providers of a service, in Dubbo's registry.
struct Dubbo(Registry);

impl Roll for Dubbo {
    type Entry = dubbo::Registration;
    type View = Subscription;

    fn new(part: &Part) -> Self {
        Self(Registry::new(&part.client, "/dubbo"))
    }

    async fn register(&self, part: &Part) -> Result<dubbo::Registration> {
        let url = format!("dubbo://10.0.0.{}:20880/org.example.Greeter", part.number);
        self.0.register(&Url::parse(&url).unwrap()).await
    }

    async fn follow(&self) -> Result<Subscription> {
        let consumer = Url::parse("consumer://10.0.0.9/org.example.Greeter").unwrap();
        self.0.subscribe(&consumer).await
    }

    async fn end(&self, entry: dubbo::Registration) -> Result<()> {
        entry.unregister().await;
        Ok(())
    }

    async fn seen(view: &mut Subscription) -> Result<Vec<usize>> {
        let notice = view.next().await?;
        let hosts = notice.urls.iter().filter(|url| url.protocol.as_deref() == Some("dubbo"));
        let last = |url: &Url| {
            url.host.as_deref().and_then(|host| host.rsplit('.').next()).map(str::to_owned)
        };
        Ok(numbers(hosts.filter_map(last)))
    }
}

/// Workers that say how far they are.
struct Working(Progress);

impl Roll for Working {
    type Entry = Reporter;
    type View = (Board, bool);

    fn new(part: &Part) -> Self {
        Self(Progress::new(&part.client, "/progress"))
    }

    async fn register(&self, part: &Part) -> Result<Reporter> {
        let reporter = self.0.report_as(&part.number.to_string(), &Report::new(0, 100));
        reporter.kept().there().await?;
        Ok(reporter)
    }

    async fn follow(&self) -> Result<Self::View> {
        Ok((self.0.watch().await?, false))
    }

    fn change(&self, part: &Part, entry: &Reporter) {
        entry.report(&Report::new(part.below(100), 100).remark("on it"));
    }

    async fn end(&self, entry: Reporter) -> Result<()> {
        entry.end().await
    }

    async fn seen((board, looked): &mut Self::View) -> Result<Vec<usize>> {
        let mut first = !std::mem::replace(looked, true);
        // The second time this is asked the reports have changed.
        let reports = board.until(|_| std::mem::replace(&mut first, true)).await;
        Ok(numbers(reports.unwrap_or_default().into_iter().map(|(worker, _)| worker)))
    }
}

fn numbers(texts: impl Iterator<Item = String>) -> Vec<usize> {
    let mut numbers: Vec<usize> = texts.filter_map(|text| text.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

fn perform_registering<R: Roll>() {
    let plays = perform::<Registering<R>>(24).unwrap_or_else(|failure| panic!("{failure}"));
    let made: u64 = plays.iter().map(|play| play.made.load(Relaxed)).sum();
    enough("made", made, 100);
}

#[test]
fn a_party_has_exactly_its_members() {
    perform_registering::<Party<false>>();
}

#[test]
fn a_shallow_party_has_exactly_its_members() {
    perform_registering::<Party<true>>();
}

#[test]
fn dubbos_registry_has_exactly_its_providers() {
    perform_registering::<Dubbo>();
}

#[test]
fn progress_is_seen_of_exactly_those_who_work() {
    perform_registering::<Working>();
}

const ALL: [usize; 3] = [0, 1, 2];
