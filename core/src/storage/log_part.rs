//! Reads a part of the log, for a learner that lacks it, while the log goes on.
//!
//! Two passes: [`LogPart::find`] looks whether the log has everything, and [`LogPart::read`] hands it out. In between a learner is told
//! what comes, which cannot be taken back: so whatever is wrong with the files is to be found before. Files are read in pieces. As
//! long as a part is held, [`Storage::purge`] leaves its files where they are.

use super::Storage;
use super::error::StorageError;
use super::layout::{Files, Layout};
use quorate_engine::zab::log_search::{LogSearch, Step, Useless, follows};
use quorate_wire::Zxid;
use quorate_wire::disk::log::{HEADER_LEN, Next, RECORD_OVERHEAD, next_record};
use quorate_wire::jute::Reader;
use quorate_wire::txn::TxnHeader;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A part of the log that was found whole.
pub(crate) struct LogPart {
    lease: Lease,
    floor: Zxid,
    /// Where the first record behind `floor` is.
    file: Zxid,
    offset: u64,
}

/// Which log files are being read, by the number of the reader: from which one on.
#[derive(Debug, Default)]
pub(super) struct Readers(Mutex<(u64, BTreeMap<u64, Zxid>)>);

/// Keeps log files from being purged.
struct Lease {
    storage: Arc<Storage>,
    number: u64,
}

impl LogPart {
    /// Looks for everything after `at` up to `upto`, which must be durable, without reading more than `limit` bytes of it. `goes_on` is asked
    /// now and then.
    pub(crate) fn find(
        storage: &Arc<Storage>,
        at: Zxid,
        upto: Zxid,
        limit: Option<u64>,
        goes_on: impl Fn() -> bool,
    ) -> Result<Result<Self, Useless>, StorageError> {
        let (lease, files) = {
            // A purge that has made its list already must not go on with it.
            let _whole = storage.whole();
            let files = storage.layout.list()?;
            let Some(first) = files.logs.iter().map(|log| log.zxid).rfind(|&zxid| zxid <= at)
            else {
                return Ok(Err(Useless::Late));
            };
            (Lease::new(storage, first), files)
        };
        let snapshots = files.snapshots.iter().map(|snapshot| snapshot.zxid).collect();
        let mut search = LogSearch::new(at, upto, limit, snapshots);
        let mut records = Records::new(storage, &files, lease.from(), 0);
        let (mut begin, mut before) = (None, None);
        while let Some(record) = records.next()? {
            let (zxid, file, end) = (record.zxid, record.file, record.end);
            match search.record(zxid, record.payload.len().saturating_add(RECORD_OVERHEAD)) {
                // One that is there twice does not bring the search back.
                Step::GoOn if zxid <= at && Some(zxid) > before => {
                    before = Some(zxid);
                    begin = Some((file, end));
                }
                Step::GoOn if goes_on() => {}
                Step::GoOn => break,
                Step::Useless(why) => return Ok(Err(why)),
                Step::Found(floor) => {
                    let (file, offset) = begin.unwrap_or((file, end));
                    return Ok(Ok(Self { lease, floor, file, offset }));
                }
            }
        }
        Ok(Err(search.end()))
    }

    /// The last transaction before the part.
    pub(crate) const fn floor(&self) -> Zxid {
        self.floor
    }

    /// Hands out the transactions of the part and what follows it, up to `upto`, as long as `take` wants more.
    pub(crate) fn read(
        &self,
        upto: Zxid,
        mut take: impl FnMut(Zxid, &[u8]) -> bool,
    ) -> Result<(), StorageError> {
        let storage = &self.lease.storage;
        // There may be new files since.
        let files = storage.layout.list()?;
        let mut records = Records::new(storage, &files, self.file, self.offset);
        let mut last = self.floor;
        while last < upto {
            let Some(record) = records.next()? else { break };
            if record.zxid <= last {
                continue;
            }
            if !follows(last, record.zxid) || record.zxid > upto {
                break;
            }
            last = record.zxid;
            if !take(last, record.payload) {
                return Ok(());
            }
        }
        if last == upto {
            return Ok(());
        }
        let reason = format!("what follows {last} is not there any more");
        let path = storage.layout.logs.clone();
        Err(StorageError::io("read", &path)(io::Error::new(io::ErrorKind::UnexpectedEof, reason)))
    }
}

impl Lease {
    /// For the file that begins with this transaction and all that follow it.
    fn new(storage: &Arc<Storage>, from: Zxid) -> Self {
        let mut readers = storage.readers.lock();
        let number = readers.0;
        readers.0 = readers.0.wrapping_add(1);
        readers.1.insert(number, from);
        drop(readers);
        Self { storage: Arc::clone(storage), number }
    }

    fn from(&self) -> Zxid {
        self.storage.readers.lock().1.get(&self.number).copied().unwrap_or_default()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.storage.readers.lock().1.remove(&self.number);
    }
}

impl Readers {
    /// The first log file that somebody reads.
    pub(super) fn oldest(&self) -> Option<Zxid> {
        self.lock().1.values().min().copied()
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, Zxid>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The intact records of one file after another, from one on. A file ends where a record is none.
struct Records<'a> {
    layout: &'a Layout,
    max_payload: usize,
    files: VecDeque<Zxid>,
    path: PathBuf,
    /// What was read, and where the next record begins in it.
    piece: Vec<u8>,
    start: usize,
    /// Where that is in the file.
    offset: u64,
}

struct Record<'a> {
    zxid: Zxid,
    /// The log file by its first zxid, and where the next record begins.
    file: Zxid,
    end: u64,
    payload: &'a [u8],
}

impl<'a> Records<'a> {
    /// `offset` is of a record of the file that begins with `from`; 0 stands for its first one.
    fn new(storage: &'a Storage, files: &Files, from: Zxid, offset: u64) -> Self {
        let layout = &storage.layout;
        let files = files.logs.iter().map(|log| log.zxid).filter(|&zxid| zxid >= from).collect();
        let mut this = Self {
            layout,
            max_payload: storage.rules.max_payload,
            files,
            path: PathBuf::new(),
            piece: Vec::new(),
            start: 0,
            offset: 0,
        };
        this.open(offset);
        this
    }

    fn open(&mut self, offset: u64) {
        self.path = self.files.front().map(|&zxid| self.layout.log_path(zxid)).unwrap_or_default();
        self.piece.clear();
        self.start = 0;
        self.offset = if offset == 0 { to_u64(HEADER_LEN) } else { offset };
    }

    fn next(&mut self) -> Result<Option<Record<'_>>, StorageError> {
        loop {
            let Some(&file) = self.files.front() else { return Ok(None) };
            let rest = self.piece.get(self.start..).unwrap_or_default();
            let (held, needed) = (
                rest.len(),
                match next_record(rest, self.max_payload) {
                    Next::Record(payload) => match Reader::new(payload).get::<TxnHeader>() {
                        Ok(header) => {
                            let len = payload.len().saturating_add(RECORD_OVERHEAD);
                            return Ok(Some(self.pass(file, header.zxid, len)));
                        }
                        Err(_) => None,
                    },
                    Next::Needs(needed) => Some(needed),
                    Next::None => None,
                },
            );
            let more = match needed {
                Some(needed) => self.fill(held, needed)?,
                None => false,
            };
            if !more {
                self.files.pop_front();
                self.open(0);
            }
        }
    }

    fn pass(&mut self, file: Zxid, zxid: Zxid, len: usize) -> Record<'_> {
        let start = self.start;
        self.start = start.saturating_add(len);
        self.offset = self.offset.saturating_add(to_u64(len));
        let record = self.piece.get(start..self.start).unwrap_or_default();
        // The payload lies between its length and the end mark.
        let payload = record.get(RECORD_OVERHEAD - 1..record.len().saturating_sub(1));
        Record { zxid, file, end: self.offset, payload: payload.unwrap_or_default() }
    }

    /// Reads on, to have so many bytes at least. False where the file ends.
    fn fill(&mut self, held: usize, needed: usize) -> Result<bool, StorageError> {
        let at = self.offset.saturating_add(to_u64(held));
        let wanted = to_u64(needed.saturating_sub(held).max(PIECE));
        let read = self.layout.disk.read_at(&self.path, at, wanted);
        let bytes = read.map_err(StorageError::io("read", &self.path))?;
        self.piece.drain(..self.start);
        self.start = 0;
        self.piece.extend_from_slice(&bytes);
        Ok(!bytes.is_empty())
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Bytes that are read at once.
const PIECE: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ensemble::archive::tests::support::memory::MemoryDisk;
    use crate::ensemble::archive::tests::support::{self, History};
    use crate::storage::StorageConfig;
    use std::path::Path;

    fn open(disk: &MemoryDisk) -> Arc<Storage> {
        let config = support::config(Path::new("/data"));
        let config = StorageConfig { disk: Arc::new(disk.clone()), retain: 3, ..config };
        Arc::new(Storage::open(config).unwrap().0)
    }

    /// Eight files of ten transactions and one of many long ones, with a snapshot after each.
    fn filled(storage: &Storage) -> History {
        let mut history = History::new();
        let mut log = storage.log_writer();
        for n in 0..9 {
            log.append(&[history.records(10)]).unwrap();
            for _ in 0..(if n == 8 { 40 } else { 0 }) {
                log.append(&[history.sized(20_000)]).unwrap();
            }
            log.sync().unwrap();
            log.roll().unwrap();
            storage.write_snapshot(&mut history.tree).unwrap();
            log.settle().unwrap();
        }
        history
    }

    fn find(storage: &Arc<Storage>, at: i64, upto: i64) -> Result<LogPart, Useless> {
        LogPart::find(storage, Zxid(at), Zxid(upto), None, || true).unwrap()
    }

    fn zxids(part: &LogPart, upto: i64) -> Vec<i64> {
        let mut zxids = Vec::new();
        part.read(Zxid(upto), |zxid, payload| {
            assert_eq!(Reader::new(payload).get::<TxnHeader>().unwrap().zxid, zxid);
            zxids.push(zxid.0);
            true
        })
        .unwrap();
        zxids
    }

    #[test]
    fn every_part_is_read_from_its_beginning_to_its_end() {
        let disk = MemoryDisk::default();
        let storage = open(&disk);
        filled(&storage);
        for (at, upto) in [(1, 2), (3, 17), (10, 20), (19, 81), (75, 130), (1, 130), (129, 130)] {
            let part = find(&storage, at, upto).unwrap_or_else(|why| panic!("{at}: {why}"));
            assert_eq!(part.floor(), Zxid(at));
            assert_eq!(zxids(&part, upto), (at + 1..=upto).collect::<Vec<_>>());
            // What has been committed since comes with it.
            assert_eq!(zxids(&part, 130), (at + 1..=130).collect::<Vec<_>>());
        }
        assert_eq!(find(&storage, 0, 9).err(), Some(Useless::Late));
        assert_eq!(find(&storage, 5, 131).err(), Some(Useless::Gap(Zxid(130))));
        let search = LogPart::find(&storage, Zxid(1), Zxid(130), Some(1000), || true).unwrap();
        assert_eq!(search.err(), Some(Useless::Long(1000)));
        let search = LogPart::find(&storage, Zxid(1), Zxid(130), None, || false).unwrap();
        assert!(search.is_err(), "nobody wants it any more");
    }

    #[test]
    fn files_that_are_read_are_not_purged() {
        let disk = MemoryDisk::default();
        let storage = open(&disk);
        filled(&storage);
        let part = find(&storage, 15, 30).unwrap_or_else(|why| panic!("{why}"));
        let purged = storage.purge().unwrap();
        let logs = purged.files.iter().filter(|file| file.to_string_lossy().contains("log."));
        assert_eq!(logs.count(), 1, "only the first one: {purged:?}");
        assert_eq!(zxids(&part, 130), (16..=130).collect::<Vec<_>>());
        drop(part);
        assert!(!storage.purge().unwrap().files.is_empty());
        assert_eq!(find(&storage, 15, 30).err(), Some(Useless::Late));
    }

    #[test]
    fn what_is_gone_in_between_is_an_error() {
        let disk = MemoryDisk::default();
        let storage = open(&disk);
        filled(&storage);
        let part = find(&storage, 15, 30).unwrap_or_else(|why| panic!("{why}"));
        let mut files = disk.files();
        files.retain(|path, _| !path.ends_with("log.15"));
        disk.set(files);
        let mut count = 0;
        let error = part.read(Zxid(40), |_, _| {
            count += 1;
            true
        });
        assert_eq!((error.is_err(), count), (true, 5));
    }
}
