//! Looks at the members again and again, and knows what is new about one.

use crate::status::{Brief, Role, glance};
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

/// What was seen of a member.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) sid: i64,
    /// When it was asked.
    pub(super) asked: Instant,
    pub(super) found: Result<Brief, String>,
}

/// Looks at a member until nobody listens any more.
pub(super) fn follow<E: From<Look> + Send + 'static>(
    sid: i64,
    client: SocketAddr,
    events: Sender<E>,
) -> std::io::Result<()> {
    let look = move || {
        loop {
            let asked = Instant::now();
            let found = glance(&client.to_string(), PATIENCE);
            if events.send(Look { sid, asked, found }.into()).is_err() {
                return;
            }
            thread::sleep(INTERVAL);
        }
    };
    thread::Builder::new().name("quorate-watch".into()).spawn(look)?;
    Ok(())
}

/// What was last told of a member, to tell only what has changed.
#[derive(Debug, Default)]
pub(super) struct Told {
    line: Option<String>,
    role: Option<Role>,
    epoch: Option<i64>,
    at: Option<Instant>,
}

impl Told {
    /// The member has begun anew: nothing was told of it.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The role that was last told.
    pub(super) const fn role(&self) -> Option<Role> {
        self.role
    }

    /// The epoch that was last told.
    pub(super) const fn epoch(&self) -> Option<i64> {
        self.epoch
    }

    /// What is to be told now. A new role or epoch is told at once, a new zxid alone once in a while.
    pub(super) fn news(&mut self, found: &Result<Brief, String>, now: Instant) -> Option<String> {
        let brief = found.as_ref().ok();
        let (role, epoch) = (brief.map(|brief| brief.role), brief.and_then(Brief::epoch));
        let line = match found {
            Ok(brief) => line(brief),
            // It has not opened its port yet.
            Err(_) if self.line.is_none() => return None,
            Err(why) => why.clone(),
        };
        let recent = self.at.is_some_and(|at| now.saturating_duration_since(at) < SELDOM);
        let same_role = (role, epoch) == (self.role, self.epoch);
        if self.line.as_ref() == Some(&line) || (same_role && role.is_some() && recent) {
            return None;
        }
        *self = Self { line: Some(line.clone()), role, epoch, at: Some(now) };
        Some(line)
    }
}

fn line(brief: &Brief) -> String {
    let role = brief.role.name();
    match brief.zxid {
        Some(zxid) => format!("{role}, epoch {}, zxid {zxid}", zxid.epoch()),
        None => role.to_owned(),
    }
}

/// How often each member is looked at.
const INTERVAL: Duration = Duration::from_millis(100);
/// How often a zxid is told that goes up and up.
const SELDOM: Duration = Duration::from_secs(1);
/// A member that takes longer to answer stands still.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_wire::Zxid;

    fn brief(role: Role, zxid: i64) -> Result<Brief, String> {
        Ok(Brief { role, version: None, zxid: Some(Zxid(zxid)), connections: None })
    }

    #[test]
    fn only_what_is_new_is_told_and_a_zxid_alone_seldom() {
        let (mut told, begin) = (Told::default(), Instant::now());
        let mut news =
            |found: &Result<Brief, String>, ms| told.news(found, begin + Duration::from_millis(ms));
        let refused = Err("connection refused".to_owned());
        assert_eq!(news(&refused, 0), None, "it starts");
        let first = brief(Role::Follower, 0x1_0000_0001);
        assert_eq!(news(&first, 1).as_deref(), Some("follower, epoch 1, zxid 0x100000001"));
        assert_eq!(news(&first, 5_000), None);
        let more = brief(Role::Follower, 0x1_0000_0002);
        assert_eq!(news(&more, 5_001).as_deref(), Some("follower, epoch 1, zxid 0x100000002"));
        let still_more = brief(Role::Follower, 0x1_0000_0003);
        assert_eq!(news(&still_more, 5_500), None, "too soon");
        assert!(news(&still_more, 6_001).is_some());
        assert!(news(&brief(Role::Leader, 0x1_0000_0003), 6_002).is_some(), "another role");
        assert!(news(&brief(Role::Leader, 0x2_0000_0001), 6_003).is_some(), "another epoch");
        assert_eq!(news(&refused, 6_004).as_deref(), Some("connection refused"));
        assert_eq!(news(&refused, 9_000), None);
    }
}
