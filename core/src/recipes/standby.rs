//! Hot and cold standby: several instances of a task, of which one runs and leaves behind how far it came.
//!
//! Layout: `<root>/<task>/instances/<host>-N10`, ephemeral sequential: the lowest runs, each other watches the one before it. The
//! persistent node `<root>/<task>/position` holds what the running instance has recorded. It is written in one transaction with a
//! check of the writer's own node, so that an instance that was replaced cannot write any more, whatever it believes.
//!
//! [`HotStandby`] waits in the line of one task: quick. [`ColdStandby`] has no place in a line; it looks at many tasks from time
//! to time and takes one that nobody runs: slower, and cheaper.

use super::kit::{Asked, Backoff, Held, Loss, children_or_none, ensure, join, patiently};
use super::layout::election::{self, INSTANCES};
use super::leader::{Layout, Leader, Queue, Turn};
use crate::client::{Client, CreateMode, Error, ErrorCode, Result, Transaction};
use std::time::Duration;

/// The instances of one task. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::standby::HotStandby, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let standby = HotStandby::new(client, "/tasks", "copy", "host-1");
/// let mut duty = standby.stand_by().await?;
/// assert_eq!(duty.position(), None);
/// duty.record(b"line 1000").await?;
/// duty.end().await?;
/// // The next one begins where the last one stopped.
/// let duty = standby.stand_by().await?;
/// assert_eq!(duty.position(), Some(&b"line 1000"[..]));
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct HotStandby {
    queue: Queue,
    task: String,
    name: String,
}

/// Tasks that anybody may run. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::{Client, CreateMode}, recipes::standby::ColdStandby, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// client.create("/tasks", b"", CreateMode::Persistent).await?;
/// client.create("/tasks/copy", b"", CreateMode::Persistent).await?;
/// let cold = ColdStandby::new(client, "/tasks", "host-1");
/// let duty = cold.scan().await?.unwrap();
/// assert_eq!(duty.task(), "copy");
/// // Everything is run by somebody now.
/// assert!(cold.scan().await?.is_none());
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ColdStandby {
    client: Client,
    root: String,
    host: String,
}

/// The running instance's part. Dropping it gives the task up in the background.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::standby::HotStandby;
///
/// let duty = HotStandby::new(&client, "/tasks", "copy", "host-1").stand_by().await?;
/// assert!(duty.is_held());
/// assert_eq!(duty.task(), "copy");
/// duty.complete().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Duty {
    held: Held,
    directory: String,
    task: String,
    position: Option<Vec<u8>>,
}

impl HotStandby {
    /// This host's instance of the task `name` below `root`.
    #[must_use]
    pub fn new(client: &Client, root: &str, name: &str, host: &str) -> Self {
        let task = join(root, name);
        let layout = Layout::Instance(host.to_owned());
        let queue = Queue::new(client, join(&task, INSTANCES), layout);
        Self { queue, task, name: name.to_owned() }
    }

    /// Waits in the line until it is this instance's turn to run. Cancel by dropping the future.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::standby::{HotStandby, POSITION};
    ///
    /// let standby = HotStandby::new(&client, "/tasks", "copy", "host-1");
    /// let mut duty = standby.stand_by().await?;
    /// duty.record(b"line 1000").await?;
    /// assert_eq!(client.get(&format!("/tasks/copy/{POSITION}")).await?.0, b"line 1000");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn stand_by(&self) -> Result<Duty> {
        loop {
            let Turn::Leads(held) = self.queue.elected(&mut Asked::never()).await? else {
                return Err(Error::new(ErrorCode::Closing, "stand by", self.task.as_str()));
            };
            match self.take_over(*held).await {
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.queue.client.connected().await?;
                }
                duty => return duty,
            }
        }
    }

    /// Runs the task if no instance does or waits to.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::standby::HotStandby;
    ///
    /// let standby = |host| HotStandby::new(&client, "/tasks", "copy", host);
    /// let duty = standby("host-1").try_run().await?.expect("nobody runs it");
    /// assert!(standby("host-2").try_run().await?.is_none());
    /// # drop(duty);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`stand_by`](Self::stand_by), and when the session ends meanwhile.
    pub async fn try_run(&self) -> Result<Option<Duty>> {
        // A look first: it costs no write where somebody runs it.
        if !self.instances().await?.is_empty() {
            return Ok(None);
        }
        match self.queue.try_elected().await? {
            Some(held) => self.take_over(held).await.map(Some),
            None => Ok(None),
        }
    }

    /// The predecessor's node is gone from this client's view, so everything it has written is in it.
    async fn take_over(&self, held: Held) -> Result<Duty> {
        let node = join(&self.task, POSITION);
        let position = match patiently(|| self.queue.client.get(&node)).await {
            Ok((data, _)) => Some(data),
            Err(error) if error.code() == ErrorCode::NoNode => None,
            Err(error) => return Err(error),
        };
        Ok(Duty { held, directory: self.task.clone(), task: self.name.clone(), position })
    }

    /// The instances, by [`Self::host`] in the order of their turns. The first one runs.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::standby::HotStandby;
    ///
    /// let standby = HotStandby::new(&client, "/tasks", "copy", "host-1");
    /// let duty = standby.stand_by().await?;
    /// let instances = standby.instances().await?;
    /// assert_eq!((instances.len(), instances[0].token), (1, duty.token()));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn instances(&self) -> Result<Vec<Leader>> {
        self.queue.participants().await
    }

    /// The host of one of the [`instances`](Self::instances).
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::standby::HotStandby;
    ///
    /// let standby = HotStandby::new(&client, "/tasks", "copy", "host-1");
    /// let duty = standby.stand_by().await?;
    /// let instances = standby.instances().await?;
    /// assert_eq!(HotStandby::host(&instances[0]), Some("host-1"));
    /// # drop(duty);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn host(instance: &Leader) -> Option<&str> {
        election::host(super::kit::name_of(&instance.path))
    }
}

impl ColdStandby {
    /// Looks at the tasks below `root`: its children.
    #[must_use]
    pub fn new(client: &Client, root: &str, host: &str) -> Self {
        Self { client: client.clone(), root: root.to_owned(), host: host.to_owned() }
    }

    /// Looks at all tasks once, from a random one on, and takes the first that nobody runs. `None` when there is none.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::standby::ColdStandby;
    ///
    /// client.create("/tasks", b"", CreateMode::Persistent).await?;
    /// let cold = ColdStandby::new(&client, "/tasks", "host-1");
    /// assert!(cold.scan().await?.is_none());
    /// client.create("/tasks/copy", b"", CreateMode::Persistent).await?;
    /// assert_eq!(cold.scan().await?.unwrap().task(), "copy");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the session ends meanwhile, or the server refuses.
    pub async fn scan(&self) -> Result<Option<Duty>> {
        let mut tasks = children_or_none(&self.client, &self.root).await?;
        tasks.sort();
        // Scanners that start together do not all fight for the same task.
        let count = u64::try_from(tasks.len()).unwrap_or(u64::MAX).max(1);
        let start = self.client.environment().random() % count;
        tasks.rotate_left(usize::try_from(start).unwrap_or(0));
        for task in &tasks {
            let duty =
                HotStandby::new(&self.client, &self.root, task, &self.host).try_run().await?;
            if duty.is_some() {
                return Ok(duty);
            }
        }
        Ok(None)
    }

    /// Scans every `interval` or so until there is a task to run.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::CreateMode;
    /// use quorate::recipes::standby::ColdStandby;
    /// use std::time::Duration;
    ///
    /// client.create("/tasks", b"", CreateMode::Persistent).await?;
    /// client.create("/tasks/copy", b"", CreateMode::Persistent).await?;
    /// let cold = ColdStandby::new(&client, "/tasks", "host-1");
    /// let duty = cold.find(Duration::from_millis(10)).await?;
    /// assert!(duty.task() == "copy" && duty.is_held());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn find(&self, interval: Duration) -> Result<Duty> {
        loop {
            match self.scan().await {
                Ok(Some(duty)) => return Ok(duty),
                Ok(None) => {}
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?;
                }
                Err(error) => return Err(error),
            }
            // Between a half and one and a half, so that scanners spread.
            let millis = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX).max(1);
            let pause = millis / 2 + self.client.environment().random() % millis;
            self.client.sleep(Duration::from_millis(pause.max(1))).await;
        }
    }
}

impl Duty {
    /// The task's name.
    #[must_use]
    pub fn task(&self) -> &str {
        &self.task
    }

    /// What was recorded last, by this instance or the one before.
    #[must_use]
    pub fn position(&self) -> Option<&[u8]> {
        self.position.as_deref()
    }

    /// Records how far the task has come. It happens only while this instance's node exists; so saying it again after a lost answer does no
    /// harm.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::ErrorCode;
    /// use quorate::recipes::standby::HotStandby;
    ///
    /// let standby = HotStandby::new(&client, "/tasks", "copy", "host-1");
    /// let mut duty = standby.stand_by().await?;
    /// duty.record(b"1").await?;
    /// assert_eq!(duty.position(), Some(&b"1"[..]));
    /// // Its node is gone: another may run by now, and nothing is written.
    /// client.delete(&standby.instances().await?[0].path, None).await?;
    /// assert_eq!(duty.record(b"2").await.unwrap_err().code(), ErrorCode::NoNode);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `NoNode` for [part](Error::part) 0 or `SessionExpired` when the task has passed to another: stop. What was recorded before stays.
    pub async fn record(&mut self, position: &[u8]) -> Result<()> {
        let node = join(&self.directory, POSITION);
        let mut backoff = Backoff::default();
        loop {
            let set = || self.held.guarded().set(node.as_str(), position, None).commit();
            let written = match patiently(set).await {
                Err(error) if (error.code(), error.part()) == (ErrorCode::NoNode, Some(1)) => {
                    ensure(self.held.client(), &self.directory).await?;
                    let mode = CreateMode::Persistent;
                    let create =
                        || self.held.guarded().create(node.as_str(), position, mode).commit();
                    patiently(create).await
                }
                other => other,
            };
            match written {
                Ok(_) => break,
                // It came or went between the two.
                Err(error) if error.part() == Some(1) && error.code() != ErrorCode::NoAuth => {
                    backoff.pause(self.held.client()).await;
                }
                Err(error) => return Err(error),
            }
        }
        self.position = Some(position.to_vec());
        Ok(())
    }

    /// A transaction that happens only while this instance runs the task.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::standby::HotStandby;
    ///
    /// let duty = HotStandby::new(&client, "/tasks", "copy", "host-1").stand_by().await?;
    /// duty.guarded().set("/", b"by who runs it", None).commit().await?;
    /// assert_eq!(client.get("/").await?.0, b"by who runs it");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn guarded(&self) -> Transaction {
        self.held.guarded()
    }

    /// The fencing token: greater than that of every earlier instance.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::standby::HotStandby;
    ///
    /// let standby = HotStandby::new(&client, "/tasks", "copy", "host-1");
    /// let first = standby.stand_by().await?;
    /// let token = first.token();
    /// first.end().await?;
    /// assert!(standby.stand_by().await?.token() > token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.held.token()
    }

    /// Whether the session lives, by the local clock.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held.is_held()
    }

    /// Waits until the task is lost.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{kit::Loss, standby::HotStandby};
    ///
    /// let duty = HotStandby::new(&client, "/tasks", "copy", "host-1").stand_by().await?;
    /// let lost = duty.lost();
    /// client.close().await?;
    /// assert_eq!(lost.await, Loss::Session);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub fn lost(&self) -> impl Future<Output = Loss> + Send + 'static {
        self.held.lost()
    }

    /// Gives the task up: the next instance takes over.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::standby::HotStandby;
    ///
    /// let standby = HotStandby::new(&client, "/tasks", "copy", "host-1");
    /// let mut duty = standby.stand_by().await?;
    /// duty.record(b"1").await?;
    /// duty.end().await?;
    /// assert_eq!(standby.stand_by().await?.position(), Some(&b"1"[..]));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn end(self) -> Result<()> {
        self.held.release().await
    }

    /// Gives the task up and forgets its position, because it is done.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::standby::HotStandby;
    ///
    /// let standby = HotStandby::new(&client, "/tasks", "copy", "host-1");
    /// let mut duty = standby.stand_by().await?;
    /// duty.record(b"1").await?;
    /// duty.complete().await?;
    /// assert_eq!(standby.stand_by().await?.position(), None);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    pub async fn complete(self) -> Result<()> {
        let node = join(&self.directory, POSITION);
        let delete = || self.held.guarded().delete(node.as_str(), None).commit();
        match patiently(delete).await {
            Err(error) if (error.code(), error.part()) == (ErrorCode::NoNode, Some(1)) => {}
            other => drop(other?),
        }
        self.held.release().await
    }
}

/// The node with the position.
pub const POSITION: &str = "position";
