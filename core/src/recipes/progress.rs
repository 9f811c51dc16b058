//! Progress reporting: workers say how far they have come, a controller sees it live, and it vanishes with the worker.
//!
//! Layout: `<task>/<worker>`, ephemeral, data = `<done>/<total>` in decimal digits, then a space and a remark if there is one.
//! Underneath are a [`PersistentNode`] for each worker and one [`Directory`] for the controller.

use super::directory::{Directory, Entry};
use super::kit::{Live, join};
use super::persistent::{Kept, PersistentNode};
use crate::client::{Client, Result};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The progress of one task. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::progress::{Progress, Report}, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let progress = Progress::new(client, "/progress/import");
/// let board = progress.watch().await?;
/// let reporter = progress.report_as("worker-1", &Report::new(0, 100));
/// reporter.report(&Report::new(40, 100).remark("reading"));
/// let seen = board.until(|reports| reports.iter().any(|(_, report)| report.done == 40)).await.unwrap();
/// assert_eq!(seen[0].1.to_string(), "40/100 reading");
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Progress {
    client: Client,
    task: String,
}

/// How far a worker has come.
///
/// ```
/// use quorate::recipes::progress::Report;
///
/// let report = Report::new(40, 100).remark("reading");
/// assert_eq!("40/100 reading".parse(), Ok(report));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Units that are done.
    pub done: u64,
    /// Units that there are.
    pub total: u64,
    /// What else there is to say.
    pub remark: String,
}

/// A worker's end. Dropping it removes its report.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::progress::{Progress, Report};
///
/// let progress = Progress::new(&client, "/progress");
/// let reporter = progress.report_as("worker-1", &Report::new(0, 10));
/// reporter.kept().there().await?;
/// reporter.report(&Report::new(10, 10));
/// reporter.end().await?;
/// assert!(progress.watch().await?.reports().is_empty());
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Reporter {
    kept: Kept,
}

/// The controller's end: all reports of the task.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::progress::{Progress, Report};
///
/// let progress = Progress::new(&client, "/progress");
/// let board = progress.watch().await?;
/// let reporter = progress.report_as("worker-1", &Report::new(3, 10));
/// let seen = board.until(|reports| !reports.is_empty()).await.unwrap();
/// assert_eq!((seen[0].0.as_str(), seen[0].1.done), ("worker-1", 3));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Board {
    directory: Directory,
}

impl Progress {
    /// The progress of the task at `task`.
    #[must_use]
    pub fn new(client: &Client, task: &str) -> Self {
        Self { client: client.clone(), task: task.to_owned() }
    }

    /// Reports under this name, beginning with `report`.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::progress::{Progress, Report};
    ///
    /// let progress = Progress::new(&client, "/import");
    /// let reporter = progress.report_as("worker-1", &Report::new(0, 100));
    /// let board = progress.watch().await?;
    /// board.until(|reports| !reports.is_empty()).await;
    /// assert_eq!(board.reports(), [("worker-1".to_owned(), Report::new(0, 100))]);
    /// # drop(reporter);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use = "dropping the reporter removes the report"]
    pub fn report_as(&self, worker: &str, report: &Report) -> Reporter {
        let node = PersistentNode::new(&self.client, &join(&self.task, worker));
        Reporter { kept: node.data(report.to_string()).keep() }
    }

    /// Watches all reports.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::progress::{Progress, Report};
    ///
    /// let progress = Progress::new(&client, "/import");
    /// let board = progress.watch().await?;
    /// assert!(board.reports().is_empty());
    /// let reporter = progress.report_as("worker-1", &Report::new(0, 100));
    /// assert!(board.until(|reports| reports.len() == 1).await.is_some());
    /// assert_eq!(board.lists().get()[0].name, "worker-1");
    /// # drop(reporter);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn watch(&self) -> Result<Board> {
        Ok(Board { directory: Directory::follow(&self.client, &self.task, |_| true).await? })
    }
}

impl Reporter {
    /// Says how far it has come, in the background: of reports in quick succession only the last one may be written.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::progress::{Progress, Report};
    ///
    /// let progress = Progress::new(&client, "/import");
    /// let reporter = progress.report_as("worker-1", &Report::new(0, 3));
    /// for done in 1..=3 {
    ///     reporter.report(&Report::new(done, 3));
    /// }
    /// let board = progress.watch().await?;
    /// assert!(board.until(|reports| reports.iter().any(|(_, report)| report.done == 3)).await.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn report(&self, report: &Report) {
        self.kept.set(report.to_string());
    }

    /// The node behind it.
    #[must_use]
    pub const fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Removes the report, and waits for that.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::progress::{Progress, Report};
    ///
    /// let progress = Progress::new(&client, "/import");
    /// let reporter = progress.report_as("worker-1", &Report::new(3, 3));
    /// reporter.end().await?;
    /// assert!(progress.watch().await?.reports().is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn end(self) -> Result<()> {
        self.kept.remove().await
    }
}

impl Board {
    /// The reports, by worker. What is no report is left out.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::progress::{Progress, Report};
    ///
    /// let progress = Progress::new(&client, "/import");
    /// let reporter = progress.report_as("worker-1", &Report::new(40, 100));
    /// reporter.kept().there().await?;
    /// let board = progress.watch().await?;
    /// assert_eq!(board.reports(), [("worker-1".to_owned(), Report::new(40, 100))]);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn reports(&self) -> Vec<(String, Report)> {
        reports(&self.directory.entries())
    }

    /// Waits until `condition` holds of the reports. `None` when the client has ended.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::progress::{Progress, Report};
    ///
    /// let progress = Progress::new(&client, "/import");
    /// let board = progress.watch().await?;
    /// let reporter = progress.report_as("worker-1", &Report::new(40, 100));
    /// let all = |reports: &[(String, Report)]| reports.iter().map(|(_, report)| report.done).sum::<u64>();
    /// assert!(board.until(|reports| all(reports) >= 40).await.is_some());
    /// # drop(reporter);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn until(
        &self,
        mut condition: impl FnMut(&[(String, Report)]) -> bool,
    ) -> Option<Vec<(String, Report)>> {
        let entries = self.directory.until(|entries| condition(&reports(entries))).await?;
        Some(reports(&entries))
    }

    /// The nodes behind the reports, as a stream of lists.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::progress::{Progress, Report};
    ///
    /// let progress = Progress::new(&client, "/import");
    /// let reporter = progress.report_as("worker-1", &Report::new(40, 100));
    /// reporter.kept().there().await?;
    /// // With the time of the last report, in the server's ms since 1970.
    /// let nodes = progress.watch().await?.lists().get();
    /// assert!(nodes[0].stat.mtime > 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn lists(&self) -> Live<Arc<Vec<Entry>>> {
        self.directory.lists()
    }
}

fn reports(entries: &[Entry]) -> Vec<(String, Report)> {
    let read = |entry: &Entry| std::str::from_utf8(&entry.data).ok()?.parse().ok();
    entries.iter().filter_map(|entry| Some((entry.name.clone(), read(entry)?))).collect()
}

impl Report {
    /// So many of so many.
    #[must_use]
    pub const fn new(done: u64, total: u64) -> Self {
        Self { done, total, remark: String::new() }
    }

    /// With a remark.
    #[must_use]
    pub fn remark(mut self, remark: impl Into<String>) -> Self {
        self.remark = remark.into();
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.done, self.total)?;
        if self.remark.is_empty() { Ok(()) } else { write!(f, " {}", self.remark) }
    }
}

/// A text that is no report.
///
/// ```
/// use quorate::recipes::progress::Report;
///
/// assert!("half".parse::<Report>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a report is `<done>/<total>`, and a remark after a space")]
pub struct NoReport;

impl FromStr for Report {
    type Err = NoReport;

    fn from_str(text: &str) -> std::result::Result<Self, NoReport> {
        let (numbers, remark) = text.split_once(' ').unwrap_or((text, ""));
        let (done, total) = numbers.split_once('/').ok_or(NoReport)?;
        let number = |digits: &str| digits.parse().map_err(|_| NoReport);
        Ok(Self { done: number(done)?, total: number(total)?, remark: remark.to_owned() })
    }
}
