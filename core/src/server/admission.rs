//! How many connections there may be, in all and per address (`maxCnxns`, `maxClientCnxns`).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections for all threads of a server.
#[derive(Debug)]
pub(super) struct Admission {
    per_address: u32,
    total: u32,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// The right of one connection to exist; dropping it makes room.
#[derive(Debug)]
pub(super) struct Ticket {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    /// Limits of 0 mean none.
    pub(super) fn new(per_address: u32, total: u32) -> Arc<Self> {
        Arc::new(Self { per_address, total, counts: Mutex::default() })
    }

    /// Lets a connection in, unless there are too many.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Ticket> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.total > 0 && counts.total >= self.total {
            return None;
        }
        let here = counts.by_address.entry(address).or_default();
        if self.per_address > 0 && *here >= self.per_address {
            return None;
        }
        *here += 1;
        counts.total += 1;
        Some(Ticket { admission: Arc::clone(self), address })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total = counts.total.saturating_sub(1);
        if let Some(here) = counts.by_address.get_mut(&self.address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_and_leaving_makes_room() {
        let admission = Admission::new(1, 2);
        let (a, b, c): (IpAddr, IpAddr, IpAddr) =
            ([127, 0, 0, 1].into(), [127, 0, 0, 2].into(), [127, 0, 0, 3].into());
        let first = admission.admit(a).unwrap();
        assert!(admission.admit(a).is_none(), "one per address");
        let _second = admission.admit(b).unwrap();
        assert!(admission.admit(c).is_none(), "two in all");
        drop(first);
        assert!(admission.admit(c).is_some());
    }
}
