//! How items get into a queue: their names and bytes.

use super::{Layout, WorkQueue};
use crate::client::{Error, ErrorCode, Result};
use crate::recipes::layout::{frame, queue as layout};
use std::time::Duration;

/// Where an item goes.
///
/// ```
/// # quorate::client::blocking::wait(async {
/// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
/// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
/// use quorate::recipes::queue::{Layout, Order, WorkQueue};
///
/// let queue = WorkQueue::new(&client, "/mail", Layout::Priority);
/// queue.put_in(Order::Priority(5), &[b"later"]).await?;
/// queue.put_in(Order::Priority(1), &[b"sooner"]).await?;
/// assert_eq!(queue.take().await?.data(), b"sooner");
/// # Ok::<(), quorate::client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order<'a> {
    /// To the end, or where the layout's default puts it.
    End,
    /// Among the priorities; lower comes first. kazoo's go from 0 to 999.
    Priority(i32),
    /// Due after this time has passed on the server's clock.
    After(Duration),
    /// Due at this time, milliseconds since 1970 by the server's clock.
    At(i64),
    /// To the end, under an id; `/` and `|` in it become `_`.
    Id(&'a str),
}

impl WorkQueue {
    /// The name and the data of a node with these items.
    pub(super) async fn prepare(
        &self,
        order: Order<'_>,
        items: &[&[u8]],
    ) -> Result<(String, Vec<u8>)> {
        let stem = self.stem(order).await?;
        let data = match items {
            _ if self.store.is_framed() => {
                frame::encode(items.iter().copied()).map_err(|error| self.bad(error.to_string()))?
            }
            [data] => data.to_vec(),
            _ => return Err(self.bad("a node of this layout has exactly one item".to_owned())),
        };
        Ok((stem, data))
    }

    async fn stem(&self, order: Order<'_>) -> Result<String> {
        let named = match (self.layout, order) {
            (Layout::Curator, Order::End) => Ok(layout::plain()),
            (Layout::Simple, Order::End) => Ok(layout::simple()),
            (Layout::Priority, Order::End) => Ok(layout::priority(0)),
            (Layout::Priority, Order::Priority(priority)) => Ok(layout::priority(priority)),
            (Layout::Kazoo | Layout::KazooLocking, Order::End) => layout::entry(KAZOO_DEFAULT),
            (Layout::Kazoo | Layout::KazooLocking, Order::Priority(priority)) => {
                layout::entry(u32::try_from(priority).unwrap_or(u32::MAX))
            }
            (Layout::Delay, Order::End) => layout::delayed(1),
            (Layout::Delay, Order::At(epoch)) => layout::delayed(epoch),
            (Layout::Delay, Order::After(delay)) => {
                let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
                let now = self.store.clock.read(&self.store.client, &self.store.marks).await?;
                layout::delayed(now.at_most.saturating_add(delay))
            }
            (Layout::Id, Order::Id(id)) => layout::with_id(id),
            (layout, order) => {
                return Err(self.bad(format!("the layout {layout:?} has no {order:?}")));
            }
        };
        named.map_err(|error| self.bad(error.to_string()))
    }

    fn bad(&self, detail: String) -> Error {
        Error::new(ErrorCode::BadArguments, "put", self.store.entries.as_str()).with_detail(detail)
    }
}

/// kazoo's priority for those who give none.
const KAZOO_DEFAULT: u32 = 100;
