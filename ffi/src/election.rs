//! Elections: candidates, and the terms in which they lead.

#![allow(unsafe_code, reason = "structs from C, and exported symbols")]

use crate::answer::Answer;
use crate::boundary;
use crate::callback::{DestroyFn, LostFn};
use crate::calls::{self, Hook, lost_hook, tell_loss};
use crate::client::{Client, timed_out, wait};
use crate::fault::{Error, Fault};
use crate::handles::{CallHandle, ClientHandle, ElectionHandle, MultiHandle, TermHandle};
use crate::input::{self, Out, WithSize};
use crate::lock::{QUORATE_LOST_TERM, wait_lost};
use crate::multi::Multi;
use crate::objects;
use crate::status::{QUORATE_CLOSED, QUORATE_LOST};
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::leader::{Candidate, Leadership, Policy};
use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, PoisonError};

/// Nobody on this side leads while the connection is away; the term goes on if the session survives.
pub const QUORATE_LEAD_WHILE_CONNECTED: i32 = 0;
/// The leader goes on until its session is lost, by the local clock.
pub const QUORATE_LEAD_UNTIL_LOST: i32 = 1;

/// How to take part in an election. Zeros are defaults.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ElectionOptions {
    /// sizeof(quorate_election_options).
    pub size: usize,
    /// QUORATE_LEAD_WHILE_CONNECTED or QUORATE_LEAD_UNTIL_LOST.
    pub policy: i32,
    /// Zero.
    pub reserved: i32,
    /// What stands in the candidate's node, for others to see who leads. NULL for nothing.
    pub id: *const u8,
    /// Bytes of it.
    pub id_length: usize,
}

// SAFETY: `repr(C)`, begins with its size, zeros are valid.
unsafe impl WithSize for ElectionOptions {}

/// A candidate under a handle.
pub(crate) struct Election {
    client: Arc<Client>,
    path: String,
    /// Absent when it has left.
    candidate: Mutex<Option<Candidate>>,
}

impl Election {
    fn with<T>(&self, work: impl FnOnce(&Candidate) -> T) -> Result<T, Fault> {
        let candidate = self.candidate.lock().unwrap_or_else(PoisonError::into_inner);
        candidate.as_ref().map(work).ok_or_else(gone)
    }

    fn take(&self) -> Result<Candidate, Fault> {
        self.candidate.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(gone)
    }
}

fn gone() -> Fault {
    Error::new(QUORATE_CLOSED, "the candidate left before")
}

/// A term under a handle.
pub(crate) struct Term {
    client: Arc<Client>,
    leadership: Leadership,
    /// Who waits to be told of its end.
    hooks: Mutex<Vec<Hook>>,
}

impl Term {
    fn open(client: &Arc<Client>, leadership: Leadership) -> Result<u64, Fault> {
        let (client_of_term, hooks) = (Arc::clone(client), Mutex::default());
        objects::insert(Arc::new(Self { client: client_of_term, leadership, hooks }))
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        let mut hooks = self.hooks.lock().unwrap_or_else(PoisonError::into_inner);
        hooks.drain(..).for_each(|hook| hook.silence());
    }
}

/// Takes part in the election at `path` from now on, in the background, over lost connections and sessions, until quorate_election_leave.
/// The path is created when it is missing. It is Curator's leader latch. `options` may be NULL.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_election_join(
    client: ClientHandle,
    path: *const c_char,
    options: *const ElectionOptions,
    election: *mut ElectionHandle,
) -> i32 {
    boundary::on_node(client, ("lead", path), |client, path| {
        let place = Out::new(election, 0, "the place for the election")?;
        let options = input::options(options, "the options")?;
        input::zero(options.reserved)?;
        let policy = match options.policy {
            QUORATE_LEAD_WHILE_CONNECTED => Policy::Connection,
            QUORATE_LEAD_UNTIL_LOST => Policy::Session,
            other => return Err(Error::argument(format!("{other} is no policy"))),
        };
        let id = input::bytes(options.id, options.id_length, "the id")?;
        let latch = LeaderLatch::new(&client.core, path).id(id).policy(policy);
        let joined = Election {
            client: Arc::clone(client),
            path: path.to_owned(),
            candidate: Mutex::new(Some(latch.join())),
        };
        place.set(objects::insert(Arc::new(joined))?);
        Ok(())
    })
}

/// Waits until the candidate leads, and gives a handle of its term, to be closed with quorate_term_close. While the term goes on, more
/// handles of it can be had.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number. QUORATE_TIMED_OUT: it is
/// still a candidate. QUORATE_CLOSING when it leaves or the client is closed meanwhile, QUORATE_NO_AUTH when the server refuses.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_election_lead(
    election: ElectionHandle,
    timeout_ms: i64,
    term: *mut TermHandle,
) -> i32 {
    boundary::on::<Election>(election, |election| {
        let place = Out::new(term, 0, "the place for the term")?;
        let leads = wait(timeout_ms, election.with(Candidate::leads)?);
        let leadership = leads.ok_or_else(|| timed_out(timeout_ms, "lead", &election.path))??;
        place.set(Term::open(&election.client, leadership)?);
        Ok(())
    })
}

/// The same without waiting: the result comes with `token` and has the term as its `handle`. `call`, which may be NULL, gets a handle to cancel
/// it with; it ends by itself.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_election_lead_async(
    election: ElectionHandle,
    timeout_ms: i64,
    token: u64,
    call: *mut CallHandle,
) -> i32 {
    boundary::on::<Election>(election, |election| {
        let (leads, owner) = (election.with(Candidate::leads)?, Arc::clone(&election.client));
        let limit = (timeout_ms, "lead", election.path.as_str());
        calls::start(&election.client, token, limit, call, async move {
            Ok(Answer::of_handle(Term::open(&owner, leads.await?)?))
        })
    })
}

/// Whether the candidate leads at this moment: 1 or 0. Right at once, also after a pause of the whole process.
///
/// From any thread, also in a callback; does not block, and costs no request.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_election_is_leader(election: ElectionHandle, leads: *mut i32) -> i32 {
    boundary::on::<Election>(election, |election| {
        let is_leader = election.with(Candidate::is_leader)?;
        Out::new(leads, i32::from(is_leader), "the answer's place").map(drop)
    })
}

/// Steps down and takes part no more; waits until its node is gone or its session is. The handle ends in any case; what could not be done in
/// time is done in the background.
///
/// From any thread, also in a callback; blocks up to `timeout_ms` milliseconds, without limit for a negative number.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_election_leave(election: ElectionHandle, timeout_ms: i64) -> i32 {
    boundary::end::<Election>(election, |ended| {
        let leave = ended.take()?.leave();
        Ok(wait(timeout_ms, leave).ok_or_else(|| timed_out(timeout_ms, "leave", &ended.path))??)
    })
}

/// The same without waiting: the result comes with `token`.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_election_leave_async(election: ElectionHandle, token: u64) -> i32 {
    boundary::end::<Election>(election, |ended| {
        let leave = ended.take()?.leave();
        ended.client.run(token, async move { Ok(leave.await?.into()) }).map(drop)
    })
}

/// The fencing token: greater than that of every earlier leader. Hand it on with what the leader does, and let the receiver refuse a smaller
/// one than it has seen.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_term_token(term: TermHandle, token: *mut i64) -> i32 {
    boundary::on::<Term>(term, |term| {
        Out::new(token, term.leadership.token(), "the token's place").map(drop)
    })
}

/// QUORATE_OK while the term goes on, QUORATE_LOST when it is over, by the local clock: right at once, also after a pause of the whole
/// process.
///
/// From any thread, also in a callback; does not block, and costs no request.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_term_check(term: TermHandle) -> i32 {
    boundary::on::<Term>(term, |term| match term.leadership.holds() {
        true => Ok(()),
        false => Err(Error::new(QUORATE_LOST, "the term is over")),
    })
}

/// Begins a transaction that happens only while the leader's node exists: see quorate_multi_open.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_term_guarded(term: TermHandle, multi: *mut MultiHandle) -> i32 {
    boundary::on::<Term>(term, |term| {
        let place = Out::new(multi, 0, "the place for the multi")?;
        place.set(Multi::open(&term.client, term.leadership.guarded())?);
        Ok(())
    })
}

/// Has `lost` called once when the term is over, with QUORATE_LOST_TERM: no later than the session timeout, by the local clock, after the last
/// contact with a server. When the handle is closed before, nothing is called. In any case `user` is destroyed in the end, also when
/// this fails.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_term_on_lost(
    term: TermHandle,
    lost: LostFn,
    user: *mut c_void,
    destroy: DestroyFn,
) -> i32 {
    boundary::on_given::<Term, _>(
        term,
        || lost_hook(lost, user, destroy),
        |term, hook| {
            let lost = term.leadership.lost();
            let loss = async move {
                lost.await;
                QUORATE_LOST_TERM
            };
            let hook = tell_loss(&term.client, hook, loss)?;
            term.hooks.lock().unwrap_or_else(PoisonError::into_inner).push(hook);
            Ok(())
        },
    )
}

/// Waits until the term is over. QUORATE_TIMED_OUT when it goes on after `timeout_ms` milliseconds.
///
/// From any thread, also in a callback; blocks, without limit for a negative number.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_term_wait_lost(term: TermHandle, timeout_ms: i64) -> i32 {
    boundary::on::<Term>(term, |term| {
        let lost = term.leadership.lost();
        wait_lost(timeout_ms, std::ptr::null_mut(), async move {
            lost.await;
            QUORATE_LOST_TERM
        })
    })
}

/// Closes the handle of a term. The candidate goes on to lead: quorate_election_leave steps down.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_term_close(term: TermHandle) -> i32 {
    boundary::end::<Term>(term, |_| Ok(()))
}
