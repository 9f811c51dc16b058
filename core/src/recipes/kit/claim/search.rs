//! A claim's nodes are looked for: after an answer was lost, and when they have to go and their names do not tell whose they are.

use super::super::patience::{join, patiently};
use super::Claim;
use super::sign::{Sign, mark};
use crate::client::{ErrorCode, Result, Stat};

impl Claim {
    /// Looks for the nodes after an answer was lost. What another session owns is about to vanish: it is removed, and
    /// does not count.
    pub(super) async fn recover(&mut self, wanted: usize) -> Result<bool> {
        loop {
            match self.try_recover(wanted).await {
                Err(error) if error.is_connection_loss() => {}
                other => return other,
            }
        }
    }

    async fn try_recover(&mut self, wanted: usize) -> Result<bool> {
        let mut found = self.find().await?;
        found.sort_by_key(|(name, _)| name.clone());
        let session = self.client.session_id();
        let (mine, others): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(_, stat)| stat.ephemeral_owner == session);
        for (name, _) in others {
            self.remove_node(&name).await?;
        }
        if mine.len() != wanted || self.sign.is_shared() {
            for (name, _) in mine {
                self.remove_node(&name).await?;
            }
            return Ok(false);
        }
        self.token = mine.first().map_or(0, |(_, stat)| stat.czxid);
        // In the order of their creation: that of their numbers, as the caller named them.
        self.names = mine.into_iter().map(|(name, _)| name).collect();
        self.names.sort_by_key(|name| {
            name.len().checked_sub(10).and_then(|at| name.get(at..)).map(str::to_owned)
        });
        Ok(true)
    }

    /// The nodes with this id, with their stats. A `sync` before makes sure that the server knows what the leader knows; what
    /// was on its way on the old connection has been refused since, because the session has moved.
    pub(super) async fn find(&self) -> Result<Vec<(String, Stat)>> {
        patiently(|| self.client.sync(&self.directory)).await?;
        let children = match patiently(|| self.client.children(&self.directory)).await {
            Ok((children, _)) => children,
            Err(error) if error.code() == ErrorCode::NoNode => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let session = self.client.session_id();
        let mut found = Vec::new();
        for name in self.sign.candidates(self.id, &children) {
            if let Some(stat) = self.own_stat(name, session).await? {
                found.push((name.to_owned(), stat));
            }
        }
        Ok(found)
    }

    /// The stat of a node that is a candidate by its name, if the sign says that it is this claim's.
    async fn own_stat(&self, name: &str, session: i64) -> Result<Option<Stat>> {
        let exists = || self.client.exists(&join(&self.directory, name));
        match &self.sign {
            Sign::Name => patiently(exists).await,
            Sign::Data(_) => self.marked_stat(name).await,
            Sign::Owner(stems) => {
                Ok(patiently(exists).await?.filter(|stat| stems.include(stat, session)))
            }
        }
    }

    /// The stat of a node if its data has the mark of this claim. What cannot be read is somebody else's.
    async fn marked_stat(&self, name: &str) -> Result<Option<Stat>> {
        let path = join(&self.directory, name);
        match patiently(|| self.client.get(&path)).await {
            Ok((data, stat)) => Ok(data.starts_with(&mark(self.id, b"")).then_some(stat)),
            Err(error) if matches!(error.code(), ErrorCode::NoNode | ErrorCode::NoAuth) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
