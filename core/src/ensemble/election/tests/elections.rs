//! Who is elected, and what ends an election.

use super::peer::{Peer, looking};
use super::*;
use std::net::TcpListener;

/// Everybody looks, each with its own history, and all say the same.
fn elect(members: &[&Member], histories: &[History]) -> i64 {
    for (member, &history) in members.iter().zip(histories) {
        member.thread.look(history);
    }
    let results: Vec<_> = members.iter().map(|member| member.decided()).collect();
    let (_, leader) = results[0];
    assert!(results.iter().all(|&(_, other)| other == leader), "{results:?}");
    let leads = results.iter().filter(|(state, _)| *state == ServerState::Leading).count();
    assert_eq!(leads, 1, "{results:?}");
    leader
}

#[test]
fn three_and_five_elect_the_best_history() {
    for (histories, best) in [
        (vec![history(9, 2), history(12, 1), history(8, 2)], 1),
        (vec![history(5, 1), history(7, 1), history(7, 1), history(6, 1), history(0, 1)], 3),
    ] {
        let n = i64::try_from(histories.len()).unwrap();
        let members = ensemble(&membership(&home(), n, ""));
        let leader = elect(&members.iter().collect::<Vec<_>>(), &histories);
        assert_eq!(leader, best);
        for member in &members {
            assert_eq!(member.lines(), [""; 0]);
        }
    }
}

#[test]
fn who_comes_late_follows_at_once_and_when_the_leader_ends_the_others_elect_another() {
    let membership = membership(&home(), 3, "");
    let [one, two] = [1, 2].map(|sid| Member::start(config(sid, &membership)));
    // Nobody listens at the third: its host says so, and nobody waits for it.
    assert_eq!(elect(&[&one, &two], &[history(5, 1), history(5, 1)]), 2);
    one.thread.established(2);
    two.thread.established(2);
    let three = Member::start(config(3, &membership));
    three.thread.look(history(9, 1));
    assert_eq!(three.decided(), (ServerState::Following, 2));
    assert_eq!(three.lines.lock().unwrap().len(), 0);
    // The leader ends, and its port refuses.
    two.thread.close();
    assert_eq!(elect(&[&one, &three], &[history(20, 2), history(19, 2)]), 1);
    // The same port can be used again at once, by one that finds its leader.
    let two = Member::start(config(2, &membership));
    two.thread.look(history(30, 2));
    assert_eq!(two.decided(), (ServerState::Following, 1));
}

#[test]
fn a_host_that_says_nothing_is_waited_for() {
    let home = home();
    let membership = membership(&home, 3, "");
    let _silent = TcpListener::bind((home.as_str(), port(3))).unwrap();
    let options = Options { finalize_wait: 400, ..OPTIONS };
    let members =
        [1, 2].map(|sid| Member::start(ElectionConfig { options, ..config(sid, &membership) }));
    let begun = Instant::now();
    assert_eq!(elect(&members.iter().collect::<Vec<_>>(), &[history(5, 1); 2]), 2);
    assert!(begun.elapsed() >= Duration::from_millis(400));
}

#[test]
fn observers_learn_who_leads() {
    let home = home();
    let observer = format!("server.4={home}:2004:3004:observer");
    let membership = membership(&home, 3, &observer);
    let members = ensemble(&membership);
    let observer = Member::start(config(4, &membership));
    observer.thread.look(history(50, 9));
    assert_eq!(elect(&members.iter().collect::<Vec<_>>(), &[history(5, 1); 3]), 3);
    assert_eq!(observer.decided(), (ServerState::Observing, 3));
}

#[test]
fn servers_that_look_are_told_the_established_epoch() {
    let home = home();
    let alone = Member::start(config(1, &membership(&home, 1, "")));
    alone.thread.look(history(5, 1));
    assert_eq!(alone.decided(), (ServerState::Leading, 1));
    alone.thread.established(7);
    let mut peer = Peer::greet(&home, 1, 9);
    peer.say(looking(9, history(0, 0), 1));
    let answer = peer.ballot();
    assert_eq!((answer.state, answer.vote.leader, answer.vote.epoch), (ServerState::Leading, 1, 7));
    // A role that was ordered, and not elected.
    let vote = Vote { leader: 3, zxid: Zxid(77), epoch: 8 };
    alone.thread.assume(ServerState::Following, vote);
    peer.say(looking(9, history(0, 0), 2));
    let answer = peer.ballot();
    assert_eq!((answer.state, answer.vote), (ServerState::Following, vote));
}

#[test]
fn a_leader_hears_when_its_voters_change_their_minds() {
    let home = home();
    let one = Member::start(config(1, &membership(&home, 3, "")));
    let best = history(9, 1);
    one.thread.look(best);
    let mut peers = [2, 3].map(|sid| Peer::greet(&home, 1, sid));
    for peer in &mut peers {
        peer.hears(|ballot| ballot.vote.leader == 1);
        peer.say(looking(1, best, 1));
    }
    assert_eq!(one.decided(), (ServerState::Leading, 1));
    for peer in &mut peers {
        peer.hears(|ballot| ballot.state == ServerState::Leading);
        peer.say(looking(3, history(20, 1), 2));
    }
    assert!(matches!(one.report(), ElectionReport::Withdrawn));
}

#[test]
fn the_handle_may_end_on_the_thread_itself_and_a_crash_is_reported() {
    let one = membership(&home(), 1, "");
    let (sender, ended) = channel();
    let handle = Arc::new(Mutex::new(None::<ElectionThread>));
    let (own, done) = (Arc::clone(&handle), sender.clone());
    let report = move |_| {
        drop(own.lock().unwrap().take());
        done.send(()).unwrap();
    };
    let thread = ElectionThread::start(config(1, &one), report).unwrap();
    let mut place = handle.lock().unwrap();
    place.insert(thread).look(history(5, 1));
    drop(place);
    ended.recv_timeout(LONG).unwrap();

    let other = membership(&home(), 1, "");
    let report = move |report| match report {
        ElectionReport::Failed(error) => {
            assert!(error.to_string().contains("has crashed"));
            sender.send(()).unwrap();
        }
        _ => panic!("a defect of the test's own making"),
    };
    let thread = ElectionThread::start(config(1, &other), report).unwrap();
    thread.look(history(5, 1));
    ended.recv_timeout(LONG).unwrap();
    thread.close();
}

/// Prints how long elections take. Run it alone, with `--release -- --ignored --nocapture elections_take`.
#[test]
#[ignore = "it measures and asserts nothing"]
fn elections_take() {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let members = ensemble(&membership(&home(), 3, ""));
        let mut all: Vec<&Member> = members.iter().collect();
        let begun = Instant::now();
        let leader = elect(&all, &[history(5, 1); 3]);
        first.push(begun.elapsed());
        let [mut rest, mut gone] = [Vec::new(), Vec::new()];
        drop(std::mem::take(&mut all));
        for (sid, member) in (1..).zip(members) {
            if sid == leader { gone.push(member) } else { rest.push(member) }
        }
        let begun = Instant::now();
        drop(gone);
        elect(&rest.iter().collect::<Vec<_>>(), &[history(6, 1); 2]);
        second.push(begun.elapsed());
    }
    for (what, mut times) in
        [("from look to all decided", first), ("from close to a new leader", second)]
    {
        times.sort();
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        println!("{what}: p50 {:?}, p90 {:?}, p99 {:?}, max {:?}", at(50), at(90), at(99), at(100));
    }
}
