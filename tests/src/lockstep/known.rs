//! The one table of differences between Apache's releases that are compared with, 3.8.0 and 3.9.4, and what we do.
//!
//! Anything that is not listed here must be equal. An entry is either never generated, or accepted by a rule that is as
//! narrow as the difference. Most are of 3.8.0 alone and are generated for 3.9.4, which must be equal there.
//! Sources: Apache's release notes and code of 3.8.x and 3.9.x.

use super::normalise::Normal;
use super::server::Release;
use crate::messages::ReplyBody;
use quorate_wire::frame::RequestHeader;
use quorate_wire::jute::Jute;
use quorate_wire::op::exists::ExistsRequest;
use quorate_wire::op::get_data::GetDataRequest;
use quorate_wire::op::multi_result::MultiResult;
use quorate_wire::{ErrorCode, OpCode};

/// A known difference.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// What differs, and since when.
    pub what: &'static str,
    /// Where it is.
    pub of: Of,
    /// What the test does about it.
    pub handling: Handling,
}

/// Which of the releases differ from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// 3.8.0 alone.
    Old,
    /// 3.9.4 as well.
    Both,
    /// 3.9.4 alone.
    New,
}

impl Of {
    fn includes(self, release: Option<Release>) -> bool {
        match self {
            Self::Both => true,
            Self::Old => release == Some(Release::V38),
            Self::New => release == Some(Release::V39),
        }
    }
}

/// What the test does about a known difference.
#[derive(Clone, Copy, Debug)]
pub(super) enum Handling {
    /// The generator avoids it; the text says how.
    #[expect(dead_code, reason = "it is for the reader")]
    Avoided(&'static str),
    /// Accepted where this says so.
    Accepted(Rule),
}

/// Decides about one pair of observations: what Apache's client saw in this step before it, Apache's
/// observation, and ours.
pub(super) type Rule = fn(&[Normal<'_>], &Normal<'_>, &Normal<'_>) -> bool;

/// Every known difference.
pub(super) const KNOWN: &[Known] = &[
    Known {
        what: "a notification carries its transaction's zxid (3.9), not -1",
        of: Of::Old,
        handling: Handling::Accepted(notification_zxid),
    },
    Known {
        what: "create2, createContainer and createTTL in a multi are answered with a stat (3.7.2, 3.8.2)",
        of: Of::Old,
        handling: Handling::Accepted(multi_create2),
    },
    Known {
        what: "exists needs READ on the node (3.8.4, 3.9.2)",
        of: Of::Old,
        handling: Handling::Accepted(exists_needs_read),
    },
    Known {
        what: "events are filtered by the node's ACL (ZOOKEEPER-4799: 3.8.4, 3.9.2)",
        of: Of::Old,
        handling: Handling::Avoided("a sequence has unreadable nodes or watches, not both"),
    },
    Known {
        what: "several watch modes live side by side on one path (ZOOKEEPER-4466: 3.9.0)",
        of: Of::Old,
        handling: Handling::Avoided(
            "even clients set one-shot watches, odd ones persistent ones, with one mode per path",
        ),
    },
    Known {
        what: "checkWatches and removeWatches know types 4 and 5 (ZOOKEEPER-4472: 3.9.0), and types match modes (ZOOKEEPER-4471)",
        of: Of::Old,
        handling: Handling::Avoided("types 4 and 5 are not sent; odd clients send type 3 only"),
    },
    Known {
        what: "check outside a multi is refused (3.8.5, 3.9.3); 3.8.0 never answers it",
        of: Of::Old,
        handling: Handling::Avoided("not sent"),
    },
    Known {
        what: "checkWatches does not take another client's watch on the path for one's own (3.9)",
        of: Of::Old,
        handling: Handling::Avoided("only where a single client sets watches"),
    },
    Known {
        what: "a createContainer in a multi is what its flags say; a container whatever they say in newer ones (3.8.2)",
        of: Of::New,
        handling: Handling::Avoided("its flags say container"),
    },
    Known {
        what: "an undecodable reconfig takes a zxid like every other undecodable write",
        of: Of::Both,
        handling: Handling::Avoided("reconfig is well formed"),
    },
    Known {
        what: "createSession as a request is unknown; 3.8.0 obeys it",
        of: Of::Both,
        handling: Handling::Avoided("not sent"),
    },
    Known {
        what: "an invalid create flag in a multi makes the request undecodable, but for createTTL (3.7.2, 3.8.2)",
        of: Of::Old,
        handling: Handling::Avoided("multis have valid flags"),
    },
    Known {
        what: "TTL flags in a multi's create do so too, before anything is judged (3.8.2)",
        of: Of::Old,
        handling: Handling::Avoided("only createTTL has TTL flags in a multi"),
    },
    Known {
        what: "createTTL with the flags of another mode and a negative ttl ends the process of 3.8.0",
        of: Of::Both,
        handling: Handling::Avoided("such a createTTL has a ttl of at least 0"),
    },
    Known {
        what: "a quota node whose data is no quota ends the process of 3.8.0",
        of: Of::Both,
        handling: Handling::Avoided("quota nodes get the text of a quota"),
    },
    Known {
        what: "a setACL in flight counts for the requests behind it; up to 3.9 only once it is applied",
        of: Of::Both,
        handling: Handling::Avoided("nothing follows a setACL in the same write"),
    },
    Known {
        what: "a container with an ephemeral's flags counts as an ephemeral in Apache until it is applied",
        of: Of::Both,
        handling: Handling::Avoided("nothing follows a createContainer in the same write"),
    },
    Known {
        what: "checkWatches of a path without a slash at its start is -121 (3.9), sometimes -5 before",
        of: Of::Old,
        handling: Handling::Avoided("its path starts with a slash"),
    },
    Known {
        what: "IPv6 addresses are valid ACL ids (3.9.4)",
        of: Of::Old,
        handling: Handling::Avoided("not sent"),
    },
    Known {
        what: "a client's deleteContainer is refused; 3.9.4 obeys it, whatever the ACLs say",
        of: Of::New,
        handling: Handling::Avoided("not sent"),
    },
    Known {
        what: "an undecodable write takes a zxid, as in 3.8; not in 3.9.4",
        of: Of::New,
        handling: Handling::Avoided("malformed requests are reads"),
    },
    Known {
        what: "a wrong password does not close the session's present connection",
        of: Of::Both,
        handling: Handling::Avoided("the present connection is closed before"),
    },
];

/// Whether the difference of the two observations is a known one: its text.
#[must_use]
pub(super) fn accepted(
    release: Option<Release>,
    before: &[Normal<'_>],
    apache: &Normal<'_>,
    ours: &Normal<'_>,
) -> Option<&'static str> {
    KNOWN.iter().find_map(|known| match known.handling {
        Handling::Accepted(rule) if known.of.includes(release) && rule(before, apache, ours) => {
            Some(known.what)
        }
        _ => None,
    })
}

fn notification_zxid(_: &[Normal<'_>], apache: &Normal<'_>, ours: &Normal<'_>) -> bool {
    let (Normal::Event(apache), Normal::Event(ours)) = (apache, ours) else { return false };
    apache.header.zxid == -1 && ours.header.zxid > 0 && apache.body == ours.body
}

fn multi_create2(_: &[Normal<'_>], apache: &Normal<'_>, ours: &Normal<'_>) -> bool {
    let (Normal::Reply(_, apache, []), Normal::Reply(_, ours, [])) = (apache, ours) else {
        return false;
    };
    let (ReplyBody::Multi(theirs), ReplyBody::Multi(own)) = (&apache.body, &ours.body) else {
        return false;
    };
    apache.header == ours.header
        && theirs.results.len() == own.results.len()
        && theirs.results.iter().zip(&own.results).all(|pair| match pair {
            (MultiResult::Create(a), MultiResult::Create2(b)) => a.path == b.path,
            (a, b) => a == b,
        })
}

/// The generator sends getData of the same path right before such an exists: Apache's refusal of it
/// proves that the node cannot be read.
fn exists_needs_read(before: &[Normal<'_>], apache: &Normal<'_>, ours: &Normal<'_>) -> bool {
    let (Normal::Reply(request, apache, []), Normal::Reply(_, ours, [])) = (apache, ours) else {
        return false;
    };
    let Some(Normal::Reply(previous, refusal, [])) = before.last() else { return false };
    let no_auth = ErrorCode::NoAuth.code();
    is(request, OpCode::Exists)
        && is(previous, OpCode::GetData)
        && path_of::<ExistsRequest<'_>>(request, |r| r.path.into_owned())
            == path_of::<GetDataRequest<'_>>(previous, |r| r.path.into_owned())
        && refusal.header.err == no_auth
        && apache.header.err == 0
        && ours.header.err == no_auth
        && ours.header.zxid == apache.header.zxid
        && ours.body == ReplyBody::Empty
}

fn is(request: &[u8], op: OpCode) -> bool {
    RequestHeader::from_bytes(request).is_ok_and(|h| h.op == op.code())
}

fn path_of<'a, T: Jute<'a>>(request: &'a [u8], path: impl Fn(T) -> String) -> Option<String> {
    T::from_bytes(request.get(8..)?).ok().map(path)
}
