//! Task assignment: a controller gives tasks to agents by changing nodes; agents react.
//!
//! Layout below `<root>`: `agents/<agent>`, ephemeral, who is there ([`Group`]); `tasks/<agent>/<task>`, persistent, what it has to do;
//! `results/<task>`, persistent, what came of it. A task is moved, and a result put in its place, in one transaction, which never
//! leaves it with two agents or none. `receipts/<hex>`, ephemeral, stands beside a task that is being given, so that it is given once: the
//! answer may be lost, and the task finished before anybody looks.
//!
//! An agent that is cut off may still work on a task that was given to another: what it does outside has to be guarded by its
//! own means, such as the token of its membership.

use super::barrier::create_if_missing;
use super::directory::Directory;
use super::group::Group;
use super::kit::{Backoff, Receipt, children_or_none, join, patiently};
use super::leader::Leadership;
use super::persistent::Kept;
use crate::client::{Client, CreateMode, Error, ErrorCode, Result, Transaction};

/// A set of agents and their tasks. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::assignment::Assignments, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let assignments = Assignments::new(client, "/system");
/// let presence = assignments.register("agent-1", "2 cores");
/// presence.there().await?;
/// let tasks = assignments.tasks("agent-1").await?;
/// assignments.assign("agent-1", "send-mail", b"to everybody").await?;
/// let list = tasks.until(|list| !list.is_empty()).await.unwrap();
/// assignments.finish("agent-1", &list[0].name, b"done").await?;
/// assert_eq!(assignments.result("send-mail").await?.as_deref(), Some(&b"done"[..]));
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Assignments {
    client: Client,
    root: String,
    controller: Option<Leadership>,
}

impl Assignments {
    /// Agents and tasks below `root`.
    #[must_use]
    pub fn new(client: &Client, root: &str) -> Self {
        Self { client: client.clone(), root: root.to_owned(), controller: None }
    }

    /// For a controller that was elected: what it assigns and moves happens only as long as it leads.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::{assignment::Assignments, latch::LeaderLatch};
    ///
    /// let candidate = LeaderLatch::new(&client, "/controller").join();
    /// let assignments = Assignments::new(&client, "/system").led_by(candidate.leads().await?);
    /// assignments.assign("agent-1", "send-mail", b"").await?;
    /// candidate.leave().await?;
    /// // It leads no more, so it assigns no more.
    /// let late = assignments.assign("agent-1", "send-more", b"").await.unwrap_err();
    /// assert!(matches!(late.code(), ErrorCode::NoNode | ErrorCode::SessionExpired));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn led_by(mut self, leadership: Leadership) -> Self {
        self.controller = Some(leadership);
        self
    }

    /// Registers an agent, until what this answers is dropped or removed.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::assignment::Assignments;
    ///
    /// let assignments = Assignments::new(&client, "/system");
    /// let presence = assignments.register("agent-1", "2 cores");
    /// presence.there().await?;
    /// let agents = assignments.agents().await?;
    /// assert_eq!(agents.entries()[0].data, b"2 cores");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use = "dropping the registration ends it"]
    pub fn register(&self, agent: &str, data: impl Into<Vec<u8>>) -> Kept {
        self.group().join(agent, data)
    }

    /// The agents that are there, as a list that follows what happens.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::assignment::Assignments;
    ///
    /// let assignments = Assignments::new(&client, "/system");
    /// let agents = assignments.agents().await?;
    /// let presence = assignments.register("agent-1", "");
    /// let list = agents.until(|list| !list.is_empty()).await.unwrap();
    /// assert_eq!(list[0].name, "agent-1");
    /// # drop(presence);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn agents(&self) -> Result<Directory> {
        self.group().members().await
    }

    /// The tasks of an agent, as a list that follows what happens.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::assignment::Assignments;
    ///
    /// let assignments = Assignments::new(&client, "/system");
    /// let tasks = assignments.tasks("agent-1").await?;
    /// assignments.assign("agent-1", "send-mail", b"to everybody").await?;
    /// let list = tasks.until(|list| !list.is_empty()).await.unwrap();
    /// assert_eq!((list[0].name.as_str(), list[0].data.as_slice()), ("send-mail", &b"to everybody"[..]));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn tasks(&self, agent: &str) -> Result<Directory> {
        Directory::follow(&self.client, &self.tasks_of(agent), |_| true).await
    }

    /// Gives a task to an agent, once. That it has it already is fine.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::assignment::Assignments;
    ///
    /// let assignments = Assignments::new(&client, "/system");
    /// assignments.assign("agent-1", "send-mail", b"to everybody").await?;
    /// assignments.assign("agent-1", "send-mail", b"to everybody").await?;
    /// assert_eq!(assignments.tasks("agent-1").await?.entries().len(), 1);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode` for [part](Error::part) 0 when the controller leads no more; or the server refuses. The outcome is unknown only when the session
    /// ends meanwhile.
    pub async fn assign(&self, agent: &str, task: &str, data: &[u8]) -> Result<()> {
        let node = join(&self.tasks_of(agent), task);
        let receipt = Receipt::new(&self.client, &join(&self.root, RECEIPTS));
        let assign = || self.guarded().create(node.as_str(), data, CreateMode::Persistent);
        let place = Some(assign().len() - 1);
        self.in_directory(agent, place, async || match receipt.carry_out(assign).await {
            Err(error) if error.code() == ErrorCode::NodeExists => Ok(()),
            outcome => outcome.map(drop),
        })
        .await
    }

    /// Takes a task from an agent. That it does not have it is fine.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::assignment::Assignments;
    ///
    /// let assignments = Assignments::new(&client, "/system");
    /// assignments.assign("agent-1", "send-mail", b"").await?;
    /// assignments.withdraw("agent-1", "send-mail").await?;
    /// assignments.withdraw("agent-1", "send-mail").await?;
    /// assert!(assignments.tasks("agent-1").await?.entries().is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`assign`](Self::assign).
    pub async fn withdraw(&self, agent: &str, task: &str) -> Result<()> {
        let node = join(&self.tasks_of(agent), task);
        match patiently(|| self.guarded().delete(node.as_str(), None).commit()).await {
            Err(error) if self.is_about_tasks(&error, ErrorCode::NoNode) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Gives all tasks of an agent, such as one that has died, to others: `choose` says to whom each goes. Answers how many have
    /// moved.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::assignment::Assignments;
    ///
    /// let assignments = Assignments::new(&client, "/system");
    /// assignments.assign("agent-1", "send-mail", b"").await?;
    /// // The agent has died; another takes what it had.
    /// assert_eq!(assignments.reassign("agent-1", |_task| "agent-2".to_owned()).await?, 1);
    /// assert_eq!(assignments.tasks("agent-2").await?.entries()[0].name, "send-mail");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`assign`](Self::assign); what has moved by then stays moved.
    pub async fn reassign(
        &self,
        agent: &str,
        mut choose: impl FnMut(&str) -> String,
    ) -> Result<usize> {
        let mut moved = 0;
        for task in children_or_none(&self.client, &self.tasks_of(agent)).await? {
            let from = join(&self.tasks_of(agent), &task);
            let (data, stat) = match patiently(|| self.client.get(&from)).await {
                Err(error) if error.code() == ErrorCode::NoNode => continue,
                found => found?,
            };
            let other = choose(&task);
            let to = join(&self.tasks_of(&other), &task);
            let attempt = || {
                self.guarded().delete(from.as_str(), Some(stat.version)).create(
                    to.as_str(),
                    data.as_slice(),
                    CreateMode::Persistent,
                )
            };
            let place = Some(attempt().len() - 1);
            // It may be said again: what has gone from here does not go twice.
            let write = || patiently(|| attempt().commit());
            match self.in_directory(&other, place, write).await {
                Ok(_) => moved += 1,
                // The agent has finished it, or a lost answer had moved it.
                Err(error) if self.is_about_tasks(&error, ErrorCode::NoNode) => {
                    let arrived = patiently(|| self.client.exists(&to)).await?;
                    moved += usize::from(arrived.is_some());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(moved)
    }

    /// An agent's report that a task is done: the task goes, and its result comes, in one transaction.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::assignment::Assignments;
    ///
    /// let assignments = Assignments::new(&client, "/system");
    /// assignments.assign("agent-1", "send-mail", b"").await?;
    /// assignments.finish("agent-1", "send-mail", b"done").await?;
    /// // Nobody reports what is not its own.
    /// let again = assignments.finish("agent-1", "send-mail", b"done").await;
    /// assert_eq!(again.unwrap_err().code(), ErrorCode::NoNode);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode` when the task is not the agent's any more; or the server refuses.
    pub async fn finish(&self, agent: &str, task: &str, result: &[u8]) -> Result<()> {
        let results = join(&self.root, RESULTS);
        let (node, outcome) = (join(&self.tasks_of(agent), task), join(&results, task));
        let mut lost = false;
        let mut backoff = Backoff::default();
        loop {
            let finish = self.client.multi().delete(node.as_str(), None).create(
                outcome.as_str(),
                result,
                CreateMode::Persistent,
            );
            match finish.commit().await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_connection_loss() => lost = true,
                Err(error) if (error.code(), error.part()) == (ErrorCode::NoNode, Some(1)) => {
                    create_if_missing(&self.client, &results).await?;
                }
                // Of an earlier task of the same name.
                Err(error) if (error.code(), error.part()) == (ErrorCode::NodeExists, Some(1)) => {
                    super::kit::delete_if_there(&self.client, &outcome).await?;
                    backoff.pause(&self.client).await;
                }
                Err(error) if lost && error.code() == ErrorCode::NoNode => {
                    return match self.result(task).await? {
                        Some(found) if found == result => Ok(()),
                        _ => Err(error),
                    };
                }
                Err(error) if lost => return Err(error.with_outcome_unknown()),
                Err(error) => return Err(error),
            }
        }
    }

    /// The result of a task that is done.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::assignment::Assignments;
    ///
    /// let assignments = Assignments::new(&client, "/system");
    /// assert!(assignments.result("send-mail").await?.is_none());
    /// assignments.assign("agent-1", "send-mail", b"").await?;
    /// assignments.finish("agent-1", "send-mail", b"12 sent").await?;
    /// assert_eq!(assignments.result("send-mail").await?.unwrap(), b"12 sent");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn result(&self, task: &str) -> Result<Option<Vec<u8>>> {
        let node = join(&join(&self.root, RESULTS), task);
        match patiently(|| self.client.get(&node)).await {
            Ok((data, _)) => Ok(Some(data)),
            Err(error) if error.code() == ErrorCode::NoNode => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The results, as a list that follows what happens.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::assignment::Assignments;
    ///
    /// let assignments = Assignments::new(&client, "/system");
    /// let results = assignments.results().await?;
    /// assignments.assign("agent-1", "send-mail", b"").await?;
    /// assignments.finish("agent-1", "send-mail", b"12 sent").await?;
    /// let list = results.until(|list| !list.is_empty()).await.unwrap();
    /// assert_eq!(list[0].data, b"12 sent");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn results(&self) -> Result<Directory> {
        Directory::follow(&self.client, &join(&self.root, RESULTS), |_| true).await
    }

    /// Carries out a write that creates a task of `agent` with one of its parts; the directory may be missing.
    async fn in_directory<T, F: Future<Output = Result<T>>>(
        &self,
        agent: &str,
        place: Option<usize>,
        write: impl Fn() -> F,
    ) -> Result<T> {
        for _ in 0..MAX_TRIES {
            match write().await {
                Err(error) if (error.code(), error.part()) == (ErrorCode::NoNode, place) => {
                    create_if_missing(&self.client, &self.tasks_of(agent)).await?;
                }
                outcome => return outcome,
            }
        }
        Err(Error::new(ErrorCode::NoNode, "assign", self.tasks_of(agent))
            .with_detail("somebody deletes the directory as fast as it is made"))
    }

    /// Whether an error is not about the controller's leadership.
    fn is_about_tasks(&self, error: &Error, code: ErrorCode) -> bool {
        let first_task = usize::from(self.controller.is_some());
        error.code() == code && error.part().is_some_and(|part| part >= first_task)
    }

    fn guarded(&self) -> Transaction {
        self.controller.as_ref().map_or_else(|| self.client.multi(), Leadership::guarded)
    }

    fn group(&self) -> Group {
        Group::new(&self.client, &join(&self.root, AGENTS))
    }

    fn tasks_of(&self, agent: &str) -> String {
        join(&join(&self.root, TASKS), agent)
    }
}

const AGENTS: &str = "agents";
const TASKS: &str = "tasks";
const RESULTS: &str = "results";
const RECEIPTS: &str = "receipts";
/// How often a directory may vanish between its creation and its use.
const MAX_TRIES: usize = 20;
