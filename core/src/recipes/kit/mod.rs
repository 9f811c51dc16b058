//! What the recipes are made of: reads that outlast a connection, parents, claims, things held.
//!
//! A [`Claim`] is an ephemeral node by which a client stands in a queue; it is created so that a lost answer does no harm,
//! and removed whatever happens to its owner. A [`Line`] is the queue, and a [`Held`] a claim that was granted.

mod backoff;
mod claim;
mod held;
mod keeper;
mod patience;
mod race;
mod receipt;
mod turn;

pub use backoff::Backoff;
pub use claim::{Claim, Kind};
pub use held::{Held, Loss, lost};
pub use keeper::{Keeper, Place, Spec};
pub use patience::{delete_if_there, ensure, ensure_as, fresh_id, join, name_of, patiently};
pub use race::{First, first, first_of};
pub use receipt::Receipt;
pub use turn::Line;
