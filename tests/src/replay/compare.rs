//! A reply as a list of fields, and when the fields of two runs are the same.
//!
//! Sessions and zxids differ from run to run, but consistently so: a recorded one always stands for the same
//! live one, and zxids keep their order. Times must be recent. Lists that come in the order of a hash table
//! are sorted. Everything else must be equal.

use crate::messages::{Reply, ReplyBody, is_write};
use quorate_wire::frame::NOTIFICATION_XID;
use quorate_wire::jute::Jute;
use quorate_wire::op::connect::ConnectResponse;
use quorate_wire::op::get_data::GetDataResponse;
use quorate_wire::op::multi_result::MultiResult;
use quorate_wire::{OpCode, Stat, password};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};

/// One field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Must be equal.
    Same(String),
    /// A zxid that stands for one transaction.
    Zxid(i64),
    /// The last zxid that the server knew when it answered: only its sign is comparable.
    LastZxid(i64),
    /// The zxid of a notification, which clients ignore: -1 before 3.9, that of the transaction later.
    EventZxid(i64),
    /// Wall clock, ms.
    Time(i64),
    /// A session id.
    Session(i64),
}

/// A reply as its fields, each with its name.
pub type Shown = Vec<(&'static str, Field)>;

/// What the recorded values are in this run.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    sessions: BTreeMap<i64, i64>,
    zxids: BTreeMap<i64, i64>,
}

impl Maps {
    /// The live session that a recorded one stands for.
    #[must_use]
    pub fn session(&self, recorded: i64) -> Option<i64> {
        self.sessions.get(&recorded).copied()
    }

    /// Compares two replies and remembers what stands for what.
    ///
    /// # Errors
    /// The first field that differs, and how.
    pub fn compare(&mut self, recorded: &Shown, live: &Shown) -> Result<(), String> {
        for ((name, wanted), (live_name, got)) in recorded.iter().zip(live) {
            if name != live_name || !self.same_field(wanted, got) {
                return Err(format!(
                    "{name} should be {wanted:?}, is {live_name} {got:?}\n  wanted {recorded:?}\n  got    {live:?}"
                ));
            }
        }
        if recorded.len() != live.len() {
            return Err(format!("other fields\n  wanted {recorded:?}\n  got    {live:?}"));
        }
        Ok(())
    }

    fn same_field(&mut self, wanted: &Field, got: &Field) -> bool {
        match (wanted, got) {
            (Field::Same(wanted), Field::Same(got)) => wanted == got,
            (&Field::Zxid(wanted), &Field::Zxid(got)) => self.same_zxid(wanted, got),
            (Field::LastZxid(wanted), Field::LastZxid(got)) => wanted.signum() == got.signum(),
            (Field::EventZxid(_), Field::EventZxid(got)) => *got == -1 || *got > 0,
            (Field::Time(0), Field::Time(got)) => *got == 0,
            (Field::Time(_), Field::Time(got)) => is_recent(*got),
            (Field::Session(0), Field::Session(got)) => *got == 0,
            (&Field::Session(wanted), &Field::Session(got)) => {
                got != 0 && *self.sessions.entry(wanted).or_insert(got) == got
            }
            _ => false,
        }
    }

    /// Whether `got` stands for `wanted` and lies where it should among those already known.
    fn same_zxid(&mut self, wanted: i64, got: i64) -> bool {
        if wanted <= 0 || got <= 0 {
            return wanted == got;
        }
        let before = self.zxids.range(..wanted).next_back().is_none_or(|(_, &live)| live < got);
        let after = self.zxids.range(wanted + 1..).next().is_none_or(|(_, &live)| live > got);
        before && after && *self.zxids.entry(wanted).or_insert(got) == got
    }
}

/// The fields of a handshake's answer.
///
/// # Errors
/// When it is none.
pub fn show_connect(payload: &[u8]) -> Result<Shown, String> {
    let reply = ConnectResponse::from_bytes(payload).map_err(|e| e.to_string())?;
    let password = reply.password.unwrap_or_default();
    let password = match reply.session_id {
        0 => same(&password),
        id if password::matches(id, password) => same("the session's"),
        _ => same(&password),
    };
    Ok(vec![
        ("protocolVersion", same(&reply.protocol_version)),
        ("timeOut", same(&reply.timeout)),
        ("sessionId", Field::Session(reply.session_id)),
        ("passwd", password),
        ("readOnly", same(&reply.read_only)),
        ("length", same(&payload.len())),
    ])
}

/// The fields of the reply to a request of the given opcode, or of a notification.
///
/// # Errors
/// When it is none.
pub fn show_reply(op: Option<OpCode>, payload: &[u8]) -> Result<Shown, String> {
    let (reply, rest) = Reply::read(op, payload).map_err(|e| e.to_string())?;
    let header = reply.header;
    let zxid = if header.xid == NOTIFICATION_XID {
        Field::EventZxid(header.zxid)
    } else if header.err == 0 && op.is_some_and(|op| is_write(op) && op != OpCode::CloseSession) {
        Field::Zxid(header.zxid)
    } else {
        Field::LastZxid(header.zxid)
    };
    let mut shown = vec![("xid", same(&header.xid)), ("err", same(&header.err)), ("zxid", zxid)];
    show_body(reply.body, &mut shown);
    shown.push(("surplus", same(&rest)));
    Ok(shown)
}

fn show_body(body: ReplyBody<'_>, out: &mut Shown) {
    match body {
        ReplyBody::Empty => {}
        ReplyBody::Create(reply) => out.push(("path", same(&reply.path))),
        ReplyBody::Create2(reply) => {
            out.push(("path", same(&reply.path)));
            show_stat(&reply.stat, out);
        }
        ReplyBody::Stat(stat) => show_stat(&stat, out),
        ReplyBody::GetData(reply) => show_data(&reply, out),
        ReplyBody::GetAcl(reply) => {
            out.push(("acl", same(&reply.acl)));
            show_stat(&reply.stat, out);
        }
        ReplyBody::GetChildren(reply) => out.push(("children", sorted(reply.children))),
        ReplyBody::GetChildren2(reply) => {
            out.push(("children", sorted(reply.children)));
            show_stat(&reply.stat, out);
        }
        ReplyBody::Sync(reply) => out.push(("path", same(&reply.path))),
        ReplyBody::Multi(reply) => reply.results.into_iter().for_each(|r| show_result(r, out)),
        ReplyBody::Sasl(reply) => out.push(("token", same(&reply.token))),
        ReplyBody::GetEphemerals(reply) => out.push(("paths", sorted(reply.paths))),
        ReplyBody::GetAllChildrenNumber(reply) => out.push(("total", same(&reply.total))),
        ReplyBody::Error(reply) => out.push(("error", same(&reply.err))),
        ReplyBody::WhoAmI(reply) => {
            let clients = reply.clients.iter().map(|c| format!("{:?} {:?}", c.scheme, c.user));
            out.push(("clients", sorted(clients.collect())));
        }
        ReplyBody::Event(event) => out.push(("event", same(&event))),
    }
}

fn show_result(result: MultiResult<'_>, out: &mut Shown) {
    match result {
        MultiResult::Create(reply) => out.push(("create", same(&reply.path))),
        MultiResult::Create2(reply) => {
            out.push(("create2", same(&reply.path)));
            show_stat(&reply.stat, out);
        }
        MultiResult::Delete => out.push(("delete", same(""))),
        MultiResult::SetData(stat) => {
            out.push(("setData", same("")));
            show_stat(&stat, out);
        }
        MultiResult::Check => out.push(("check", same(""))),
        MultiResult::GetData(reply) => show_data(&reply, out),
        MultiResult::GetChildren(reply) => out.push(("children", sorted(reply.children))),
        MultiResult::Error(code) => out.push(("error", same(&code))),
    }
}

fn show_data(reply: &GetDataResponse<'_>, out: &mut Shown) {
    out.push(("data", same(&reply.data.map(String::from_utf8_lossy))));
    show_stat(&reply.stat, out);
}

fn show_stat(stat: &Stat, out: &mut Shown) {
    out.extend([
        ("czxid", Field::Zxid(stat.czxid)),
        ("mzxid", Field::Zxid(stat.mzxid)),
        ("ctime", Field::Time(stat.ctime)),
        ("mtime", Field::Time(stat.mtime)),
        ("version", same(&stat.version)),
        ("cversion", same(&stat.cversion)),
        ("aversion", same(&stat.aversion)),
        ("ephemeralOwner", Field::Session(stat.ephemeral_owner)),
        ("dataLength", same(&stat.data_length)),
        ("numChildren", same(&stat.num_children)),
        ("pzxid", Field::Zxid(stat.pzxid)),
    ]);
}

fn same(value: &(impl Debug + ?Sized)) -> Field {
    Field::Same(format!("{value:?}"))
}

fn sorted<T: Ord + Debug>(mut items: Vec<T>) -> Field {
    items.sort();
    same(&items)
}

/// Whether a wall clock time is of the last ten minutes.
fn is_recent(millis: i64) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_millis());
    now.ok().and_then(|now| i64::try_from(now).ok()).is_some_and(|now| {
        let age = now - millis;
        (-1000..600_000).contains(&age)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zxids_keep_their_order_and_identity() {
        let mut maps = Maps::default();
        assert!(maps.same_zxid(0, 0) && !maps.same_zxid(0, 1) && !maps.same_zxid(-1, 1));
        assert!(maps.same_zxid(10, 20) && maps.same_zxid(12, 25) && maps.same_zxid(10, 20));
        assert!(!maps.same_zxid(10, 21), "10 stands for 20");
        assert!(!maps.same_zxid(11, 25) && !maps.same_zxid(11, 20) && !maps.same_zxid(11, 30));
        assert!(maps.same_zxid(11, 22));
    }

    #[test]
    fn a_session_stands_for_one_session() {
        let mut maps = Maps::default();
        assert!(maps.same_field(&Field::Session(5), &Field::Session(9)));
        assert!(!maps.same_field(&Field::Session(5), &Field::Session(8)));
        assert!(!maps.same_field(&Field::Session(6), &Field::Session(0)));
        assert!(!maps.same_field(&Field::Session(0), &Field::Session(9)));
        assert!(!maps.same_field(&Field::Time(5), &Field::Time(5)), "long ago");
    }
}
