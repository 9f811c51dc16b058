//! The firing table of the reference, row by row.

use super::*;

fn fired(table: &mut WatchTable, event: &TreeEvent<'_>) -> Vec<(EventType, String, Vec<Slot>)> {
    let mut all = Vec::new();
    table.fire(event, |kind, path, slots| {
        if !slots.is_empty() {
            all.push((kind, path.to_owned(), slots.to_vec()));
        }
    });
    all
}

const fn created(path: &str) -> TreeEvent<'_> {
    TreeEvent::Created { path, acl: &[], parent_acl: &[] }
}

const fn deleted(path: &str) -> TreeEvent<'_> {
    TreeEvent::Deleted { path, acl: &[], parent_acl: &[] }
}

const fn changed(path: &str) -> TreeEvent<'_> {
    TreeEvent::DataChanged { path, acl: &[] }
}

#[test]
fn a_standard_watch_fires_once() {
    let mut table = WatchTable::new(1);
    table.add(3, "/a", Kind::Data, STANDARD);
    table.add(3, "/a", Kind::Data, STANDARD);
    table.add(1, "/a", Kind::Data, STANDARD);
    assert_eq!(table.total(), 2);
    assert_eq!(
        fired(&mut table, &changed("/a")),
        [(EventType::DataChanged, "/a".into(), vec![1, 3])]
    );
    assert!(fired(&mut table, &changed("/a")).is_empty());
    assert!(table.is_empty() && table.index.is_empty() && table.paths.is_empty());
}

#[test]
fn deletion_tells_each_connection_once_for_the_node_and_then_the_parent() {
    let mut table = WatchTable::new(1);
    table.add(1, "/p/n", Kind::Data, STANDARD);
    table.add(1, "/p/n", Kind::Child, STANDARD);
    table.add(2, "/p/n", Kind::Child, STANDARD);
    table.add(1, "/p", Kind::Child, STANDARD);
    assert_eq!(
        fired(&mut table, &deleted("/p/n")),
        [
            (EventType::Deleted, "/p/n".into(), vec![1]),
            (EventType::Deleted, "/p/n".into(), vec![2]),
            (EventType::ChildrenChanged, "/p".into(), vec![1]),
        ]
    );
    assert!(table.is_empty());
}

#[test]
fn persistent_watches_stay_and_recursive_ones_see_descendants_but_no_child_lists() {
    let mut table = WatchTable::new(1);
    table.add(1, "/", Kind::Data, RECURSIVE);
    table.add(2, "/a", Kind::Data, PERSISTENT);
    table.add(2, "/a", Kind::Child, PERSISTENT);
    for _ in 0..2 {
        assert_eq!(
            fired(&mut table, &created("/a/b")),
            [
                (EventType::Created, "/a/b".into(), vec![1]),
                (EventType::ChildrenChanged, "/a".into(), vec![2]),
            ]
        );
        assert_eq!(
            fired(&mut table, &changed("/a")),
            [(EventType::DataChanged, "/a".into(), vec![1, 2])]
        );
    }
}

#[test]
fn modes_coexist_and_one_trigger_is_one_frame() {
    let mut table = WatchTable::new(1);
    table.add(1, "/a", Kind::Data, STANDARD);
    table.add(1, "/a", Kind::Data, RECURSIVE);
    table.add(1, "/", Kind::Data, RECURSIVE);
    assert_eq!(fired(&mut table, &changed("/a")), [(EventType::DataChanged, "/a".into(), vec![1])]);
    assert!(!table.has(1, "/a", WatcherType::Data), "the one-shot part is gone");
    assert!(table.has(1, "/a", WatcherType::PersistentRecursive));
    assert!(table.remove(1, "/a", WatcherType::PersistentRecursive));
    assert!(!table.remove(1, "/a", WatcherType::Any));
    assert_eq!(table.watchers.totals.recursive, 1);
}

#[test]
fn types_match_their_modes_only() {
    let mut table = WatchTable::new(1);
    table.add(1, "/a", Kind::Child, STANDARD);
    assert!(table.has(1, "/a", WatcherType::Children) && table.has(1, "/a", WatcherType::Any));
    assert!(!table.has(1, "/a", WatcherType::Data));
    assert!(!table.has(1, "/a", WatcherType::Persistent));
    assert!(!table.has(2, "/a", WatcherType::Any) && !table.has(1, "/b", WatcherType::Any));
}

#[test]
fn a_closed_connection_leaves_nothing_behind() {
    let mut table = WatchTable::new(1);
    for round in 0..100 {
        let path = format!("/n{}", round % 7);
        table.add(5, &path, Kind::Data, STANDARD);
        table.add(5, &path, Kind::Child, PERSISTENT);
        table.add(5, "/", Kind::Data, RECURSIVE);
        fired(&mut table, &changed(&path));
    }
    let id = table.watchers.of(5).unwrap();
    assert!(table.watchers.paths(id).unwrap().len() < 40, "stale entries are compacted");
    table.remove_slot(5);
    assert_eq!(table.watchers.totals, Default::default());
    table.sweep(100);
    assert!(table.paths.is_empty() && table.index.is_empty() && !table.has_leftovers());
}

/// While the watches of a connection that is gone are being removed, they are as good as gone.
#[test]
fn the_slot_of_a_closed_connection_can_be_used_before_its_watches_are_removed() {
    let mut table = WatchTable::new(1);
    for n in 0..100 {
        table.add(5, &format!("/n{n}"), Kind::Data, if n == 0 { RECURSIVE } else { STANDARD });
        table.add(5, &format!("/n{n}"), Kind::Child, PERSISTENT);
    }
    table.add(7, "/n1", Kind::Data, PERSISTENT);
    table.remove_slot(5);
    assert_eq!((table.total(), table.data_total()), (1, 1));
    assert!(!table.has(5, "/n1", WatcherType::Any));
    // The next tenant of the slot sees and removes what is his.
    table.add(5, "/n1", Kind::Data, STANDARD);
    table.add(5, "/n2", Kind::Child, STANDARD);
    assert_eq!(table.data_watches(), [("/n1", vec![5, 7])]);
    assert!(!table.remove(5, "/n3", WatcherType::Any));
    assert_eq!(
        fired(&mut table, &changed("/n1")),
        [(EventType::DataChanged, "/n1".into(), vec![5, 7])]
    );
    assert!(fired(&mut table, &created("/n0/x")).is_empty(), "not even a persistent one");
    assert!(fired(&mut table, &deleted("/n4")).is_empty());
    assert_eq!(table.total(), 2);
    // In slices, and then nothing is left but what is watched.
    let mut slices = 0;
    while table.has_leftovers() {
        let before = table.paths.len();
        table.sweep(16);
        assert!(before - table.paths.len() <= 16);
        slices += 1;
    }
    assert!((12..16).contains(&slices), "{slices}");
    assert_eq!((table.paths.len(), table.index.len(), table.total()), (2, 2, 2));
    assert_eq!(
        fired(&mut table, &created("/n2/x")),
        [(EventType::ChildrenChanged, "/n2".into(), vec![5])]
    );
    assert_eq!((table.total(), table.data_total()), (1, 1));
}
