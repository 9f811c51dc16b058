//! Protected creates: a node that is found again by the id in its name. Source: Curator's `ProtectedMode`.

use super::super::{Client, CreateOptions, Created, Lifetime, Result};
use super::{Outcome, RetryPolicy, Retrying, is_ephemeral};
use crate::recipes::kit;
use crate::recipes::layout::protected::{Id, Style};
use quorate_wire::ErrorCode;
use quorate_wire::op::create::CreateMode;

impl Retrying {
    /// Creates a node whose name begins with an id of its own, `_c_<uuid>-` as Curator writes it, by which it is found again after a
    /// loss. An ephemeral one is taken only if this session owns it: what an expiring session left is removed.
    ///
    /// # Errors
    /// As for [`Client::create`].
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
        let mut orphan = Orphan::new(&self.client, parent, id);
        let look = || self.find_protected(parent, id, options.mode);
        let write = || self.client.create(&protected, data, options.clone());
        let created = self.checked(parent, write, look).await;
        // Only what may exist without an owner is looked for when this future is dropped or fails.
        if !matches!(&created, Err(error) if error.outcome_unknown()) {
            orphan.disarm();
        }
        created
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
    parent: String,
    id: Id,
    armed: bool,
}

impl Orphan {
    fn new(client: &Client, parent: &str, id: Id) -> Self {
        let (client, lifetime) = (client.clone(), client.lifetime());
        Self { client, lifetime, parent: parent.to_owned(), id, armed: true }
    }

    const fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        if !self.armed || !self.lifetime.is_alive() {
            return;
        }
        let (client, parent, id) = (self.client.clone(), std::mem::take(&mut self.parent), self.id);
        let environment = std::sync::Arc::clone(client.environment());
        environment.spawn(Box::pin(async move {
            let patient = client.retrying(RetryPolicy::forever());
            let found = async {
                patient.sync(&parent).await?;
                patient.children(&parent).await
            };
            let Ok((children, _)) = found.await else { return };
            for name in id.find(&children) {
                let path = kit::join(&parent, name);
                if let Err(error) = patient.delete(&path, None).await
                    && error.code() != ErrorCode::NoNode
                {
                    tracing::warn!(%error, "a node without an owner could not be removed");
                }
            }
        }));
    }
}
