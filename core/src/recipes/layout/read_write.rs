//! Names of read/write locks, and who waits for whom.
//!
//! | Writer | Read node | Write node |
//! |---|---|---|
//! | Curator `InterProcessReadWriteLock` | `_c_<uuid>-__READ__N10` | `_c_<uuid>-__WRIT__N10` |
//! | kazoo `ReadLock`, `WriteLock` | `<hex>__rlock__N10` | `<hex>__lock__N10` |
//! | ZooKeeper's documentation | `<guid>-read-N10`, `read-…N10` | `<guid>-write-N10`, `write-…N10` |
//! | textbook | `<host>-R-N10` | `<host>-W-N10` |
//!
//! A reader waits for the nearest earlier writer, a writer for the nearest earlier node. Only
//! earlier numbers are looked at: readers that looked at later writers deadlocked in kazoo
//! (python-zk/kazoo #649). Every form of the table counts in every mode, so that we never run
//! beside a holder; whom our own nodes stop depends on the [`Mode`]. Curator's plain mutex
//! (`lock-`) is not in the table: it and Curator's write lock do not see each other.
//!
//! **Downgrade.** A reader made while its owner holds the write lock takes the writer's own
//! number, in plain ephemeral mode, and so keeps its place. At equal numbers the write node comes
//! first. An upgrade from read to write can never succeed; refuse it before anything is created.

use super::position::{self, Position};
use super::protected::{Id, Style};
use super::sequence::{self, Sequence};

/// Read or write.
///
/// ```
/// use quorate::recipes::layout::read_write::Access;
///
/// assert_ne!(Access::Read, Access::Write);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Shared with other readers.
    Read,
    /// Alone.
    Write,
}

/// Whose form our own nodes take, and so who yields to them.
///
/// ```
/// use quorate::recipes::layout::protected::Id;
/// use quorate::recipes::layout::read_write::{Access, Mode, contender};
///
/// let name = format!("{}0000000003", Mode::Curator.stems(Id(7), Access::Write)[0]);
/// let (access, number) = contender(&name).unwrap();
/// assert_eq!((access, number.0), (Access::Write, 3));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Curator's names.
    #[default]
    Curator,
    /// kazoo's names. The write lock also excludes kazoo's plain `Lock`.
    Kazoo,
    /// Both, two nodes in one multi.
    Bridge,
    /// `<uuid>-read-N10` and `<uuid>-write-N10`.
    Documentation,
    /// `<host>-R-N10` and `<host>-W-N10`, with the given host name.
    Textbook(String),
}

impl Mode {
    /// The names to create in ephemeral sequential mode; two go into one multi, in this order.
    ///
    /// ```
    /// use quorate::recipes::layout::{protected::Id, read_write::{Access, Mode}};
    ///
    /// assert!(Mode::Curator.stems(Id(7), Access::Read)[0].ends_with("__READ__"));
    /// assert_eq!(Mode::Bridge.stems(Id(7), Access::Write).len(), 2);
    /// assert_eq!(Mode::Textbook("host".into()).stems(Id(7), Access::Write), ["host-W-"]);
    /// ```
    pub fn stems(&self, id: Id, access: Access) -> Vec<String> {
        let (curator, kazoo) = match access {
            Access::Read => ("__READ__", "__rlock__"),
            Access::Write => ("__WRIT__", "__lock__"),
        };
        let curator = || id.prefix(Style::Curator) + curator;
        let kazoo = || id.prefix(Style::Kazoo) + kazoo;
        match (self, access) {
            (Self::Curator, _) => vec![curator()],
            (Self::Kazoo, _) => vec![kazoo()],
            (Self::Bridge, _) => vec![curator(), kazoo()],
            (Self::Documentation, Access::Read) => vec![format!("{id}-read-")],
            (Self::Documentation, Access::Write) => vec![format!("{id}-write-")],
            (Self::Textbook(host), Access::Read) => vec![format!("{host}-R-")],
            (Self::Textbook(host), Access::Write) => vec![format!("{host}-W-")],
        }
    }

    /// The complete names of a reader that goes on from the write lock held with the nodes
    /// `writers`: create them in plain ephemeral mode. `None` if those are not all the write
    /// nodes of this mode.
    ///
    /// ```
    /// use quorate::recipes::layout::{protected::Id, read_write::{Access, Mode, contender}};
    ///
    /// let writer = format!("{}0000000003", Mode::Curator.stems(Id(7), Access::Write)[0]);
    /// let reader = Mode::Curator.downgraded(Id(8), &[&writer]).unwrap();
    /// // The writer's number: nobody comes between.
    /// assert!(matches!(contender(&reader[0]), Some((Access::Read, number)) if number.0 == 3));
    /// ```
    pub fn downgraded(&self, id: Id, writers: &[&str]) -> Option<Vec<String>> {
        let stems = self.stems(id, Access::Read);
        if stems.len() != writers.len() {
            return None;
        }
        let names = stems.into_iter().zip(writers).map(|(stem, writer)| match contender(writer)? {
            (Access::Write, number) => Some(format!("{stem}{number}")),
            (Access::Read, _) => None,
        });
        names.collect()
    }
}

/// Kind and number of a node of any form in the table; `None` for a foreign child.
///
/// ```
/// assert_eq!(quorate::recipes::layout::read_write::contender("foreign"), None);
/// ```
pub fn contender(name: &str) -> Option<(Access, Sequence)> {
    for (marker, access) in MARKERS {
        if let Some(number) = sequence::after(name, marker) {
            return Some((access, number));
        }
    }
    let access = if name.starts_with("read-") {
        Access::Read
    } else if name.starts_with("write-") {
        Access::Write
    } else {
        return None;
    };
    sequence::split(name).map(|(_, number)| (access, number))
}

/// Where the owner of the nodes `mine`, all made with `access`, stands.
///
/// `held_write` names the write nodes that the same owner holds; they never block it, neither a
/// downgrade nor a re-entrant read.
///
/// ```
/// use quorate::recipes::layout::{Position, read_write::{Access, position}};
///
/// let children = ["a__READ__0000000001", "b__WRIT__0000000002"];
/// let writer = position(&children, Access::Write, &["b__WRIT__0000000002"], &[]);
/// assert_eq!(writer, Position::Wait("a__READ__0000000001"));
/// ```
pub fn position<'a, S: AsRef<str>>(
    children: &'a [S],
    access: Access,
    mine: &[&str],
    held_write: &[&str],
) -> Position<'a> {
    let of_this_access = |name: &str| match contender(name)? {
        (found, number) if found == access => Some(number),
        _ => None,
    };
    let Some(number) = position::lowest_of_mine(children, mine, of_this_access) else {
        return Position::Missing;
    };
    let writes_held = held_write.iter().any(|held| children.iter().any(|c| c.as_ref() == *held));
    if access == Access::Read && writes_held {
        return Position::Held;
    }
    if !position::all_order(mine, of_this_access) {
        return Position::Exhausted;
    }
    let nearest = children
        .iter()
        .map(AsRef::as_ref)
        .filter(|name| !mine.contains(name) && !held_write.contains(name))
        .filter_map(|name| {
            let (other, at) = contender(name)?;
            let distance = number.distance_from(at);
            let blocks = match access {
                // At the same number the writer comes first.
                Access::Read => other == Access::Write && distance >= 0,
                Access::Write => distance > 0,
            };
            // Of two nodes with one number, the reader is the nearer one.
            blocks.then_some((name, distance, other == Access::Write))
        })
        .min_by_key(|&(_, distance, is_write)| (distance, is_write));
    nearest.map_or(Position::Held, |(name, ..)| Position::Wait(name))
}

/// All contenders, oldest first, the write node before the read node of a downgrade.
///
/// ```
/// assert!(quorate::recipes::layout::read_write::participants(&["foreign"]).is_empty());
/// ```
pub fn participants<S: AsRef<str>>(children: &[S]) -> Vec<(&str, Access)> {
    let mut found: Vec<(&str, Access, Sequence)> = children
        .iter()
        .map(AsRef::as_ref)
        .filter_map(|name| contender(name).map(|(access, number)| (name, access, number)))
        .collect();
    found.sort_by_key(|&(_, access, _)| access == Access::Read);
    sequence::sort_by_number(&mut found, |&(_, _, number)| number);
    found.into_iter().map(|(name, access, _)| (name, access)).collect()
}

/// Markers that stand directly before the number.
const MARKERS: [(&str, Access); 8] = [
    ("__READ__", Access::Read),
    ("__WRIT__", Access::Write),
    ("__rlock__", Access::Read),
    ("__lock__", Access::Write),
    ("-read-", Access::Read),
    ("-write-", Access::Write),
    ("-R-", Access::Read),
    ("-W-", Access::Write),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;
    use Access::{Read, Write};

    const UUID: &str = "00000000-0000-0000-0000-000000000007";
    const HEX: &str = "00000000000000000000000000000007";
    const ID: Id = Id(7);

    #[test]
    fn names_as_the_other_clients_write_them() {
        for (mode, access, stems) in [
            (Mode::Curator, Read, vec![format!("_c_{UUID}-__READ__")]),
            (Mode::Curator, Write, vec![format!("_c_{UUID}-__WRIT__")]),
            (Mode::Kazoo, Read, vec![format!("{HEX}__rlock__")]),
            (Mode::Kazoo, Write, vec![format!("{HEX}__lock__")]),
            (Mode::Bridge, Read, vec![format!("_c_{UUID}-__READ__"), format!("{HEX}__rlock__")]),
            (Mode::Documentation, Write, vec![format!("{UUID}-write-")]),
            (Mode::Textbook("h1".into()), Read, vec!["h1-R-".to_owned()]),
        ] {
            assert_eq!(mode.stems(ID, access), stems);
            for stem in stems {
                let name = format!("{stem}0000000003");
                assert_eq!(contender(&name), Some((access, Sequence(3))), "{name}");
            }
        }
        assert_eq!(contender("read-host-0000000003"), Some((Read, Sequence(3))));
        assert_eq!(contender("write-0000000003"), Some((Write, Sequence(3))));
        for name in ["", "read-3", "_c_x-lock-0000000003", "ready", "x-R-y-0000000003"] {
            assert_eq!(contender(name), None, "{name}");
        }
    }

    /// Each line: children, whose turn it is asked for, and the number of the node to watch.
    #[test]
    fn readers_wait_for_writers_and_writers_for_all() {
        for (children, mine, watched) in [
            ("R1 R2 W3", 1, None),
            ("R1 R2 W3", 2, None),
            ("R1 R2 W3", 3, Some(2)),
            ("W1 R2 R3", 2, Some(1)),
            ("W1 R2 R3", 3, Some(1)),
            ("W1 W2 R3 W4 R5", 3, Some(2)),
            ("W1 W2 R3 W4 R5", 4, Some(3)),
            ("W1 W2 R3 W4 R5", 5, Some(4)),
            ("R5 W6", 5, None),
            ("W3", 3, None),
        ] {
            // The forms are mixed: every form counts for every other one.
            let names: Vec<String> = children
                .split(' ')
                .enumerate()
                .map(|(index, word)| {
                    let (kind, number) = word.split_at(1);
                    let marker = match (kind, index % 4) {
                        ("R", 0) => "_c_a-__READ__",
                        ("R", 1) => "a__rlock__",
                        ("R", 2) => "a-read-",
                        ("R", _) => "a-R-",
                        (_, 0) => "_c_a-__WRIT__",
                        (_, 1) => "a__lock__",
                        (_, 2) => "a-write-",
                        (_, _) => "a-W-",
                    };
                    format!("{marker}{}", Sequence(number.parse().unwrap()))
                })
                .chain(["noise".to_owned()])
                .collect();
            let with_number = |number: i32| {
                names.iter().find(|name| contender(name).is_some_and(|c| c.1 == Sequence(number)))
            };
            let own = with_number(mine).unwrap();
            let access = contender(own).unwrap().0;
            let expected = watched.and_then(with_number);
            let expected = expected.map_or(Position::Held, |name| Position::Wait(name));
            assert_eq!(position(&names, access, &[own], &[]), expected, "{children}: {mine}");
        }
    }

    #[test]
    fn a_downgraded_reader_keeps_the_writers_place() {
        let id = Id(8);
        let writers = [format!("_c_{UUID}-__WRIT__0000000004"), format!("{HEX}__lock__0000000005")];
        let writers = [writers[0].as_str(), writers[1].as_str()];
        let names = Mode::Bridge.downgraded(id, &writers).unwrap();
        assert_eq!(
            names,
            [
                "_c_00000000-0000-0000-0000-000000000008-__READ__0000000004",
                "00000000000000000000000000000008__rlock__0000000005"
            ]
        );
        let readers = [names[0].as_str(), names[1].as_str()];
        let next = "_c_x-__WRIT__0000000006";
        let children = [next, readers[1], writers[0], readers[0], writers[1]];
        assert!(position(&children, Read, &readers, &writers).is_held());
        // A stranger at the same number has the writer before it.
        assert_eq!(position(&children, Read, &readers[..1], &[]), Position::Wait(writers[0]));
        assert!(position(&children, Write, &writers, &[]).is_held());
        assert_eq!(position(&children, Write, &[next], &[]), Position::Wait(readers[1]));
        // After the write nodes went, the readers still hold, and the next writer still waits.
        let children = [next, readers[1], readers[0]];
        assert!(position(&children, Read, &readers, &writers).is_held());
        assert_eq!(position(&children, Write, &[next], &[]), Position::Wait(readers[1]));

        assert_eq!(Mode::Curator.downgraded(id, &writers), None);
        assert_eq!(Mode::Curator.downgraded(id, &[readers[0]]), None);
    }

    #[test]
    fn lists_the_writer_before_its_own_reader() {
        let children = ["b-__READ__0000000004", "c-__READ__0000000002", "a-__WRIT__0000000004"];
        let expected = [(children[1], Read), (children[2], Write), (children[0], Read)];
        assert_eq!(participants(&children), expected);
        assert_eq!(position(&children, Write, &[children[0]], &[]), Position::Missing);
        assert_eq!(position(&children, Read, &["gone"], &[]), Position::Missing);
    }

    #[test]
    fn any_names_are_judged_without_a_panic() {
        let mut random = Random::new(5);
        let parts = ["__READ__", "__WRIT__", "read-", "write-", "0000000001", "-2147483648", "-R-"];
        for _ in 0..5_000 {
            let children: Vec<String> = (0..4).map(|_| random.text(&parts)).collect();
            let mine = [children[0].as_str()];
            for access in [Read, Write] {
                if let Position::Wait(name) = position(&children, access, &mine, &[]) {
                    assert_ne!(name, mine[0]);
                }
            }
            participants(&children);
        }
    }
}
