//! multi: several writes that happen together or not at all.
//!
//! The parts are judged in order, each seeing what the ones before do; all share one zxid and time. The
//! first refusal ends the judging: the overlay is rolled back, the failed part becomes its error, later
//! ones RuntimeInconsistency, and the ones before keep their bodies, which nobody applies.
//! A part that cannot be decoded, wherever it stands, makes the whole request undecodable; so do reads, and
//! TTL flags in another operation than createTTL (Apache before 3.8.2 judges the parts before it first).

use super::create::{Create, create};
use super::judge::Judge;
use super::undecodable;
use super::{check, delete, set_data};
use quorate_wire::error::ErrorCode;
use quorate_wire::frame::finish_frame;
use quorate_wire::jute::Jute;
use quorate_wire::op::OpCode;
use quorate_wire::op::create::{CreateMode, CreateRequest, CreateTtlRequest};
use quorate_wire::op::multi::{MultiPart, MultiParts};
use quorate_wire::txn::TxnType;

/// Judges a multi.
pub(super) fn multi(
    judge: &mut Judge<'_>,
    body: &[u8],
    scratch: &mut String,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    judge.overlay.begin();
    let outcome = parts(judge, body, scratch, out);
    match outcome {
        Ok(Verdict::Passed) => judge.overlay.keep(),
        Ok(Verdict::Failed) | Err(_) => judge.overlay.roll_back(judge.zxid),
    }
    outcome.map(|_| ())
}

#[derive(Clone, Copy)]
enum Verdict {
    Passed,
    Failed,
}

fn parts(
    judge: &mut Judge<'_>,
    body: &[u8],
    scratch: &mut String,
    out: &mut Vec<u8>,
) -> Result<Verdict, ErrorCode> {
    let count_at = out.len();
    0i32.write(out);
    let (mut count, mut verdict) = (0i32, Verdict::Passed);
    for part in MultiParts::new(body) {
        let part = part.map_err(undecodable)?;
        if !can_be_judged(&part) {
            return Err(ErrorCode::MarshallingError);
        }
        if matches!(part, MultiPart::Create(OpCode::Create2, _)) {
            judge.create2_parts.push(usize::try_from(count).unwrap_or_default());
        }
        let at = out.len();
        if matches!(verdict, Verdict::Failed) {
            write_error(ErrorCode::RuntimeInconsistency, out);
        } else if let Err(code) = judge_part(judge, part, scratch, out) {
            if code == ErrorCode::MarshallingError {
                return Err(code);
            }
            out.truncate(at);
            write_error(code, out);
            verdict = Verdict::Failed;
        }
        count = count.saturating_add(1);
        if out.len().saturating_sub(count_at) > LONGEST {
            return Err(ErrorCode::MarshallingError);
        }
    }
    if let Some(slot) = out.get_mut(count_at..).and_then(|b| b.first_chunk_mut::<4>()) {
        *slot = count.to_be_bytes();
    }
    Ok(verdict)
}

/// Whether the part is a write, and TTL flags, if it has any, come with a time to live.
fn can_be_judged(part: &MultiPart<'_>) -> bool {
    match part {
        MultiPart::Create(_, request) => {
            !CreateMode::from_flags(request.flags).is_some_and(CreateMode::is_ttl)
        }
        part => !part.is_read(),
    }
}

fn judge_part(
    judge: &mut Judge<'_>,
    part: MultiPart<'_>,
    scratch: &mut String,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    match part {
        MultiPart::Create(_, request) => {
            let request = of_flags(request);
            write_part(request.kind(), out, |out| create(judge, request, scratch, out))
        }
        MultiPart::CreateTtl(request) => {
            let request = ttl_of_flags(request);
            write_part(request.kind(), out, |out| create(judge, request, scratch, out))
        }
        MultiPart::Delete(request) => {
            write_part(TxnType::DELETE, out, |out| delete::delete(judge, &request, out))
        }
        MultiPart::SetData(request) => {
            write_part(TxnType::SET_DATA, out, |out| set_data::set_data(judge, &request, out))
        }
        MultiPart::Check(request) => {
            write_part(TxnType::CHECK, out, |out| check::check(judge, &request, out))
        }
        MultiPart::GetData(_) | MultiPart::GetChildren(_) => Err(ErrorCode::MarshallingError),
    }
}

/// Inside a multi the flags alone tell a container from a plain node; a create2 is logged as
/// create, since Apache before 3.8.2 stops replaying a multi at a part of type create2.
fn of_flags(request: CreateRequest<'_>) -> Create<'_> {
    match CreateMode::from_flags(request.flags) {
        Some(CreateMode::Container) => Create::new(OpCode::CreateContainer, request),
        _ => Create::new(OpCode::Create, request),
    }
}

/// Inside a multi a createTTL without TTL flags is what its flags say.
fn ttl_of_flags(request: CreateTtlRequest<'_>) -> Create<'_> {
    if CreateMode::from_flags(request.flags).is_some_and(CreateMode::is_ttl) {
        return Create::with_ttl(request);
    }
    let CreateTtlRequest { path, data, acl, flags, .. } = request;
    of_flags(CreateRequest { path, data, acl, flags })
}

/// Appends a part: type, length and the body that `write` produces.
fn write_part(
    kind: i32,
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), ErrorCode>,
) -> Result<(), ErrorCode> {
    kind.write(out);
    let at = out.len();
    0i32.write(out);
    write(out)?;
    finish_frame(out, at);
    Ok(())
}

fn write_error(code: ErrorCode, out: &mut Vec<u8>) {
    TxnType::ERROR.write(out);
    4i32.write(out);
    code.code().write(out);
}

/// The most bytes of one transaction. A request of a megabyte can ask for far more, by ACLs of the scheme `auth`,
/// each of which stands for all identities of the caller.
const LONGEST: usize = 16 << 20;
