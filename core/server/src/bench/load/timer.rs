//! A timer that wakes a poll with microsecond precision.
//!
//! `epoll_wait` counts in milliseconds, too coarse for an open loop; Linux's timerfd is not. On
//! other systems the poll spins during the last millisecond, at the price of processor time.

use std::io;
use std::time::Duration;

#[cfg(target_os = "linux")]
mod system {
    use super::{Duration, io};
    use mio::unix::SourceFd;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::os::fd::{AsRawFd, OwnedFd};

    /// One timer registered with one poll.
    #[derive(Debug)]
    pub(crate) struct Timer(OwnedFd);

    impl Timer {
        /// Reports under `token`.
        pub(crate) fn new(poll: &mio::Poll, token: usize) -> io::Result<Self> {
            let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
            let raw = fd.as_raw_fd();
            let source = &mut SourceFd(&raw);
            poll.registry().register(source, mio::Token(token), mio::Interest::READABLE)?;
            Ok(Self(fd))
        }

        /// Fires once, `after` from now; what was set before is forgotten. Returns how long the poll
        /// may sleep.
        pub(crate) fn set(&mut self, after: Duration) -> io::Result<Duration> {
            // Zero would disarm it.
            let after = after.max(Duration::from_nanos(1));
            let value = Timespec {
                tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: after.subsec_nanos().into(),
            };
            let interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            let setting = Itimerspec { it_interval: interval, it_value: value };
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &setting)?;
            Ok(after)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Duration, io};

    /// No timer: the poll's own timeout, rounded down.
    #[derive(Debug)]
    pub(crate) struct Timer;

    impl Timer {
        /// Needs nothing from the poll.
        pub(crate) fn new(_poll: &mio::Poll, _token: usize) -> io::Result<Self> {
            Ok(Self)
        }

        /// How long the poll may sleep: whole milliseconds, then not at all.
        pub(crate) fn set(&mut self, after: Duration) -> io::Result<Duration> {
            Ok(Duration::from_millis(u64::try_from(after.as_millis()).unwrap_or(u64::MAX)))
        }
    }
}

pub(crate) use system::Timer;
