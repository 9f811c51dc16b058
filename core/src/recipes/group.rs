//! Group membership: who is there, with what data, live.
//!
//! | [`Style`] | node, ephemeral | shared with |
//! |---|---|---|
//! | `Curator` | `<path>/<id>`, data = payload | `org.apache.curator.framework.recipes.nodes.GroupMember` |
//! | `Party` | `<path>/<hex>__party__`, data = id | `kazoo.recipe.party.Party` |
//! | `Shallow` | `<path>/<hex>-<id>` | `kazoo.recipe.party.ShallowParty` |
//!
//! A member's node is a [`PersistentNode`]: it comes back when it is deleted, and under a new session. That makes it a heartbeat as well:
//! whoever does not answer for a session timeout leaves the list.

use super::directory::{Directory, Entry};
use super::kit::{fresh_id, is_ephemeral, join};
use super::layout::member;
use super::persistent::{Kept, PersistentNode};
use crate::client::{Client, Result};

/// A group at a path. Only a description: cheap to make, and to clone.
///
/// ```
/// # use quorate::{client::Client, recipes::group::Group, server::Server};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::builder().volatile().no_port().start()?;
/// # let client = Client::builder().in_process(&server).connect_blocking()?;
/// # client.run(async |client| {
/// let group = Group::new(client, "/machines");
/// let members = group.members().await?;
/// let membership = group.join("host-1", "10.0.0.1");
/// let list = members.until(|list| list.len() == 1).await.unwrap();
/// assert_eq!((group.id(&list[0]), &*list[0].data), ("host-1".to_owned(), &b"10.0.0.1"[..]));
/// membership.set("10.0.0.1 busy");
/// members.until(|list| list[0].data == b"10.0.0.1 busy").await.unwrap();
/// membership.remove().await?;
/// members.until(<[_]>::is_empty).await.unwrap();
/// # Ok::<(), quorate::client::Error>(())
/// # })?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Group {
    client: Client,
    path: String,
    style: Style,
}

/// How members are written.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::group::{Group, Style};
///
/// let party = Group::new(&client, "/party").style(Style::Party);
/// let member = party.join("host-1", "");
/// member.there().await?;
/// assert_eq!(client.children("/party").await?.0.len(), 1);
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Style {
    /// The node is named by the member's id: one member of an id at a time.
    #[default]
    Curator,
    /// The data is the id; ids may occur twice.
    Party,
    /// The name contains the id; ids may occur twice.
    Shallow,
}

impl Group {
    /// The group at `path`, in Curator's layout.
    #[must_use]
    pub fn new(client: &Client, path: &str) -> Self {
        Self { client: client.clone(), path: path.to_owned(), style: Style::default() }
    }

    /// In this layout.
    #[must_use]
    pub const fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Joins with this id and data, in the background, until what this answers is dropped or removed. A `Party` has no room for
    /// data: its nodes contain the id.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::group::Group;
    ///
    /// let group = Group::new(&client, "/machines");
    /// let membership = group.join("host-1", "10.0.0.1");
    /// membership.there().await?;
    /// assert_eq!(client.get("/machines/host-1").await?.0, b"10.0.0.1");
    /// membership.remove().await?;
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use = "dropping the membership leaves"]
    pub fn join(&self, id: &str, data: impl Into<Vec<u8>>) -> Kept {
        let unique = fresh_id(&self.client);
        let (name, data) = match self.style {
            Style::Curator => (id.to_owned(), data.into()),
            Style::Party => (member::party(unique), id.as_bytes().to_vec()),
            Style::Shallow => (member::shallow(unique, id), data.into()),
        };
        PersistentNode::new(&self.client, &join(&self.path, &name)).data(data).keep()
    }

    /// The members, as a list that follows what happens.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::group::Group;
    ///
    /// let group = Group::new(&client, "/machines");
    /// let members = group.members().await?;
    /// let membership = group.join("host-1", "");
    /// assert!(members.until(|list| list.len() == 1).await.is_some());
    /// membership.remove().await?;
    /// assert!(members.until(|list| list.is_empty()).await.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn members(&self) -> Result<Directory> {
        Directory::follow_nodes(&self.client, &self.path, self.wanted(), is_ephemeral).await
    }

    /// The id of a member.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::group::{Group, Style};
    ///
    /// // The names of its nodes say something else.
    /// let party = Group::new(&client, "/party").style(Style::Party);
    /// let membership = party.join("host-1", "");
    /// membership.there().await?;
    /// assert_eq!(party.id(&party.members().await?.entries()[0]), "host-1");
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn id(&self, entry: &Entry) -> String {
        match self.style {
            Style::Curator => entry.name.clone(),
            Style::Party => String::from_utf8_lossy(&entry.data).into_owned(),
            Style::Shallow => member::shallow_identifier(&entry.name).to_owned(),
        }
    }

    const fn wanted(&self) -> fn(&str) -> bool {
        match self.style {
            Style::Curator | Style::Shallow => |_| true,
            Style::Party => |name| !member::party_members(&[name]).is_empty(),
        }
    }
}
