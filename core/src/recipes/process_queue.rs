//! A first-in-first-out queue of processes: each takes its turn when all before it have left.
//!
//! Layout: `<path>/_c_<uuid>-<name>-N10`, ephemeral sequential; every child that ends in a number stands in the queue, so that the
//! textbook's `<path>/<host>-N10` counts too. Each watches only the nearest before it. Unlike a [`Lock`](super::lock::Lock),
//! who stands where can be seen, and a place can be kept while other things are done.

use super::kit::{
    Claim, Held, Kind, changed, children_or_none, exhausted, join, name_of, patiently,
};
use super::layout::position::{self, Position};
use super::layout::protected::{self, Style};
use super::layout::sequence::{self, Sequence};
use crate::client::{Client, Error, ErrorCode, Result};

/// A queue at a path. It is only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::process_queue::ProcessQueue, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let queue = ProcessQueue::new(client, "/printer").name("alice");
/// let place = queue.join().await?;
/// assert_eq!(place.ahead().await?, 0);
/// let turn = place.turn().await?;
/// assert_eq!(queue.members().await?[0].name, "alice");
/// turn.release().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ProcessQueue {
    client: Client,
    path: String,
    name: String,
    data: Vec<u8>,
}

/// Somebody in the queue.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::process_queue::ProcessQueue;
///
/// let queue = ProcessQueue::new(&client, "/printer").name("alice");
/// let place = queue.join().await?;
/// let members = queue.members().await?;
/// assert_eq!((members[0].name.as_str(), &members[0].path), ("alice", &place.path()));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What it calls itself.
    pub name: String,
    /// Its node.
    pub path: String,
}

/// A place in the queue. Dropping it leaves the queue.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::process_queue::ProcessQueue;
///
/// let place = ProcessQueue::new(&client, "/printer").join().await?;
/// place.wait().await?;
/// place.leave().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Place {
    claim: Claim,
}

impl ProcessQueue {
    /// The queue at `path`.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), path: path.to_owned(), name: "member".into(), data: vec![] }
    }

    /// Under this name, for others to see; the textbook has the host's. It must not contain `/`.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    /// With these bytes in the node.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::process_queue::ProcessQueue;
    ///
    /// let queue = ProcessQueue::new(&client, "/printer").name("alice").data("3 pages");
    /// let place = queue.join().await?;
    /// assert_eq!(queue.client().get(&place.path()).await?.0, b"3 pages");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Takes a place at the end of the queue.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::process_queue::ProcessQueue;
    ///
    /// let queue = ProcessQueue::new(&client, "/printer");
    /// let (first, second) = (queue.join().await?, queue.join().await?);
    /// assert_eq!((first.ahead().await?, second.ahead().await?), (0, 1));
    /// assert!(second.token() > first.token());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `SessionExpired` when the session is lost meanwhile; otherwise when the server refuses.
    pub async fn join(&self) -> Result<Place> {
        let stems =
            |id: protected::Id| vec![format!("{}{}-", id.prefix(Style::Curator), self.name)];
        Claim::create(&self.client, &self.path, stems, &self.data, Kind::Sequential)
            .await
            .map(|claim| Place { claim })
    }

    /// Takes a place and waits for the turn. When the session is lost meanwhile, the place is too: a new one is taken at the end.
    /// Cancel by dropping the future.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::process_queue::ProcessQueue;
    ///
    /// let queue = ProcessQueue::new(&client, "/printer");
    /// let first = queue.turn().await?;
    /// let token = first.token();
    /// first.release().await?;
    /// assert!(queue.turn().await?.token() > token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the client is closed, or the server refuses.
    pub async fn turn(&self) -> Result<Held> {
        loop {
            let turn = async { self.join().await?.turn().await };
            match turn.await {
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    self.client.connected().await?;
                }
                other => return other,
            }
        }
    }

    /// Who stands in the queue, first come first; the first has its turn.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::process_queue::ProcessQueue;
    ///
    /// let queue = |name| ProcessQueue::new(&client, "/printer").name(name);
    /// let (alice, bob) = (queue("alice").join().await?, queue("bob").join().await?);
    /// let names: Vec<_> = queue("").members().await?.into_iter().map(|member| member.name).collect();
    /// assert_eq!(names, ["alice", "bob"]);
    /// # drop((alice, bob));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn members(&self) -> Result<Vec<Member>> {
        let children = children_or_none(&self.client, &self.path).await?;
        let member = |node: &str| {
            let stem = sequence::split(node).map_or(node, |(stem, _)| stem);
            let name = protected::strip(stem);
            let name = name.strip_suffix('-').unwrap_or(name).to_owned();
            Member { name, path: join(&self.path, node) }
        };
        Ok(position::participants(&children, number).into_iter().map(member).collect())
    }

    /// The client.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }
}

impl Place {
    /// How many stand before this one. 0: it is its turn.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::process_queue::ProcessQueue;
    ///
    /// let queue = ProcessQueue::new(&client, "/printer");
    /// let (first, second) = (queue.join().await?, queue.join().await?);
    /// assert_eq!(second.ahead().await?, 1);
    /// first.leave().await?;
    /// assert_eq!(second.ahead().await?, 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `SessionExpired` when the place was lost with the session; `NoNode` when somebody removed it.
    pub async fn ahead(&self) -> Result<usize> {
        let (client, path) = (self.claim.client(), self.claim.path());
        let (children, _) = patiently(|| client.children(self.claim.directory())).await?;
        let queue = position::participants(&children, number);
        let mine = name_of(&path);
        self.alive()?;
        queue.iter().position(|name| *name == mine).ok_or_else(|| gone(&path))
    }

    /// Waits until it is this one's turn. Cancelling it keeps the place.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::process_queue::ProcessQueue;
    ///
    /// let place = ProcessQueue::new(&client, "/printer").join().await?;
    /// place.wait().await?;
    /// assert_eq!(place.ahead().await?, 0);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`ahead`](Self::ahead).
    pub async fn wait(&self) -> Result<()> {
        let (client, directory) = (self.claim.client(), self.claim.directory());
        loop {
            let (children, _) = patiently(|| client.children(directory)).await?;
            self.alive()?;
            match position::position(&children, &self.claim.names(), number) {
                Position::Held => return Ok(()),
                Position::Missing => return Err(gone(&self.claim.path())),
                Position::Exhausted => return Err(exhausted(directory)),
                Position::Wait(before) => {
                    changed(client, &join(directory, before)).await?;
                }
            }
        }
    }

    /// Waits for the turn and holds it: until it is released, or lost with the session.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::process_queue::ProcessQueue;
    ///
    /// let place = ProcessQueue::new(&client, "/printer").join().await?;
    /// let token = place.token();
    /// let turn = place.turn().await?;
    /// // The place is what is held.
    /// assert_eq!(turn.token(), token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`ahead`](Self::ahead). Then, and when the future is dropped, the place is given up.
    pub async fn turn(self) -> Result<Held> {
        self.wait().await?;
        Ok(Held::new(self.claim))
    }

    /// Leaves the queue.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::process_queue::ProcessQueue;
    ///
    /// let queue = ProcessQueue::new(&client, "/printer");
    /// queue.join().await?.leave().await?;
    /// assert!(queue.members().await?.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses to delete the node.
    pub async fn leave(self) -> Result<()> {
        self.claim.remove().await
    }

    /// The place's token: greater than that of everybody before it.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::process_queue::ProcessQueue;
    ///
    /// let queue = ProcessQueue::new(&client, "/printer");
    /// let (first, second) = (queue.join().await?, queue.join().await?);
    /// assert!(first.token() < second.token() && first.path() != second.path());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn token(&self) -> i64 {
        self.claim.token()
    }

    /// The path of its node.
    #[must_use]
    pub fn path(&self) -> String {
        self.claim.path()
    }

    fn alive(&self) -> Result<()> {
        if self.claim.lifetime().is_alive() {
            return Ok(());
        }
        Err(Error::new(ErrorCode::SessionExpired, "queue", self.claim.path()))
    }
}

/// The number of a member; `None` for a foreign child.
fn number(name: &str) -> Option<Sequence> {
    sequence::split(name).map(|(_, number)| number)
}

fn gone(path: &str) -> Error {
    Error::new(ErrorCode::NoNode, "queue", path).with_detail("somebody removed this place")
}
