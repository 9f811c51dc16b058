//! The plan by itself: orders of events and answers that a server rarely gives.

use super::entry::Hub;
use super::plan::{Limits, Plan};
use super::tree::{Node, Slot};
use super::work::{Answer, Kind, Work};
use crate::client::{EventType, Stat};
use std::sync::Arc;

const LIMITS: Limits = Limits { depth: usize::MAX, data: true, nodes: 100, bytes: 10_000 };

fn stat(czxid: i64, mzxid: i64, pzxid: i64, num_children: i32) -> Stat {
    Stat { czxid, mzxid, pzxid, num_children, ..Stat::default() }
}

fn plan() -> Plan {
    let mut plan = Plan::new("/r", LIMITS, Arc::new(Hub::default()));
    plan.doubt();
    plan.start();
    plan
}

/// Answers the next question, and says which it was.
fn answer(plan: &mut Plan, answer: Answer) -> (Kind, String) {
    let Work { kind, walk, paths } = plan.next(1).unwrap();
    plan.answered(kind, walk, &paths[0], answer);
    (kind, paths[0].clone())
}

fn asked(kind: Kind, path: &str) -> (Kind, String) {
    (kind, path.to_owned())
}

/// A root with the child `/r/a`, both known.
fn filled() -> Plan {
    let mut plan = plan();
    assert_eq!(answer(&mut plan, Answer::Stat(stat(1, 1, 2, 1))), asked(Kind::Exists, "/r"));
    assert_eq!(answer(&mut plan, Answer::Data(vec![], stat(1, 1, 2, 1))), asked(Kind::Get, "/r"));
    let names = Answer::Children(vec!["a".into()], stat(1, 1, 2, 1));
    assert_eq!(answer(&mut plan, names), asked(Kind::List, "/r"));
    let data = Answer::Data(vec![1], stat(2, 2, 2, 0));
    assert_eq!(answer(&mut plan, data), asked(Kind::Get, "/r/a"));
    assert!(plan.next(1).is_none() && plan.is_idle() && plan.len() == 2);
    plan
}

/// apache/curator #967 (CURATOR-447): memory that each cached node took beside its data. With its place in the map of its parent, some 170 bytes;
/// what is rarely there (children) is one word.
#[test]
fn curator_967_a_cached_node_is_small() {
    assert!(size_of::<Node>() <= 104, "{}", size_of::<Node>());
    assert!(size_of::<(Box<str>, Slot)>() <= 24);
    assert!(Node::new(Stat::default(), None, 0).map().is_none(), "no map without children");
}

#[test]
fn what_lies_too_deep_is_said_to_be_missing() {
    let mut plan = Plan::new("/r", Limits { nodes: 2_000, ..LIMITS }, Arc::new(Hub::default()));
    plan.doubt();
    plan.start();
    while let Some(Work { kind, walk, paths }) = plan.next(1) {
        let answer = match kind {
            Kind::Get => Answer::Data(vec![], stat(1, 1, 1, 1)),
            Kind::Exists | Kind::Bare => Answer::Stat(stat(1, 1, 1, 1)),
            Kind::List => Answer::Children(vec!["n".into()], stat(1, 1, 1, 1)),
        };
        plan.answered(kind, walk, &paths[0], answer);
    }
    let deepest = format!("/r{}", "/n".repeat(1_000));
    assert_eq!((plan.len(), plan.refused()), (1_001, Some(deepest.as_str())));
}

#[test]
fn an_unchanged_tree_is_only_asked_for_its_stats() {
    let mut plan = filled();
    plan.doubt();
    plan.start();
    assert_eq!(answer(&mut plan, Answer::Stat(stat(1, 1, 2, 1))), asked(Kind::Exists, "/r"));
    assert_eq!(answer(&mut plan, Answer::Stat(stat(2, 2, 2, 0))), asked(Kind::Exists, "/r/a"));
    assert!(plan.next(1).is_none());
}

/// While events may be missing, one that comes must not vouch for those before it.
#[test]
fn a_creation_that_was_missed_is_found_behind_one_that_was_seen() {
    let mut plan = filled();
    plan.doubt();
    plan.event(EventType::Created, "/r/c", Some(9));
    plan.start();
    assert_eq!(answer(&mut plan, Answer::Stat(stat(1, 1, 9, 3))), asked(Kind::Exists, "/r"));
    assert_eq!(answer(&mut plan, Answer::Data(vec![], stat(9, 9, 9, 0))), asked(Kind::Get, "/r/c"));
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    assert_eq!(
        answer(&mut plan, Answer::Children(names, stat(1, 1, 9, 3))),
        asked(Kind::List, "/r")
    );
    assert_eq!(answer(&mut plan, Answer::Stat(stat(2, 2, 2, 0))), asked(Kind::Exists, "/r/a"));
    assert_eq!(answer(&mut plan, Answer::Data(vec![], stat(8, 8, 8, 0))), asked(Kind::Get, "/r/b"));
    assert!(plan.next(1).is_none() && plan.len() == 4);
}

/// The connection is lost before a child that was announced could be read.
#[test]
fn a_child_that_was_announced_is_not_forgotten() {
    let mut plan = filled();
    plan.event(EventType::Created, "/r/b", Some(5));
    assert!(plan.next(1).is_some());
    plan.doubt();
    plan.start();
    assert_eq!(answer(&mut plan, Answer::Stat(stat(1, 1, 5, 2))), asked(Kind::Exists, "/r"));
    assert_eq!(answer(&mut plan, Answer::Stat(stat(2, 2, 2, 0))), asked(Kind::Exists, "/r/a"));
    let data = Answer::Data(vec![], stat(5, 5, 5, 0));
    assert_eq!(answer(&mut plan, data), asked(Kind::Get, "/r/b"));
}

#[test]
fn answers_that_are_overtaken_by_events_do_no_harm() {
    let mut plan = filled();
    // An old list does not remove what was created after it.
    plan.event(EventType::Created, "/r/b", Some(5));
    assert_eq!(answer(&mut plan, Answer::Data(vec![], stat(5, 5, 5, 0))), asked(Kind::Get, "/r/b"));
    plan.answered(Kind::List, 1, "/r", Answer::Children(vec!["a".into()], stat(1, 1, 4, 1)));
    assert!(plan.tree.node("/r/b").is_some());
    // An old answer does not bring back what was deleted.
    plan.event(EventType::Deleted, "/r/a", Some(6));
    plan.answered(Kind::Get, 1, "/r/a", Answer::Data(vec![1], stat(2, 2, 2, 0)));
    assert!(plan.tree.node("/r/a").is_none());
    // An old deletion does not remove a newer node, nor old data replace newer.
    plan.event(EventType::Deleted, "/r/b", Some(4));
    plan.answered(Kind::Get, 1, "/r/b", Answer::Data(vec![7], stat(5, 4, 5, 0)));
    let node = plan.tree.node("/r/b").unwrap();
    assert_eq!((node.stat.mzxid, node.data.as_ref().map(|data| data.len())), (5, Some(0)));
}

#[test]
fn what_may_not_be_read_is_known_by_its_stat() {
    let mut plan = filled();
    plan.event(EventType::DataChanged, "/r/a", Some(7));
    assert_eq!(answer(&mut plan, Answer::Denied), asked(Kind::Get, "/r/a"));
    assert_eq!(answer(&mut plan, Answer::Stat(stat(2, 7, 2, 0))), asked(Kind::Bare, "/r/a"));
    let node = plan.tree.node("/r/a").unwrap();
    assert!(node.data.is_none() && node.stat.mzxid == 7 && plan.is_idle());
    assert_eq!(plan.bytes(), 1, "the name");
}

/// With one-shot watches a root that vanishes while it is read must be asked for again: only that leaves a watch.
#[test]
fn a_root_that_is_gone_keeps_a_watch() {
    let mut plan = plan();
    plan.one_shot = true;
    assert_eq!(answer(&mut plan, Answer::Stat(stat(1, 1, 1, 0))), asked(Kind::Exists, "/r"));
    assert_eq!(answer(&mut plan, Answer::Absent), asked(Kind::Get, "/r"));
    assert_eq!(answer(&mut plan, Answer::Absent), asked(Kind::Exists, "/r"));
    assert!(plan.is_idle());
}
