//! [`Batch`]: completions as bytes, so that a whole batch costs one crossing. `node/src/batch.ts` reads them.
//!
//! A batch is a list of records: kind (u8), token (u32), and what the kind says. All numbers are little-endian; texts and data are preceded by
//! their length (u32). Lists are preceded by their number of elements (u32).

use crate::completion::{Answer, Completion};
use napi::Env;
use napi::bindgen_prelude::BufferSlice;
use quorate::client::{self, Error, EventType, Notice, PartResult, Reply, Stat, State};
use quorate::recipes::kit::Loss;

/// Completions on their way to JavaScript.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
}

impl Batch {
    /// What one error has to say.
    pub(crate) fn of_error(token: u32, error: &Error) -> Self {
        let mut batch = Self::default();
        batch.error(kind::FAILED, token, error);
        batch
    }

    pub(crate) fn into_buffer(self, env: &Env) -> napi::Result<BufferSlice<'_>> {
        BufferSlice::copy_from(env, self.bytes)
    }

    /// Says that there is more.
    pub(crate) fn more(&mut self) {
        self.begin(kind::MORE, 0);
    }

    /// A plain operation's completion, or an event.
    pub(crate) fn wire(&mut self, completion: client::Completion) {
        match completion {
            client::Completion::Done { token, result } => {
                let token = number(token);
                match result {
                    Ok(reply) => self.reply(token, reply),
                    Err(error) => self.error(kind::FAILED, token, &error),
                }
            }
            client::Completion::Event { token, notice } => self.notice(number(token), notice),
        }
    }

    /// The completion of a call. What is a product goes to `keep`.
    pub(crate) fn call(
        &mut self,
        completion: Completion,
        keep: impl FnOnce(u32, crate::completion::Product),
    ) {
        let Completion { token, answer } = completion;
        match answer {
            Answer::Done => self.begin(kind::DONE, token),
            Answer::Failed(error) => self.error(kind::FAILED, token, &error),
            Answer::ServerFailed(message) => {
                self.begin(kind::SERVER_FAILED, token);
                self.text(&message);
            }
            Answer::Parts(parts) => self.parts(token, &parts),
            Answer::State(state) => {
                self.begin(kind::STATE, token);
                self.bytes.push(state_number(state));
            }
            Answer::Lost(loss) => {
                self.begin(kind::LOST, token);
                self.bytes.push(match loss {
                    Some(Loss::Session) => 0,
                    Some(Loss::Deleted) => 1,
                    None => 2,
                });
            }
            Answer::Late => self.begin(kind::LATE, token),
            Answer::Cancelled => self.begin(kind::CANCELLED, token),
            Answer::Panicked(message) => {
                self.begin(kind::PANICKED, token);
                self.text(&message);
            }
            Answer::Product(product) => {
                self.begin(kind::PRODUCT, token);
                keep(token, *product);
            }
        }
    }

    fn reply(&mut self, token: u32, reply: Reply) {
        match reply {
            Reply::Data { data, stat } => {
                self.begin(kind::DATA, token);
                self.stat(&stat);
                self.data(&data);
            }
            Reply::Stat(stat) => {
                self.begin(kind::STAT, token);
                self.stat(&stat);
            }
            Reply::Absent => self.begin(kind::ABSENT, token),
            Reply::Children { names, stat: Some(stat) } => {
                self.begin(kind::CHILDREN, token);
                self.stat(&stat);
                self.length(names.len());
                names.iter().for_each(|name| self.text(name));
            }
            Reply::Created { path, stat: Some(stat) } => {
                self.begin(kind::CREATED, token);
                self.text(&path);
                self.stat(&stat);
            }
            // What has nothing to say, and what is never asked for.
            _ => self.begin(kind::DONE, token),
        }
    }

    fn parts(&mut self, token: u32, parts: &[PartResult]) {
        self.begin(kind::PARTS, token);
        self.length(parts.len());
        for part in parts {
            match part {
                PartResult::Created { path, stat } => {
                    self.bytes.push(part::CREATED);
                    self.text(path);
                    self.bytes.push(u8::from(stat.is_some()));
                    if let Some(stat) = stat {
                        self.stat(stat);
                    }
                }
                PartResult::Set(stat) => {
                    self.bytes.push(part::SET);
                    self.stat(stat);
                }
                PartResult::Done => self.bytes.push(part::DONE),
            }
        }
    }

    fn notice(&mut self, token: u32, notice: Notice) {
        match notice {
            Notice::Changed { kind, path, zxid } => {
                self.begin(kind::EVENT, token);
                self.bytes.push(match kind {
                    EventType::Created => 0,
                    EventType::Deleted => 1,
                    EventType::DataChanged => 2,
                    EventType::ChildrenChanged => 3,
                });
                self.text(&path);
                self.bytes.push(u8::from(zxid.is_some()));
                if let Some(zxid) = zxid {
                    self.bytes.extend(zxid.to_le_bytes());
                }
            }
            Notice::Missed => self.begin(kind::MISSED, token),
            Notice::Ended(code) => {
                // The path is known to the watch.
                self.error(kind::ENDED, token, &Error::new(code, "watch", ""));
            }
        }
    }

    fn error(&mut self, kind: u8, token: u32, error: &Error) {
        self.begin(kind, token);
        self.bytes.extend(error.code().code().to_le_bytes());
        self.text(&format!("{:?}", error.code()));
        self.bytes.push(u8::from(error.outcome_unknown()));
        let part = error.part().and_then(|part| i32::try_from(part).ok()).unwrap_or(-1);
        self.bytes.extend(part.to_le_bytes());
        self.text(error.operation());
        self.text(error.path());
        self.text(&error.to_string());
    }

    fn stat(&mut self, stat: &Stat) {
        for number in [stat.czxid, stat.mzxid, stat.ctime, stat.mtime] {
            self.bytes.extend(number.to_le_bytes());
        }
        for number in [stat.version, stat.cversion, stat.aversion] {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend(stat.ephemeral_owner.to_le_bytes());
        for number in [stat.data_length, stat.num_children] {
            self.bytes.extend(number.to_le_bytes());
        }
        self.bytes.extend(stat.pzxid.to_le_bytes());
    }

    fn begin(&mut self, kind: u8, token: u32) {
        self.bytes.push(kind);
        self.bytes.extend(token.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.data(text.as_bytes());
    }

    fn data(&mut self, data: &[u8]) {
        self.length(data.len());
        self.bytes.extend_from_slice(data);
    }

    fn length(&mut self, length: usize) {
        // Longer things do not come over the wire.
        self.bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// Tokens are 32 bits wide from their birth in JavaScript.
fn number(token: u64) -> u32 {
    u32::try_from(token).unwrap_or(u32::MAX)
}

/// As `SESSION_STATES` in `node/src/types.ts` lists them.
pub(crate) const fn state_number(state: State) -> u8 {
    match state {
        State::Connecting => 0,
        State::Connected => 1,
        State::ReadOnly => 2,
        State::Suspended => 3,
        State::Lost => 4,
        State::Closed => 5,
        State::AuthFailed => 6,
    }
}

/// Kinds of records.
mod kind {
    pub(super) const DONE: u8 = 0;
    pub(super) const FAILED: u8 = 1;
    pub(super) const DATA: u8 = 2;
    pub(super) const STAT: u8 = 3;
    pub(super) const ABSENT: u8 = 4;
    pub(super) const CHILDREN: u8 = 5;
    pub(super) const CREATED: u8 = 6;
    pub(super) const PARTS: u8 = 7;
    pub(super) const EVENT: u8 = 8;
    pub(super) const MISSED: u8 = 9;
    pub(super) const ENDED: u8 = 10;
    pub(super) const STATE: u8 = 11;
    pub(super) const LOST: u8 = 12;
    pub(super) const LATE: u8 = 13;
    pub(super) const CANCELLED: u8 = 14;
    pub(super) const PANICKED: u8 = 15;
    pub(super) const PRODUCT: u8 = 16;
    pub(super) const SERVER_FAILED: u8 = 17;
    pub(super) const MORE: u8 = 18;
}

/// Kinds of parts of a transaction.
mod part {
    pub(super) const CREATED: u8 = 0;
    pub(super) const SET: u8 = 1;
    pub(super) const DONE: u8 = 2;
}
