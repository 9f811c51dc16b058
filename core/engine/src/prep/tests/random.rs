//! Long random histories: the verdicts do not depend on how far the tree lags behind, every recorded digest
//! is the tree's after it, and no bytes make the judge panic.

use super::*;
use quorate_wire::acl::{CREATE, DELETE, READ, WRITE};

/// SplitMix64: enough to choose requests, the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()].clone()
    }

    fn path(&mut self) -> String {
        let mut path = String::new();
        for _ in 0..=self.below(3) {
            path.push('/');
            path.push_str(self.pick(&["a", "b", "c", "é"]));
        }
        match self.below(40) {
            0 => "/".into(),
            1 => "/zookeeper".into(),
            2 => format!("/zookeeper{path}"),
            3 => format!("{path}/"),
            4 => format!("{path}0000000001"),
            _ => path,
        }
    }

    fn acl(&mut self) -> Vec<Acl<'static>> {
        match self.below(12) {
            0 => only_auth(ALL),
            1 => vec![Acl::world(READ | CREATE | DELETE)],
            2 => vec![Acl::world(WRITE), Acl { perms: ALL, id: Id::new("auth", "") }],
            3 => vec![],
            4 => {
                let scheme = self.pick(&["ip", "digest", "world", "auth", "sasl", "x509", "super"]);
                let id = self.pick(&["anyone", "127.0.0.0/8", "10.0.0.0/8", "a:b", "x", ""]);
                let list = [Acl { perms: ALL, id: Id::new(scheme, id) }, Acl::world(READ)];
                list.into_iter().rev().take(self.pick(&[1, 2])).collect()
            }
            5 => vec![Acl {
                perms: ALL,
                id: Id::new("ip", self.pick(&["127.0.0.0/8", "127.0.0.1", "10.0.0.0/8"])),
            }],
            _ => open(),
        }
    }

    fn version(&mut self) -> i32 {
        self.pick(&[-1, -1, -1, 0, 1, 2])
    }

    fn flags(&mut self) -> i32 {
        self.pick(&[0, 0, 0, 1, 1, 2, 3, 4, 7])
    }

    fn part<'a>(&mut self, path: &'a str) -> MultiPart<'a> {
        match self.below(8) {
            0..=2 => MultiPart::Create(
                self.pick(&[OpCode::Create, OpCode::Create2, OpCode::CreateContainer]),
                create_request(path, self.pick(&[0, 1, 2, 3, 4]), self.acl()),
            ),
            3 => part_delete(path),
            4 => part_set(path, self.version()),
            5 => MultiPart::CreateTtl(CreateTtlRequest {
                path: path.into(),
                data: None,
                acl: open().into(),
                flags: 6,
                ttl: 7,
            }),
            _ => part_check(path, -1),
        }
    }

    /// A step towards a quota on `/a` or below, or a change of one.
    fn quota(&mut self) -> (OpCode, Vec<u8>) {
        let node = self.pick(&["", "/zookeeper_limits", "/zookeeper_stats", "/zookeeper_limits"]);
        let path = format!("/zookeeper/quota{}{node}", self.pick(&["/a", "/a", "/a/b", "/b"]));
        let limits = format!(
            "count=1,bytes=-1=;byteHardLimit={};countHardLimit={}",
            self.pick(&[-1, 0, 100, 1000]),
            self.pick(&[-1, 2, 5, 20])
        );
        match self.below(4) {
            0 => delete(&path, -1),
            1 if node == "/zookeeper_limits" => set_data(&path, limits.as_bytes(), -1),
            _ => {
                let data = if node == "/zookeeper_limits" { limits.as_bytes() } else { b"" };
                let request =
                    CreateRequest { data: Some(data), ..create_request(&path, 0, open()) };
                (OpCode::Create, request.to_bytes())
            }
        }
    }

    fn request(&mut self) -> (OpCode, Vec<u8>) {
        if self.below(12) == 0 {
            return self.quota();
        }
        let path = self.path();
        match self.below(20) {
            0..=5 => {
                let op = self.pick(&[OpCode::Create, OpCode::Create2, OpCode::CreateContainer]);
                let (flags, acl) = (self.flags(), self.acl());
                (op, create_request(&path, flags, acl).to_bytes())
            }
            6 => create_ttl(&path, self.pick(&[5, 6, 0]), 77),
            7..=9 => delete(&path, self.version()),
            10..=13 => {
                let data = vec![b'x'; usize::try_from(self.below(200)).unwrap()];
                set_data(&path, &data, self.version())
            }
            14 => set_acl(&path, self.acl(), self.version()),
            _ => {
                let paths: Vec<_> = (0..self.below(6)).map(|_| self.path()).collect();
                let parts: Vec<_> = paths.iter().map(|path| self.part(path)).collect();
                multi(&parts)
            }
        }
    }
}

impl Dice {
    /// A request with some bytes wrong.
    fn mutated(&mut self) -> (OpCode, Vec<u8>) {
        let (op, mut body) = self.request();
        for _ in 0..self.below(4) {
            let at = usize::try_from(self.below(body.len().max(1) as u64)).unwrap();
            match self.below(3) {
                0 => body.truncate(at),
                1 => body.insert(at.min(body.len()), self.pick(&[0, 1, 0x2F, 0x7F, 0xFF])),
                _ => {
                    if let Some(byte) = body.get_mut(at) {
                        *byte = self.pick(&[0, 1, 4, 0x2F, 0x80, 0xFF]);
                    }
                }
            }
        }
        (op, body)
    }
}

/// The same request to both worlds.
fn step(dice: &mut Dice, prompt: &mut World, lagging: &mut World) {
    let session = dice.pick(&[S, S, T, 3, 4, 5]);
    let who = dice.pick(&[Identities::none(), user("u:p"), user("v:p")]);
    let closes = dice.below(50) == 0;
    let reaps = dice.below(30) == 0;
    let (op, body) = dice.request();
    let path = dice.path();
    for world in [prompt, lagging] {
        world.who = who.clone();
        if closes {
            world.judge(session, Ask::CloseSession);
            world.judge(session, Ask::CreateSession { timeout: 4000 });
            world.open.0.insert(session);
        } else if reaps {
            world.judge(0, Ask::DeleteContainer { path: &path });
        } else {
            world.ask_as(session, (op, &body));
        }
    }
}

fn run(seed: u64, steps: usize) {
    let mut dice = Dice(seed);
    let mut prompt = World::new(PrepConfig::default());
    let mut lagging = World::new(PrepConfig { seed, ..PrepConfig::default() });
    for world in [&mut prompt, &mut lagging] {
        world.open.0.extend([3, 4, 5]);
    }
    let mut lag = 0;
    let mut refused = 0;
    for n in 0..steps {
        let fresh = lagging.in_flight.len();
        step(&mut dice, &mut prompt, &mut lagging);
        let new: Vec<_> = lagging.in_flight.iter().skip(fresh).collect();
        let expected: Vec<_> = prompt.in_flight.iter().collect();
        assert_eq!(new, expected, "seed {seed}, step {n}, lag {fresh}");
        refused += usize::from(prompt.last().header.kind == TxnType::ERROR);
        prompt.apply_all();
        if dice.below(20) == 0 {
            lag = usize::try_from(dice.below(60)).unwrap();
        }
        while lagging.in_flight.len() > lag {
            lagging.apply();
        }
        if n % 500 == 0 {
            assert_eq!(prompt.tree.computed_digest(), prompt.tree.digest());
        }
    }
    lagging.apply_all();
    assert_eq!(lagging.tree.digest(), prompt.tree.digest());
    assert!(refused > steps / 10 && refused < steps * 8 / 10, "{refused} of {steps} refused");
}

#[test]
fn verdicts_do_not_depend_on_the_lag() {
    for seed in 0..8 {
        run(seed, 3000);
    }
}

#[test]
fn no_bytes_make_the_judge_panic() {
    let mut dice = Dice(99);
    let mut world = World::new(PrepConfig { reconfig_enabled: true, ..PrepConfig::default() });
    for _ in 0..20_000 {
        let (op, body) = dice.mutated();
        world.ask_as(S, (op, &body));
        if dice.below(10) == 0 {
            world.apply_all();
        }
    }
    world.apply_all();
    assert_eq!(world.tree.computed_digest(), world.tree.digest());
}
