//! Provides parallel work whose results are taken in order, so that what comes out never depends on threads.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, scope};

use crate::failure::{Failure, Result};

/// Results that may wait for their turn, for each thread: bounds memory when one part is slow.
const AHEAD: usize = 2;

struct State<T, F> {
    /// The next index to hand out.
    next: usize,
    /// One more than the last index, once it is known.
    end: Option<usize>,
    /// The next index to take.
    turn: usize,
    waiting: BTreeMap<usize, Result<T>>,
    take: F,
    outcome: Result<()>,
    stopped: bool,
}

/// Makes results 0 to `count` − 1 on `threads` threads and hands them to `take` in order. Where the system
/// gives fewer threads, those do it all, or this one where it gives none.
///
/// # Errors
/// The error with the lowest index, whatever the threads did; nothing after it is taken.
pub fn in_order<T: Send>(
    threads: usize,
    count: usize,
    make: impl Fn(usize) -> Result<T> + Sync,
    take: impl FnMut(usize, T) -> Result<()> + Send,
) -> Result<()> {
    let mut left = 0..count;
    let feed = move || Ok(left.next());
    fed_in_order(threads.clamp(1, count.max(1)), feed, |_, index| make(index), take)
}

/// The same for work that is drawn from `feed`, by one thread at a time, until there is no more.
pub fn fed_in_order<S: Send, T: Send>(
    threads: usize,
    feed: impl FnMut() -> Result<Option<S>> + Send,
    make: impl Fn(usize, S) -> Result<T> + Sync,
    take: impl FnMut(usize, T) -> Result<()> + Send,
) -> Result<()> {
    let (waiting, outcome) = (BTreeMap::new(), Ok(()));
    let state = State { next: 0, end: None, turn: 0, waiting, take, outcome, stopped: false };
    let (state, feed, moved) = (Mutex::new(state), Mutex::new(feed), Condvar::new());
    let work = || {
        while let Some((index, drawn)) = draw(&state, &moved, &feed, threads.max(1)) {
            let guard = Stop { state: &state, moved: &moved, armed: true };
            let result = drawn.and_then(|work| make(index, work));
            guard.disarm();
            put(&state, &moved, index, result);
        }
    };
    scope(|scope| {
        let given = |_: &usize| Builder::new().spawn_scoped(scope, work).is_ok();
        if (0..threads.max(1)).take_while(given).count() == 0 {
            work();
        }
    });
    let state = state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.outcome.and(match state.end == Some(state.turn) {
        true => Ok(()),
        false => Err(Failure::bug("a worker thread died")),
    })
}

/// Does `work` here, and meanwhile `beside` on a thread of its own, or after it where the system gives none.
///
/// # Errors
/// The thread died. Errors of either are in what is given back, so that it is for the caller to say which of
/// them counts.
pub fn meanwhile<T: Send, U>(beside: impl FnOnce() -> T + Send, work: impl FnOnce() -> U) -> Result<(T, U)> {
    let beside = Mutex::new(Some(beside));
    let begin = || lock(&beside).take().map(|beside| beside());
    scope(|scope| {
        let thread = Builder::new().spawn_scoped(scope, begin);
        let done = work();
        let beside = thread.map_or_else(|_| Ok(begin()), |thread| thread.join()).ok().flatten();
        Ok((beside.ok_or_else(|| Failure::bug("a thread beside the work died"))?, done))
    })
}

fn lock<S>(state: &Mutex<S>) -> MutexGuard<'_, S> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next work and its index; `None` when there is no more, or when nothing more is wanted.
fn draw<S, T, F>(
    state: &Mutex<State<T, F>>,
    moved: &Condvar,
    feed: &Mutex<impl FnMut() -> Result<Option<S>>>,
    threads: usize,
) -> Option<(usize, Result<S>)> {
    // Whoever holds the feed waits for room with it: the others would only take work that has none.
    let mut feed = lock(feed);
    let index = next(state, moved, threads)?;
    let guard = Stop { state, moved, armed: true };
    let drawn = feed().transpose();
    guard.disarm();
    if drawn.is_none() {
        lock(state).end = Some(index);
    }
    drawn.map(|work| (index, work))
}

fn next<T, F>(state: &Mutex<State<T, F>>, moved: &Condvar, threads: usize) -> Option<usize> {
    let mut state = lock(state);
    loop {
        if state.stopped || state.end.is_some() {
            return None;
        }
        if state.next < state.turn + threads * AHEAD {
            state.next += 1;
            return Some(state.next - 1);
        }
        state = moved.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

fn put<T, F: FnMut(usize, T) -> Result<()>>(
    state: &Mutex<State<T, F>>,
    moved: &Condvar,
    index: usize,
    result: Result<T>,
) {
    let mut guard = lock(state);
    let state = &mut *guard;
    // No new work after an error, but lower indexes that are being made still have their turn.
    state.stopped |= result.is_err();
    state.waiting.insert(index, result);
    while state.outcome.is_ok() {
        let Some(result) = state.waiting.remove(&state.turn) else { break };
        let taken = result.and_then(|value| (state.take)(state.turn, value));
        match taken {
            Ok(()) => state.turn += 1,
            Err(failure) => {
                state.outcome = Err(failure);
                state.stopped = true;
            }
        }
    }
    moved.notify_all();
}

/// Stops the others when a worker unwinds, since they would wait for its turn for ever.
struct Stop<'a, T, F> {
    state: &'a Mutex<State<T, F>>,
    moved: &'a Condvar,
    armed: bool,
}

impl<T, F> Stop<'_, T, F> {
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl<T, F> Drop for Stop<'_, T, F> {
    fn drop(&mut self) {
        if self.armed {
            lock(self.state).stopped = true;
            self.moved.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_meanwhile_is_given_back_beside_the_work() {
        let mut at_work = 0;
        let (beside, ()) = meanwhile(|| Err::<u8, _>(Failure::Interrupted), || at_work += 1).unwrap();
        assert!(matches!(beside, Err(Failure::Interrupted)) && at_work == 1);
        let died = meanwhile(|| std::panic::resume_unwind(Box::new("died")), || at_work += 1);
        assert!(matches!(died.map(|((), ())| ()), Err(Failure::Bug(_))) && at_work == 2);
    }

    #[test]
    fn results_come_in_order_and_the_lowest_error_wins() {
        for threads in [1, 2, 5] {
            let mut seen = Vec::new();
            in_order(
                threads,
                50,
                |i| Ok(i * i),
                |i, square| {
                    seen.push((i, square));
                    Ok(())
                },
            )
            .unwrap();
            assert!(seen.iter().enumerate().all(|(i, pair)| *pair == (i, i * i)) && seen.len() == 50);
            let make = |i| {
                if i == 7 || i == 8 { Err(Failure::Other(format!("at {i}"))) } else { Ok(i) }
            };
            let mut last = None;
            let failure = in_order(threads, 50, make, |i, _| {
                last = Some(i);
                Ok(())
            });
            assert_eq!(failure.unwrap_err().to_string(), "at 7");
            assert_eq!(last, Some(6));
        }
    }
}
