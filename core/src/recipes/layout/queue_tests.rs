//! Tests of the names of queue items: golden names, order, strangers.

use super::*;
use crate::recipes::layout::testing::Random;

const ALL: [Kind; 6] =
    [Kind::Plain, Kind::Priority, Kind::Delay, Kind::Id, Kind::Simple, Kind::Entry];

#[test]
fn names_as_curator_and_kazoo_write_them() {
    for (stem, number, name) in [
        (plain(), 3, "queue-0000000003"),
        (simple(), 3, "qn-0000000003"),
        (priority(5), 0, "queue-1000000050000000000"),
        (priority(-5), 1, "queue-0FFFFFFFB0000000001"),
        (delayed(0x1A2_043F_4346).unwrap(), 0, "queue-|1A2043F4346|0000000000"),
        (delayed(1).unwrap(), 0, "queue-|00000001|0000000000"),
        (with_id("a/b|c").unwrap(), 2, "queue-|a_b_c|0000000002"),
        (entry(100).unwrap(), 2, "entry-100-0000000002"),
        (entry(7).unwrap(), 2, "entry-007-0000000002"),
    ] {
        assert_eq!(format!("{stem}{}", Sequence(number)), name);
    }
    assert_eq!(entry(1000), Err(NameError::Priority(1000)));
    assert_eq!(with_id(""), Err(NameError::EmptyId));
    assert_eq!(delayed(0), Err(NameError::Epoch(0)));
}

#[test]
fn shards_are_told_from_items_and_strangers() {
    let id = Id(0x9a3f_01b2_c3d4_45e6_8799_aabb_ccdd_eeff);
    assert_eq!(shard(id), "queue-9a3f01b2-c3d4-45e6-8799-aabbccddeeff");
    assert!(is_shard(&shard(id)) && is_shard("queue-9A3F01B2-C3D4-45E6-8799-AABBCCDDEEFF"));
    for name in [
        "9a3f01b2-c3d4-45e6-8799-aabbccddeeff",
        "queue-9a3f01b2-c3d4-45e6-8799-aabbccddeeff-locks",
        "queue-9a3f01b2c3d4-45e6-8799-aabbccddeeff-",
        "queue-9a3f01b2-c3d4-45e6-8799-aabbccddeefg",
        "queue-0000000003",
        "queue-",
    ] {
        assert!(!is_shard(name), "{name}");
    }
    assert!(ALL.iter().all(|kind| kind.parse(&shard(id)).is_none()));
}

#[test]
fn reads_names_back() {
    for (kind, name, rank, id, number) in [
        (Kind::Plain, "queue-0000000003", 0, "", 3),
        (Kind::Plain, "queue--2147483648", 0, "", i32::MIN),
        (Kind::Priority, "queue-1000000050000000000", 5, "", 0),
        (Kind::Priority, "queue-0FFFFFFFB0000000001", -5, "", 1),
        (Kind::Delay, "queue-|1A2043F4346|0000000009", 1_795_367_584_582, "", 9),
        (Kind::Id, "queue-|a_b|0000000002", 0, "a_b", 2),
        (Kind::Simple, "qn-0000000003", 0, "", 3),
        (Kind::Entry, "entry-007-0000000002", 7, "", 2),
    ] {
        let expected = Item { name, rank, id, number: Sequence(number) };
        assert_eq!(kind.parse(name), Some(expected), "{name}");
    }
    for name in ["", "queue-", "queue-|x|0000000001x", "qn-1", "entry-+07-0000000002", "locks"] {
        for kind in ALL {
            assert_eq!(kind.parse(name), None, "{kind:?} {name}");
        }
    }
    // A sign that contradicts the digits, and names of the neighbours.
    assert_eq!(Kind::Priority.parse("queue-1FFFFFFFB0000000001"), None);
    assert_eq!(Kind::Plain.parse("queue-1000000050000000000"), None);
    assert_eq!(Kind::Delay.parse("queue-|a_b|0000000002x"), None);
}

#[test]
fn order_is_that_of_the_text_the_others_sort() {
    let mut random = Random::new(8);
    for kind in [Kind::Priority, Kind::Entry, Kind::Simple, Kind::Plain] {
        let mut names: Vec<String> = (0..200)
            .map(|number| {
                let rank = i32::from_be_bytes(random.array());
                let stem = match kind {
                    Kind::Priority => priority(rank),
                    Kind::Entry => entry(rank.unsigned_abs() % 1000).unwrap(),
                    Kind::Simple => simple(),
                    _ => plain(),
                };
                format!("{stem}{}", Sequence(number))
            })
            .collect();
        names.sort_unstable();
        let mut shuffled = names.clone();
        shuffled.rotate_left(77);
        shuffled.push("noise".to_owned());
        let order: Vec<&str> = kind.in_order(&shuffled).iter().map(|i| i.name).collect();
        assert_eq!(order, names, "{kind:?}");
    }
}

#[test]
fn delayed_items_come_by_time_and_not_by_text() {
    let children =
        ["queue-|100000000|0000000002", "queue-|FFFFFFFF|0000000003", "queue-|FFFFFFFF|0000000001"];
    let items = Kind::Delay.in_order(&children);
    let order: Vec<i32> = items.iter().map(|item| item.number.0).collect();
    assert_eq!(order, [1, 3, 2]);
    assert_eq!(items[0].due_in(0xFFFF_FFF0), 15);
    assert_eq!(items[0].due_in(0x1_0000_0000), 0);
}

#[test]
fn taken_entries_are_left_out() {
    let entries = ["entry-100-0000000002", "entry-050-0000000003", "entry-100-0000000001"];
    let taken = ["entry-050-0000000003", "entry-000-0000000000"];
    let free: Vec<&str> = not_taken(&entries, &taken).iter().map(|item| item.name).collect();
    assert_eq!(free, [entries[2], entries[0]]);
}

#[test]
fn any_name_is_read_without_a_panic() {
    let mut random = Random::new(9);
    let parts = ["queue-", "|", "1A2043F4346", "0FFFFFFFB", "0000000001", "qn-", "entry-", "007"];
    for _ in 0..10_000 {
        let children: Vec<String> = (0..3).map(|_| random.text(&parts)).collect();
        for kind in ALL {
            for item in kind.in_order(&children) {
                assert!(item.name.ends_with(&item.number.to_string()));
            }
        }
    }
}
