//! Which children of a directory are members of a group, and which are somebody else's.

use super::patience::{join, patiently};
use crate::client::{Client, Result, Stat};

/// Whether the node lives as long as its session does. That of a member does, whichever client made it.
pub(crate) const fn is_ephemeral(stat: &Stat) -> bool {
    // Clients never see the marks of containers and of nodes with a time to live.
    stat.ephemeral_owner != 0
}

/// The members among the children. `known` says what a name alone tells; of the other ones the servers are asked, all at once.
pub(crate) async fn only_members(
    client: &Client,
    directory: &str,
    children: Vec<String>,
    known: fn(&str) -> Option<bool>,
) -> Result<Vec<String>> {
    let (mut members, unknown): (Vec<_>, Vec<_>) = children
        .into_iter()
        .filter(|name| known(name) != Some(false))
        .partition(|name| known(name) == Some(true));
    if !unknown.is_empty() {
        let stats = patiently(|| stats(client, directory, &unknown)).await?;
        let asked = unknown.into_iter().zip(stats);
        let ephemeral = |stat: Option<Stat>| stat.is_some_and(|stat| is_ephemeral(&stat));
        members.extend(asked.filter_map(|(name, stat)| ephemeral(stat).then_some(name)));
    }
    Ok(members)
}

async fn stats(client: &Client, directory: &str, names: &[String]) -> Result<Vec<Option<Stat>>> {
    let asked: Vec<_> = names.iter().map(|name| client.exists(&join(directory, name))).collect();
    let mut stats = Vec::with_capacity(asked.len());
    for answer in asked {
        stats.push(answer.await?);
    }
    Ok(stats)
}
