//! A server with directories that have given out nearly all their sequence numbers. Include it with
//! `#[path = "support/used_up.rs"] mod used_up;`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use quorate::server::Server;
use quorate::storage::{Storage, StorageConfig};
use quorate_engine::segment::Segment;
use quorate_engine::tree::TreeConfig;
use quorate_wire::jute::Jute as _;
use quorate_wire::txn::{CreateBody, CreateContainerBody, Txn, TxnHeader, TxnRecord};
use quorate_wire::{AclList, Zxid};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A server in this process, and where its data are. It starts with a log in which a node was created and deleted in each of the
/// directories, the creation saying that its parent has given out all numbers below `next`.
pub(crate) fn server<'a>(
    directories: impl IntoIterator<Item = &'a str>,
    next: i32,
) -> (Server, TempDir) {
    let home = tempfile::tempdir().unwrap();
    write_log(home.path(), directories, next);
    let builder = Server::builder().data_dir(home.path()).free_port().configure(|config| {
        config.tick_time_ms = 100;
        config.max_session_timeout_ms = Some(60_000);
        config.max_client_cnxns = 0;
    });
    (builder.start().unwrap(), home)
}

fn write_log<'a>(home: &Path, directories: impl IntoIterator<Item = &'a str>, next: i32) {
    let mut config = StorageConfig::new(home, TreeConfig { hash_seed: 7, digest: true });
    config.pre_allocate = 64 << 10;
    let (storage, _, _) = Storage::open(config).unwrap();
    let mut log = History::default();
    for directory in directories {
        let ends = directory.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
        for end in ends.chain([directory.len()]) {
            log.make(directory.split_at(end).0);
        }
        let seed = format!("{directory}/seed");
        log.push(Txn::Create(CreateBody {
            path: seed.as_str().into(),
            data: None,
            acl: AclList::OPEN,
            ephemeral: false,
            parent_cversion: Some(next),
        }));
        log.push(Txn::Delete(seed.as_str().into()));
    }
    let mut writer = storage.log_writer();
    writer.append(&[Arc::new(log.segment)]).unwrap();
    writer.sync().unwrap();
    writer.settle().unwrap();
}

#[derive(Default)]
struct History {
    segment: Segment,
    made: BTreeSet<String>,
    last: i64,
}

impl History {
    /// Makes a container, as recipes do.
    fn make(&mut self, path: &str) {
        if self.made.insert(path.to_owned()) {
            self.push(Txn::CreateContainer(CreateContainerBody {
                path: path.into(),
                data: None,
                acl: AclList::OPEN,
                parent_cversion: -1,
            }));
        }
    }

    fn push(&mut self, txn: Txn<'_>) {
        self.last += 1;
        let zxid = Zxid(self.last);
        let time = 1_700_000_000_000 + self.last;
        let header = TxnHeader { client_id: 5, cxid: 1, zxid, time, kind: txn.kind() };
        let record = TxnRecord { header, txn, digest: None };
        self.segment.push(zxid, |out| record.write(out));
    }
}
