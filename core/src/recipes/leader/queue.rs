//! [`Queue`]: the algorithm of every election. Stand in line, check the owner, serve, notice the end.
//!
//! Each candidate has an ephemeral node; the lowest number leads; everybody else watches the nearest before it. Before a candidate
//! believes that it leads, it reads its own node and compares the owner with its session: a node of an earlier session
//! may still be visible (CURATOR-498, -504, -604, -620, -644, -653, -696; apache/curator #1018 and others).

use super::super::kit::{
    Asked, Backoff, Claim, First, Held, Kind, changed, children_or_none, exhausted, first,
    get_or_none, join, unmarked,
};
use super::super::layout::lock::Mode;
use super::super::layout::position::{self, Position};
use super::super::layout::protected::{Id, Style};
use super::super::layout::{election, latch};
use super::{Leader, Policy};
use crate::client::{Client, ErrorCode, Result, Stat, State};

/// Where candidates stand, and what their nodes look like.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) client: Client,
    pub(crate) directory: String,
    pub(crate) layout: Layout,
    pub(crate) data: Vec<u8>,
    pub(crate) policy: Policy,
}

/// The names of the candidates' nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// `_c_<uuid>-latch-N10`
    Latch,
    /// Those of a lock.
    Lock(Mode),
    /// `n_N10`
    Offer,
    /// `<host>-N10`
    Instance(String),
    /// One node for all; beside it one whose name is the term's own, for guarded writes to check: the next leader's node has the same name.
    Single,
}

/// How a wait for leadership ended.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The candidate leads.
    Leads(Box<Held>),
    /// Its owner has asked it to leave; its node is gone.
    Left,
}

/// How a term ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The node or the session is gone.
    Lost,
    /// The connection is away.
    Suspended,
}

/// How one stay in the queue ended.
enum Stay {
    Turn(Turn),
    /// The place was lost: from the start.
    Again,
}

impl Layout {
    fn stems(&self, id: Id) -> Vec<String> {
        match self {
            Self::Latch => vec![latch::stem(id)],
            Self::Lock(mode) => mode.stems(id),
            Self::Offer => vec![election::OFFER.to_owned()],
            Self::Instance(host) => vec![election::instance(host)],
            Self::Single => {
                vec![election::SINGLE_NODE.to_owned(), id.prefix(Style::Curator) + TERM]
            }
        }
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Latch | Self::Lock(_) => Kind::Sequential,
            Self::Offer => Kind::SequentialOwned,
            Self::Instance(_) => Kind::SequentialMarked,
            Self::Single => Kind::PlainMarked,
        }
    }

    fn position<'a>(&self, children: &'a [String], mine: &[&str]) -> Position<'a> {
        let own = mine.first().copied().unwrap_or_default();
        match self {
            Self::Latch => latch::position(children, own),
            Self::Lock(mode) => mode.position(children, mine),
            Self::Offer => election::Form::Offer.position(children, own),
            Self::Instance(_) => election::Form::Instance.position(children, own),
            Self::Single if children.iter().any(|name| name == own) => Position::Held,
            Self::Single => Position::Missing,
        }
    }

    pub(super) fn participants<'a>(&self, children: &'a [String]) -> Vec<&'a str> {
        match self {
            Self::Latch => latch::participants(children),
            Self::Lock(mode) => position::participants(children, |name| mode.contender(name)),
            Self::Offer => election::Form::Offer.participants(children),
            Self::Instance(_) => election::Form::Instance.participants(children),
            Self::Single => children
                .iter()
                .map(String::as_str)
                .filter(|name| *name == election::SINGLE_NODE)
                .collect(),
        }
    }
}

impl Queue {
    /// With nothing in the nodes.
    pub(crate) fn new(client: &Client, directory: String, layout: Layout) -> Self {
        let policy = Policy::default();
        Self { client: client.clone(), directory, layout, data: Vec::new(), policy }
    }

    /// Waits until this candidate leads, over lost sessions.
    pub(crate) async fn elected(&self, asked: &mut Asked) -> Result<Turn> {
        let mut backoff = Backoff::default();
        loop {
            let pause = match self.stay(asked, true).await {
                Ok(Stay::Turn(turn)) => return Ok(turn),
                Ok(Stay::Again) => first(&mut *asked, backoff.pause(&self.client)).await,
                Err(error) if error.code() == ErrorCode::SessionExpired => {
                    match first(&mut *asked, self.client.connected()).await {
                        First::Left(()) => First::Left(()),
                        First::Right(connected) => First::Right(connected?),
                    }
                }
                Err(error) => return Err(error),
            };
            if pause == First::Left(()) {
                return Ok(Turn::Left);
            }
        }
    }

    /// Takes a place, and keeps it only if it leads at once.
    pub(crate) async fn try_elected(&self) -> Result<Option<Held>> {
        match self.stay(&mut Asked::never(), false).await? {
            Stay::Turn(Turn::Leads(held)) => Ok(Some(*held)),
            Stay::Turn(Turn::Left) | Stay::Again => Ok(None),
        }
    }

    async fn stay(&self, asked: &mut Asked, wait: bool) -> Result<Stay> {
        let stems = |id| self.layout.stems(id);
        let kind = self.layout.kind();
        let claim = loop {
            let created =
                Claim::create(&self.client, &self.directory, stems, &self.data, kind).await;
            match created {
                Err(error) if error.code() == ErrorCode::NodeExists => {
                    let left = || Ok(Stay::Turn(Turn::Left));
                    if !wait {
                        return left();
                    }
                    if let First::Left(()) =
                        first(&mut *asked, self.wait_for(election::SINGLE_NODE)).await
                    {
                        return left();
                    }
                }
                other => break other?,
            }
        };
        loop {
            // Both are submitted at once, and carried out in this order.
            let (listing, own) =
                (self.client.children(&self.directory), self.client.exists(&claim.path()));
            let children = match (listing.await, own.await) {
                (Err(error), _) | (_, Err(error)) if error.is_connection_loss() => continue,
                (Err(error), _) if error.code() == ErrorCode::NoNode => return Ok(Stay::Again),
                (Err(error), _) | (_, Err(error)) => return Err(error),
                (Ok((children, _)), Ok(own)) => {
                    let mine = own.is_some_and(|stat| {
                        stat.ephemeral_owner == self.client.session_id()
                            && stat.czxid == claim.token()
                    });
                    if mine { children } else { Vec::new() }
                }
            };
            match self.layout.position(&children, &claim.names()) {
                Position::Held if claim.lifetime().is_alive() => {
                    return Ok(Stay::Turn(Turn::Leads(Box::new(Held::new(claim)))));
                }
                Position::Exhausted => {
                    claim.remove().await?;
                    return Err(exhausted(&self.directory));
                }
                Position::Wait(before) if wait => {
                    if let First::Right(result) = first(&mut *asked, self.wait_for(before)).await {
                        result?;
                        continue;
                    }
                    claim.remove().await?;
                    return Ok(Stay::Turn(Turn::Left));
                }
                _ => {
                    claim.remove().await?;
                    return Ok(Stay::Again);
                }
            }
        }
    }

    async fn wait_for(&self, before: &str) -> Result<()> {
        changed(&self.client, &join(&self.directory, before)).await
    }

    /// Waits for the end of a term.
    pub(crate) async fn end_of_term(&self, held: &Held) -> End {
        let suspended = async {
            let mut states = self.client.states();
            while self.policy == Policy::Session || states.current() == State::Connected {
                states.next().await;
                if states.current().is_final() {
                    return;
                }
            }
        };
        match first(held.lost(), suspended).await {
            First::Left(_) => End::Lost,
            First::Right(()) if held.is_held() => End::Suspended,
            First::Right(()) => End::Lost,
        }
    }

    /// Waits for the connection after a suspension. Answers whether the term goes on: its nodes are there.
    pub(crate) async fn resumes(&self, held: &Held) -> bool {
        let found = first(held.lifetime().ended(), async {
            self.client.connected().await?;
            held.is_intact().await
        });
        matches!(found.await, First::Right(Ok(true)))
    }

    /// Everybody who takes part, in the order of succession.
    pub(crate) async fn participants(&self) -> Result<Vec<Leader>> {
        let children = children_or_none(&self.client, &self.directory).await?;
        let mut found = Vec::new();
        for name in self.layout.participants(&children) {
            let path = join(&self.directory, name);
            if let Some((data, stat)) = get_or_none(&self.client, &path).await? {
                found.push(self.leader(path, &data, &stat));
            }
        }
        Ok(found)
    }

    /// A participant as its node describes it.
    pub(super) fn leader(&self, path: String, data: &[u8], stat: &Stat) -> Leader {
        let marked = matches!(self.layout.kind(), Kind::PlainMarked | Kind::SequentialMarked);
        let data = if marked { unmarked(data) } else { data }.to_vec();
        Leader { path, data, token: stat.czxid, session: stat.ephemeral_owner }
    }
}

/// End of the name of the single leader's second node.
const TERM: &str = "term";
