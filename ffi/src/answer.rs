//! [`Answer`]: what an operation gave, and how C sees it.

#![allow(unsafe_code, reason = "structs full of pointers, and exported symbols")]

use crate::boundary;
use crate::fault::{Error, Fault};
use crate::input::{self, WithSize, text_of};
use crate::objects;
use crate::status::QUORATE_OK;
use quorate::client::{Created, PartResult, Reply};
use std::ffi::{CString, c_char};
use std::ptr::null;
use std::sync::{Arc, Mutex, PoisonError};

/// What is known about a node besides its data. Times are milliseconds since 1970, zxids number transactions.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// The transaction that created it.
    pub czxid: i64,
    /// The last one that changed its data.
    pub mzxid: i64,
    /// The last one that changed its list of children.
    pub pzxid: i64,
    /// When it was created.
    pub ctime: i64,
    /// When its data was changed last.
    pub mtime: i64,
    /// The session of an ephemeral node, otherwise 0.
    pub ephemeral_owner: i64,
    /// Number of changes of the data.
    pub version: i32,
    /// Number of changes of the list of children.
    pub cversion: i32,
    /// Number of changes of the ACL.
    pub aversion: i32,
    /// Bytes of data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
    /// Zero.
    pub reserved: i32,
}

impl From<quorate::client::Stat> for Stat {
    fn from(stat: quorate::client::Stat) -> Self {
        Self {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            pzxid: stat.pzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            ephemeral_owner: stat.ephemeral_owner,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            data_length: stat.data_length,
            num_children: stat.num_children,
            reserved: 0,
        }
    }
}

/// What one part of a multi did.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// create: the final path; otherwise NULL.
    pub path: *const c_char,
    /// create and set: the stat; otherwise zeros (also for create on servers before 3.8.2).
    pub stat: Stat,
}

/// What an operation gave. Set it up with `QUORATE_RESULT_INIT` before its first use. What it points to is the library's: for
/// blocking calls until the struct is used in another call or given to quorate_result_clear, for asynchronous ones until the callback
/// returns, or until the next quorate_client_poll. What an operation does not give is zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// sizeof(quorate_result).
    pub size: usize,
    /// The library's.
    pub memory: u64,
    /// asynchronous: the token of the call.
    pub token: u64,
    /// QUORATE_OK or what went wrong.
    pub status: i32,
    /// exists: 1 when the node exists.
    pub exists: i32,
    /// What went wrong; NULL when nothing did.
    pub error: *const Error,
    /// The handle that the operation gives: a watch, a held lock, a term.
    pub handle: u64,
    /// create: the final path, with its number if it has one.
    pub path: *const c_char,
    /// get: the data; never NULL then.
    pub data: *const u8,
    /// get: bytes of data.
    pub data_length: usize,
    /// children: their names, in no particular order.
    pub children: *const *const c_char,
    /// children: how many.
    pub children_count: usize,
    /// multi: what each part did.
    pub parts: *const *const Part,
    /// multi: how many parts.
    pub parts_count: usize,
    /// create, get, set, exists, children: the node's.
    pub stat: Stat,
}

// SAFETY: `repr(C)`, begins with its size, zeros are valid.
unsafe impl WithSize for Outcome {}

/// What an operation gave, in Rust.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) stat: Option<Stat>,
    pub(crate) exists: bool,
    pub(crate) path: Option<String>,
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) children: Option<Vec<String>>,
    pub(crate) parts: Option<Vec<PartResult>>,
    pub(crate) handle: u64,
}

impl Answer {
    pub(crate) fn of_handle(handle: u64) -> Self {
        Self { handle, ..Self::default() }
    }
}

impl From<()> for Answer {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Created> for Answer {
    fn from(created: Created) -> Self {
        let (stat, path) = (Some(created.stat.into()), Some(created.path));
        Self { stat, path, ..Self::default() }
    }
}

impl From<quorate::client::Stat> for Answer {
    fn from(stat: quorate::client::Stat) -> Self {
        Self { stat: Some(stat.into()), exists: true, ..Self::default() }
    }
}

impl From<Option<quorate::client::Stat>> for Answer {
    fn from(stat: Option<quorate::client::Stat>) -> Self {
        stat.map_or_else(Self::default, Self::from)
    }
}

impl From<(Vec<u8>, quorate::client::Stat)> for Answer {
    fn from((data, stat): (Vec<u8>, quorate::client::Stat)) -> Self {
        Self { data: Some(data), ..Self::from(stat) }
    }
}

impl From<(Vec<String>, quorate::client::Stat)> for Answer {
    fn from((children, stat): (Vec<String>, quorate::client::Stat)) -> Self {
        Self { children: Some(children), ..Self::from(stat) }
    }
}

impl From<Vec<PartResult>> for Answer {
    fn from(parts: Vec<PartResult>) -> Self {
        Self { parts: Some(parts), ..Self::default() }
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Created { path, stat } => {
                Self { stat: stat.map(Into::into), path: Some(path), ..Self::default() }
            }
            Reply::Stat(stat) => stat.into(),
            Reply::Data { data, stat } => (data, stat).into(),
            Reply::Children { names, stat } => {
                let stat = stat.map(Into::into);
                Self { children: Some(names), stat, exists: true, ..Self::default() }
            }
            _ => Self::default(),
        }
    }
}

/// An answer laid out for C: the struct, and everything that it points to.
pub(crate) struct Laid {
    outcome: Outcome,
    _error: Option<Fault>,
    _path: Option<CString>,
    _data: Option<Vec<u8>>,
    _children: Vec<CString>,
    _pointers: Vec<*const c_char>,
    _parts: Vec<(Option<CString>, Box<Part>)>,
    _part_pointers: Vec<*const Part>,
}

// SAFETY: the pointers lead to what the struct owns itself, on the heap, and nothing of that ever changes.
unsafe impl Send for Laid {}
// SAFETY: as above.
unsafe impl Sync for Laid {}

impl Laid {
    /// Lays an answer out.
    pub(crate) fn new(result: Result<Answer, Fault>, token: u64) -> Self {
        let (answer, error) = match result {
            Ok(answer) => (answer, None),
            Err(fault) => (Answer::default(), Some(fault)),
        };
        let path = answer.path.as_deref().map(text_of);
        let children: Vec<CString> =
            answer.children.iter().flatten().map(|name| text_of(name)).collect();
        let pointers: Vec<_> = children.iter().map(|name| name.as_ptr()).collect();
        let parts: Vec<_> = answer.parts.iter().flatten().map(part).collect();
        let part_pointers: Vec<_> =
            parts.iter().map(|(_, part)| std::ptr::from_ref(&**part)).collect();
        let outcome = Outcome {
            size: size_of::<Outcome>(),
            memory: 0,
            token,
            status: error.as_ref().map_or(QUORATE_OK, |fault| fault.status),
            exists: i32::from(answer.exists),
            error: error.as_deref().map_or(null(), std::ptr::from_ref),
            handle: answer.handle,
            path: path.as_ref().map_or(null(), |path| path.as_ptr()),
            data: answer.data.as_ref().map_or(null(), |data| data.as_ptr()),
            data_length: answer.data.as_ref().map_or(0, Vec::len),
            children: if answer.children.is_some() { pointers.as_ptr() } else { null() },
            children_count: pointers.len(),
            parts: if answer.parts.is_some() { part_pointers.as_ptr() } else { null() },
            parts_count: part_pointers.len(),
            stat: answer.stat.unwrap_or_default(),
        };
        Self {
            outcome,
            _error: error,
            _path: path,
            _data: answer.data,
            _children: children,
            _pointers: pointers,
            _parts: parts,
            _part_pointers: part_pointers,
        }
    }

    /// How C sees it. It must not be looked at any longer than this lives.
    pub(crate) const fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

fn part(result: &PartResult) -> (Option<CString>, Box<Part>) {
    let (path, stat) = match result {
        PartResult::Created { path, stat } => (Some(text_of(path)), stat.map(Into::into)),
        PartResult::Set(stat) => (None, Some((*stat).into())),
        PartResult::Done => (None, None),
    };
    let pointer = path.as_ref().map_or(null(), |path| path.as_ptr());
    (path, Box::new(Part { path: pointer, stat: stat.unwrap_or_default() }))
}

/// What the result of a blocking call points to. It has a handle, so that a struct that was copied and cleared twice does no harm.
#[derive(Default)]
pub(crate) struct Memory(Mutex<Option<Laid>>);

impl Memory {
    fn replace(&self, laid: Option<Laid>) -> Option<Laid> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), laid)
    }
}

/// Where a blocking call leaves its result.
pub(crate) struct Place {
    pointer: *mut Outcome,
    memory: Option<(u64, Arc<Memory>)>,
}

impl Place {
    /// The caller's struct, or nowhere for NULL. What it has pointed to is gone with this.
    pub(crate) fn new(pointer: *mut Outcome) -> Result<Self, Fault> {
        if pointer.is_null() {
            return Ok(Self { pointer, memory: None });
        }
        let now = input::options(pointer, "the result")?;
        if now.size < MIN_SIZE {
            return Err(Error::argument(
                "the result's size is not set: QUORATE_RESULT_INIT does it",
            ));
        }
        let memory = match now.memory {
            0 => None,
            handle => Some((handle, objects::get::<Memory>(handle)?)),
        };
        if let Some((_, memory)) = &memory {
            drop(memory.replace(None));
        }
        Ok(Self { pointer, memory })
    }

    /// Leaves the result there, and passes a failure on.
    pub(crate) fn leave(self, result: Result<Answer, Fault>) -> Result<(), Fault> {
        let failure = result.as_ref().err().cloned();
        if !self.pointer.is_null() {
            let laid = Laid::new(result, 0);
            let mut outcome = *laid.outcome();
            let (handle, memory) = match self.memory {
                Some(known) => known,
                None => {
                    let memory = Arc::new(Memory::default());
                    (objects::insert(Arc::clone(&memory))?, memory)
                }
            };
            outcome.memory = handle;
            drop(memory.replace(Some(laid)));
            input::write_sized(self.pointer, &outcome);
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Gives back what a result of a blocking call points to, and sets the struct to zeros but for its size: clearing it again, or using it
/// again, is fine. Results of asynchronous calls belong to the library and need no clearing.
///
/// From any thread, also in a callback; does not block.
///
/// QUORATE_INVALID_ARGUMENT when the struct was never set up, QUORATE_CLOSED when a copy of it was cleared before. NULL is
/// nothing to do.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_result_clear(result: *mut Outcome) -> i32 {
    boundary::call(|| {
        if result.is_null() {
            return Ok(());
        }
        let now = input::options(result, "the result")?;
        // SAFETY: zeros are valid, says the trait.
        input::write_sized(result, &unsafe { std::mem::zeroed() });
        if now.memory == 0 { Ok(()) } else { objects::remove::<Memory>(now.memory).map(drop) }
    })
}

/// The first version's result was longer than this.
const MIN_SIZE: usize = std::mem::offset_of!(Outcome, stat);
