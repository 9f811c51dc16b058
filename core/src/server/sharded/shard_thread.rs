//! One I/O thread: its poll, its sockets, its shard.

use super::inbox::Mail;
use super::{Inbox, Shared};
use crate::server::admission::Ticket;
use crate::server::clock::Clock;
use crate::server::handle::{Control, EndGuard, ServerError};
use crate::server::links::{Core, Links, Stream};
use crate::server::listener::{LISTENER, Listener};
use crate::server::pipe::Calls;
use mio::net::TcpStream;
use mio::{Events, Poll};
use quorate_engine::shard::{ConnKey, EVENT_SLICE, Shard, Submission, Submit, WATCH_SLICE};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// An I/O thread.
pub(super) struct ShardThread {
    pub(super) number: usize,
    pub(super) shared: Arc<Shared>,
    pub(super) control: Arc<Control>,
    pub(super) arrivals: Arc<Arrivals>,
    pub(super) poll: Poll,
    pub(super) calls: Arc<Calls>,
    pub(super) clock: Clock,
    /// Only the first thread has it, and deals out what it accepts.
    pub(super) listener: Option<Listener>,
    pub(super) links: Links,
    /// When connections were last accepted, ms.
    pub(super) last_accept: i64,
}

/// Accepted connections on their way to their shards.
pub(super) struct Arrivals {
    next: Mutex<usize>,
    queues: Vec<Mutex<Vec<Arrival>>>,
}

type Arrival = (TcpStream, SocketAddr, Ticket);

impl Arrivals {
    pub(super) fn new(shards: usize) -> Self {
        Self { next: Mutex::new(0), queues: (0..shards).map(|_| Mutex::default()).collect() }
    }

    /// Gives a connection to the shard whose turn it is; returns which.
    fn deal(&self, arrival: Arrival) -> usize {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let number = *next;
        *next = (number + 1) % self.queues.len().max(1);
        drop(next);
        if let Some(queue) = self.queues.get(number) {
            queue.lock().unwrap_or_else(PoisonError::into_inner).push(arrival);
        }
        number
    }

    fn take(&self, number: usize) -> Vec<Arrival> {
        self.queues.get(number).map_or_else(Vec::new, |queue| {
            std::mem::take(&mut *queue.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

/// Collects a batch of submissions.
struct Outgoing<'a> {
    shard: usize,
    batch: Vec<Mail>,
    inbox: &'a Inbox,
}

impl Submit for Outgoing<'_> {
    fn submit(&mut self, conn: ConnKey, submission: Submission<'_>) {
        let mail = Mail::new(self.shard, conn, submission);
        self.inbox.announce(mail.load());
        self.batch.push(mail);
    }
}

impl Core for Outgoing<'_> {
    fn is_crowded(&self) -> bool {
        self.inbox.is_crowded()
    }
}

impl ShardThread {
    pub(super) fn run(mut self) -> Result<(), ServerError> {
        let _end = EndGuard(Arc::clone(&self.control));
        let shared = Arc::clone(&self.shared);
        let result = self.serve(&shared);
        if let Some(mut shard) = shared.shard(self.number) {
            self.links.close_all(&mut shard);
        }
        result
    }

    fn serve(&mut self, shared: &Shared) -> Result<(), ServerError> {
        let mut events = Events::with_capacity(EVENTS);
        let mut busy = false;
        let mut nap = Some(Duration::ZERO);
        while !self.control.is_stopping() {
            let timeout = if busy { Some(Duration::ZERO) } else { nap };
            match self.poll.poll(&mut events, timeout) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => {
                    return Err(ServerError::System { what: "poll", cause: e });
                }
                _ => {}
            }
            let now = self.clock.now().mono;
            self.deal_arrivals(&events, now);
            let Some(mut shard) = shared.shard(self.number) else { return Ok(()) };
            self.take_events(&events, &mut shard, now);
            let inbox = &shared.inbox;
            let mut core = Outgoing { shard: self.number, batch: Vec::new(), inbox };
            let tree = shared.tree.read().unwrap_or_else(PoisonError::into_inner);
            shard.resume(&tree, now, &mut core);
            self.links.read_all(&mut shard, &tree, now, &mut core);
            shard.resume(&tree, now, &mut core);
            drop(tree);
            inbox.post(&mut core.batch);
            let next = shard.tick(now).map_or(LONGEST_NAP, |at| at.saturating_sub(now).max(0));
            nap = Some(Duration::from_millis(u64::try_from(next.min(LONGEST_NAP)).unwrap_or(0)));
            self.links.flush(&mut shard, EVENT_SLICE);
            shard.end_round(WATCH_SLICE);
            if shard.watches().has_leftovers() {
                // Without a pause this thread would hardly leave its shard to the writer.
                nap = nap.map(|nap| nap.min(SWEEP_PAUSE));
            }
            busy = shard.has_work() || self.links.has_work(&shard, shared.inbox.is_crowded());
        }
        Ok(())
    }

    fn deal_arrivals(&mut self, events: &Events, now: i64) {
        // Whoever could not be accepted for want of descriptors causes no second event.
        let due = now.saturating_sub(self.last_accept) >= LONGEST_NAP;
        if !due && !events.iter().any(|event| event.token() == LISTENER) {
            return;
        }
        self.last_accept = now;
        let Some(listener) = &mut self.listener else { return };
        while let Some(arrival) = listener.accept() {
            let number = self.arrivals.deal(arrival);
            self.shared.wake(number);
        }
    }

    fn take_events(&mut self, events: &Events, shard: &mut Shard, now: i64) {
        for event in events {
            self.links.take_event(event);
        }
        for (socket, remote, ticket) in self.arrivals.take(self.number) {
            let key = shard.open(Some(remote), now);
            let stream = Stream::Tcp(socket, ticket);
            if let Err(cause) = self.links.add(key, stream, self.poll.registry()) {
                tracing::warn!("connection from {remote} dropped: {cause}");
                shard.close(key);
            }
        }
        if self.number == 0 {
            for pipe in self.control.visitors() {
                let key = shard.open(None, now);
                // A pipe needs no registration that could fail.
                let _ = self.links.add(key, Stream::Local(pipe), self.poll.registry());
            }
        }
        for number in self.calls.take() {
            self.links.ready(number, true, true);
        }
    }
}

/// Events taken in one round.
const EVENTS: usize = 1024;
/// Between such rounds, if there is nothing else to do.
const SWEEP_PAUSE: Duration = Duration::from_millis(1);
/// The thread looks after itself at least this often, ms.
const LONGEST_NAP: i64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Token, Waker};
    use quorate_engine::access::Identities;
    use quorate_engine::limits::Load;
    use quorate_wire::OpCode;

    #[test]
    fn what_is_on_its_way_counts_at_once_and_the_end_of_a_crowd_is_told() {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let inbox = Inbox::new(waker, Load { requests: 10, bytes: 1000 });
        let outgoing = |shard| Outgoing { shard, batch: Vec::new(), inbox: &inbox };
        let mut shards = [outgoing(0), outgoing(1)];
        let (body, identities) = ([0; 300], &Identities::none());
        let write =
            Submission::Write { session: 1, xid: 1, op: OpCode::SetData, body: &body, identities };
        // Nobody has judged or even taken anything.
        for turn in 0..4 {
            assert!(!shards.iter().any(Core::is_crowded), "after {turn}");
            shards[turn % 2].submit(ConnKey { slot: 0, generation: 1 }, write);
        }
        assert!(shards.iter().all(Core::is_crowded));
        shards.iter_mut().for_each(|core| inbox.post(&mut core.batch));
        let mailed = inbox.take().iter().map(Mail::load).fold(Load::default(), Load::plus);
        assert_eq!(mailed, Load { requests: 4, bytes: 1200 });
        // The writer has them, with a little more bytes; then it has them no more.
        let known = Load { requests: 4, bytes: 1300 };
        assert!(!inbox.settle(mailed, known) && inbox.is_crowded());
        assert!(inbox.settle(known, Load::default()), "somebody waits");
        assert!(!inbox.is_crowded());
        assert!(!inbox.settle(Load::default(), Load::default()), "nobody waits");
    }
}
