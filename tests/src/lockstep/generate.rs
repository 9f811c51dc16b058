//! Random sequences of steps. One seed gives one sequence, on every machine.
//!
//! The generator keeps no model of the servers; it only remembers which of its clients it has disconnected,
//! so that most steps find a connection.

use super::random::Random;
use super::requests::{Flavour, Requests};
use super::server::{Release, Tuning};
use super::step::{Claim, LastSeen, SLOTS, Sent, Step};
use quorate_wire::op::auth::AuthPacket;
use quorate_wire::op::create::{CreateRequest, CreateTtlRequest};
use quorate_wire::op::delete::DeleteRequest;
use quorate_wire::{AclList, Jute, OpCode};

/// The sequence of a seed: about `operations` operations.
#[must_use]
pub(super) fn sequence(
    seed: u64,
    reference: Release,
    tuning: Tuning,
    operations: usize,
) -> Vec<Step> {
    let mut random = Random::new(seed);
    let flavour = match random.below(10) {
        0..5 => Flavour::Watches,
        5..8 => Flavour::Access,
        _ => Flavour::Quota,
    };
    let watcher = random.chance(30).then(|| random.below(SLOTS));
    let watcher = watcher.filter(|_| reference == Release::V38);
    let containers = tuning == Tuning::Still;
    let requests = Requests { random, reference, flavour, watcher, containers };
    let mut generator = Generator { requests, connected: [false; SLOTS] };
    let mut steps = generator.opening();
    let mut count: usize = 0;
    while count < operations {
        let next = match tuning {
            Tuning::Still => vec![generator.step()],
            Tuning::Quick if count == 0 => generator.expiry(),
            Tuning::Quick if count > operations / 2 => {
                count += operations;
                generator.reaping()
            }
            Tuning::Quick => vec![generator.step()],
        };
        count += next.iter().map(Step::operations).sum::<usize>();
        steps.extend(next);
    }
    steps
}

#[derive(Debug)]
struct Generator {
    requests: Requests,
    connected: [bool; SLOTS],
}

impl Generator {
    fn random(&mut self) -> &mut Random {
        &mut self.requests.random
    }

    fn opening(&mut self) -> Vec<Step> {
        let mut steps: Vec<Step> = (0..SLOTS).map(|slot| self.open(slot)).collect();
        let mut nodes = vec!["/L000000", "/L000000/a"];
        if self.requests.flavour == Flavour::Quota {
            nodes.extend(["/zookeeper/quota/L000000", "/zookeeper/quota/L000000/a"]);
            let limits = "/zookeeper/quota/L000000/zookeeper_limits";
            let deeper = "/zookeeper/quota/L000000/a/zookeeper_limits";
            nodes.push(if self.random().chance(50) { limits } else { deeper });
        }
        steps.extend(nodes.into_iter().map(|path| send(0, vec![Requests::plain_create(path)])));
        steps
    }

    fn step(&mut self) -> Step {
        let slot = self.random().below(SLOTS);
        if !self.connected.get(slot).copied().unwrap_or_default() {
            return if self.must_resume(slot) || self.random().chance(50) {
                self.resume(slot)
            } else {
                self.open(slot)
            };
        }
        match self.random().below(200) {
            0..2 => {
                self.set_connected(slot, false);
                Step::Drop { slot }
            }
            2..5 => self.resume(slot),
            5 if !self.must_resume(slot) => self.open(slot),
            6 => {
                self.set_connected(slot, false);
                let frames: &[&[u8]] = &[
                    b"\0\0\0\0",
                    b"\0\0\0\x03abc",
                    b"\xff\xff\xff\xff",
                    b"\x7f\xff\xff\xff",
                    b"\0\x10\0\0",
                    b"ruok",
                ];
                Step::Raw { slot, bytes: self.random().of(frames).to_vec() }
            }
            7..37 => self.burst(slot),
            _ => {
                let (requests, closes) = self.requests.request(slot, false);
                self.set_connected(slot, !closes);
                Step::Send { slot, requests, closes, extra: 0 }
            }
        }
    }

    /// Several requests in one write; seldom with a closeSession, and something behind it.
    fn burst(&mut self, slot: usize) -> Step {
        let count = 2 + self.random().below(5);
        let mut requests: Vec<Sent> = Vec::new();
        for _ in 0..count {
            requests.extend(self.requests.request(slot, true).0);
            // What Apache judges behind one of these before it is applied is a matter of luck; see `known`.
            let racy = [OpCode::SetAcl.code(), OpCode::CreateContainer.code()];
            if requests.last().is_some_and(|r| racy.contains(&r.op())) {
                break;
            }
        }
        let closes = self.random().chance(4);
        if closes {
            requests.push(Sent::new(100, OpCode::CloseSession.code(), &[]));
            self.set_connected(slot, false);
        }
        Step::Send { slot, requests, closes, extra: 0 }
    }

    /// Whether the client's watches must surely be gone when it comes back: a resume waits for the end of
    /// the connection before, a new session does not.
    fn must_resume(&mut self, slot: usize) -> bool {
        self.requests.watcher == Some(slot)
    }

    fn open(&mut self, slot: usize) -> Step {
        let last_seen = self.last_seen();
        self.set_connected(slot, last_seen != LastSeen::Future);
        let timeout = self.random().of(&[600_000, 600_000, 30_000_000, 1_000_000]);
        let read_only = self.random().of(&[Some(false), Some(false), Some(true), None]);
        Step::Open { slot, timeout, read_only, last_seen }
    }

    fn resume(&mut self, slot: usize) -> Step {
        let last_seen = self.last_seen();
        let of = if self.random().chance(85) { slot } else { self.random().below(SLOTS) };
        let claim = match self.random().below(20) {
            0 => Claim::Unknown,
            1 => Claim::WrongPassword(of),
            _ => Claim::Own(of),
        };
        if of != slot && last_seen != LastSeen::Future && claim != Claim::Unknown {
            self.set_connected(of, false);
        }
        let good = matches!(claim, Claim::Own(_)) && last_seen != LastSeen::Future;
        self.set_connected(slot, good);
        Step::Resume { slot, claim, last_seen, timeout: 700_000 }
    }

    fn last_seen(&mut self) -> LastSeen {
        match self.random().below(20) {
            0 => LastSeen::Future,
            1..8 => LastSeen::Newest,
            _ => LastSeen::Nothing,
        }
    }

    /// A short session with ephemerals, which then expires, connected or not.
    fn expiry(&mut self) -> Vec<Step> {
        let slot = 1;
        let mut steps = vec![Step::Open {
            slot,
            timeout: 2500,
            read_only: Some(false),
            last_seen: LastSeen::Nothing,
        }];
        for path in ["/L000000/a/e1", "/L000000/a/e2", "/L000000/e3"] {
            let create = CreateRequest {
                path: path.into(),
                data: Some(b"mine"),
                acl: AclList::OPEN,
                flags: 1,
            };
            steps.push(send(slot, vec![request(OpCode::Create2, &create)]));
        }
        for _ in 0..40 {
            let watcher = self.random().of(&[0, 2, 3]);
            let (requests, closes) = self.requests.request(watcher, true);
            steps.push(Step::Send { slot: watcher, requests, closes, extra: 0 });
        }
        if self.random().chance(50) {
            steps.push(Step::Drop { slot });
        }
        steps.push(Step::Expire { slot });
        steps.push(Step::Resume {
            slot,
            claim: Claim::Own(slot),
            last_seen: LastSeen::Newest,
            timeout: 600_000,
        });
        self.set_connected(slot, false);
        steps
    }

    /// A container whose only child goes, and a node whose time to live is over.
    fn reaping(&mut self) -> Vec<Step> {
        let slot = 0;
        let acl = AclList::OPEN;
        let container = |path: &'static str, flags| {
            let acl = acl.clone();
            CreateRequest { path: path.into(), data: None, acl, flags }
        };
        let ttl = CreateTtlRequest {
            path: "/L000000/ttl".into(),
            data: Some(b"brief"),
            acl: acl.clone(),
            flags: 5,
            ttl: 50,
        };
        let child = "/L000000/box/child";
        let delete = DeleteRequest { path: child.into(), version: -1 };
        let create_box = request(OpCode::CreateContainer, &container("/L000000/box", 4));
        let ends = |requests| Step::Send { slot, requests, closes: false, extra: 1 };
        let superuser =
            AuthPacket { kind: 0, scheme: Some("digest".into()), auth: Some(b"super:test") };
        vec![
            Step::Open {
                slot,
                timeout: 600_000,
                read_only: Some(true),
                last_seen: LastSeen::Newest,
            },
            send(slot, vec![request(OpCode::Auth, &superuser)]),
            send(slot, vec![Requests::plain_create("/L000000")]),
            send(slot, vec![create_box]),
            send(slot, vec![request(OpCode::Create2, &container(child, 0))]),
            ends(vec![request(OpCode::Delete, &delete)]),
            ends(vec![request(OpCode::CreateTtl, &ttl)]),
        ]
    }

    fn set_connected(&mut self, slot: usize, now: bool) {
        if let Some(connected) = self.connected.get_mut(slot) {
            *connected = now;
        }
    }
}

fn send(slot: usize, requests: Vec<Sent>) -> Step {
    Step::Send { slot, requests, closes: false, extra: 0 }
}

fn request<'a>(op: OpCode, body: &impl Jute<'a>) -> Sent {
    Sent::new(1, op.code(), &body.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_is_a_sequence() {
        let of = |seed| sequence(seed, Release::V38, Tuning::Still, 200);
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    /// The operations that sequences for a release do not have.
    fn missing(reference: Release) -> Vec<OpCode> {
        let mut sent = BTreeSet::new();
        for seed in 0..40 {
            for step in sequence(seed, reference, Tuning::Still, 200) {
                if let Step::Send { requests, .. } = step {
                    sent.extend(requests.iter().filter_map(|r| OpCode::from_code(r.op())));
                }
            }
        }
        OpCode::ALL.iter().copied().filter(|op| !sent.contains(op)).collect()
    }

    #[test]
    fn every_operation_is_sent_except_those_that_the_table_names() {
        assert_eq!(missing(Release::V38), [OpCode::CreateSession, OpCode::Check]);
        assert_eq!(missing(Release::V39), [OpCode::CreateSession, OpCode::DeleteContainer]);
    }
}
