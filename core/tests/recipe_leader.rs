//! Latch, selector and elections against a server in this process.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/cutting.rs"]
mod cutting;
#[path = "support/recipes.rs"]
mod recipes;

use cutting::Proxy;
use quorate::client::blocking::wait;
use quorate::client::{Client, CreateMode, ErrorCode, Result};
use quorate::recipes::election::{Election, Form};
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::leader::{Candidate, Leader, Leadership, Observer, Policy, Standing};
use quorate::recipes::selector::{LeaderSelector, Term};
use quorate_wire::OpCode;
use recipes::{Server, clients, expire, names, server, soon, spawn, until};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Every kind of election in which candidates take part in the background.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Latch,
    Election(Form),
}

const KINDS: [Kind; 4] = [
    Kind::Latch,
    Kind::Election(Form::Kazoo),
    Kind::Election(Form::Offer),
    Kind::Election(Form::SingleNode),
];

impl Kind {
    /// Nodes of one candidate that leads.
    fn nodes(self) -> usize {
        if self == Self::Election(Form::SingleNode) { 2 } else { 1 }
    }

    fn join(self, client: &Client, id: &str, policy: Policy) -> Candidate {
        match self {
            Self::Latch => LeaderLatch::new(client, "/e/x").id(id).policy(policy).join(),
            Self::Election(form) => {
                Election::new(client, "/e/x", form).id(id).policy(policy).join()
            }
        }
    }

    async fn observe(self, client: &Client) -> Observer {
        match self {
            Self::Latch => LeaderLatch::new(client, "/e/x").observe().await.unwrap(),
            Self::Election(form) => Election::new(client, "/e/x", form).observe().await.unwrap(),
        }
    }

    async fn participants(self, client: &Client) -> Result<Vec<Leader>> {
        match self {
            Self::Latch => LeaderLatch::new(client, "/e/x").participants().await,
            Self::Election(form) => Election::new(client, "/e/x", form).participants().await,
        }
    }
}

#[test]
fn one_leads_the_next_follows_and_observers_see_it() {
    for kind in KINDS {
        let server = server();
        let [a, b, c] = clients(&server);
        wait(async {
            // It watches before the directory exists.
            let observer = kind.observe(&c).await;
            assert_eq!(observer.leader(), None);
            let first = kind.join(&a, "a", Policy::Connection);
            let term = soon(&a, first.leads()).await.unwrap();
            let second = kind.join(&b, "b", Policy::Connection);
            until(&a, async || {
                Ok(kind == Kind::Election(Form::SingleNode)
                    || kind.participants(&c).await?.len() == 2)
            })
            .await;
            assert!(first.is_leader() && term.holds() && !second.is_leader());
            let seen = soon(&c, observer.newer_than(0)).await.unwrap();
            assert_eq!((seen.data.as_slice(), seen.token), (&b"a"[..], term.token()), "{kind:?}");
            assert_eq!(seen.session, a.session_id());

            let lost = term.lost();
            first.leave().await.unwrap();
            soon(&a, lost).await;
            assert!(!term.holds());
            let next = soon(&b, second.leads()).await.unwrap();
            assert!(next.token() > term.token());
            let seen = soon(&c, observer.newer_than(term.token())).await.unwrap();
            assert_eq!((seen.data.as_slice(), seen.token), (&b"b"[..], next.token()));
            // What the old leader still does under its term does not happen.
            let late = term.guarded().create("/late", b"", CreateMode::Persistent).commit();
            assert_eq!(late.await.unwrap_err().part(), Some(0));
            next.guarded().create("/fine", b"", CreateMode::Persistent).commit().await.unwrap();
            drop(second);
            until(&c, async || Ok(names(&c, "/e/x").await.is_empty())).await;
            soon(&c, observer.changes().until(Option::is_none)).await;
        });
    }
}

/// CURATOR-498, -604, -620, -644, -653, -696: after the session has expired, the node of the old one must not count.
#[test]
fn a_leader_whose_session_expired_leads_again_only_with_a_new_node() {
    for kind in KINDS {
        let server = server();
        let [a, b] = clients(&server);
        wait(async {
            let candidate = kind.join(&a, "a", Policy::Session);
            let term = soon(&a, candidate.leads()).await.unwrap();
            let (lost, old) = (term.lost(), a.session_id());
            expire(&server, &a).await;
            soon(&a, lost).await;
            assert!(!term.holds());
            until(&a, async || Ok(candidate.is_leader())).await;
            let next = candidate.leads().await.unwrap();
            assert!(next.token() > term.token());
            let list = kind.participants(&b).await.unwrap();
            assert_eq!(list.len(), 1, "{kind:?}");
            assert_ne!((list[0].session, list[0].session), (old, 0));
            assert_eq!(list[0].token, next.token());
        });
    }
}

/// Numbers begin at 0 in a directory that was made anew: the next leader's node can have the name of the last one's.
#[test]
fn an_old_leader_writes_nothing_in_a_directory_that_was_made_anew() {
    for kind in KINDS {
        let server = server();
        let [a, b] = clients(&server);
        wait(async {
            let candidate = kind.join(&a, "a", Policy::Session);
            let old = soon(&a, candidate.leads()).await.unwrap();
            let lost = old.lost();
            expire(&server, &a).await;
            soon(&a, lost).await;
            candidate.leave().await.unwrap();
            until(&b, async || {
                let deleted = b.delete("/e/x", None).await.map_err(|error| error.code());
                Ok(matches!(deleted, Ok(()) | Err(ErrorCode::NoNode)))
            })
            .await;
            let successor = kind.join(&b, "b", Policy::Session);
            let next = soon(&b, successor.leads()).await.unwrap();
            if matches!(kind, Kind::Election(Form::Offer | Form::SingleNode)) {
                assert_eq!(old.path(), next.path());
            }
            let late = old.guarded().create("/late", b"", CreateMode::Persistent).commit();
            let refused = soon(&a, late).await.unwrap_err();
            assert_eq!(refused.code(), ErrorCode::SessionExpired, "{kind:?}");
            assert_eq!(b.exists("/late").await.unwrap(), None);
            next.guarded().create("/fine", b"", CreateMode::Persistent).commit().await.unwrap();
        });
    }
}

/// A selector in the bridge's layout has two nodes. Without either it does not lead.
#[test]
fn a_term_of_two_nodes_is_over_when_either_is_gone() {
    for gone in 0..2 {
        let server = server();
        let [a, b] = clients(&server);
        wait(async {
            let selector = LeaderSelector::new(&a, "/s").mode(Mode::Bridge);
            let leading = selector.lead(async |leadership: Leadership| {
                let nodes = names(&b, "/s").await;
                assert_eq!(nodes.len(), 2);
                b.delete(&format!("/s/{}", nodes[gone]), None).await.unwrap();
                let late = leadership.guarded().create("/late", b"", CreateMode::Persistent);
                let refused = late.commit().await.unwrap_err();
                assert_eq!((refused.code(), refused.part()), (ErrorCode::NoNode, Some(0)));
                // Only the loss ends it.
                std::future::pending::<()>().await;
            });
            assert!(matches!(soon(&b, leading).await.unwrap(), Term::Lost));
            assert!(names(&b, "/s").await.is_empty());
        });
    }
}

#[test]
fn a_deleted_node_ends_the_term_and_another_is_made() {
    for kind in KINDS {
        let server = server();
        let [a, b] = clients(&server);
        wait(async {
            let candidate = kind.join(&a, "a", Policy::Connection);
            let term = soon(&a, candidate.leads()).await.unwrap();
            // CURATOR-724: with its parents.
            let mut everything = b.multi();
            for name in names(&b, "/e/x").await {
                everything = everything.delete(format!("/e/x/{name}"), None);
            }
            everything.delete("/e/x", None).delete("/e", None).commit().await.unwrap();
            soon(&a, term.lost()).await;
            until(&a, async || Ok(candidate.is_leader())).await;
            assert!(candidate.leads().await.unwrap().token() > term.token());
        });
    }
}

#[test]
fn a_suspended_leader_leads_on_only_by_the_session_policy() {
    let server = Server::start();
    let proxy = Proxy::start(server.address().unwrap());
    let [observer] = clients(&server);
    let through = || wait(Client::builder().servers(&proxy.servers()).connect()).unwrap();
    let (a, b) = (through(), through());
    wait(async {
        let careful = LeaderLatch::new(&a, "/careful").join();
        let steady = LeaderLatch::new(&b, "/steady").policy(Policy::Session).join();
        let term = soon(&a, careful.leads()).await.unwrap();
        let steady_term = soon(&b, steady.leads()).await.unwrap();
        proxy.close();
        soon(&a, term.lost()).await;
        let suspended = careful.changes();
        soon(&a, suspended.until(|it| matches!(it, Standing::Suspended))).await.unwrap();
        assert!(!careful.is_leader() && !term.holds());
        while b.state() == quorate::client::State::Connected {}
        assert!(steady.is_leader() && steady_term.holds());
        proxy.open();
        let again = soon(&a, careful.leads()).await.unwrap();
        assert!(again.holds());
        assert_eq!(again.token(), term.token(), "the same node, the same term");
        assert!(!term.holds(), "what was lost stays lost");
        b.connected().await.unwrap();
        assert!(steady_term.holds());
        assert_eq!(names(&observer, "/careful").await.len(), 1);
    });
}

#[test]
fn a_lost_answer_leaves_one_node() {
    let server = Server::start();
    for kind in KINDS {
        for op in [first_write(kind), OpCode::GetChildren2, OpCode::Exists] {
            let proxy = Proxy::start(server.address().unwrap());
            let client = wait(Client::builder().servers(&proxy.servers()).connect()).unwrap();
            wait(async {
                client.create("/e", b"", CreateMode::Persistent).await.ok();
                client.create("/e/x", b"", CreateMode::Persistent).await.ok();
                proxy.lose_answer(op);
                let candidate = kind.join(&client, "a", Policy::Session);
                let term = soon(&client, candidate.leads()).await.unwrap();
                assert_eq!(proxy.cuts(), 1, "{kind:?} {op:?}");
                assert_eq!(names(&client, "/e/x").await.len(), kind.nodes(), "{kind:?} {op:?}");
                candidate.leave().await.unwrap();
                assert!(!term.holds());
                assert!(names(&client, "/e/x").await.is_empty());
                client.close().await.unwrap();
            });
        }
    }
}

/// How a candidate's nodes are created.
fn first_write(kind: Kind) -> OpCode {
    if kind.nodes() == 1 { OpCode::Create2 } else { OpCode::Multi }
}

#[test]
fn who_leaves_while_waiting_leaves_nothing() {
    for kind in KINDS {
        let server = server();
        let [a, b, c] = clients(&server);
        wait(async {
            let leader = kind.join(&a, "a", Policy::Connection);
            soon(&a, leader.leads()).await.unwrap();
            let (second, third) =
                (kind.join(&b, "b", Policy::Connection), kind.join(&c, "c", Policy::Connection));
            if kind != Kind::Election(Form::SingleNode) {
                until(&a, async || Ok(names(&a, "/e/x").await.len() == 3)).await;
            }
            soon(&b, second.leave()).await.unwrap();
            drop(third);
            until(&a, async || Ok(names(&a, "/e/x").await.len() == kind.nodes())).await;
            until(&a, async || Ok(b.counters().watches + c.counters().watches == 0)).await;
            assert!(leader.is_leader());
        });
    }
}

#[test]
fn a_closed_client_ends_its_candidates() {
    let server = server();
    let [a] = clients(&server);
    wait(async {
        let candidate = LeaderLatch::new(&a, "/latch").join();
        let term = soon(&a, candidate.leads()).await.unwrap();
        a.close().await.unwrap();
        assert!(!term.holds());
        let mut last = None;
        let mut changes = candidate.changes();
        while let Some(standing) = changes.next().await {
            last = Some(standing);
        }
        assert!(matches!(last, Some(Standing::Ended(Some(_)))));
        assert!(candidate.leads().await.unwrap_err().is_session_end());
    });
}

#[test]
fn a_selectors_work_is_dropped_with_leadership_and_done_again() {
    let server = server();
    let [a, b] = clients(&server);
    let dropped = Arc::new(AtomicBool::new(false));
    // How often work has begun: the node is there before its owner knows that it leads.
    let begun = Arc::new(AtomicUsize::new(0));
    wait(async {
        let selector = LeaderSelector::new(&a, "/s").id("a");
        let (runs, flag, begins) = (selector.clone(), Arc::clone(&dropped), Arc::clone(&begun));
        let running = spawn(&a, async move {
            let mut tokens = Vec::new();
            runs.lead_until(|leadership| {
                tokens.push(leadership.token());
                begins.fetch_add(1, Ordering::Relaxed);
                let (guard, first) = (Dropped(Arc::clone(&flag)), tokens.len() == 1);
                let tokens = tokens.clone();
                async move {
                    if first {
                        std::future::pending::<()>().await;
                    }
                    drop(guard);
                    ControlFlow::Break(tokens)
                }
            })
            .await
            .unwrap()
        });
        until(&b, async || Ok(begun.load(Ordering::Relaxed) == 1)).await;
        let leader = selector.participants().await.unwrap().remove(0);
        assert_eq!(leader.data, b"a");
        b.delete(&leader.path, None).await.unwrap();
        let tokens = running.join();
        assert!(dropped.load(Ordering::Relaxed));
        assert_eq!(tokens.len(), 2);
        assert!(tokens[1] > tokens[0]);
        until(&b, async || Ok(names(&b, "/s").await.is_empty())).await;

        // Work that loses its session is told by its end.
        let begins = Arc::clone(&begun);
        let term = spawn(&a, async move {
            let work = |_| {
                begins.fetch_add(1, Ordering::Relaxed);
                std::future::pending::<()>()
            };
            selector.lead(work).await
        });
        until(&b, async || Ok(begun.load(Ordering::Relaxed) == 3)).await;
        expire(&server, &a).await;
        assert_eq!(term.join().unwrap(), Term::Lost);
    });
}

struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_refusal_is_told() {
    let server = server();
    let [a] = clients(&server);
    wait(async {
        let candidate = LeaderLatch::new(&a, "bad path").join();
        let error = soon(&a, candidate.leads()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::BadArguments);
    });
}
