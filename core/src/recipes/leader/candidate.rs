//! [`Candidate`]: taking part in an election, in the background.

use super::super::kit::{Asked, Companion, First, Held, Live, Teller, first, live};
use super::queue::{End, Queue, Turn};
use super::{Leadership, Standing};
use crate::client::{Error, ErrorCode, Result};
use std::sync::Arc;

/// Takes part in an election until it is dropped or [leaves](Self::leave): over lost connections and sessions, and when somebody deletes its
/// node. Dropping it gives up the place in the background.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::latch::LeaderLatch;
///
/// let candidate = LeaderLatch::new(&client, "/leader").join();
/// let leadership = candidate.leads().await?;
/// assert!(candidate.is_leader() && leadership.holds());
/// candidate.leave().await?;
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct Candidate {
    standing: Live<Standing>,
    companion: Companion,
    queue: Queue,
}

impl Candidate {
    /// Begins to take part.
    pub(crate) fn start(queue: Queue) -> Self {
        let (teller, standing) = live(Standing::Waiting);
        let (own, environment) = (queue.clone(), Arc::clone(queue.client.environment()));
        let companion = Companion::start(&environment, |asked| take_part(own, teller, asked));
        Self { standing, companion, queue }
    }

    /// Where it stands.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{latch::LeaderLatch, leader::Standing};
    ///
    /// let latch = LeaderLatch::new(&client, "/leader");
    /// let (first, second) = (latch.join(), latch.join());
    /// first.leads().await?;
    /// assert!(first.standing().is_leading());
    /// assert!(matches!(second.standing(), Standing::Waiting));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.get()
    }

    /// The standing as a stream: the present one first. One that is read slowly skips what is outdated.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::{latch::LeaderLatch, leader::Standing};
    ///
    /// let candidate = LeaderLatch::new(&client, "/leader").join();
    /// let changes = candidate.changes();
    /// candidate.leads().await?;
    /// candidate.leave().await?;
    /// let end = changes.until(|standing| matches!(standing, Standing::Ended(None))).await;
    /// assert!(end.is_some());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn changes(&self) -> Live<Standing> {
        self.standing.clone()
    }

    /// Whether it leads. Right at once, also after a pause of the whole process; it costs no request.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.standing().is_leading()
    }

    /// Waits until it leads. The future stands alone: it can be given to another task, and ends when the candidate leaves.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::latch::LeaderLatch;
    ///
    /// let latch = LeaderLatch::new(&client, "/leader");
    /// let first = latch.join();
    /// let token = first.leads().await?.token();
    /// let second = latch.join();
    /// first.leave().await?;
    /// assert!(second.leads().await?.token() > token);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When it takes part no more: it left, the client is closed, or the server refuses.
    pub fn leads(&self) -> impl Future<Output = Result<Leadership>> + Send + use<> {
        let (standing, directory) = (self.standing.clone(), self.queue.directory.clone());
        async move {
            let found = standing
                .until(|standing| standing.is_leading() || matches!(standing, Standing::Ended(_)))
                .await;
            match found {
                Some(Standing::Leading(leadership)) => Ok(leadership),
                Some(Standing::Ended(Some(error))) => Err(error),
                _ => Err(Error::new(ErrorCode::Closing, "leads", directory)),
            }
        }
    }

    /// Leaves. Returns when its node is gone, or when the session is, which removes it too.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
    /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
    /// use quorate::recipes::latch::LeaderLatch;
    ///
    /// let latch = LeaderLatch::new(&client, "/leader");
    /// let candidate = latch.join();
    /// candidate.leads().await?;
    /// candidate.leave().await?;
    /// assert!(latch.participants().await?.is_empty());
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// When the server refuses to delete the node.
    pub async fn leave(self) -> Result<()> {
        self.companion.finish().await;
        match self.standing.get() {
            Standing::Ended(Some(error)) if !error.is_session_end() => Err(error),
            _ => Ok(()),
        }
    }
}

async fn take_part(queue: Queue, teller: Teller<Standing>, mut asked: Asked) {
    let outcome = loop {
        teller.tell(Standing::Waiting);
        match queue.elected(&mut asked).await {
            Ok(Turn::Leads(held)) => {
                let term = serve(&queue, &held, &teller);
                if let First::Left(()) = first(&mut asked, term).await {
                    teller.tell(Standing::Waiting);
                    break held.release().await.err();
                }
            }
            Ok(Turn::Left) => break None,
            Err(error) => break Some(error),
        }
    };
    teller.tell(Standing::Ended(outcome));
}

/// One term, until node or session is gone.
async fn serve(queue: &Queue, held: &Held, teller: &Teller<Standing>) {
    loop {
        let (leadership, term) = Leadership::begin(held, queue.policy);
        teller.tell(Standing::Leading(leadership));
        let end = queue.end_of_term(held).await;
        drop(term);
        match end {
            End::Lost => return,
            End::Suspended => drop(teller.tell(Standing::Suspended)),
        }
        if !queue.resumes(held).await {
            return;
        }
    }
}
