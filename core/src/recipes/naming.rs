//! Naming: ids that nobody else gets.
//!
//! Two kinds. The textbook's: a persistent sequential node `<path>/<prefix>N10`, whose name is the id, such as
//! `type-job-0000000003`; one that is not kept as a register has an id of its own before that, by which it is found again and removed. Its number starts again when the directory is deleted and made anew, so the directory is persistent, and must not be
//! deleted. The sortable kind takes the transaction that created a node, `<prefix><zxid, 16 hex digits>`: it grows over the whole
//! ensemble, and never repeats, also when the directory was recreated.

use super::barrier::create_if_missing;
use super::kit::{Backoff, Claim, Kind, Passing, join, name_of};
use super::layout::protected::{Id, Style};
use super::layout::sequence;
use crate::client::{Client, CreateMode, Created, Error, ErrorCode, Result};

/// Gives out ids. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::naming::Naming, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let naming = Naming::new(client, "/jobs", "type-job-");
/// assert_eq!(naming.unique().await?, "type-job-0000000000");
/// assert_eq!(naming.unique().await?, "type-job-0000000001");
/// let (first, second) = (naming.sortable().await?, naming.sortable().await?);
/// assert!(first < second && first.len() == "type-job-".len() + 16);
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Naming {
    client: Client,
    path: String,
    prefix: String,
    registers: bool,
}

impl Naming {
    /// Ids that begin with `prefix`, from the counter of the directory `path`.
    #[must_use]
    pub fn new(client: &Client, path: &str, prefix: &str) -> Self {
        let (client, path, prefix) = (client.clone(), path.to_owned(), prefix.to_owned());
        Self { client, path, prefix, registers: false }
    }

    /// Leaves the node of each [`unique`](Self::unique) id in place, as a register of all that were given out. Otherwise it is removed at once.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::naming::Naming;
    ///
    /// let naming = Naming::new(&client, "/jobs", "job-").registers();
    /// let id = naming.unique().await?;
    /// assert!(client.exists(&format!("/jobs/{id}")).await?.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub const fn registers(mut self) -> Self {
        self.registers = true;
        self
    }

    /// An id that is unique as long as the directory is not deleted, and later than those before. Numbers may be left out, as when
    /// the future is dropped or another uses the directory. A register keeps the id also when its answer was lost.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::naming::Naming;
    ///
    /// let naming = Naming::new(&client, "/jobs", "job-");
    /// let (first, second) = (naming.unique().await?, naming.unique().await?);
    /// assert_eq!((first.as_str(), second.as_str()), ("job-0000000000", "job-0000000001"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the session is lost, or the server refuses; also when the counter is used up, after 2^31 ids.
    pub async fn unique(&self) -> Result<String> {
        if self.registers {
            let created = self.register().await?;
            let name = name_of(&created.path);
            if sequence::after(name, &self.prefix).is_none_or(|number| !number.orders()) {
                drop(self.client.delete(&created.path, None));
                return Err(used_up(&created.path));
            }
            return Ok(name.to_owned());
        }
        // Found again after a lost answer, and removed whatever happens: nobody waits for that.
        let stems = |id: Id| vec![format!("{}{}", id.prefix(Style::Curator), self.prefix)];
        let claim =
            Claim::create_for_good(&self.client, &self.path, stems, Kind::Sequential).await?;
        let path = claim.path();
        let number = sequence::after(name_of(&path), &format!("-{}", self.prefix));
        match number.filter(|number| number.orders()) {
            Some(number) => Ok(format!("{}{number}", self.prefix)),
            None => Err(used_up(&path)),
        }
    }

    /// An id that never repeats and sorts, as text, after all that were given out before, anywhere in the ensemble.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::naming::Naming;
    ///
    /// let (jobs, mails) = (Naming::new(&client, "/jobs", ""), Naming::new(&client, "/mails", ""));
    /// // In one order, wherever they come from.
    /// assert!(jobs.sortable().await? < mails.sortable().await?);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the session is lost, or the server refuses.
    pub async fn sortable(&self) -> Result<String> {
        let mut backoff = Backoff::default();
        loop {
            // Only the transaction counts. The name is one that is found again, so that nothing stays after a lost answer.
            let node = Passing::new(&self.client, &self.path, &self.prefix);
            match self.client.create(node.path(), b"", CreateMode::Ephemeral).await {
                Err(error) if error.code() == ErrorCode::NoNode => {
                    create_if_missing(&self.client, &self.path).await?;
                }
                Err(error) if error.is_connection_loss() => backoff.pause(&self.client).await,
                created => return Ok(format!("{}{:016x}", self.prefix, created?.stat.czxid)),
            }
        }
    }

    /// Creates a node that stays. After a lost answer another one: that leaves a gap, not a double.
    async fn register(&self) -> Result<Created> {
        let stem = join(&self.path, &self.prefix);
        let mut backoff = Backoff::default();
        loop {
            match self.client.create(&stem, b"", CreateMode::PersistentSequential).await {
                Err(error) if error.code() == ErrorCode::NoNode => {
                    create_if_missing(&self.client, &self.path).await?;
                }
                Err(error) if error.is_connection_loss() => backoff.pause(&self.client).await,
                created => return created,
            }
        }
    }
}

/// The last number is given out again and again; a negative one would sort before, and look like another prefix.
fn used_up(path: &str) -> Error {
    Error::new(ErrorCode::SystemError, "naming", path)
        .with_detail("the directory's counter is used up: take another directory")
}
