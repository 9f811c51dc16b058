//! What goes over a connection of a client, looked at from outside: every answer is what the one history says.

use crate::check::{Violation, ensure};
use crate::whole::history::{Done, History, Node};
use quorate_engine::tree::Outcome;
use quorate_wire::frame::{ReplyHeader, RequestHeader, Split, split};
use quorate_wire::jute::Reader;
use quorate_wire::op::connect::ConnectResponse;
use quorate_wire::op::create::{Create2Response, CreateResponse};
use quorate_wire::op::get_children::{GetChildren2Response, GetChildrenRequest};
use quorate_wire::op::get_data::GetDataResponse;
use quorate_wire::op::multi::{MultiPart, MultiParts};
use quorate_wire::op::multi_result::{MultiResponse, MultiResult};
use quorate_wire::{ErrorCode, Jute, OpCode, Stat, Zxid};
use std::collections::VecDeque;

/// A request that was sent.
#[derive(Debug)]
struct Sent {
    xid: i32,
    op: Option<OpCode>,
    body: Vec<u8>,
    /// The last transaction that anybody had been told of, and the last that was committed, when it left.
    acknowledged: Zxid,
    committed: Zxid,
}

/// What a reply of a server shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The state.
    pub zxid: Zxid,
    /// Whether watches have been told of everything before it: not by the answer that sets them again.
    pub tells: bool,
}

/// A tap on the connections of a client, one after another.
#[derive(Debug, Default)]
pub struct Tap {
    up: Vec<u8>,
    down: Vec<u8>,
    greeted: (bool, bool),
    sent: VecDeque<Sent>,
    /// The session, and the newest state that it has seen.
    session: i64,
    seen: Zxid,
    /// Answers that were looked at.
    pub answers: u64,
}

impl Tap {
    /// There is a new connection.
    pub fn reset(&mut self) {
        self.up.clear();
        self.down.clear();
        self.sent.clear();
        self.greeted = (false, false);
    }

    /// The client sends.
    pub fn sends(&mut self, bytes: &[u8], history: &History) {
        self.up.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.up);
        let mut rest = buffer.as_slice();
        while let Split::Frame { payload, consumed } = split(rest, MOST) {
            rest = rest.get(consumed..).unwrap_or_default();
            if !std::mem::replace(&mut self.greeted.0, true) {
                continue;
            }
            let mut reader = Reader::new(payload);
            let Ok(RequestHeader { xid, op }) = reader.get() else { continue };
            self.sent.push_back(Sent {
                xid,
                op: OpCode::from_code(op),
                body: reader.rest().to_vec(),
                acknowledged: history.acknowledged,
                committed: history.last(),
            });
        }
        self.up = rest.to_vec();
    }

    /// How many of these bytes belong to the next frame.
    #[must_use]
    pub fn piece(&self, bytes: &[u8]) -> usize {
        let mut all = self.down.clone();
        all.extend_from_slice(bytes);
        match split(&all, MOST) {
            Split::Frame { consumed, .. } => consumed.saturating_sub(self.down.len()),
            _ => bytes.len(),
        }
    }

    /// The client hears, up to the end of a frame at most. Returns what the frame shows.
    ///
    /// # Errors
    /// When it is not what it has to be.
    pub fn hears(
        &mut self,
        bytes: &[u8],
        history: &mut History,
    ) -> Result<Option<Shown>, Violation> {
        self.down.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.down);
        let Split::Frame { payload, .. } = split(&buffer, MOST) else {
            self.down = buffer;
            return Ok(None);
        };
        if !std::mem::replace(&mut self.greeted.1, true) {
            let welcome = ConnectResponse::from_bytes(payload).ok();
            let session = welcome.map_or(0, |welcome| welcome.session_id);
            if session != self.session {
                (self.session, self.seen) = (session, Zxid::ZERO);
            }
            return Ok(None);
        }
        let mut reader = Reader::new(payload);
        let Ok(header) = reader.get::<ReplyHeader>() else {
            return Err(Violation("an answer without a header".into()));
        };
        if header.xid == EVENT {
            return Ok(None);
        }
        self.answers += 1;
        self.answer(&header, reader.rest(), history).map(Some)
    }

    fn answer(
        &mut self,
        header: &ReplyHeader,
        body: &[u8],
        history: &mut History,
    ) -> Result<Shown, Violation> {
        let session = self.session;
        let Some(sent) = self.sent.pop_front() else {
            return Err(Violation(format!(
                "{session:x} is answered and has not asked: {header:?}"
            )));
        };
        let Sent { xid, op, .. } = sent;
        let what = format!("session {session:x}, request {xid} ({op:?})");
        ensure!(header.xid == xid, "{what} is answered as {}", header.xid);
        let zxid = Zxid(header.zxid);
        ensure!(
            zxid >= history.transaction_at(self.seen),
            "{what}: time goes back from {} to {zxid}",
            self.seen
        );
        ensure!(history.may_show(zxid), "{what} shows {zxid}, which is not committed");
        let fresh = !is_write(op) && op != Some(OpCode::Sync) || zxid >= sent.acknowledged;
        ensure!(fresh, "{what} is answered at {zxid}, after {}", sent.acknowledged);
        let synced = op != Some(OpCode::Sync) || zxid >= sent.committed;
        ensure!(synced, "{what} is answered at {zxid} where {} was committed", sent.committed);
        // A ping's answer shows nobody anything: the next server may be behind it.
        if op != Some(OpCode::Ping) {
            self.seen = zxid;
        }
        history.acknowledged = history.acknowledged.max(if is_write(op) { zxid } else { Zxid(0) });
        if is_write(op) {
            let Some(done) = history.done(zxid) else {
                return Err(Violation(format!("{what} is answered for {zxid}, which is lost")));
            };
            let same = (done.session, done.cxid) == (session, xid);
            ensure!(same, "{what} is answered for {zxid}, which is {done:?}");
            ensure!(done.err == header.err, "{what} at {zxid}: {} for {done:?}", header.err);
            if header.err == 0 {
                let right = wrote(op, &sent.body, body, done);
                ensure!(right, "{what} at {zxid} is answered otherwise than {done:?}");
            }
        } else if let Some(path) = path_of(op, &sent.body) {
            let node = history.node(&path, zxid);
            let right = read(op, header.err, body, node);
            ensure!(right, "{what} of {path} at {zxid} is not {node:?}");
        }
        let tells = !matches!(op, Some(OpCode::SetWatches | OpCode::SetWatches2));
        Ok(Shown { zxid, tells })
    }
}

const fn is_write(op: Option<OpCode>) -> bool {
    use OpCode::{CloseSession, Create, Create2, Delete, Multi, SetData};
    matches!(op, Some(Create | Create2 | Delete | SetData | Multi | CloseSession))
}

/// The path of a read whose answer is known.
fn path_of(op: Option<OpCode>, body: &[u8]) -> Option<String> {
    use OpCode::{Exists, GetChildren2, GetData};
    if !matches!(op, Some(Exists | GetChildren2 | GetData)) {
        return None;
    }
    // All of them are a path and a flag.
    GetChildrenRequest::from_bytes(body).ok().map(|request| request.path.to_string())
}

fn read(op: Option<OpCode>, err: i32, body: &[u8], node: Option<&Node>) -> bool {
    let Some(node) = node else { return err == ErrorCode::NoNode.code() };
    err == 0
        && match op {
            Some(OpCode::GetData) => GetDataResponse::from_bytes(body).is_ok_and(|answer| {
                answer.data.unwrap_or_default() == node.data && answer.stat == node.stat
            }),
            Some(OpCode::GetChildren2) => {
                GetChildren2Response::from_bytes(body).is_ok_and(|answer| {
                    let mut names: Vec<String> =
                        answer.children.iter().map(ToString::to_string).collect();
                    names.sort();
                    names == node.children && answer.stat == node.stat
                })
            }
            _ => Stat::from_bytes(body) == Ok(node.stat),
        }
}

/// Whether the body is the answer to a write that went well.
fn wrote(op: Option<OpCode>, asked: &[u8], body: &[u8], done: &Done) -> bool {
    match (op, &done.outcome) {
        (Some(OpCode::Create), _) => CreateResponse::from_bytes(body)
            .is_ok_and(|answer| Some(answer.path.as_ref()) == done.created.as_deref()),
        (Some(OpCode::Create2), Outcome::Node(stat)) => Create2Response::from_bytes(body)
            .is_ok_and(|answer| {
                Some(answer.path.as_ref()) == done.created.as_deref() && answer.stat == *stat
            }),
        (Some(OpCode::SetData), Outcome::Node(stat)) => Stat::from_bytes(body) == Ok(*stat),
        (Some(OpCode::Multi), Outcome::Multi(outcomes)) => {
            let parts: Vec<MultiPart<'_>> = MultiParts::new(asked).flatten().collect();
            let answer = MultiResponse::from_bytes(body).unwrap_or_default();
            answer.results.len() == outcomes.len()
                && parts.len() == outcomes.len()
                && answer.results.iter().zip(outcomes).zip(&parts).all(part_is_right)
        }
        (Some(OpCode::Delete | OpCode::CloseSession), _) => body.is_empty(),
        _ => false,
    }
}

fn part_is_right(
    ((answer, outcome), asked): ((&MultiResult<'_>, &Outcome), &MultiPart<'_>),
) -> bool {
    match (answer, outcome, asked) {
        (MultiResult::Error(code), Outcome::Error(known), _) => code == known,
        (MultiResult::Create2(made), Outcome::Node(stat), MultiPart::Create(op, _)) => {
            *op == OpCode::Create2 && made.stat == *stat
        }
        (MultiResult::Create(_), Outcome::Node(_), MultiPart::Create(op, _)) => {
            *op == OpCode::Create
        }
        (MultiResult::SetData(answer), Outcome::Node(stat), MultiPart::SetData(_)) => {
            answer == stat
        }
        (MultiResult::Delete, Outcome::Done, MultiPart::Delete(_))
        | (MultiResult::Check, Outcome::Done, MultiPart::Check(_)) => true,
        _ => false,
    }
}

/// The number of events.
const EVENT: i32 = -1;
const MOST: usize = 1 << 20;
