//! Plays two threads in every order of their steps, for tests of what they do to each other.
//!
//! A step ends before the next lock is taken: whatever takes one that matters calls [`point`] before. Only one thread runs at a
//! time, so a failure is found every time, and not when the scheduler wills.

use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;

/// Where the other thread may come first. Does nothing in a thread that is not being played.
pub(crate) fn point() {
    let part = PART.with_borrow(Clone::clone);
    if let Some((stage, own)) = part {
        stage.give_back(own, false);
        stage.await_turn(own);
    }
}

/// Runs `first` and `second` on something new in every order. `check` sees each outcome and the order it came from.
pub(crate) fn in_every_order<T: Sync>(
    new: impl Fn() -> T,
    first: impl Fn(&T) + Sync,
    second: impl Fn(&T) + Sync,
    check: impl Fn(T, &[usize]),
) {
    let mut order = Vec::new();
    loop {
        let subject = new();
        let steps = play(&order, || first(&subject), || second(&subject));
        order = steps.iter().map(|&(who, _)| who).collect();
        check(subject, &order);
        // The last step at which the second could have come first, and has not yet.
        let Some(at) = steps.iter().rposition(|&(who, free)| free && who == 0) else { return };
        order.truncate(at);
        order.push(1);
    }
}

/// One order: as given, and then the first before the second. Answers whose each step was, and whether there was a choice.
fn play(order: &[usize], first: impl Fn() + Sync, second: impl Fn() + Sync) -> Vec<(usize, bool)> {
    let stage = Arc::new(Stage::default());
    let parts: [&(dyn Fn() + Sync); 2] = [&first, &second];
    thread::scope(|scope| {
        for (own, part) in parts.into_iter().enumerate() {
            let stage = Arc::clone(&stage);
            scope.spawn(move || {
                let _end = End(Arc::clone(&stage), own);
                PART.set(Some((Arc::clone(&stage), own)));
                stage.await_turn(own);
                part();
            });
        }
        let mut steps = Vec::new();
        loop {
            let who = match stage.lock().ended {
                [true, true] => return steps,
                [false, false] => (order.get(steps.len()).copied().unwrap_or(0), true),
                [ended, _] => (usize::from(ended), false),
            };
            steps.push(who);
            stage.let_run(who.0);
        }
    })
}

thread_local! {
    static PART: RefCell<Option<(Arc<Stage>, usize)>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Stage {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Who may run up to his next point.
    turn: Option<usize>,
    ended: [bool; 2],
}

/// Ends a part, also when it panics.
struct End(Arc<Stage>, usize);

impl Drop for End {
    fn drop(&mut self) {
        self.0.give_back(self.1, true);
    }
}

impl Stage {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn let_run(&self, who: usize) {
        self.lock().turn = Some(who);
        self.changed.notify_all();
        drop(self.changed.wait_while(self.lock(), |state| state.turn.is_some()).unwrap());
    }

    fn await_turn(&self, own: usize) {
        drop(self.changed.wait_while(self.lock(), |state| state.turn != Some(own)).unwrap());
    }

    fn give_back(&self, own: usize, ended: bool) {
        let mut state = self.lock();
        state.turn = None;
        state.ended[own] = ended;
        drop(state);
        self.changed.notify_all();
    }
}

#[test]
fn every_order_is_played_once() {
    let seen = Mutex::new(Vec::new());
    let say = |words: &Mutex<String>, word: &str| {
        for _ in 0..2 {
            point();
            words.lock().unwrap().push_str(word);
        }
    };
    in_every_order(
        Mutex::<String>::default,
        |words| say(words, "a"),
        |words| say(words, "b"),
        |words, _| seen.lock().unwrap().push(words.into_inner().unwrap()),
    );
    let mut seen = seen.into_inner().unwrap();
    // Three steps each: what comes before the first point is one, too.
    assert_eq!(seen.len(), 20);
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["aabb", "abab", "abba", "baab", "baba", "bbaa"]);
}
