//! Protected creates: a node that is found again by the id in its name. Source: Curator's `ProtectedMode`.

use super::super::{Client, CreateOptions, Created, Error, Lifetime, Result};
use super::{Outcome, RetryPolicy, Retrying, is_ephemeral};
use crate::recipes::kit;
use crate::recipes::layout::protected::{Id, Style};
use quorate_wire::ErrorCode;
use quorate_wire::op::create::CreateMode;
use std::sync::Arc;
use std::time::Duration;

impl Retrying {
    /// Creates a node whose name begins with an id of its own, `_c_<uuid>-` as Curator writes it, by which it is found again after a
    /// loss. An ephemeral one is taken only if this session owns it: what an expiring session left is removed.
    ///
    /// When the outcome stays unknown, or this future is dropped, a node that may exist is searched for and removed in the background: one that
    /// is not ephemeral also under the sessions that follow, until the client ends.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::client::{CreateMode, RetryPolicy};
    ///
    /// let patient = client.retrying(RetryPolicy::tries(3));
    /// let place = patient.create_protected("/place-", b"", CreateMode::EphemeralSequential).await?;
    /// assert!(place.path.starts_with("/_c_") && place.path.ends_with("-place-0000000000"));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As for [`Client::create`]. If the outcome is unknown, the error says how the node's name would begin.
    pub async fn create_protected(
        &self,
        path: &str,
        data: &[u8],
        options: impl Into<CreateOptions>,
    ) -> Result<Created> {
        let options = options.into();
        let id = kit::fresh_id(&self.client);
        let name = kit::name_of(path);
        let parent = Some(quorate_wire::path::parent(path)).filter(|p| !p.is_empty());
        let parent = parent.unwrap_or("/");
        let protected = kit::join(parent, &format!("{}{name}", id.prefix(Style::Curator)));
        let mut orphan = Armed(Some(Orphan::new(&self.client, parent, id, options.mode)));
        let look = || self.find_protected(parent, id, options.mode);
        let write = || self.client.create(&protected, data, options.clone());
        let created = self.checked(parent, write, look).await;
        // Only what may exist without an owner is looked for when this future is dropped or fails.
        match created {
            Err(error) if error.outcome_unknown() => {
                Err(orphan.0.as_ref().map_or(error.clone(), |may_exist| may_exist.explain(error)))
            }
            settled => {
                orphan.0 = None;
                settled
            }
        }
    }

    async fn find_protected(
        &self,
        parent: &str,
        id: Id,
        mode: CreateMode,
    ) -> Result<Outcome<Created>> {
        let children = match self.children(parent).await {
            Ok((children, _)) => children,
            Err(error) if error.code() == ErrorCode::NoNode => return Ok(Outcome::DidNot),
            Err(error) => return Err(error),
        };
        let session = self.client.session_id();
        for name in id.find(&children) {
            let path = kit::join(parent, name);
            match self.exists(&path).await? {
                Some(stat) if is_ephemeral(mode) && stat.ephemeral_owner != session => {
                    self.delete(&path, None).await?;
                }
                Some(stat) => return Ok(Outcome::Happened(Created { path, stat })),
                None => {}
            }
        }
        Ok(Outcome::DidNot)
    }
}

/// A protected node that may exist while nobody waits for it any more: searched for and removed in the background.
struct Orphan {
    client: Client,
    lifetime: Lifetime,
    /// That of the session under which it may have been created.
    timeout: Duration,
    parent: String,
    id: Id,
    ephemeral: bool,
}

/// What is removed in the background when this is dropped, unless it was disarmed.
struct Armed(Option<Orphan>);

impl Orphan {
    fn new(client: &Client, parent: &str, id: Id, mode: CreateMode) -> Self {
        Self {
            client: client.clone(),
            lifetime: client.lifetime(),
            timeout: client.session_timeout(),
            parent: parent.to_owned(),
            id,
            ephemeral: is_ephemeral(mode),
        }
    }

    /// Says in an error what may have been left behind.
    fn explain(&self, error: Error) -> Error {
        if self.ephemeral && error.is_session_end() {
            return error;
        }
        let stem = kit::join(&self.parent, &self.id.prefix(Style::Curator));
        error.with_more(format!(
            "if {stem}… exists, this client removes it in the background, unless it ends before"
        ))
    }

    /// Removes the node if it is there. An ephemeral one is removed by the end of its session, too; for any other the search goes on with the
    /// next one.
    async fn remove(self) {
        let mut backoff = kit::Backoff::default();
        // A request on the old connection may still be carried out until the server has ended the session.
        let mut again = !self.ephemeral;
        loop {
            let error = match self.search().await {
                Ok(false) if again && !self.lifetime.is_alive() => {
                    again = false;
                    self.client.sleep(2 * self.timeout).await;
                    continue;
                }
                Ok(_) => return,
                Err(error) => error,
            };
            match error.code() {
                ErrorCode::SessionExpired if self.ephemeral => return,
                ErrorCode::SessionExpired => {
                    if let Err(error) = self.client.connected().await {
                        return self.give_up(&error);
                    }
                }
                ErrorCode::ThrottledOp | ErrorCode::SystemError => {
                    backoff.pause(&self.client).await;
                }
                _ => return self.give_up(&error),
            }
        }
    }

    /// Whether something was there; it is gone then.
    async fn search(&self) -> Result<bool> {
        let patient = self.client.retrying(RetryPolicy::forever());
        patient.sync(&self.parent).await?;
        let children = match patient.children(&self.parent).await {
            Err(error) if error.code() == ErrorCode::NoNode => return Ok(false),
            children => children?.0,
        };
        let mut found = false;
        for name in self.id.find(&children) {
            kit::delete_if_there(&self.client, &kit::join(&self.parent, name)).await?;
            found = true;
        }
        Ok(found)
    }

    fn give_up(&self, error: &Error) {
        let (parent, stem) = (self.parent.as_str(), self.id.prefix(Style::Curator));
        tracing::warn!(%error, parent, stem, "a node without an owner may be left behind");
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        let Some(orphan) = self.0.take() else { return };
        if orphan.lifetime.is_alive() || !orphan.ephemeral {
            let environment = Arc::clone(orphan.client.environment());
            environment.spawn(Box::pin(orphan.remove()));
        }
    }
}
