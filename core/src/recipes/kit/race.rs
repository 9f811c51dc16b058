//! Waiting for the first of several things, on any executor.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Which of two futures ended first.
///
/// ```
/// use quorate::recipes::kit::{First, first};
///
/// # quorate::client::blocking::wait(async {
/// match first(std::future::ready(1), std::future::pending::<()>()).await {
///     First::Left(number) => assert_eq!(number, 1),
///     First::Right(()) => unreachable!(),
/// }
/// # });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First<A, B> {
    /// The one given first; also if both ended.
    Left(A),
    /// The other one.
    Right(B),
}

/// Waits for the first of two futures, and drops the other one.
///
/// ```
/// use quorate::recipes::kit::{First, first};
///
/// # quorate::client::blocking::wait(async {
/// assert!(matches!(first(std::future::ready(1), std::future::ready(2)).await, First::Left(1)));
/// # });
/// ```
pub async fn first<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> First<A, B> {
    let (mut left, mut right) = (pin!(left), pin!(right));
    poll_fn(|context| {
        if let Poll::Ready(result) = left.as_mut().poll(context) {
            return Poll::Ready(First::Left(result));
        }
        right.as_mut().poll(context).map(First::Right)
    })
    .await
}

/// Waits for the first of many futures and says which it was. Never ends when there are none.
///
/// ```
/// use std::future::{Ready, ready};
///
/// # quorate::client::blocking::wait(async {
/// let mut futures: Vec<Ready<i32>> = vec![ready(1), ready(2)];
/// let (index, result) = quorate::recipes::kit::first_of(&mut futures).await;
/// assert_eq!(result, i32::try_from(index).unwrap() + 1);
/// # });
/// ```
pub async fn first_of<F: Future + Unpin>(futures: &mut [F]) -> (usize, F::Output) {
    poll_fn(|context| {
        for (index, future) in futures.iter_mut().enumerate() {
            if let Poll::Ready(result) = std::pin::Pin::new(future).poll(context) {
                return Poll::Ready((index, result));
            }
        }
        Poll::Pending
    })
    .await
}
