//! Names of exclusive locks, and who waits for whom, in three modes.
//!
//! | Writer | Node |
//! |---|---|
//! | Curator `InterProcessMutex`, `LeaderSelector` | `_c_<uuid>-lock-N10` |
//! | kazoo `Lock`, `Election` | `<hex>__lock__N10` |
//! | go-zookeeper `Lock` | `_c_<hex>-lock-N10` |
//! | ZooKeeper `WriteLock` | `x-<session>-N10` |
//!
//! Curator and kazoo do not exclude each other by default: Curator sorts kazoo's names behind its
//! own (`StandardLockInternalsDriver`), kazoo overlooks Curator's (`Lock._contenders_re`). We
//! compare numbers and yield to all of them, and [`Mode::Bridge`] makes both yield to us. Other
//! children are neither contenders nor an obstacle.

use super::position::{self, Position};
use super::protected::{Id, Style};
use super::sequence::{self, Sequence};

/// Which other clients must yield to us.
///
/// ```
/// use quorate::recipes::layout::lock::Mode;
///
/// assert_ne!(Mode::Curator, Mode::Bridge);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One node as Curator writes it. Excludes Curator and go-zookeeper; kazoo only if it was
    /// given the extra pattern `-lock-`.
    #[default]
    Curator,
    /// One node as kazoo writes it. Excludes kazoo and go-zookeeper; Curator does not yield.
    Kazoo {
        /// Whether we wait for Curator's nodes, as kazoo does with the extra pattern `-lock-`.
        yields_to_curator: bool,
    },
    /// Two nodes in one multi, one of each kind. Excludes all four clients of the table.
    Bridge,
}

/// Whose form a contender's name has.
///
/// ```
/// use quorate::recipes::layout::lock::{Form, contender};
/// use quorate::recipes::layout::protected::Id;
///
/// let kazoo = format!("{}__lock__0000000005", Id(7).hex());
/// assert_eq!(contender(&kazoo).unwrap().0, Form::Kazoo);
/// assert_eq!(contender("x-72057594037927936-0000000005").unwrap().0, Form::WriteLock);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `…lock-N10`: Curator, go-zookeeper, and ZooKeeper's documentation.
    Curator,
    /// `…__lock__N10`: kazoo.
    Kazoo,
    /// `x-<session>-N10`: ZooKeeper's `WriteLock`, in Java and C.
    WriteLock,
}

impl Mode {
    /// The names to create in ephemeral sequential mode; several go into one multi, in this order.
    ///
    /// ```
    /// use quorate::recipes::layout::lock::{CURATOR_MARKER, KAZOO_MARKER, Mode};
    /// use quorate::recipes::layout::protected::Id;
    ///
    /// let names = Mode::Bridge.stems(Id(7));
    /// assert!(names[0].ends_with(CURATOR_MARKER) && names[1].ends_with(KAZOO_MARKER));
    /// assert_eq!(Mode::Curator.stems(Id(7)), names[..1]);
    /// ```
    pub fn stems(self, id: Id) -> Vec<String> {
        let curator = || id.prefix(Style::Curator) + CURATOR_MARKER;
        let kazoo = || id.prefix(Style::Kazoo) + KAZOO_MARKER;
        match self {
            Self::Curator => vec![curator()],
            Self::Kazoo { .. } => vec![kazoo()],
            Self::Bridge => vec![curator(), kazoo()],
        }
    }

    /// The number of a name that counts as a contender in this mode.
    ///
    /// ```
    /// use quorate::recipes::layout::lock::{Mode, REVOKE, SINGLE_NODE};
    ///
    /// assert_eq!(Mode::Curator.contender("lock-0000000005").unwrap().0, 5);
    /// assert_eq!((Mode::Curator.contender(SINGLE_NODE), REVOKE), (None, &b"__REVOKE__"[..]));
    /// ```
    pub fn contender(self, name: &str) -> Option<Sequence> {
        match (self, contender(name)?) {
            (Self::Kazoo { yields_to_curator: false }, (form, _)) if form != Form::Kazoo => None,
            (_, (_, number)) => Some(number),
        }
    }

    /// Where the owner of the names `mine` stands. Give all names that were created together.
    ///
    /// ```
    /// use quorate::recipes::layout::{lock::Mode, position::Position};
    ///
    /// let names = ["lock-0000000002", "lock-0000000001", "foreign"];
    /// assert_eq!(Mode::Curator.position(&names, &["lock-0000000001"]), Position::Held);
    /// assert_eq!(Mode::Curator.position(&names, &["lock-0000000002"]), Position::Wait("lock-0000000001"));
    /// ```
    pub fn position<'a, S: AsRef<str>>(self, children: &'a [S], mine: &[&str]) -> Position<'a> {
        if mine.len() != self.nodes() {
            return Position::Missing;
        }
        position::position(children, mine, |name| self.contender(name))
    }

    /// The contenders of this mode, oldest first; a bridge's owner appears twice.
    ///
    /// ```
    /// use quorate::recipes::layout::lock::Mode;
    ///
    /// let names = ["lock-0000000002", "lock-0000000001", "foreign"];
    /// assert_eq!(Mode::Curator.participants(&names), ["lock-0000000001", "lock-0000000002"]);
    /// ```
    pub fn participants<S: AsRef<str>>(self, children: &[S]) -> Vec<&str> {
        position::participants(children, |name| self.contender(name))
    }

    /// Nodes per owner.
    ///
    /// ```
    /// use quorate::recipes::layout::lock::Mode;
    ///
    /// assert_eq!((Mode::Curator.nodes(), Mode::Bridge.nodes()), (1, 2));
    /// ```
    pub fn nodes(self) -> usize {
        if self == Self::Bridge { 2 } else { 1 }
    }
}

/// Form and number of a lock node, whoever wrote it; `None` for a foreign child.
///
/// ```
/// use quorate::recipes::layout::lock::{Form, contender};
///
/// let (form, number) = contender("_c_00000000-0000-0000-0000-000000000007-lock-0000000005").unwrap();
/// assert_eq!((form, number.0), (Form::Curator, 5));
/// assert_eq!(contender("foreign"), None);
/// ```
pub fn contender(name: &str) -> Option<(Form, Sequence)> {
    if let Some(number) = sequence::after(name, CURATOR_MARKER) {
        return Some((Form::Curator, number));
    }
    if let Some(number) = sequence::after(name, KAZOO_MARKER) {
        return Some((Form::Kazoo, number));
    }
    let (session, number) = write_lock(name)?;
    let id = session.strip_prefix('-').unwrap_or(session);
    let readable = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    readable.then_some((Form::WriteLock, number))
}

/// Session and number of `x-<session>-N10`.
fn write_lock(name: &str) -> Option<(&str, Sequence)> {
    let (stem, number) = sequence::split(name.strip_prefix("x-")?)?;
    Some((stem.strip_suffix('-')?, number))
}

/// Marker of Curator's lock nodes; its key is what follows the last one.
pub const CURATOR_MARKER: &str = "lock-";
/// Marker of kazoo's lock nodes.
pub const KAZOO_MARKER: &str = "__lock__";
/// Data by which Curator's `Revoker` asks the holder of a revocable lock to release it. A
/// revocable holder's node is empty before.
pub const REVOKE: &[u8] = b"__REVOKE__";
/// Name of the textbook lock on one node, for which all contenders try the same create.
pub const SINGLE_NODE: &str = "lock";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    const HEX: &str = "53345f9894234e0ca7b59f819e3ec2e1";
    /// Not a small number: Curator would sort kazoo's name before its own by ten zeros.
    const ID: Id = Id(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834);
    const PLAIN_KAZOO: Mode = Mode::Kazoo { yields_to_curator: false };
    const PATTERN_KAZOO: Mode = Mode::Kazoo { yields_to_curator: true };

    /// A node of another client with the given number.
    fn foreign(client: &str, number: i32) -> String {
        let number = Sequence(number);
        match client {
            "curator" => format!("_c_53345f98-9423-4e0c-a7b5-9f819e3ec2e1-lock-{number}"),
            "kazoo" => format!("{HEX}__lock__{number}"),
            "go" => format!("_c_{HEX}-lock-{number}"),
            "write lock" => format!("x-72057594037927936-{number}"),
            "c write lock" => format!("x-0100000000000000-{number}"),
            "negative session" => format!("x--72057594037927936-{number}"),
            "documentation" => format!("{HEX}-lock-{number}"),
            _ => unreachable!("{client}"),
        }
    }

    /// Our nodes from the given number on.
    fn ours(mode: Mode, number: i32) -> Vec<String> {
        let stems = mode.stems(ID).into_iter();
        stems
            .zip(0..)
            .map(|(stem, index)| (stem, number.wrapping_add(index)))
            .map(|(stem, number)| format!("{stem}{}", Sequence(number)))
            .collect()
    }

    fn position_of(mode: Mode, children: &[String], mine: &[String]) -> Option<String> {
        let mine: Vec<&str> = mine.iter().map(String::as_str).collect();
        match mode.position(children, &mine) {
            Position::Held => None,
            Position::Wait(name) => Some(name.to_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn names_as_the_other_clients_write_them() {
        let uuid = "9e3779b9-7f4a-7c15-f39c-c0605cedc834";
        let hex = "9e3779b97f4a7c15f39cc0605cedc834";
        assert_eq!(Mode::Curator.stems(ID), [format!("_c_{uuid}-lock-")]);
        assert_eq!(PLAIN_KAZOO.stems(ID), [format!("{hex}__lock__")]);
        assert_eq!(Mode::Bridge.stems(ID), [format!("_c_{uuid}-lock-"), format!("{hex}__lock__")]);
    }

    /// We are the contender: the rows of the table of who respects whom.
    #[test]
    fn waits_for_holders_of_every_kind() {
        for (mode, holder, waits) in [
            (Mode::Curator, "curator", true),
            (Mode::Curator, "kazoo", true),
            (Mode::Curator, "go", true),
            (Mode::Curator, "write lock", true),
            (Mode::Curator, "c write lock", true),
            (Mode::Curator, "negative session", true),
            (Mode::Curator, "documentation", true),
            (PLAIN_KAZOO, "curator", false),
            (PLAIN_KAZOO, "kazoo", true),
            (PLAIN_KAZOO, "go", false),
            (PATTERN_KAZOO, "curator", true),
            (PATTERN_KAZOO, "kazoo", true),
            (PATTERN_KAZOO, "go", true),
            (Mode::Bridge, "curator", true),
            (Mode::Bridge, "kazoo", true),
            (Mode::Bridge, "go", true),
            (Mode::Bridge, "write lock", true),
        ] {
            let mine = ours(mode, 5);
            let before = foreign(holder, 3);
            let mut children = mine.clone();
            children.extend([before.clone(), foreign(holder, 9)]);
            let expected = waits.then_some(before);
            assert_eq!(position_of(mode, &children, &mine), expected, "{mode:?} {holder}");
        }
    }

    /// We hold: what the other clients' rules, as their sources state them, make of our names.
    #[test]
    fn other_clients_wait_for_us() {
        // Curator: string order of what follows the last "lock-", else of the whole name.
        let curator =
            |name: &str| name.rsplit_once("lock-").map_or(name, |(_, key)| key).to_owned();
        let before_curator = |names: &[String]| {
            let own = curator(&foreign("curator", 9));
            names.iter().any(|name| curator(name) < own)
        };
        // kazoo: names with one of its patterns and a lower number at the end.
        let before_kazoo = |names: &[String], patterns: &[&str]| {
            names.iter().any(|name| {
                patterns.iter().any(|pattern| {
                    name.rsplit_once(pattern).is_some_and(|(_, number)| number < "0000000009")
                })
            })
        };
        // (mode, Curator waits, kazoo waits, kazoo with the extra pattern waits)
        for (mode, by_curator, by_kazoo, by_pattern) in [
            (Mode::Curator, true, false, true),
            (PLAIN_KAZOO, false, true, true),
            (Mode::Bridge, true, true, true),
        ] {
            let names = ours(mode, 3);
            assert_eq!(before_curator(&names), by_curator, "{mode:?}");
            assert_eq!(before_kazoo(&names, &["__lock__"]), by_kazoo, "{mode:?}");
            assert_eq!(before_kazoo(&names, &["__lock__", "-lock-"]), by_pattern, "{mode:?}");
        }
    }

    #[test]
    fn the_nearest_of_either_kind_is_watched() {
        let mine = ours(Mode::Bridge, 7);
        let mut children = vec![foreign("curator", 2), foreign("kazoo", 5), foreign("go", 4)];
        children.extend(mine.clone());
        assert_eq!(position_of(Mode::Bridge, &children, &mine), Some(foreign("kazoo", 5)));
        children.remove(1);
        assert_eq!(position_of(Mode::Bridge, &children, &mine), Some(foreign("go", 4)));
        children.drain(..2);
        assert_eq!(position_of(Mode::Bridge, &children, &mine), None);
        assert_eq!(Mode::Bridge.participants(&children), [&mine[0], &mine[1]]);
    }

    /// ZOOKEEPER-3162: the C recipe compared whole names, with the sessions in them, and waited for the wrong node, or for each other.
    #[test]
    fn zookeeper_3162_the_predecessor_is_the_one_with_the_next_lower_number() {
        let mut random = Random::new(3162);
        let kinds = ["curator", "kazoo", "go", "write lock", "c write lock", "negative session"];
        for _ in 0..500 {
            let mut children: Vec<String> = (0..8)
                .map(|number| {
                    // Ids and sessions that sort in any order, whatever the numbers.
                    let name = foreign(kinds[random.below(kinds.len())], number * 10);
                    let [high, low] = [(); 2].map(|()| u64::from_be_bytes(random.array()));
                    let id = format!("{high:016x}{low:016x}");
                    let session = i64::from_be_bytes(random.array()).unsigned_abs().to_string();
                    name.replace(HEX, &id).replace("72057594037927936", &session)
                })
                .collect();
            let number = i32::try_from(random.below(8)).unwrap() * 10 + 5;
            let mine = format!("{}{}", Mode::Curator.stems(ID)[0], Sequence(number));
            let expected = children[usize::try_from(number / 10).unwrap()].clone();
            children.push(mine.clone());
            let turn = random.below(children.len());
            children.rotate_left(turn);
            let found = position_of(Mode::Curator, &children, std::slice::from_ref(&mine));
            assert_eq!(found, Some(expected), "{mine} among {children:?}");
        }
    }

    #[test]
    fn half_a_bridge_is_missing() {
        let mine = ours(Mode::Bridge, 7);
        let both = [mine[0].as_str(), mine[1].as_str()];
        assert_eq!(Mode::Bridge.position(&[mine[0].as_str()], &both), Position::Missing);
        assert_eq!(Mode::Bridge.position(&both, &both[..1]), Position::Missing);
        assert!(Mode::Bridge.position(&both, &both).is_held());
    }

    #[test]
    fn foreign_children_neither_count_nor_block() {
        let mine = ours(Mode::Curator, 5);
        for child in
            ["", "config", "0000000001", "read-0000000001", "lock-1", "x-host-0000000001", "lock-"]
        {
            assert_eq!(contender(child), None, "{child}");
            let children = [child.to_owned(), mine[0].clone()];
            assert_eq!(position_of(Mode::Curator, &children, &mine), None, "{child}");
        }
    }

    #[test]
    fn the_holder_before_the_wrap_around_keeps_the_lock() {
        let holder = ours(Mode::Curator, i32::MAX - 1);
        let mut children = holder.clone();
        children.extend([foreign("curator", i32::MIN), foreign("kazoo", i32::MAX)]);
        assert_eq!(position_of(Mode::Curator, &children, &holder), None);
        // Half of a bridge would not stop everybody.
        for (mode, number) in [(Mode::Curator, i32::MAX), (Mode::Bridge, i32::MAX - 1)] {
            let last = ours(mode, number);
            let mine: Vec<&str> = last.iter().map(String::as_str).collect();
            assert_eq!(mode.position(&last, &mine), Position::Exhausted);
        }
    }

    #[test]
    fn any_names_are_judged_without_a_panic() {
        let mut random = Random::new(4);
        let parts = ["lock-", "__lock__", "x-", "0000000001", "-2147483648", HEX, "_c_"];
        for _ in 0..5_000 {
            let children: Vec<String> = (0..4).map(|_| random.text(&parts)).collect();
            let mine = [children[0].as_str()];
            for mode in [Mode::Curator, PLAIN_KAZOO, PATTERN_KAZOO, Mode::Bridge] {
                if let Position::Wait(name) = mode.position(&children, &mine) {
                    assert_ne!(name, mine[0]);
                }
            }
        }
    }
}
