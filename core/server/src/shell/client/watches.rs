//! The client's own table of watches, and the events that come of them.
//!
//! The server forgets a connection's watches when it breaks, so the client must know them to set
//! them again; and it prints only events that someone still waits for. There is one watcher, the
//! shell itself. Source: `org.apache.zookeeper.ZKWatchManager`.

use quorate_wire::Jute;
use quorate_wire::event::EventType;
use quorate_wire::op::remove_watches::WatcherType;
use quorate_wire::op::set_watches::SetWatches2Request;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What the shell shows to its user unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Name of the session's state, as Java spells it.
    pub(crate) state: &'static str,
    /// Name of the event, `None` for one of the session itself.
    pub(crate) kind: &'static str,
    /// The node, as the user knows it; absent for session events.
    pub(crate) path: Option<String>,
}

impl Event {
    /// An event of the session.
    pub(crate) const fn session(state: &'static str) -> Self {
        Self { state, kind: "None", path: None }
    }
}

/// The five kinds of watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchKind {
    /// Left by get.
    Data,
    /// Left by stat: on the data of a node that is there, on the creation of one that is not.
    Exist,
    /// Left by ls.
    Child,
    /// Left by addWatch, mode 0.
    Persistent,
    /// Left by addWatch, mode 1.
    Recursive,
}

/// Watches by server path.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    data: BTreeSet<String>,
    exist: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
}

impl Watches {
    /// Notes a watch that the server has just confirmed. `absent` says that the node is not there.
    pub(crate) fn register(&mut self, kind: WatchKind, path: String, absent: bool) {
        let table = match kind {
            WatchKind::Exist if absent => &mut self.exist,
            WatchKind::Data | WatchKind::Exist => &mut self.data,
            WatchKind::Child => &mut self.child,
            WatchKind::Persistent => &mut self.persistent,
            WatchKind::Recursive => &mut self.recursive,
        };
        table.insert(path);
    }

    /// Takes the one-shot watches that an event uses up. Returns whether anyone waited for it.
    pub(crate) fn fire(&mut self, event: EventType, path: &str) -> bool {
        let mut hit = self.persistent.contains(path);
        match event {
            EventType::Created | EventType::DataChanged => {
                hit |= self.data.remove(path) | self.exist.remove(path);
            }
            EventType::ChildrenChanged => hit |= self.child.remove(path),
            EventType::Deleted => {
                hit |= self.data.remove(path) | self.exist.remove(path) | self.child.remove(path);
            }
        }
        hit || (event != EventType::ChildrenChanged && self.is_below_recursive(path))
    }

    /// Drops the watches of `kind` on `path`; returns the events that tell of it.
    pub(crate) fn remove(&mut self, kind: WatcherType, path: &str) -> Vec<&'static str> {
        let all = kind == WatcherType::Any;
        let mut events = Vec::new();
        if (all || kind == WatcherType::Children) && self.child.remove(path) {
            events.push("ChildWatchRemoved");
        }
        if (all || kind == WatcherType::Data) && (self.data.remove(path) | self.exist.remove(path))
        {
            events.push("DataWatchRemoved");
        }
        let persistent = (all || kind == WatcherType::Persistent) && self.persistent.remove(path);
        let recursive =
            (all || kind == WatcherType::PersistentRecursive) && self.recursive.remove(path);
        if persistent || recursive {
            events.push("PersistentWatchRemoved");
        }
        events
    }

    /// Bodies of the setWatches2 requests to send after a reconnect: none without watches, several
    /// with so many that one would exceed the server's frame limit.
    pub(crate) fn to_requests(&self, last_zxid: i64) -> Vec<Vec<u8>> {
        let tables = [&self.data, &self.exist, &self.child, &self.persistent, &self.recursive];
        let mut requests = Vec::new();
        let mut lists: [Vec<Cow<'_, str>>; 5] = Default::default();
        let mut size = 0_usize;
        for (kind, table) in tables.into_iter().enumerate() {
            for path in table {
                if let Some(list) = lists.get_mut(kind) {
                    list.push(Cow::Borrowed(path));
                }
                size = size.saturating_add(path.len());
                if size >= BATCH_BYTES {
                    requests.push(encode(last_zxid, std::mem::take(&mut lists)));
                    size = 0;
                }
            }
        }
        if size > 0 {
            requests.push(encode(last_zxid, lists));
        }
        requests
    }

    fn is_below_recursive(&self, path: &str) -> bool {
        let mut at = path;
        loop {
            if self.recursive.contains(at) {
                return true;
            }
            at = match at.rsplit_once('/') {
                Some(("", "")) | None => return false,
                Some(("", _)) => "/",
                Some((parent, _)) => parent,
            };
        }
    }
}

/// Name of an event, as Java spells it.
pub(crate) const fn event_name(event: EventType) -> &'static str {
    match event {
        EventType::Created => "NodeCreated",
        EventType::Deleted => "NodeDeleted",
        EventType::DataChanged => "NodeDataChanged",
        EventType::ChildrenChanged => "NodeChildrenChanged",
    }
}

fn encode(relative_zxid: i64, lists: [Vec<Cow<'_, str>>; 5]) -> Vec<u8> {
    let [data, exist, child, persistent, recursive] = lists.map(Some);
    SetWatches2Request {
        relative_zxid,
        data,
        exist,
        child,
        persistent,
        persistent_recursive: recursive,
    }
    .to_bytes()
}

/// Path text per request, as in Java's client (`SET_WATCHES_MAX_LENGTH`).
const BATCH_BYTES: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shot_watches_are_used_up_and_persistent_ones_stay() {
        let mut watches = Watches::default();
        watches.register(WatchKind::Data, "/a".into(), false);
        watches.register(WatchKind::Exist, "/b".into(), true);
        watches.register(WatchKind::Persistent, "/p".into(), false);
        assert!(watches.fire(EventType::DataChanged, "/a"));
        assert!(!watches.fire(EventType::DataChanged, "/a"));
        assert!(!watches.fire(EventType::ChildrenChanged, "/b"));
        assert!(watches.fire(EventType::Created, "/b"));
        assert!(watches.fire(EventType::ChildrenChanged, "/p"));
        assert!(watches.fire(EventType::Deleted, "/p"));
    }

    #[test]
    fn recursive_watches_see_descendants_but_no_child_lists() {
        let mut watches = Watches::default();
        watches.register(WatchKind::Recursive, "/r".into(), false);
        assert!(watches.fire(EventType::Created, "/r/x/y"));
        assert!(!watches.fire(EventType::ChildrenChanged, "/r"));
        assert!(!watches.fire(EventType::Created, "/rx"));
        watches.register(WatchKind::Recursive, "/".into(), false);
        assert!(watches.fire(EventType::Deleted, "/rx"));
    }

    #[test]
    fn removal_tells_which_kinds_went() {
        let mut watches = Watches::default();
        watches.register(WatchKind::Data, "/a".into(), false);
        watches.register(WatchKind::Child, "/a".into(), false);
        watches.register(WatchKind::Recursive, "/a".into(), false);
        assert_eq!(watches.remove(WatcherType::Children, "/a"), ["ChildWatchRemoved"]);
        assert_eq!(
            watches.remove(WatcherType::Any, "/a"),
            ["DataWatchRemoved", "PersistentWatchRemoved"]
        );
        assert_eq!(watches.to_requests(0).len(), 0);
    }

    #[test]
    fn watches_are_set_again_in_batches() {
        let mut watches = Watches::default();
        for n in 0..3000 {
            let path = format!("/{n:0100}");
            watches.register(WatchKind::Child, path, false);
        }
        let requests = watches.to_requests(7);
        assert_eq!(requests.len(), 3);
        let count: usize = requests
            .iter()
            .map(|body| SetWatches2Request::from_bytes(body).unwrap().child.unwrap().len())
            .sum();
        assert_eq!(count, 3000);
    }
}
