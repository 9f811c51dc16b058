//! [`Live`]: a value that changes, as a stream, with its newest state at hand at any time.
//!
//! The background tasks of recipes tell their owners what is so through it: a standing, a list of members. It is no queue: a slow
//! reader skips what is outdated, and costs nothing.

use futures_core::Stream;
use slab::Slab;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The reading end. Clones read for themselves.
///
/// ```
/// use quorate::recipes::kit::live;
///
/// # quorate::client::blocking::wait(async {
/// let (teller, number) = live(1);
/// teller.tell(5);
/// assert_eq!(number.until(|number| *number > 3).await, Some(5));
/// assert!(!number.is_over());
/// # });
/// ```
#[derive(Debug)]
pub struct Live<T> {
    shared: Arc<Shared<T>>,
    key: usize,
    seen: u64,
}

/// The writing end. When it is dropped, the value stays as it is, for ever.
///
/// ```
/// use quorate::recipes::kit::live;
///
/// let (teller, number) = live("old");
/// teller.tell("new");
/// assert_eq!(number.get(), "new");
/// ```
#[derive(Debug)]
pub struct Teller<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    /// Counts the changes; the first value is number 1.
    version: u64,
    over: bool,
    readers: Slab<Option<Waker>>,
}

/// A value and both of its ends.
///
/// ```
/// use quorate::recipes::kit::live;
///
/// # quorate::client::blocking::wait(async {
/// let (teller, mut number) = live(1);
/// teller.tell(2);
/// assert_eq!((number.next().await, number.get()), (Some(2), 2));
/// drop(teller);
/// assert_eq!(number.next().await, None);
/// # });
/// ```
pub fn live<T>(value: T) -> (Teller<T>, Live<T>) {
    let mut readers = Slab::new();
    let key = readers.insert(None);
    let state = Mutex::new(State { value, version: 1, over: false, readers });
    let shared = Arc::new(Shared { state });
    (Teller { shared: Arc::clone(&shared) }, Live { shared, key, seen: 0 })
}

impl<T: Clone> Live<T> {
    /// The value as it is now.
    ///
    /// ```
    /// use quorate::recipes::kit::live;
    ///
    /// let (teller, number) = live(1);
    /// assert_eq!((number.get(), number.seen()), (1, 0));
    /// ```
    #[must_use]
    pub fn get(&self) -> T {
        self.shared.lock().value.clone()
    }

    /// Whether it will not change any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.shared.lock().over
    }

    /// The value as it is now; for this reader it is not new any more.
    ///
    /// ```
    /// use quorate::recipes::kit::live;
    ///
    /// let (teller, mut number) = live(1);
    /// assert_eq!((number.next_or_present(), number.seen()), (1, 1));
    /// // Not new any more, and still there.
    /// assert_eq!(number.next_or_present(), 1);
    /// ```
    pub fn next_or_present(&mut self) -> T {
        let state = self.shared.lock();
        self.seen = state.version;
        state.value.clone()
    }

    /// The number of the value that this reader has seen last: the first one is 1, and each told since counts.
    #[must_use]
    pub const fn seen(&self) -> u64 {
        self.seen
    }

    /// The value if this reader has not seen it yet, otherwise the next one: the first call answers at once. `None` when nothing will
    /// follow.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::recipes::kit::live;
    ///
    /// let (teller, mut number) = live(1);
    /// assert_eq!(number.next().await, Some(1));
    /// teller.tell(2);
    /// teller.tell(3);
    /// // One that is read slowly skips what is outdated.
    /// assert_eq!(number.next().await, Some(3));
    /// drop(teller);
    /// assert_eq!(number.next().await, None);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|context| self.poll_value(context)).await
    }

    /// Waits for a value of which `condition` holds, beginning with the present one. `None` when none will follow.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::recipes::kit::live;
    ///
    /// let (teller, number) = live(1);
    /// teller.tell(7);
    /// assert_eq!(number.until(|number| *number > 5).await, Some(7));
    /// drop(teller);
    /// assert_eq!(number.until(|number| *number > 8).await, None);
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn until(&self, mut condition: impl FnMut(&T) -> bool) -> Option<T> {
        let mut reader = self.clone();
        reader.seen = 0;
        while let Some(value) = reader.next().await {
            if condition(&value) {
                return Some(value);
            }
        }
        None
    }

    /// Waits until nothing will follow.
    ///
    /// ```
    /// # quorate::client::blocking::wait(async {
    /// use quorate::recipes::kit::live;
    ///
    /// let (teller, number) = live(1);
    /// drop(teller);
    /// number.over().await;
    /// assert_eq!((number.is_over(), number.get()), (true, 1));
    /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
    /// ```
    pub async fn over(&self) {
        while self.until(|_| false).await.is_some() {}
    }

    fn poll_value(&mut self, context: &Context<'_>) -> Poll<Option<T>> {
        let mut state = self.shared.lock();
        if state.version > self.seen {
            self.seen = state.version;
            return Poll::Ready(Some(state.value.clone()));
        }
        if state.over {
            return Poll::Ready(None);
        }
        if let Some(waker) = state.readers.get_mut(self.key) {
            *waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        let key = self.shared.lock().readers.insert(None);
        Self { shared: Arc::clone(&self.shared), key, seen: self.seen }
    }
}

impl<T> Drop for Live<T> {
    fn drop(&mut self) {
        self.shared.lock().readers.try_remove(self.key);
    }
}

impl<T: Clone> Stream for Live<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll_value(context)
    }
}

impl<T> Teller<T> {
    /// Replaces the value. Answers its number.
    ///
    /// ```
    /// use quorate::recipes::kit::live;
    ///
    /// let (teller, number) = live("a");
    /// // The first value was number 1.
    /// assert_eq!((teller.tell("b"), teller.tell("b")), (2, 3));
    /// assert_eq!(number.get(), "b");
    /// ```
    pub fn tell(&self, value: T) -> u64 {
        let (number, old) = self.shared.change(|state| {
            state.version += 1;
            (state.version, std::mem::replace(&mut state.value, value))
        });
        // What is dropped may have a destructor that reads: not under the lock.
        drop(old);
        number
    }
}

impl<T: PartialEq> Teller<T> {
    /// Replaces the value if it is another.
    ///
    /// ```
    /// use quorate::recipes::kit::live;
    ///
    /// let (teller, mut number) = live("a");
    /// teller.tell_if_new("a");
    /// number.next_or_present();
    /// assert_eq!(number.seen(), 1);
    /// teller.tell_if_new("b");
    /// number.next_or_present();
    /// assert_eq!(number.seen(), 2);
    /// ```
    pub fn tell_if_new(&self, value: T) {
        if self.shared.lock().value != value {
            self.tell(value);
        }
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        self.shared.change(|state| state.over = true);
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut State<T>) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let wakers: Vec<Waker> =
            state.readers.iter_mut().filter_map(|(_, waker)| waker.take()).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::blocking::wait;

    #[test]
    fn readers_see_the_newest_value_and_the_end() {
        let (teller, mut reader) = live(1);
        assert_eq!(wait(reader.next()), Some(1));
        teller.tell(2);
        teller.tell(3);
        let mut other = reader.clone();
        assert_eq!((wait(reader.next()), wait(other.next())), (Some(3), Some(3)));
        let thread = std::thread::spawn(move || wait(other.until(|value| *value == 5)));
        teller.tell(4);
        teller.tell(5);
        assert_eq!(thread.join().unwrap(), Some(5));
        assert_eq!(wait(reader.next()), Some(5));
        assert!(!reader.is_over());
        drop(teller);
        assert_eq!((wait(reader.next()), reader.get(), reader.is_over()), (None, 5, true));
        assert_eq!(reader.shared.lock().readers.len(), 1, "readers that are gone leave nothing");
    }
}
