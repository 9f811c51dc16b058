//! Kept nodes, groups, naming, progress and assignments against a server in this process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/recipes.rs"]
mod recipes;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Acl, Client, CreateMode, CreateOptions, ErrorCode};
use quorate::recipes::assignment::Assignments;
use quorate::recipes::directory::{Change, Directory, Entry};
use quorate::recipes::group::{Group, Style};
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::naming::Naming;
use quorate::recipes::persistent::{PersistentNode, Presence, TtlNode};
use quorate::recipes::progress::{Progress, Report};
use quorate_wire::OpCode;
use recipes::{Server, clients, expire, names, server, soon, spawn, until};
use std::collections::HashSet;
use std::time::Duration;

#[test]
fn a_kept_node_comes_back() {
    let server = server();
    let [a, b] = clients(&server);
    wait(async {
        let kept = PersistentNode::new(&a, "/n/x").data("1").keep();
        let first = soon(&a, kept.there()).await.unwrap();
        // Deleted, with its parent.
        b.multi().delete("/n/x", None).delete("/n", None).commit().await.unwrap();
        let second = soon(&a, kept.newer_than(first)).await.unwrap();
        assert!(second > first);
        soon(&a, kept.write("2")).await.unwrap();
        assert_eq!(b.get("/n/x").await.unwrap().0, b"2");
        let old = a.session_id();
        expire(&server, &a).await;
        let third = soon(&a, kept.newer_than(second)).await.unwrap();
        let (data, stat) = b.get("/n/x").await.unwrap();
        assert_eq!((data.as_slice(), stat.czxid), (&b"2"[..], third));
        assert!(stat.ephemeral_owner == a.session_id() && stat.ephemeral_owner != old);
        kept.remove().await.unwrap();
        assert!(names(&b, "/n").await.is_empty());
        let kept = PersistentNode::new(&a, "/n/y").keep();
        soon(&a, kept.there()).await.unwrap();
        drop(kept);
        until(&b, async || Ok(names(&b, "/n").await.is_empty())).await;
        assert_eq!(a.counters().watches, 0);
    });
}

/// A node of the own session before is not taken for the own: "it exists" is not enough, it is about to vanish.
#[test]
fn a_node_of_another_session_is_not_taken_for_the_own() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        b.create("/x", b"other", CreateMode::Ephemeral).await.unwrap();
        let kept = PersistentNode::new(&a, "/x").data("mine").keep();
        let taken = Presence::Taken(b.session_id());
        soon(&a, kept.changes().until(|presence| *presence == taken)).await.unwrap();
        assert_eq!(c.get("/x").await.unwrap().0, b"other");
        // Who waits for it can stop to.
        let waiting = PersistentNode::new(&c, "/x").keep();
        soon(&a, waiting.changes().until(|presence| *presence == taken)).await.unwrap();
        soon(&a, waiting.remove()).await.unwrap();
        b.close().await.unwrap();
        soon(&a, kept.there()).await.unwrap();
        let (data, stat) = c.get("/x").await.unwrap();
        assert_eq!((data.as_slice(), stat.ephemeral_owner), (&b"mine"[..], a.session_id()));
        // What another has made meanwhile is not removed with the own.
        c.delete("/x", None).await.unwrap();
        soon(&a, kept.newer_than(stat.czxid)).await.unwrap();
        kept.remove().await.unwrap();
        assert!(c.exists("/x").await.unwrap().is_none());
    });
}

#[test]
fn a_kept_node_survives_lost_answers() {
    let server = Server::start();
    let proxy = Proxy::start(server.address().unwrap());
    let client = wait(Client::builder().servers(&proxy.servers()).connect()).unwrap();
    wait(async {
        proxy.lose_answer(OpCode::Create2);
        let kept = PersistentNode::new(&client, "/x").data("1").keep();
        let token = soon(&client, kept.there()).await.unwrap();
        assert_eq!(client.exists("/x").await.unwrap().unwrap().czxid, token);
        proxy.lose_answer(OpCode::SetData);
        kept.set("2");
        until(&client, async || Ok(client.get("/x").await.is_ok_and(|(data, _)| data == b"2")))
            .await;
        assert_eq!((proxy.cuts(), kept.presence()), (2, Presence::There(token)));
        proxy.lose_answer(OpCode::Delete);
        kept.remove().await.unwrap();
        assert!(client.exists("/x").await.unwrap().is_none());
    });
}

#[test]
fn a_ttl_node_lives_as_long_as_it_is_touched() {
    // Its own: elsewhere, nodes may be looked after too seldom.
    let builder = quorate::server::Server::builder().volatile().no_port();
    let builder = builder.configure(|config| config.extended_types_enabled = true);
    let server = Server::Here(builder.start().unwrap());
    let [a, b] = clients(&server);
    wait(async {
        let ttl = Duration::from_millis(40);
        let touching = TtlNode::new(&a, "/t/x", ttl).data("up").keep().await.unwrap();
        let (_, born) = b.get("/t/x").await.unwrap();
        until(&b, async || Ok(b.exists("/t/x/touch").await?.is_some_and(|it| it.version >= 2)))
            .await;
        assert_eq!(b.get("/t/x").await.unwrap().1.czxid, born.czxid);
        assert!(touching.outcomes().get().is_ok());
        // Somebody removes it: the next touch brings it back.
        b.multi().delete("/t/x/touch", None).delete("/t/x", None).commit().await.unwrap();
        until(&b, async || Ok(b.exists("/t/x/touch").await?.is_some())).await;
        assert_eq!(b.get("/t/x").await.unwrap().0, b"up");
        drop(touching);
    });
}

#[test]
fn joins_leaves_and_changes_reach_everybody() {
    let server = server();
    for style in [Style::Curator, Style::Party, Style::Shallow] {
        let [a, b, c] = clients(&server);
        let path = format!("/g/{style:?}");
        let group = |client: &Client| Group::new(client, &path).style(style);
        wait(async {
            let mut members = group(&c).members().await.unwrap();
            let one = group(&a).join("one-1", "x");
            let Some([Change::Joined(first)]) =
                members.changes().await.as_deref().map(|it| [it[0].clone()])
            else {
                panic!("nobody joined")
            };
            assert_eq!(group(&c).id(&first), "one-1");
            let two = group(&b).join("two", "y");
            soon(&c, members.until(|list| list.len() == 2)).await.unwrap();
            assert!(matches!(&*members.changes().await.unwrap(), [Change::Joined(_)]));
            if style != Style::Party {
                one.set("z");
                soon(&c, members.until(|list| list.iter().any(|it| it.data == b"z"))).await;
                assert!(matches!(&*members.changes().await.unwrap(), [Change::Changed(_)]));
            }
            // A member that leaves is listed no more; one whose session is lost is back under its new one.
            two.remove().await.unwrap();
            soon(&c, members.until(|list| list.len() == 1)).await.unwrap();
            assert!(matches!(&*members.changes().await.unwrap(), [Change::Left(_)]));
            expire(&server, &a).await;
            let alive = |list: &[_]| {
                list.iter().any(|it: &Entry| it.stat.ephemeral_owner == a.session_id())
            };
            a.connected().await.unwrap();
            soon(&c, members.until(alive)).await.unwrap();
            // The observer's own session may end as well.
            expire(&server, &c).await;
            c.connected().await.unwrap();
            drop(one);
            soon(&c, members.until(<[_]>::is_empty)).await.unwrap();
        });
    }
}

/// Curator and kazoo list it; it never leaves, and so was never there.
#[test]
fn a_foreign_child_is_no_member_and_an_ephemeral_one_is() {
    let server = server();
    for style in [Style::Curator, Style::Party, Style::Shallow] {
        let [a, b] = clients(&server);
        let path = format!("/g/{style:?}");
        wait(async {
            let group = Group::new(&a, &path).style(style);
            let one = group.join("one", "");
            one.there().await.unwrap();
            let node = |name: &str| format!("{path}/{name}");
            b.create(&node("x__party__1"), b"", CreateMode::Persistent).await.unwrap();
            let mut members = group.members().await.unwrap();
            assert_eq!(soon(&b, members.changes()).await.unwrap().len(), 1, "{style:?}");
            b.create(&node("x__party__2"), b"", CreateMode::Persistent).await.unwrap();
            b.set(&node("x__party__1"), b"here", None).await.unwrap();
            b.create(&node("x__party__3"), b"", CreateMode::Ephemeral).await.unwrap();
            // Changes come in order: those before would have been seen first.
            let joined = soon(&b, members.changes()).await.unwrap();
            let [Change::Joined(other)] = &*joined else { panic!("{style:?} {joined:?}") };
            assert_eq!(other.name, "x__party__3");
            drop(one);
        });
    }
}

#[test]
fn a_child_that_may_not_be_read_takes_nothing_from_the_others() {
    let server = server();
    let [a, b] = clients(&server);
    // Everything but reading.
    let hidden = || CreateOptions::new(CreateMode::Persistent).acl(vec![Acl::world(30)]);
    let names = |children: &[Entry]| -> Vec<String> {
        children.iter().map(|entry| entry.name.clone()).collect()
    };
    wait(async {
        b.create("/all", b"", CreateMode::Persistent).await.unwrap();
        b.create("/all/b", b"", hidden()).await.unwrap();
        b.create("/all/c", b"", CreateMode::Persistent).await.unwrap();
        let all = Directory::follow(&a, "/all", |_| true).await.unwrap();
        assert_eq!(
            (names(&all.entries()), &*all.unreadable()),
            (vec!["c".into()], &vec!["b".into()])
        );
        b.create("/all/d", b"", CreateMode::Persistent).await.unwrap();
        soon(&a, all.until(|children| children.len() == 2)).await.unwrap();
        assert_eq!(*all.unreadable(), ["b"]);
        // Readable from now on, which its next change tells.
        b.set_acl("/all/b", &[Acl::world(31)], None).await.unwrap();
        b.set("/all/b", b"told", None).await.unwrap();
        let three = soon(&a, all.until(|children| children.len() == 3)).await.unwrap();
        assert_eq!(
            (names(&three), &*three[0].data),
            (vec!["b".into(), "c".into(), "d".into()], &b"told"[..])
        );
        assert!(all.unreadable().is_empty());
    });
}

#[test]
fn ids_are_unique_and_sortable_ones_never_repeat() {
    let server = server();
    let clients: [Client; 4] = clients(&server);
    wait(async {
        let ids: Vec<_> = clients
            .iter()
            .map(|client| {
                let naming = Naming::new(client, "/jobs", "type-job-");
                spawn(client, async move {
                    let mut ids = Vec::new();
                    for _ in 0..50 {
                        ids.push(naming.unique().await.unwrap());
                    }
                    ids
                })
            })
            .collect();
        let ids: Vec<String> = ids.into_iter().flat_map(recipes::Running::join).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 200);
        assert!(ids.contains(&"type-job-0000000199".to_owned()));
        let naming = Naming::new(&clients[0], "/jobs", "s-");
        let before = naming.sortable().await.unwrap();
        until(&clients[0], async || Ok(names(&clients[0], "/jobs").await.is_empty())).await;
        // The directory is made anew: its counter restarts, the sortable ids do not.
        clients[0].delete("/jobs", None).await.unwrap();
        assert_eq!(naming.unique().await.unwrap(), "s-0000000000");
        assert!(naming.sortable().await.unwrap() > before);
        // The directory is no container: it must not be reaped.
        assert_eq!(clients[0].exists("/jobs").await.unwrap().unwrap().ephemeral_owner, 0);
        let register = Naming::new(&clients[1], "/jobs", "kept-").registers();
        let id = register.unique().await.unwrap();
        assert!(names(&clients[2], "/jobs").await.contains(&id));
    });
}

#[test]
fn an_id_whose_answer_was_lost_is_not_given_out_twice() {
    let server = Server::start();
    let proxy = Proxy::start(server.address().unwrap());
    let client = wait(Client::builder().servers(&proxy.servers()).connect()).unwrap();
    wait(async {
        let naming = Naming::new(&client, "/jobs", "id-");
        let first = naming.unique().await.unwrap();
        proxy.lose_answer(OpCode::Create2);
        let second = soon(&client, naming.unique()).await.unwrap();
        assert_eq!((first.as_str(), second.as_str()), ("id-0000000000", "id-0000000001"));
        let register = naming.registers();
        let third = register.unique().await.unwrap();
        proxy.lose_answer(OpCode::Create2);
        let fourth = soon(&client, register.unique()).await.unwrap();
        assert_eq!((third.as_str(), fourth.as_str()), ("id-0000000002", "id-0000000004"));
        until(&client, async || Ok(names(&client, "/jobs").await.len() == 3)).await;
    });
}

#[test]
fn progress_is_seen_live_and_vanishes_with_the_worker() {
    let server = server();
    let [a, b, c] = clients(&server);
    wait(async {
        let board = Progress::new(&c, "/progress/import").watch().await.unwrap();
        let one = Progress::new(&a, "/progress/import").report_as("one", &Report::new(0, 10));
        let two = Progress::new(&b, "/progress/import").report_as("two", &Report::new(3, 4));
        soon(&c, board.until(|reports| reports.len() == 2)).await.unwrap();
        one.report(&Report::new(5, 10).remark("half way"));
        let five = |reports: &[(String, Report)]| reports.iter().any(|(_, it)| it.done == 5);
        let seen = soon(&c, board.until(five)).await.unwrap();
        assert_eq!(seen[0], ("one".into(), Report::new(5, 10).remark("half way")));
        b.close().await.unwrap();
        soon(&c, board.until(|reports| reports.len() == 1)).await.unwrap();
        one.end().await.unwrap();
        soon(&c, board.until(<[_]>::is_empty)).await.unwrap();
        drop(two);
        // Foreign children are no reports.
        c.create("/progress/import/noise", b"?", CreateMode::Persistent).await.unwrap();
        assert!(board.reports().is_empty());
        assert!("1/2".parse::<Report>().is_ok() && "1".parse::<Report>().is_err());
    });
}

#[test]
fn tasks_of_a_dead_agent_move_and_only_a_leader_assigns() {
    let server = server();
    let [controller, a, b] = clients(&server);
    wait(async {
        let candidate = LeaderLatch::new(&controller, "/system/controller").join();
        let term = soon(&controller, candidate.leads()).await.unwrap();
        let assignments = Assignments::new(&controller, "/system").led_by(term);
        let agents = assignments.agents().await.unwrap();
        let (one, two) = (Assignments::new(&a, "/system"), Assignments::new(&b, "/system"));
        let (first, _second) = (one.register("one", ""), two.register("two", ""));
        soon(&controller, agents.until(|list| list.len() == 2)).await.unwrap();
        let (of_one, of_two) = (one.tasks("one").await.unwrap(), two.tasks("two").await.unwrap());
        for task in ["x", "y", "y"] {
            assignments.assign("one", task, b"do").await.unwrap();
        }
        soon(&a, of_one.until(|list| list.len() == 2)).await.unwrap();
        one.finish("one", "x", b"fine").await.unwrap();
        assert_eq!(assignments.result("x").await.unwrap().unwrap(), b"fine");
        let error = one.finish("one", "x", b"again").await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::NoNode);

        drop(first);
        soon(&controller, agents.until(|list| list.len() == 1)).await.unwrap();
        assert_eq!(assignments.reassign("one", |_| "two".into()).await.unwrap(), 1);
        let list = soon(&b, of_two.until(|list| list.len() == 1)).await.unwrap();
        assert_eq!((list[0].name.as_str(), list[0].data.as_slice()), ("y", &b"do"[..]));
        // It has passed to another: the first one's result comes too late.
        assert_eq!(one.finish("one", "y", b"").await.unwrap_err().code(), ErrorCode::NoNode);
        assignments.withdraw("two", "y").await.unwrap();
        assignments.withdraw("two", "y").await.unwrap();

        candidate.leave().await.unwrap();
        let error = assignments.assign("two", "z", b"").await.unwrap_err();
        assert_eq!((error.code(), error.part()), (ErrorCode::NoNode, Some(0)));
        let error = assignments.withdraw("two", "z").await.unwrap_err();
        assert_eq!(error.part(), Some(0));
    });
}
