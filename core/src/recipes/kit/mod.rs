//! What the recipes are made of: reads that outlast a connection, parents, claims, things held.
//!
//! A [`Claim`] is an ephemeral node by which a client stands in a queue; it is created so that a lost answer does no harm,
//! and removed whatever happens to its owner. A [`Line`] is the queue, and a [`Held`] a claim that was granted. A [`Companion`] is a task
//! that keeps something up; a [`Live`] value is how it tells. A `LocalCopy` follows what others write.

mod backoff;
mod claim;
mod companion;
mod held;
mod keeper;
mod live;
mod local_copy;
mod members;
mod patience;
mod race;
mod reading;
mod receipt;
mod removal;
mod turn;

pub use backoff::Backoff;
pub use claim::{Claim, Kind, unmarked};
pub use companion::{Asked, Companion};
pub use held::{Held, Loss, lost};
pub use keeper::{Form, Keeper, Presence, Rival, Spec};
pub use live::{Live, Teller, live};
pub(crate) use local_copy::{Copyist, LocalCopy};
pub(crate) use members::{is_ephemeral, only_members};
pub use patience::{
    changed, delete_if_there, ensure, ensure_as, exhausted, fresh_id, join, name_of, parent_of,
    patiently,
};
pub use race::{First, first, first_of};
pub(crate) use reading::{children_or_none, get_or_none};
pub use receipt::Receipt;
pub(crate) use removal::is_starting;
pub use removal::{Passing, in_background, surely};
pub use turn::Line;
