//! What the storage tests share: histories of transactions, directories, and a disk that fails.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(unused_imports, reason = "each test binary uses its part")]

pub(crate) mod faulty;
pub(crate) mod hooked;
pub(crate) mod memory;

use quorate::storage::{
    LogConfig, LogWriter, RealDisk, Report, Storage, StorageConfig, StorageError,
};
use quorate_engine::segment::Segment;
use quorate_engine::tree::{Tree, TreeConfig};
use quorate_wire::jute::Jute;
use quorate_wire::txn::{
    CreateBody, DIGEST_VERSION, SetDataBody, Txn, TxnDigest, TxnHeader, TxnRecord,
};
use quorate_wire::{AclList, Zxid};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const TREE: TreeConfig = TreeConfig { hash_seed: 7, digest: true };

/// A tree, and the transactions that made it.
pub(crate) struct History {
    pub(crate) tree: Tree,
    /// The digest after each zxid from the start on, which identifies a prefix.
    pub(crate) digests: Vec<(Zxid, u64)>,
    next: Zxid,
}

impl History {
    pub(crate) fn new() -> Self {
        let tree = Tree::new(TREE);
        let digests = vec![(Zxid::ZERO, tree.digest())];
        Self { tree, digests, next: Zxid(1) }
    }

    /// The next transaction: a creation, or for every third one a change.
    pub(crate) fn record(&mut self) -> Arc<Segment> {
        self.records(1)
    }

    /// The next `n` transactions, as one segment.
    pub(crate) fn records(&mut self, n: usize) -> Arc<Segment> {
        let mut segment = Segment::default();
        for _ in 0..n {
            self.push(&mut segment, 20);
        }
        Arc::new(segment)
    }

    /// One transaction with `size` bytes of data.
    pub(crate) fn sized(&mut self, size: usize) -> Arc<Segment> {
        let mut segment = Segment::default();
        self.push(&mut segment, size);
        Arc::new(segment)
    }

    /// Goes on in the next epoch.
    pub(crate) fn next_epoch(&mut self) {
        self.next = Zxid(((self.next.epoch() + 1) << 32) | 1);
    }

    /// Forgets everything from `zxid` on.
    pub(crate) fn take_back(&mut self, zxid: Zxid, tree: Tree) {
        self.digests.retain(|(z, _)| *z < zxid);
        self.tree = tree;
        self.next = zxid;
    }

    fn push(&mut self, segment: &mut Segment, size: usize) {
        let zxid = self.next;
        self.next = zxid.next();
        let n = zxid.0;
        let data: Vec<u8> = (0..size).map(|i| u8::try_from((i * 7 + 3) % 251).unwrap()).collect();
        let txn = if n % 3 == 0 {
            let path = format!("/n{:x}", n - 1).into();
            Txn::SetData(SetDataBody { path, data: Some(&data), version: 1 })
        } else {
            Txn::Create(CreateBody {
                path: format!("/n{n:x}").into(),
                data: Some(&data),
                acl: AclList::OPEN,
                ephemeral: false,
                parent_cversion: Some(i32::try_from(self.digests.len()).unwrap()),
            })
        };
        let header = TxnHeader {
            client_id: 5,
            cxid: 1,
            zxid,
            time: 1_700_000_000_000 + n,
            kind: txn.kind(),
        };
        let mut record = TxnRecord { header, txn, digest: None };
        self.tree.apply(&record, &mut ());
        let tree = self.tree.digest();
        record.digest = Some(TxnDigest { version: DIGEST_VERSION, tree });
        self.digests.push((zxid, tree));
        segment.push(zxid, |out| record.write(out));
    }
}

pub(crate) fn config(dir: &Path) -> StorageConfig {
    let mut config = StorageConfig::new(dir, TREE);
    config.pre_allocate = 64 << 10;
    config
}

pub(crate) fn open(dir: &Path) -> Result<(Storage, Tree, Report), StorageError> {
    Storage::open(config(dir))
}

pub(crate) fn version_2(dir: &Path) -> PathBuf {
    dir.join("version-2")
}

pub(crate) fn writer(dir: &Path, last: Zxid) -> LogWriter {
    let mut config = LogConfig::new(version_2(dir));
    config.pre_allocate = 64 << 10;
    LogWriter::new(Arc::new(RealDisk), config, last)
}

/// Names of the files in `version-2`, sorted.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(version_2(dir)).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(version_2(to)).unwrap();
    for name in names(from) {
        std::fs::copy(version_2(from).join(&name), version_2(to).join(&name)).unwrap();
    }
}
