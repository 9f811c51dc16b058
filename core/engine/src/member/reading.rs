//! A member that has no leader and lets its clients read all the same, if it may (`readonlymode.enabled`). Source: `QuorumPeer#run`.

use super::{Bench, Effect, Member, Role};
use crate::replica::Replica;

impl Member {
    /// Begins to serve whoever makes do with reading, once the search for a leader has taken too long.
    pub(super) fn serve_readers(&mut self, bench: &mut Bench<'_, '_>) {
        let (Role::Looking, Some(delay), None) = (&self.role, self.config.read_only, &self.replica)
        else {
            return;
        };
        let now = bench.now;
        let since = *self.looking_since.get_or_insert(now.mono);
        if now.mono >= since.saturating_add(delay) {
            let config = self.config.replica.clone();
            let mut replica = Replica::read_only(config, bench.tree, now);
            self.show_config(&mut replica, bench.tree, now.wall);
            self.replica = Some(replica);
            self.out.push(Effect::ReadOnly(true));
        }
    }

    /// When that is, ms; at once for one that has not looked at the clock yet.
    pub(super) fn readers_deadline(&self) -> Option<i64> {
        let delay = self.config.read_only.filter(|_| self.replica.is_none())?;
        Some(self.looking_since.map_or(i64::MIN, |since| since.saturating_add(delay)))
    }

    /// A role begins: nobody is served before it is time.
    pub(super) fn end_reading(&mut self) {
        self.looking_since = None;
        if self.replica.take().is_some() {
            self.out.push(Effect::ReadOnly(false));
        }
    }
}
