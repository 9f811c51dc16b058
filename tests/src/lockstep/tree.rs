//! Everything below a sequence's top node, as the superuser sees it, for the comparison at the end.

use super::side::{Item, Side};
use super::step::{PREFIX, Sent};
use crate::messages::{Reply, ReplyBody};
use anyhow::Result;
use quorate_wire::op::exists::ExistsRequest;
use quorate_wire::op::get_acl::GetAclRequest;
use quorate_wire::op::get_children::GetChildrenRequest;
use quorate_wire::op::get_data::GetDataRequest;
use quorate_wire::{Jute, OpCode};

/// Data, stat, ACL and children of every node that a sequence can have touched.
///
/// # Errors
/// When the server does not answer.
pub(super) fn whole(side: &mut Side) -> Result<Vec<Item>> {
    let mut items = shared(side)?;
    let mut waiting = vec![format!("/zookeeper/quota{PREFIX}"), PREFIX.to_owned()];
    while let Some(path) = waiting.pop() {
        let children = node(side, &path, &mut items)?;
        waiting.extend(children.into_iter().map(|name| format!("{path}/{name}")));
    }
    Ok(items)
}

/// The nodes that all sequences share.
///
/// # Errors
/// When the server does not answer.
pub(super) fn shared(side: &mut Side) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for path in ["/", "/zookeeper", "/zookeeper/quota"] {
        let body = ExistsRequest { path: path.into(), watch: false };
        ask(side, OpCode::Exists, &body, &mut items)?;
    }
    node(side, "/zookeeper/config", &mut items)?;
    Ok(items)
}

fn node(side: &mut Side, path: &str, items: &mut Vec<Item>) -> Result<Vec<String>> {
    let data = GetDataRequest { path: path.into(), watch: false };
    ask(side, OpCode::GetData, &data, items)?;
    ask(side, OpCode::GetAcl, &GetAclRequest { path: path.into() }, items)?;
    let list = GetChildrenRequest { path: path.into(), watch: false };
    let payload = ask(side, OpCode::GetChildren2, &list, items)?;
    let mut names = match Reply::read(Some(OpCode::GetChildren2), &payload)?.0.body {
        ReplyBody::GetChildren2(reply) => reply.children.into_iter().map(String::from).collect(),
        _ => Vec::new(),
    };
    names.sort();
    Ok(names)
}

fn ask<'a>(
    side: &mut Side,
    op: OpCode,
    body: &impl Jute<'a>,
    items: &mut Vec<Item>,
) -> Result<Vec<u8>> {
    let request = Sent::new(1, op.code(), &body.to_bytes());
    let payload = side.ask(&request)?;
    items.push(Item::Reply(request.payload, payload.clone()));
    Ok(payload)
}
