//! [`Receipt`]: proof that a transaction has happened.

use super::backoff::Backoff;
use super::patience::{delete_if_there, ensure, fresh_id, join, patiently};
use super::race::first;
use crate::client::{Client, CreateMode, ErrorCode, Lifetime, Result, Transaction};

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
/// receipt.ensure().await?;
/// receipt.attach(client.multi().set("/", b"x", None)).commit().await?;
/// // Had the answer been lost, this would tell.
/// assert_eq!(receipt.happened().await?, Some(true));
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Receipt {
    client: Client,
    lifetime: Lifetime,
    directory: String,
    path: String,
}

impl Receipt {
    /// A receipt for one transaction, to stand in this directory.
    #[must_use]
    pub fn new(client: &Client, directory: &str) -> Self {
        Self {
            client: client.clone(),
            lifetime: client.lifetime(),
            directory: directory.to_owned(),
            path: join(directory, &fresh_id(client).hex()),
        }
    }

    /// Creates the directory; needed when the transaction's last part says `NoNode`.
    ///
    /// # Errors
    /// When it cannot exist.
    pub async fn ensure(&self) -> Result<()> {
        ensure(&self.client, &self.directory).await
    }

    /// The transaction with the receipt as its last part, for this session only.
    pub fn attach(&self, transaction: Transaction) -> Transaction {
        transaction.under(&self.lifetime).create(self.path.as_str(), b"", CreateMode::Ephemeral)
    }

    /// Whether the transaction has happened; if not, it cannot any more. `None` when the session has ended meanwhile, and the receipt
    /// with it.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn happened(&self) -> Result<Option<bool>> {
        patiently(|| self.client.sync(&self.path)).await?;
        let found = patiently(|| self.client.exists(&self.path)).await?;
        Ok(match found {
            Some(_) => Some(true),
            None => self.lifetime.is_alive().then_some(false),
        })
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.lifetime.is_alive() {
            return;
        }
        let (client, path) = (self.client.clone(), std::mem::take(&mut self.path));
        let environment = std::sync::Arc::clone(client.environment());
        let lifetime = self.lifetime.clone();
        environment.spawn(Box::pin(async move {
            let mut backoff = Backoff::default();
            while let Err(error) = delete_if_there(&client, &path).await {
                // The server may not be able to write at the moment.
                if error.code() != ErrorCode::SystemError || !lifetime.is_alive() {
                    tracing::debug!(%error, "a receipt ends with its session");
                    return;
                }
                first(lifetime.ended(), backoff.pause(&client)).await;
            }
        }));
    }
}
