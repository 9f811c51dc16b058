//! [`Receipt`]: proof that a transaction has happened.

use super::patience::{ensure, patiently};
use super::removal::Passing;
use crate::client::{Client, CreateMode, ErrorCode, PartResult, Result, Transaction};

/// An ephemeral node that is created in a transaction, so that after a lost answer its existence tells whether the transaction has happened.
/// Dropping the receipt removes it in the background.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::kit::Receipt;
///
/// let receipt = Receipt::new(&client, "/receipts");
/// // However often the connection is lost meanwhile, it happens once.
/// let results = receipt.carry_out(|| client.multi().set("/", b"x", None)).await?;
/// assert!(results.is_none_or(|results| results.len() == 1));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Receipt {
    client: Client,
    directory: String,
    node: Passing,
}

impl Receipt {
    /// A receipt for one transaction, to stand in this directory.
    #[must_use]
    pub fn new(client: &Client, directory: &str) -> Self {
        let node = Passing::new(client, directory, "");
        Self { client: client.clone(), directory: directory.to_owned(), node }
    }

    /// Carries out a transaction once, over lost connections, under this session only. Answers the results of its parts, or nothing when it
    /// has happened and the answer is lost.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::PartResult;
    /// use quorate::recipes::kit::Receipt;
    ///
    /// let receipt = Receipt::new(&client, "/receipts");
    /// let results = receipt.carry_out(|| client.multi().set("/", b"x", None)).await?;
    /// assert!(results.is_none_or(|results| matches!(results[0], PartResult::Set(_))));
    /// assert_eq!(client.get("/").await?.0, b"x");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// What the server refuses. The outcome is unknown only when the session has ended meanwhile, and the receipt with it.
    pub async fn carry_out(
        &self,
        transaction: impl Fn() -> Transaction,
    ) -> Result<Option<Vec<PartResult>>> {
        loop {
            let transaction = transaction().under(self.node.lifetime());
            let place = transaction.len();
            let attempt = transaction.create(self.node.path(), b"", CreateMode::Ephemeral);
            match attempt.commit().await {
                Ok(mut results) => {
                    results.truncate(place);
                    return Ok(Some(results));
                }
                Err(error) if (error.code(), error.part()) == (ErrorCode::NoNode, Some(place)) => {
                    ensure(&self.client, &self.directory).await?;
                }
                Err(error) if error.is_connection_loss() => match self.happened().await {
                    Ok(Some(true)) => return Ok(None),
                    Ok(Some(false)) => {}
                    _ => return Err(error.with_outcome_unknown()),
                },
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether the transaction has happened; if not, it cannot any more. `None` when the session has ended meanwhile.
    async fn happened(&self) -> Result<Option<bool>> {
        patiently(|| self.client.sync(self.node.path())).await?;
        let found = patiently(|| self.client.exists(self.node.path())).await?;
        Ok(match found {
            Some(_) => Some(true),
            None => self.node.lifetime().is_alive().then_some(false),
        })
    }
}
