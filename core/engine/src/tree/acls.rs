//! The ACL table: every distinct list once, with a count of the nodes that use it.
//!
//! Slot 0 is the open list (`world:anyone`, all permissions); in snapshots it is -1 and has no entry, all
//! others are written under their slot number. A slot that no node uses any more is used again.
//! Source: `org.apache.zookeeper.server.ReferenceCountedACLCache`.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use quorate_wire::{Acl, acl};
use std::hash::BuildHasher;

/// All lists in use.
#[derive(Debug)]
pub(super) struct AclTable {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_list: HashTable<u32>,
    hasher: FixedState,
}

#[derive(Debug)]
struct Slot {
    list: Box<[Acl<'static>]>,
    hash: u64,
    uses: u64,
    /// The id of an entry that a snapshot refers to and does not contain.
    missing: Option<i64>,
}

impl AclTable {
    pub(super) fn new(seed: u64) -> Self {
        let open =
            Slot { list: Box::from([Acl::world(acl::ALL)]), hash: 0, uses: 0, missing: None };
        Self {
            slots: vec![open],
            free: Vec::new(),
            by_list: HashTable::new(),
            hasher: FixedState::with_seed(seed),
        }
    }

    /// The list of a slot.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> &[Acl<'static>] {
        self.slots.get(slot as usize).map_or(&[], |slot| &slot.list)
    }

    /// The slot of this list, and one more use of it.
    pub(super) fn acquire(&mut self, list: &[Acl<'_>]) -> u32 {
        if matches!(list, [only] if only.is_open()) {
            return OPEN;
        }
        let hash = self.hasher.hash_one(list);
        let slots = &mut self.slots;
        let same = |slot: &u32| slots.get(*slot as usize).is_some_and(|s| *s.list == *list);
        if let Some(&slot) = self.by_list.find(hash, same) {
            self.retain(slot);
            return slot;
        }
        let list = list.iter().cloned().map(Acl::into_owned).collect();
        let slot = self.add(Slot { list, hash, uses: 1, missing: None });
        let slots = &self.slots;
        self.by_list.insert_unique(hash, slot, |slot| {
            slots.get(*slot as usize).map_or(0, |slot| slot.hash)
        });
        slot
    }

    /// A slot for an entry that is missing in a snapshot: it permits nothing.
    pub(super) fn acquire_missing(&mut self, id: i64) -> u32 {
        self.add(Slot { list: Box::from([Acl::world(0)]), hash: 0, uses: 1, missing: Some(id) })
    }

    /// One more use of a slot in use.
    pub(super) fn retain(&mut self, slot: u32) {
        if let Some(slot) = self.slots.get_mut(slot as usize) {
            slot.uses += 1;
        }
    }

    /// One use less; the last one frees the slot.
    pub(super) fn release(&mut self, slot: u32) {
        if slot == OPEN {
            return;
        }
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        entry.uses = entry.uses.saturating_sub(1);
        if entry.uses > 0 {
            return;
        }
        if let Ok(found) = self.by_list.find_entry(entry.hash, |other| *other == slot) {
            found.remove();
        }
        (entry.list, entry.missing) = (Box::default(), None);
        self.free.push(slot);
    }

    /// The lowest id that a snapshot did not contain and that a node still uses.
    pub(super) fn missing(&self) -> Option<i64> {
        self.slots.iter().filter_map(|slot| slot.missing).min()
    }

    /// Lists in use besides the open one.
    pub(super) const fn len(&self) -> usize {
        self.slots.len() - 1 - self.free.len()
    }

    /// The entries that a snapshot needs, by id.
    pub(super) fn in_use(&self) -> impl Iterator<Item = (i64, &[Acl<'static>])> {
        let used = (0i64..).zip(&self.slots).skip(1).filter(|(_, slot)| slot.uses > 0);
        used.map(|(id, slot)| (id, &*slot.list))
    }

    fn add(&mut self, new: Slot) -> u32 {
        if let Some(slot) = self.free.pop() {
            if let Some(entry) = self.slots.get_mut(slot as usize) {
                *entry = new;
            }
            return slot;
        }
        self.slots.push(new);
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }
}

/// What a node's `acl` field says in a snapshot.
pub(super) fn snapshot_id(slot: u32) -> i64 {
    if slot == OPEN { OPEN_IN_SNAPSHOT } else { i64::from(slot) }
}

/// The slot of the open list.
pub(super) const OPEN: u32 = 0;
/// The open list's id in snapshots.
pub(super) const OPEN_IN_SNAPSHOT: i64 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_lives_as_long_as_it_is_used() {
        let mut table = AclTable::new(1);
        let (read, write) = ([Acl::world(acl::READ)], [Acl::world(acl::WRITE)]);
        let slot = table.acquire(&read);
        assert_eq!((table.acquire(&read), table.len()), (slot, 1));
        table.release(slot);
        assert_eq!(table.get(slot), read);
        table.release(slot);
        assert_eq!(table.len(), 0);
        assert_eq!(table.acquire(&write), slot, "used again");
        assert_ne!(table.acquire(&read), slot, "and not mistaken for the old list");
    }

    #[test]
    fn the_open_list_needs_no_entry() {
        let mut table = AclTable::new(1);
        assert_eq!(table.acquire(&[Acl::world(acl::ALL)]), OPEN);
        table.release(OPEN);
        assert_eq!(table.len(), 0);
        assert_eq!(table.get(OPEN), [Acl::world(acl::ALL)]);
    }
}
