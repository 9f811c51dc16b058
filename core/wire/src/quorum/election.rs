//! The election port: one initial message from whoever connects, then notifications both ways, each a frame.
//!
//! ```text
//! initial message   i64 sid >= 0                                                  3.4
//!                   i64 -65536 (V1) or -65535 (V2)  i64 sid  i32 length  text     `host:port`, V2: joined by `|`
//! notification      i32 state  i64 leader  i64 zxid  i64 round                    28 bytes, 3.3
//!                   ...  i64 epoch  i32 version                                   40 bytes, 3.4
//!                   ...  i64 epoch  i32 version  i32 length  configuration        44 bytes and more, 3.5
//! ```
//! Receivers of the initial message expect it in one piece, so it must be sent with one write.
//! Source: `org.apache.zookeeper.server.quorum.QuorumCnxManager` and `FastLeaderElection`.

use super::address::HostPort;
use crate::frame::{Split, split};
use crate::jute::{DecodeError, Jute, Reader, text};
use crate::zxid::Zxid;
use std::borrow::Cow;

/// The longest notification that is read, bytes. A frame of any other length, or of none, ends the connection.
pub const MAX_NOTIFICATION: usize = 512 * 1024;
/// The longest text of addresses in an initial message, bytes.
pub const MAX_ADDRESSES: usize = 2048;

/// The form of an initial message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialForm {
    /// The id alone, as 3.4 sends it.
    Bare,
    /// One address; what everybody understands.
    V1,
    /// Any number of addresses; servers before 3.6 refuse it.
    V2,
}

/// Who connects, and where it can be reached itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitialMessage {
    /// How it is written.
    pub form: InitialForm,
    /// The sender.
    pub sid: i64,
    /// The sender's election addresses: none in a bare one. May be wildcards, which are of no use to others.
    pub addresses: Vec<HostPort>,
}

/// Why bytes are no initial message. The connection must be closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitialError {
    /// The first number is neither a server's id nor a known version.
    #[error("{0} is neither the id of a server nor a known version of the initial message")]
    Version(i64),
    /// The announced length of the addresses cannot be.
    #[error(
        "{0} bytes of addresses are announced in the initial message of server {1}; 1 to 2048 are possible"
    )]
    Length(i32, i64),
    /// Something in the list is no address.
    #[error(
        "the initial message of server {sid} has the address {text:?}, which is not `host:port`"
    )]
    Address {
        /// The sender.
        sid: i64,
        /// What stands there, shortened.
        text: String,
    },
}

impl InitialMessage {
    /// The message of a server with one address, in the form that every server understands.
    #[must_use]
    pub fn v1(sid: i64, address: HostPort) -> Self {
        Self { form: InitialForm::V1, sid, addresses: vec![address] }
    }

    /// Looks for a message at the start of the bytes received so far: the message and how many bytes it takes, or
    /// nothing as long as some are missing.
    ///
    /// # Errors
    /// As soon as the bytes cannot become a message.
    pub fn split(input: &[u8]) -> Result<Option<(Self, usize)>, InitialError> {
        let Some((head, rest)) = input.split_first_chunk::<8>() else { return Ok(None) };
        let form = match i64::from_be_bytes(*head) {
            sid @ 0.. => {
                return Ok(Some((Self { form: InitialForm::Bare, sid, addresses: Vec::new() }, 8)));
            }
            V1 => InitialForm::V1,
            V2 => InitialForm::V2,
            other => return Err(InitialError::Version(other)),
        };
        let Some((sid, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
        let sid = i64::from_be_bytes(*sid);
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let announced = i32::from_be_bytes(*length);
        let length = usize::try_from(announced).unwrap_or(0);
        if length == 0 || length > MAX_ADDRESSES {
            return Err(InitialError::Length(announced, sid));
        }
        let Some(list) = rest.get(..length) else { return Ok(None) };
        // Apache splits the list of either form.
        let addresses =
            text(list).split('|').map(|item| address(sid, item)).collect::<Result<_, _>>()?;
        Ok(Some((Self { form, sid, addresses }, length.saturating_add(20))))
    }

    /// Appends the message. A bare one has no addresses; the others must have one at least to be understood.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self.form {
            InitialForm::Bare => return self.sid.write(out),
            InitialForm::V1 => V1.write(out),
            InitialForm::V2 => V2.write(out),
        }
        self.sid.write(out);
        let list: Vec<String> = self.addresses.iter().map(HostPort::to_string).collect();
        crate::jute::write_str(&list.join("|"), out);
    }
}

fn address(sid: i64, item: &str) -> Result<HostPort, InitialError> {
    HostPort::parse(item)
        .ok_or_else(|| InitialError::Address { sid, text: item.chars().take(80).collect() })
}

/// What a server does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
pub enum ServerState {
    /// Without a leader, in an election.
    Looking = 0,
    /// A voter, or a server outside the configuration, under a leader.
    Following = 1,
    /// The leader.
    Leading = 2,
    /// An observer under a leader.
    Observing = 3,
}

impl ServerState {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Looking => 0,
            Self::Following => 1,
            Self::Leading => 2,
            Self::Observing => 3,
        }
    }

    /// The state of a number on the wire.
    #[must_use]
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Looking),
            1 => Some(Self::Following),
            2 => Some(Self::Leading),
            3 => Some(Self::Observing),
            _ => None,
        }
    }
}

/// Whom a server votes for. Servers without a vote send `i64::MIN` in all three fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vote {
    /// The proposed leader.
    pub leader: i64,
    /// The last zxid of its history.
    pub zxid: Zxid,
    /// Its current epoch.
    pub epoch: i64,
}

/// What a notification says, without the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ballot {
    /// What the sender does.
    pub state: ServerState,
    /// Whom it votes for, or follows.
    pub vote: Vote,
    /// The sender's round of election; arbitrary unless it is looking.
    pub round: i64,
    /// The version of the format as the election counts it: 0 for all forms before 3.5.
    pub version: i32,
}

/// The form of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotificationForm<'a> {
    /// 28 bytes: up to the round. The epoch is that of the zxid.
    Short,
    /// 40 bytes: with an epoch, and a version word that nobody looks at.
    Plain,
    /// 44 bytes and more, with the sender's configuration if the version says so (2 and later).
    Full(Option<Cow<'a, str>>),
}

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// What it says.
    pub ballot: Ballot,
    /// How it is written.
    pub form: NotificationForm<'a>,
}

/// Why bytes are no notification. It is dropped and the connection stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// It ends too early.
    #[error("a notification of {0} bytes is not possible; they have 28, 40, or 44 and more")]
    Short(usize),
    /// The state is none.
    #[error("a notification says that its sender is in state {0}; there are 0 to 3")]
    State(i32),
    /// The announced length of the configuration cannot be.
    #[error("a notification announces {announced} bytes of configuration and has {left}")]
    ConfigLength {
        /// What it says.
        announced: i32,
        /// What there is.
        left: usize,
    },
}

impl<'a> Notification<'a> {
    /// A notification in the present form, with the text of the sender's committed configuration.
    #[must_use]
    pub fn new(ballot: Ballot, config: &'a str) -> Self {
        let ballot = Ballot { version: CURRENT_VERSION, ..ballot };
        Self { ballot, form: NotificationForm::Full(Some(Cow::Borrowed(config))) }
    }

    /// Reads the payload of a frame.
    ///
    /// # Errors
    /// When it must be dropped.
    pub fn read(payload: &'a [u8]) -> Result<Self, NotificationError> {
        let short = |_: DecodeError| NotificationError::Short(payload.len());
        let mut r = Reader::new(payload);
        let code = r.get::<i32>().map_err(short)?;
        let leader = r.get::<i64>().map_err(short)?;
        let zxid = r.get::<Zxid>().map_err(short)?;
        let round = r.get::<i64>().map_err(short)?;
        let (epoch, version, form) = match payload.len() {
            28 => (zxid.epoch(), 0, NotificationForm::Short),
            40 => (r.get::<i64>().map_err(short)?, 0, NotificationForm::Plain),
            _ => {
                let epoch = r.get::<i64>().map_err(short)?;
                let version = r.get::<i32>().map_err(short)?;
                let config =
                    if version >= CURRENT_VERSION { Some(config(&mut r, short)?) } else { None };
                (epoch, version, NotificationForm::Full(config))
            }
        };
        let state = ServerState::from_code(code).ok_or(NotificationError::State(code))?;
        let vote = Vote { leader, zxid, epoch };
        Ok(Self { ballot: Ballot { state, vote, round, version }, form })
    }

    /// The sender's configuration, if it came along.
    #[must_use]
    pub fn config(&self) -> Option<&str> {
        match &self.form {
            NotificationForm::Full(config) => config.as_deref(),
            NotificationForm::Short | NotificationForm::Plain => None,
        }
    }

    /// Appends the payload, without the length of the frame.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Ballot { state, vote, round, version } = self.ballot;
        state.code().write(out);
        vote.leader.write(out);
        vote.zxid.write(out);
        round.write(out);
        match &self.form {
            NotificationForm::Short => {}
            NotificationForm::Plain => {
                vote.epoch.write(out);
                PLAIN_VERSION.write(out);
            }
            NotificationForm::Full(config) => {
                vote.epoch.write(out);
                version.write(out);
                match config {
                    Some(config) => crate::jute::write_str(config, out),
                    // Fills up to the length by which the form is known; nobody reads it.
                    None => 0i32.write(out),
                }
            }
        }
    }

    /// Appends the whole frame.
    pub fn write_frame(&self, out: &mut Vec<u8>) {
        crate::frame::write_frame(out, |out| self.write(out));
    }
}

fn config<'a>(
    r: &mut Reader<'a>,
    short: impl Fn(DecodeError) -> NotificationError,
) -> Result<Cow<'a, str>, NotificationError> {
    let announced = r.get::<i32>().map_err(short)?;
    let left = r.rest().len();
    let wrong = NotificationError::ConfigLength { announced, left };
    let length = usize::try_from(announced).map_err(|_| wrong.clone())?;
    r.take(length).map(text).map_err(|_| wrong)
}

/// Looks for a frame at the start of what came behind the initial message.
#[must_use]
pub fn split_notification(input: &[u8]) -> Split<'_> {
    match split(input, MAX_NOTIFICATION) {
        Split::Frame { payload: [], .. } => Split::Illegal(0),
        found => found,
    }
}

const V1: i64 = -65_536;
const V2: i64 = -65_535;
/// The version in 40 bytes.
const PLAIN_VERSION: i32 = 1;
/// The version of a notification that carries a configuration.
const CURRENT_VERSION: i32 = 2;

#[cfg(test)]
mod tests;
