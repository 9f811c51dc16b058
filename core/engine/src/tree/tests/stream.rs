//! A tree as a leader sends it and a learner receives it.

use super::generate::{Generator, Random};
use super::*;
use crate::tree::{FrozenHead, ReceiveError, StreamId, TreeReceiver};

const LIMIT: usize = 1 << 20;

/// Writes the whole stream.
fn stream(tree: &mut Tree) -> Vec<u8> {
    let (id, _) = tree.freeze_stream();
    let mut bytes = Vec::new();
    while tree.walk_stream(id, 3, &mut bytes) == WalkState::More {}
    bytes
}

/// Receives a stream in pieces of up to `size`; whatever follows it must be left.
fn receive(bytes: &[u8], size: usize, zxid: Zxid) -> Result<Tree, ReceiveError> {
    let (mut receiver, mut buffer) = (TreeReceiver::new(CONFIG, LIMIT), Vec::new());
    for piece in bytes.chunks(size) {
        buffer.extend_from_slice(piece);
        let taken = receiver.receive(&buffer)?;
        buffer.drain(..taken);
    }
    assert_eq!(receiver.received(), (bytes.len() - buffer.len()) as u64);
    receiver.finish(zxid)
}

/// Of sessions that have ended a stream says nothing.
fn content(tree: &Tree) -> Vec<String> {
    dump(tree).into_iter().filter(|line| !line.starts_with("newest")).collect()
}

fn some_tree(seed: u64) -> Tree {
    let (mut generator, mut tree) = (Generator::new(seed, false, false), Tree::new(CONFIG));
    for _ in 0..60 {
        tree.apply(&generator.next(), &mut ());
    }
    tree
}

struct Sent {
    id: StreamId,
    head: FrozenHead,
    frozen: Vec<String>,
    bytes: Vec<u8>,
}

#[test]
fn several_streams_of_a_changing_tree_are_the_tree_at_the_time_of_each() {
    for seed in 500..540 {
        let mut generator = Generator::new(seed, seed % 2 == 1, false);
        let mut tree = Tree::new(CONFIG);
        let (mut sent, mut whole): (Vec<Sent>, _) = (Vec::new(), 0);
        let (head, mut file) = (tree.freeze(), Vec::new());
        let (mut written, frozen) = (false, dump(&tree));
        for _ in 0..400 {
            tree.apply(&generator.next(), &mut ());
            if generator.random.one_in(20) {
                let (id, head) = tree.freeze_stream();
                sent.push(Sent { id, head, frozen: content(&tree), bytes: Vec::new() });
            }
            if generator.random.one_in(100) && sent.len() > 1 {
                tree.abandon_stream(sent.swap_remove(0).id);
            }
            written |= tree.walk(generator.random.below(2), &mut file) == WalkState::Done;
            sent.retain_mut(|to| {
                let state = tree.walk_stream(to.id, generator.random.below(5), &mut to.bytes);
                if state == WalkState::More {
                    return true;
                }
                let size = 1 + generator.random.below(200);
                let received = receive(&to.bytes, size, to.head.zxid).unwrap();
                assert_eq!(received.digest(), to.head.digest);
                assert_equal(&content(&received), &to.frozen, format!("seed {seed}"));
                whole += 1;
                false
            });
        }
        assert!(written && whole > 3, "seed {seed}: {whole} streams");
        assert_equal(&dump(&load(&file, head.zxid)), &frozen, format!("seed {seed}, the file"));
    }
}

#[test]
fn a_stream_that_is_over_gives_nothing_more() {
    let mut tree = some_tree(1);
    let (first, _) = tree.freeze_stream();
    let (second, _) = tree.freeze_stream();
    assert_ne!(first, second);
    tree.freeze();
    tree.abandon_walk();
    let mut bytes = Vec::new();
    assert_eq!(tree.walk_stream(first, usize::MAX, &mut bytes), WalkState::Done);
    let len = bytes.len();
    assert!(receive(&bytes, len, Zxid(1)).is_ok(), "a file that is given up leaves it alone");
    assert_eq!(tree.walk_stream(first, 1, &mut bytes), WalkState::Done);
    assert_eq!((bytes.len(), tree.is_walking()), (len, false));
    tree.abandon_stream(second);
    assert_eq!(tree.walk_stream(second, 1, &mut bytes), WalkState::Done);
    assert_eq!(bytes.len(), len);
}

#[test]
fn a_stream_that_is_cut_gives_no_tree() {
    let mut tree = some_tree(2);
    let mut bytes = stream(&mut tree);
    for cut in 0..bytes.len() {
        let result = receive(&bytes[..cut], cut.max(1), Zxid(1));
        assert!(matches!(result, Err(ReceiveError::Incomplete(n)) if n <= cut as u64), "at {cut}");
    }
    bytes.extend_from_slice(b"packets");
    let received = receive(&bytes, 1000, tree.last_zxid()).unwrap();
    assert_equal(&content(&received), &content(&tree), "with packets behind");
}

#[test]
fn damaged_streams_give_an_error_or_a_sound_tree() {
    let (bytes, mut trees) = (stream(&mut some_tree(3)), 0);
    for position in 0..bytes.len() {
        for change in [0x01, 0x80] {
            let mut bad = bytes.clone();
            bad[position] ^= change;
            if let Ok(tree) = receive(&bad, 4096, Zxid(1)) {
                assert_eq!(tree.digest(), tree.computed_digest(), "byte {position}");
                trees += 1;
            }
        }
    }
    assert!(trees > 0, "no checksum protects a stream");
    let mut random = Random(4);
    for _ in 0..1000 {
        let mut bad = bytes.clone();
        for _ in 0..=random.below(5) {
            let (from, to) = (random.below(bad.len()), random.below(bad.len()));
            bad.copy_within(from.., from.min(to));
            bad[to] = u8::try_from(random.below(256)).unwrap();
        }
        if let Ok(tree) = receive(&bad, 4096, Zxid(1)) {
            assert_eq!(tree.digest(), tree.computed_digest());
        }
    }
}

#[test]
fn a_stream_without_a_root_gives_no_tree() {
    let mut bytes = vec![0; 8];
    quorate_wire::quorum::snap::write_end(&mut bytes);
    let error = receive(&bytes, 5, Zxid(1)).unwrap_err();
    assert_eq!(error, ReceiveError::Tree(super::super::LoadError::NoRoot));
}
