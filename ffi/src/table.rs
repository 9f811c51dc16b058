//! [`Table`]: objects under 64-bit names.
//!
//! A name says the kind of its object, the place where it lies, which of the place's inhabitants it is, and in which process it was made.
//! So a name that was closed, mistyped, made up or inherited through a fork is recognised and never means another object.
//!
//! Looking up locks one place only; the table as a whole is locked by who adds and removes.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Why a name means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// No name at all, or of another kind of object.
    Invalid,
    /// Its object was removed.
    Closed,
    /// It belongs to the parent process.
    Forked,
    /// A call on it panicked.
    Poisoned,
    /// There is no place left.
    Full,
}

/// Objects of all kinds. `T` must be cheap to clone: an [`Arc`](std::sync::Arc).
pub(crate) struct Table<T> {
    epoch: u64,
    /// Each twice as long as the one before; made when needed, never moved.
    chunks: [OnceLock<Chunk<T>>; CHUNKS],
    free: Mutex<Free>,
}

type Chunk<T> = Box<[Mutex<Place<T>>]>;

/// Which places can be given out.
struct Free {
    /// That were given back.
    back: Vec<u64>,
    /// The first that was never given out.
    fresh: u64,
}

struct Place<T> {
    generation: u64,
    kind: u8,
    poisoned: bool,
    object: Option<T>,
}

impl<T: Clone> Table<T> {
    /// A table without objects. `epoch` tells the process from its ancestors.
    pub(crate) fn new(epoch: u64) -> Self {
        let free = Mutex::new(Free { back: Vec::new(), fresh: 0 });
        Self { epoch: epoch & EPOCH_MASK, chunks: [const { OnceLock::new() }; CHUNKS], free }
    }

    /// Adds an object; answers its name, which is never 0.
    pub(crate) fn insert(&self, kind: u8, object: T) -> Result<u64, Bad> {
        let index = {
            let mut free = lock(&self.free);
            free.back.pop().map_or_else(|| free.next(), Ok)?
        };
        let mut place = lock(self.place(index).ok_or(Bad::Full)?);
        place.kind = kind;
        place.poisoned = false;
        place.object = Some(object);
        Ok(self.name(kind, place.generation, index))
    }

    /// The object of a name, whatever has happened to it.
    fn find(&self, name: u64, kind: u8) -> Result<(MutexGuard<'_, Place<T>>, u64), Bad> {
        if name == 0 || u64::from(kind) != name >> KIND_SHIFT {
            return Err(Bad::Invalid);
        }
        if (name >> EPOCH_SHIFT) & EPOCH_MASK != self.epoch {
            return Err(Bad::Forked);
        }
        let index = name & INDEX_MASK;
        let place = lock(self.known_place(index).ok_or(Bad::Invalid)?);
        let generation = (name >> GENERATION_SHIFT) & GENERATION_MASK;
        match generation {
            past if past < place.generation => Err(Bad::Closed),
            present if present == place.generation && place.object.is_some() => {
                if place.kind == kind { Ok((place, index)) } else { Err(Bad::Invalid) }
            }
            _ => Err(Bad::Invalid),
        }
    }

    /// The object of a name.
    pub(crate) fn get(&self, name: u64, kind: u8) -> Result<T, Bad> {
        let (place, _) = self.find(name, kind)?;
        if place.poisoned {
            return Err(Bad::Poisoned);
        }
        place.object.clone().ok_or(Bad::Closed)
    }

    /// The object of a name, even if it is poisoned.
    pub(crate) fn get_poisoned(&self, name: u64, kind: u8) -> Result<T, Bad> {
        self.find(name, kind)?.0.object.clone().ok_or(Bad::Closed)
    }

    /// Removes an object, also a poisoned one; its name means nothing any more.
    pub(crate) fn remove(&self, name: u64, kind: u8) -> Result<T, Bad> {
        let (mut place, index) = self.find(name, kind)?;
        let object = place.object.take().ok_or(Bad::Closed)?;
        place.generation += 1;
        let again = place.generation < GENERATION_MASK;
        drop(place);
        // A place whose names are used up stays empty for ever.
        if again {
            lock(&self.free).back.push(index);
        }
        Ok(object)
    }

    /// Lets nobody use the object any more; it can only be removed.
    pub(crate) fn poison(&self, name: u64, kind: u8) {
        if let Ok((mut place, _)) = self.find(name, kind) {
            place.poisoned = true;
        }
    }

    /// How many objects there are.
    #[cfg(test)]
    fn len(&self) -> u64 {
        let free = lock(&self.free);
        free.fresh - u64::try_from(free.back.len()).unwrap_or(0)
    }

    const fn name(&self, kind: u8, generation: u64, index: u64) -> u64 {
        ((kind as u64) << KIND_SHIFT)
            | (self.epoch << EPOCH_SHIFT)
            | (generation << GENERATION_SHIFT)
            | index
    }

    fn place(&self, index: u64) -> Option<&Mutex<Place<T>>> {
        let (chunk, within) = split(index)?;
        let make = || (0..FIRST << chunk).map(|_| Mutex::new(Place::empty())).collect();
        self.chunks.get(chunk)?.get_or_init(make).get(within)
    }

    /// The same for a number that may be made up: makes nothing.
    fn known_place(&self, index: u64) -> Option<&Mutex<Place<T>>> {
        let (chunk, within) = split(index)?;
        self.chunks.get(chunk)?.get()?.get(within)
    }
}

impl Free {
    const fn next(&mut self) -> Result<u64, Bad> {
        if self.fresh >= PLACES {
            return Err(Bad::Full);
        }
        self.fresh += 1;
        Ok(self.fresh - 1)
    }
}

impl<T> Place<T> {
    const fn empty() -> Self {
        Self { generation: 1, kind: 0, poisoned: false, object: None }
    }
}

/// Which chunk a place is in, and where.
fn split(index: u64) -> Option<(usize, usize)> {
    let index = usize::try_from(index).ok()?;
    let chunk = usize::try_from((index / FIRST + 1).ilog2()).ok()?;
    Some((chunk, index - FIRST * ((1 << chunk) - 1)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Places in the first chunk.
const FIRST: usize = 64;
const CHUNKS: usize = 18;
/// Places in all chunks.
const PLACES: u64 = 64 * ((1 << 18) - 1);
const INDEX_MASK: u64 = (1 << 24) - 1;
const GENERATION_SHIFT: u32 = 24;
const GENERATION_MASK: u64 = (1 << 28) - 1;
const EPOCH_SHIFT: u32 = 52;
const EPOCH_MASK: u64 = 15;
/// How many epochs can be told apart.
pub(crate) const EPOCHS: usize = 16;
/// Where the kind stands in a name.
pub(crate) const KIND_SHIFT: u32 = 56;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn names_that_were_closed_or_made_up_mean_nothing() {
        let table = Table::new(0);
        let first = table.insert(1, 'a').unwrap();
        assert_eq!(table.get(first, 1), Ok('a'));
        for made_up in [0, 1, u64::MAX, first + 1, first + (1 << GENERATION_SHIFT), first | 1 << 23]
        {
            assert_eq!(table.get(made_up, 1), Err(Bad::Invalid), "{made_up:x}");
        }
        assert_eq!(table.get(first, 2), Err(Bad::Invalid));
        assert_eq!(table.remove(first, 2), Err(Bad::Invalid));
        assert_eq!(table.remove(first, 1), Ok('a'));
        assert_eq!(table.remove(first, 1), Err(Bad::Closed));
        let second = table.insert(1, 'b').unwrap();
        assert_eq!(second & INDEX_MASK, first & INDEX_MASK, "the place is used again");
        assert_eq!(table.get(first, 1), Err(Bad::Closed));
        assert_eq!(table.get(second, 1), Ok('b'));
        let other_kind = (second & !(255 << KIND_SHIFT)) | 2 << KIND_SHIFT;
        assert_eq!(table.get(other_kind, 2), Err(Bad::Invalid));
    }

    #[test]
    fn a_poisoned_object_can_only_be_removed() {
        let table = Table::new(0);
        let name = table.insert(1, 'a').unwrap();
        table.poison(name, 1);
        assert_eq!(table.get(name, 1), Err(Bad::Poisoned));
        assert_eq!(table.get_poisoned(name, 1), Ok('a'));
        assert_eq!(table.remove(name, 1), Ok('a'));
        let next = table.insert(1, 'b').unwrap();
        assert_eq!(table.get(next, 1), Ok('b'), "the next one is not");
    }

    #[test]
    fn names_of_another_process_are_recognised() {
        let (parent, child) = (Table::new(0), Table::new(1));
        let name = parent.insert(1, ()).unwrap();
        child.insert(1, ()).unwrap();
        assert_eq!(child.get(name, 1), Err(Bad::Forked));
    }

    #[test]
    fn a_place_whose_names_are_used_up_is_not_used_again() {
        let table = Table::new(0);
        let name = table.insert(1, 'a').unwrap();
        lock(table.place(0).unwrap()).generation = GENERATION_MASK - 1;
        let last = (name & !(GENERATION_MASK << GENERATION_SHIFT))
            | (GENERATION_MASK - 1) << GENERATION_SHIFT;
        assert_eq!(table.remove(last, 1), Ok('a'));
        assert_eq!(table.insert(1, 'b').unwrap() & INDEX_MASK, 1);
    }

    #[test]
    fn many_objects_and_many_threads() {
        let table = Arc::new(Table::new(3));
        let (threads, rounds) = if cfg!(miri) { (2, 40) } else { (4, 1000) };
        let work = (0..threads).map(|thread: u8| {
            let table = Arc::clone(&table);
            std::thread::spawn(move || {
                let names: Vec<u64> =
                    (0..rounds).map(|n| table.insert(thread + 1, (thread, n)).unwrap()).collect();
                for (n, name) in names.iter().enumerate() {
                    assert_eq!(table.get(*name, thread + 1), Ok((thread, n)));
                    assert_eq!(table.remove(*name, thread + 1), Ok((thread, n)));
                    assert_eq!(table.get(*name, thread + 1), Err(Bad::Closed));
                }
            })
        });
        for thread in work.collect::<Vec<_>>() {
            thread.join().unwrap();
        }
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn places_are_found_at_the_edges_of_chunks() {
        assert_eq!(split(0), Some((0, 0)));
        assert_eq!(split(63), Some((0, 63)));
        assert_eq!(split(64), Some((1, 0)));
        assert_eq!(split(191), Some((1, 127)));
        assert_eq!(split(192), Some((2, 0)));
        assert_eq!(split(PLACES - 1), Some((17, (64 << 17) - 1)));
    }
}
