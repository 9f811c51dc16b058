//! Disks without room for an epoch.

use super::*;
use crate::client::CreateMode;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A disk that has no room for files of this name as long as it is full, and how often it has said so.
#[derive(Clone, Default)]
struct Full(Arc<(AtomicBool, AtomicU32)>);

impl Full {
    fn refuses(&self, file: &'static str) -> impl Fn(Op, &Path) -> io::Result<()> + use<> {
        let state = Arc::clone(&self.0);
        move |op, path| {
            let is_it = path.to_string_lossy().contains(file);
            if op == Op::Create && is_it && state.0.load(Ordering::Relaxed) {
                state.1.fetch_add(1, Ordering::Relaxed);
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(())
        }
    }

    fn set(&self, full: bool) {
        self.0.0.store(full, Ordering::Relaxed);
    }

    fn times(&self) -> u32 {
        self.0.1.load(Ordering::Relaxed)
    }
}

fn a_member_waits_for_room_for(file: &'static str) {
    let mut ensemble = Ensemble::new(false, |_| {});
    let full = Full::default();
    full.set(true);
    // The one that would lead.
    ensemble.begin_on(3, full.refuses(file));
    ensemble.begin(1);
    ensemble.begin(2);
    // It tries, and tries again, and the others go on without it.
    until("it has tried twice", || full.times() >= 2);
    let client = ensemble.client(1);
    client.create("/a", b"", CreateMode::Persistent).unwrap();
    full.set(false);
    let client = ensemble.client(3);
    client.sync("/").unwrap();
    assert!(client.exists("/a").unwrap().is_some());
}

#[test]
fn a_member_waits_for_room_for_its_promise() {
    a_member_waits_for_room_for("acceptedEpoch");
}

#[test]
fn a_member_waits_for_room_for_its_epoch() {
    a_member_waits_for_room_for("currentEpoch");
}
