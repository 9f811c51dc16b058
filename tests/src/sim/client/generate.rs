//! What clients ask for: any operation, on few paths, so that they meet.

use crate::messages::{MultiRequest, RequestBody};
use crate::sim::plan::Plan;
use crate::sim::random::Random;
use quorate_wire::op::add_watch::AddWatchRequest;
use quorate_wire::op::check::CheckVersionRequest;
use quorate_wire::op::create::{CreateMode, CreateRequest, CreateTtlRequest};
use quorate_wire::op::delete::DeleteRequest;
use quorate_wire::op::exists::ExistsRequest;
use quorate_wire::op::get_acl::GetAclRequest;
use quorate_wire::op::get_all_children_number::GetAllChildrenNumberRequest;
use quorate_wire::op::get_children::GetChildrenRequest;
use quorate_wire::op::get_data::GetDataRequest;
use quorate_wire::op::get_ephemerals::GetEphemeralsRequest;
use quorate_wire::op::multi::MultiPart;
use quorate_wire::op::remove_watches::WatchesRequest;
use quorate_wire::op::set_acl::SetAclRequest;
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::op::sync::SyncRequest;
use quorate_wire::{Acl, AclList, Jute, OpCode, acl};

/// Appends the body of a request. `known` are paths that were made by others, sequential ones among them.
pub(super) fn generate(
    random: &mut Random,
    plan: &Plan,
    known: &[String],
    out: &mut Vec<u8>,
) -> OpCode {
    let data = data(random, plan);
    let target = target(random, plan, known);
    if random.chance(plan.long_reads) {
        let top = target.split('/').nth(1).unwrap_or_default();
        GetAllChildrenNumberRequest { path: format!("/{top}").into() }.write(out);
        return OpCode::GetAllChildrenNumber;
    }
    let path = || target.as_str().into();
    let watch = random.chance(500);
    let version = if random.chance(800) { -1 } else { small(random, 3) };
    let (op, body): (OpCode, RequestBody<'_>) = match random.below(100) {
        0..=24 => return create(random, plan, out),
        25..=36 => (OpCode::Delete, DeleteRequest { path: path(), version }.into()),
        37..=48 => {
            (OpCode::SetData, SetDataRequest { path: path(), data: Some(&data), version }.into())
        }
        49..=56 => return multi(random, plan, known, out),
        57..=65 => (OpCode::GetData, GetDataRequest { path: path(), watch }.into()),
        66..=73 => (OpCode::Exists, ExistsRequest { path: path(), watch }.into()),
        74..=77 => (OpCode::GetChildren, GetChildrenRequest { path: path(), watch }.into()),
        78..=82 => (OpCode::GetChildren2, GetChildrenRequest { path: path(), watch }.into()),
        83..=84 => (OpCode::GetAcl, GetAclRequest { path: path() }.into()),
        85..=86 => {
            let perms = acl::ALL | (32 << random.below(3));
            let acl = vec![Acl::world(perms)].into();
            (OpCode::SetAcl, SetAclRequest { path: path(), acl, version }.into())
        }
        87..=89 => {
            let mode = small(random, 1);
            (OpCode::AddWatch, AddWatchRequest { path: path(), mode }.into())
        }
        90..=91 => {
            let op = random.of(OpCode::RemoveWatches, &[OpCode::CheckWatches]);
            let kind = 1 + small(random, 4);
            (op, WatchesRequest { path: path(), kind }.into())
        }
        92..=93 => (OpCode::Sync, SyncRequest { path: Some(path()) }.into()),
        94 => {
            let request = GetAllChildrenNumberRequest { path: path() };
            (OpCode::GetAllChildrenNumber, request.into())
        }
        95 => {
            let prefix = random.chance(500).then(path);
            (OpCode::GetEphemerals, GetEphemeralsRequest { prefix }.into())
        }
        96..=97 => return multi_read(random, plan, known, out),
        98 => (OpCode::WhoAmI, RequestBody::Empty),
        _ => (OpCode::Ping, RequestBody::Empty),
    };
    body.write(out);
    op
}

fn create(random: &mut Random, plan: &Plan, out: &mut Vec<u8>) -> OpCode {
    let data = data(random, plan);
    let path = plan.path(random).into();
    let data = random.chance(900).then_some(data.as_slice());
    let acl = AclList::OPEN;
    let mode = random.of(
        CreateMode::Persistent,
        &[
            CreateMode::Persistent,
            CreateMode::Ephemeral,
            CreateMode::Ephemeral,
            CreateMode::PersistentSequential,
            CreateMode::EphemeralSequential,
            CreateMode::Container,
            CreateMode::PersistentWithTtl,
            CreateMode::PersistentSequentialWithTtl,
        ],
    );
    let flags = mode.flags();
    if mode.is_ttl() {
        let ttl = i64::from(1 + small(random, 5_000));
        CreateTtlRequest { path, data, acl, flags, ttl }.write(out);
        return OpCode::CreateTtl;
    }
    CreateRequest { path, data, acl, flags }.write(out);
    match mode {
        CreateMode::Container => OpCode::CreateContainer,
        _ => random.of(OpCode::Create, &[OpCode::Create2]),
    }
}

fn multi(random: &mut Random, plan: &Plan, known: &[String], out: &mut Vec<u8>) -> OpCode {
    let data = data(random, plan);
    let paths: Vec<String> =
        (0..random.between(0, 5)).map(|_| target(random, plan, known)).collect();
    let mut parts = Vec::new();
    for path in &paths {
        let path = path.as_str().into();
        let version = if random.chance(900) { -1 } else { small(random, 3) };
        let acl = AclList::OPEN;
        parts.push(match random.below(9) {
            0..=3 => {
                let op = random.of(OpCode::Create, &[OpCode::Create2]);
                let flags = small(random, 3);
                MultiPart::Create(op, CreateRequest { path, data: Some(&data), acl, flags })
            }
            4..=5 => MultiPart::Delete(DeleteRequest { path, version }),
            6..=7 => MultiPart::SetData(SetDataRequest { path, data: Some(&data), version }),
            _ => MultiPart::Check(CheckVersionRequest { path, version }),
        });
    }
    MultiRequest { parts }.write(out);
    OpCode::Multi
}

fn multi_read(random: &mut Random, plan: &Plan, known: &[String], out: &mut Vec<u8>) -> OpCode {
    let paths: Vec<String> =
        (0..random.between(1, 4)).map(|_| target(random, plan, known)).collect();
    let mut parts = Vec::new();
    for path in &paths {
        let (path, watch) = (path.as_str().into(), false);
        parts.push(match random.below(2) {
            0 => MultiPart::GetData(GetDataRequest { path, watch }),
            _ => MultiPart::GetChildren(GetChildrenRequest { path, watch }),
        });
    }
    MultiRequest { parts }.write(out);
    OpCode::MultiRead
}

/// A path to do something with.
fn target(random: &mut Random, plan: &Plan, known: &[String]) -> String {
    match random.below(10) {
        0..=3 if !known.is_empty() => random.pick(known).cloned().unwrap_or_default(),
        // The root has children and data like any other node, but cannot be created or deleted.
        _ => plan.path(random),
    }
}

fn data(random: &mut Random, plan: &Plan) -> Vec<u8> {
    let len = random.skewed(0, plan.data.max(1));
    let byte = random.number().to_be_bytes();
    byte.iter().copied().cycle().take(usize::try_from(len).unwrap_or(0)).collect()
}

fn small(random: &mut Random, most: u64) -> i32 {
    i32::try_from(random.between(0, most)).unwrap_or(0)
}
