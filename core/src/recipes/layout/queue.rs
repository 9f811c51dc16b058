//! Node names of queues, and in which order their items come out.
//!
//! | Queue | Node | Order |
//! |---|---|---|
//! | Curator `DistributedQueue` | `queue-N10` | number |
//! | Curator `DistributedPriorityQueue` | `queue-<p>N10`, nine characters `<p>` | priority, number |
//! | Curator `DistributedDelayQueue` | `queue-\|<epoch ms, hex>\|N10` | epoch, number |
//! | Curator `DistributedIdQueue` | `queue-\|<id>\|N10` | number |
//! | Curator `SimpleDistributedQueue`, ZooKeeper `DistributedQueue` | `qn-N10` | number |
//! | kazoo `Queue`, `LockingQueue` | `entry-<PPP>-N10` | priority, number |
//!
//! All are persistent sequential. The data of the first four is a [`frame`](super::frame), of the
//! others the bytes of the caller. The others sort text, which gives the same order as long as no
//! number is negative.

use thiserror::Error;

use super::protected::Id;
use super::sequence::{self, Sequence};

/// Which queue, and so which names.
///
/// ```
/// use quorate::recipes::layout::queue::{Kind, plain};
///
/// let name = format!("{}0000000004", plain());
/// assert_eq!(Kind::Plain.parse(&name).unwrap().number.0, 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Curator's queue without extras.
    Plain,
    /// Curator's priority queue: lower numbers come first.
    Priority,
    /// Curator's delay queue: nothing comes before its time.
    Delay,
    /// Curator's queue whose items can be removed by id.
    Id,
    /// The queue of ZooKeeper's documentation.
    Simple,
    /// kazoo's queues: lower priorities come first.
    Entry,
}

/// What the name of an item says.
///
/// ```
/// use quorate::recipes::layout::queue::{Kind, with_id};
///
/// let name = format!("{}0000000004", with_id("order-17").unwrap());
/// assert_eq!(Kind::Id.parse(&name).unwrap().id, "order-17");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// The whole name.
    pub name: &'a str,
    /// Priority, or the epoch in milliseconds before which a delayed item is not due; else 0.
    pub rank: i64,
    /// The id of an item of [`Kind::Id`]; else empty.
    pub id: &'a str,
    /// The number.
    pub number: Sequence,
}

/// A value that no node name can carry.
///
/// ```
/// use quorate::recipes::layout::queue::{NameError, with_id};
///
/// assert_eq!(with_id(""), Err(NameError::EmptyId));
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// kazoo has three digits.
    #[error("priority {0} is not between 0 and 999, the range of kazoo's queues")]
    Priority(u32),
    /// Curator does not take it.
    #[error("the id of a queue item is empty")]
    EmptyId,
    /// Curator does not take it.
    #[error("epoch {0} ms is not after 1970; delayed items are due at a positive epoch")]
    Epoch(i64),
}

impl Kind {
    /// Reads a name of this queue; `None` for a foreign child.
    ///
    /// ```
    /// use quorate::recipes::layout::queue::Kind;
    ///
    /// let item = Kind::Entry.parse("entry-007-0000000004").unwrap();
    /// assert_eq!((item.rank, item.number.0), (7, 4));
    /// assert!(Kind::Entry.parse("queue-0000000004").is_none());
    /// ```
    pub fn parse(self, name: &str) -> Option<Item<'_>> {
        let (rank, id, suffix) = match self {
            Self::Plain => (0, "", name.strip_prefix(CURATOR)?),
            Self::Simple => (0, "", name.strip_prefix(SIMPLE)?),
            Self::Priority => {
                let (hex, suffix) = name.strip_prefix(CURATOR)?.split_at_checked(9)?;
                (parse_priority(hex)?, "", suffix)
            }
            Self::Delay => {
                let (hex, suffix) = between_bars(name)?;
                (parse_epoch(hex)?, "", suffix)
            }
            Self::Id => {
                let (id, suffix) = between_bars(name)?;
                (0, id, suffix)
            }
            Self::Entry => {
                let (digits, rest) = name.strip_prefix(ENTRY)?.split_at_checked(3)?;
                let rank = digits.bytes().all(|byte| byte.is_ascii_digit());
                (digits.parse().ok().filter(|_| rank)?, "", rest.strip_prefix('-')?)
            }
        };
        Some(Item { name, rank, id, number: Sequence::parse(suffix)? })
    }

    /// The items among the children, next one first. Foreign children are left out.
    ///
    /// ```
    /// use quorate::recipes::layout::queue::Kind;
    ///
    /// let names = ["entry-100-0000000001", "foreign", "entry-007-0000000002"];
    /// let order: Vec<_> = Kind::Entry.in_order(&names).into_iter().map(|item| item.name).collect();
    /// assert_eq!(order, ["entry-007-0000000002", "entry-100-0000000001"]);
    /// ```
    pub fn in_order<S: AsRef<str>>(self, children: &[S]) -> Vec<Item<'_>> {
        let mut items: Vec<Item<'_>> =
            children.iter().filter_map(|name| self.parse(name.as_ref())).collect();
        sequence::sort_by_number(&mut items, |item| item.number);
        // Stable: items of one rank stay in the order of their numbers.
        items.sort_by_key(|item| item.rank);
        items
    }
}

impl Item<'_> {
    /// Milliseconds until an item of [`Kind::Delay`] is due; 0 if it is.
    ///
    /// ```
    /// use quorate::recipes::layout::queue::{Kind, delayed};
    ///
    /// let name = format!("{}0000000001", delayed(5_000).unwrap());
    /// let item = Kind::Delay.parse(&name).unwrap();
    /// assert_eq!((item.due_in(4_000), item.due_in(9_000)), (1_000, 0));
    /// ```
    pub fn due_in(&self, now_ms: i64) -> u64 {
        u64::try_from(self.rank.saturating_sub(now_ms)).unwrap_or(0)
    }
}

/// The name of an item of Curator's plain queue, to create sequentially.
///
/// ```
/// assert_eq!(quorate::recipes::layout::queue::plain(), "queue-");
/// ```
pub fn plain() -> String {
    CURATOR.to_owned()
}

/// The name of an item of the simple queue, to create sequentially.
///
/// ```
/// use quorate::recipes::layout::queue::{Kind, simple};
///
/// assert!(Kind::Simple.parse(&format!("{}0000000001", simple())).is_some());
/// ```
pub fn simple() -> String {
    SIMPLE.to_owned()
}

/// The name of an item of Curator's priority queue, to create sequentially.
///
/// ```
/// use quorate::recipes::layout::queue::{Kind, priority};
///
/// let name = |value, number| format!("{}{number:010}", priority(value));
/// let names = [name(5, 1), name(-1, 2)];
/// assert_eq!(Kind::Priority.in_order(&names)[0].name, names[1]);
/// ```
pub fn priority(priority: i32) -> String {
    let sign = if priority < 0 { '0' } else { '1' };
    format!("{CURATOR}{sign}{:08X}", priority.cast_unsigned())
}

/// The name of an item of Curator's delay queue, to create sequentially. It is due at the given
/// time in milliseconds since 1970, by the clock of whoever consumes it.
///
/// ```
/// use quorate::recipes::layout::queue::{Kind, delayed};
///
/// let name = format!("{}0000000001", delayed(5_000).unwrap());
/// assert_eq!(Kind::Delay.parse(&name).unwrap().due_in(2_000), 3_000);
/// ```
///
/// # Errors
/// The epoch is not positive.
pub fn delayed(epoch_ms: i64) -> Result<String, NameError> {
    if epoch_ms <= 0 {
        return Err(NameError::Epoch(epoch_ms));
    }
    Ok(format!("{CURATOR}{BAR}{epoch_ms:08X}{BAR}"))
}

/// The name of an item of Curator's id queue, to create sequentially. See [`clean_id`].
///
/// ```
/// use quorate::recipes::layout::queue::{Kind, with_id};
///
/// let name = format!("{}0000000001", with_id("a").unwrap());
/// assert_eq!(Kind::Id.parse(&name).unwrap().id, "a");
/// ```
///
/// # Errors
/// The id is empty.
pub fn with_id(id: &str) -> Result<String, NameError> {
    if id.is_empty() {
        return Err(NameError::EmptyId);
    }
    Ok(format!("{CURATOR}{BAR}{}{BAR}", clean_id(id)))
}

/// The id as it stands in names: `/` and `|` become `_`. Compare with this when removing by id;
/// different ids can become equal.
///
/// ```
/// use quorate::recipes::layout::queue::clean_id;
///
/// assert_eq!(clean_id("order-17"), "order-17");
/// ```
pub fn clean_id(id: &str) -> String {
    id.replace(['/', BAR], "_")
}

/// The name of an item of kazoo's queues, to create sequentially. kazoo's default is 100.
///
/// ```
/// assert_eq!(quorate::recipes::layout::queue::entry(7).unwrap(), "entry-007-");
/// ```
///
/// # Errors
/// The priority has more than three digits.
pub fn entry(priority: u32) -> Result<String, NameError> {
    if priority > 999 {
        return Err(NameError::Priority(priority));
    }
    Ok(format!("{ENTRY}{priority:03}-"))
}

/// Of the entries of a kazoo `LockingQueue`, in order, those without a mark in `taken`.
///
/// ```
/// use quorate::recipes::layout::queue::not_taken;
///
/// let entries = ["entry-100-0000000001", "entry-100-0000000002"];
/// let free = not_taken(&entries, &["entry-100-0000000001"]);
/// assert_eq!(free[0].name, "entry-100-0000000002");
/// ```
pub fn not_taken<'a, S: AsRef<str>>(entries: &'a [S], taken: &[S]) -> Vec<Item<'a>> {
    let mut marks: Vec<&str> = taken.iter().map(AsRef::as_ref).collect();
    marks.sort_unstable();
    let mut items = Kind::Entry.in_order(entries);
    items.retain(|item| marks.binary_search(&item.name).is_err());
    items
}

/// `0` or `1`, and eight hex digits of the two's complement.
fn parse_priority(hex: &str) -> Option<i64> {
    let (sign, digits) = hex.split_at_checked(1)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let priority = u32::from_str_radix(digits, 16).ok()?.cast_signed();
    let sign_agrees = if priority < 0 { sign == "0" } else { sign == "1" };
    sign_agrees.then_some(i64::from(priority))
}

/// Hex digits of a positive epoch.
fn parse_epoch(hex: &str) -> Option<i64> {
    let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    i64::from_str_radix(hex, 16).ok().filter(|_| digits)
}

/// What stands between the bars of `queue-|…|N10`, and what follows.
fn between_bars(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix(CURATOR)?.strip_prefix(BAR)?.split_once(BAR)
}

/// The name of one of the queues of Curator's `QueueSharder`.
///
/// ```
/// use quorate::recipes::layout::{Id, queue};
///
/// assert_eq!(queue::shard(Id(7)), "queue-00000000-0000-0000-0000-000000000007");
/// ```
pub fn shard(id: Id) -> String {
    format!("{CURATOR}{id}")
}

/// Whether this is the name of one of the queues of a `QueueSharder`: an item of a queue has a number, and this a UUID.
///
/// ```
/// use quorate::recipes::layout::{Id, queue};
///
/// assert!(queue::is_shard(&queue::shard(Id(7))));
/// assert!(!queue::is_shard("queue-0000000007"));
/// ```
pub fn is_shard(name: &str) -> bool {
    let id = name.strip_prefix(CURATOR).filter(|id| id.contains('-')).and_then(Id::parse);
    id.is_some()
}

const CURATOR: &str = "queue-";
const SIMPLE: &str = "qn-";
const ENTRY: &str = "entry-";
const BAR: char = '|';

/// Directory of the entries of a kazoo `LockingQueue`.
///
/// ```
/// use quorate::recipes::layout::queue::{ENTRIES, TAKEN};
///
/// // An item of kazoo's `LockingQueue`, and the mark of who has it.
/// assert_eq!((format!("/q/{ENTRIES}/x"), format!("/q/{TAKEN}/x")), ("/q/entries/x".into(), "/q/taken/x".into()));
/// ```
pub const ENTRIES: &str = "entries";
/// Directory of the marks of a kazoo `LockingQueue`: `taken/<entry>`, ephemeral, data = the hex id
/// of the consumer.
pub const TAKEN: &str = "taken";

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
