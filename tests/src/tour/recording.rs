//! What servers have logged, as the histories of the plays.
//!
//! Members of an ensemble each have a log; together they have everything, also where one has got a part of it as a
//! snapshot. Nothing may be missing between two transactions of an epoch.

use crate::sim::env::{Checked, Violation, ensure};
use crate::sim::history::History;
use quorate_wire::disk::log::{DEFAULT_MAX_PAYLOAD, HEADER_LEN, LogScan, file_header};
use quorate_wire::disk::names::FileName;
use quorate_wire::txn::{SubTxn, Txn, TxnRecord};
use quorate_wire::{Jute, Zxid};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What was read of some servers' logs so far.
#[derive(Debug, Default)]
pub(super) struct Recording {
    directories: Vec<PathBuf>,
    /// How far each file has been read.
    read: BTreeMap<PathBuf, u64>,
    transactions: BTreeMap<i64, Logged>,
    /// The last transaction of each file.
    last: BTreeMap<PathBuf, i64>,
    /// Where a log goes back: what comes then is applied once more by who reads it.
    disorder: Vec<String>,
}

/// A transaction.
#[derive(Debug)]
struct Logged {
    payload: Vec<u8>,
    session: i64,
    is_end_of_session: bool,
    /// The first name in its path; empty if it has none.
    top: String,
}

impl Recording {
    pub(super) fn new(directories: Vec<PathBuf>) -> Self {
        Self { directories, ..Self::default() }
    }

    /// Reads what was written since.
    pub(super) fn read_on(&mut self) -> Checked {
        for directory in self.directories.clone() {
            let wrong = |error: io::Error| Violation(format!("{}: {error}", directory.display()));
            for path in logs(&directory).map_err(wrong)? {
                self.read_file(path).map_err(wrong)?;
            }
        }
        let mut before: Option<i64> = None;
        for &zxid in self.transactions.keys() {
            let follows = before.is_none_or(|before| {
                zxid == before + 1 || Zxid(zxid).epoch() > Zxid(before).epoch()
            });
            ensure!(follows, "{zxid:#x} was logged behind {before:x?}, with a gap between");
            before = Some(zxid);
        }
        Ok(())
    }

    fn read_file(&mut self, path: PathBuf) -> io::Result<()> {
        let start = u64::try_from(HEADER_LEN).unwrap_or(0);
        let from = self.read.get(&path).copied().unwrap_or(start);
        let mut file = File::open(&path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = file_header().to_vec();
        file.read_to_end(&mut bytes)?;
        let mut end = start;
        for record in LogScan::new(&bytes, DEFAULT_MAX_PAYLOAD) {
            if let Ok(TxnRecord { header, txn, .. }) = TxnRecord::from_bytes(record.payload) {
                let logged = Logged {
                    payload: record.payload.to_vec(),
                    session: header.client_id,
                    is_end_of_session: matches!(txn, Txn::CloseSession(_)),
                    top: top(&txn).to_owned(),
                };
                let zxid = header.zxid.0;
                self.transactions.insert(zxid, logged);
                if let Some(before) = self.last.insert(path.clone(), zxid)
                    && zxid <= before
                {
                    self.disorder
                        .push(format!("{zxid:#x} behind {before:#x} in {}", path.display()));
                }
            }
            end = record.end();
        }
        self.read.insert(path, from + end - start);
        Ok(())
    }

    /// What is wrong with the logs themselves, told for a person; empty if nothing is.
    pub(super) fn disorder(&self) -> String {
        self.disorder.join(", ")
    }

    /// What has happened below a node.
    pub(super) fn history(&self, root: &str) -> Checked<History> {
        let mut transactions = Vec::new();
        let mut owners = BTreeSet::new();
        for (zxid, logged) in &self.transactions {
            let is_here = logged.top == root.trim_start_matches('/');
            // Of those who had anything here.
            let is_end = logged.is_end_of_session && owners.contains(&logged.session);
            if !(is_here || is_end) {
                continue;
            }
            owners.insert(logged.session);
            let record = TxnRecord::from_bytes(&logged.payload)
                .map_err(|error| Violation(format!("{zxid:#x} cannot be read: {error}")))?;
            let txn = if is_here { below(root, record.txn) } else { Some(record.txn) };
            transactions.extend(txn.map(|txn| (record.header, txn)));
        }
        Ok(History::recorded(transactions))
    }
}

/// The files of a data directory that hold transactions, from the oldest on.
fn logs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if let Some(FileName::Log(zxid)) = entry.file_name().to_str().and_then(FileName::parse) {
            found.push((zxid, entry.path()));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The first name in the path of a transaction.
fn top<'a>(txn: &'a Txn<'_>) -> &'a str {
    let path = match txn {
        Txn::Create(body) | Txn::Create2(body) => &body.path,
        Txn::CreateContainer(body) => &body.path,
        Txn::CreateTtl(body) => &body.path,
        Txn::SetData(body) => &body.path,
        Txn::Delete(path) | Txn::DeleteContainer(path) | Txn::Check(path, _) => path,
        Txn::Multi(multi) => return multi.parts.first().map_or("", |part| top(&part.txn)),
        _ => return "",
    };
    path.split('/').nth(1).unwrap_or_default()
}

/// The transaction as it is seen from a node, if it is about what is below it.
fn below<'a>(root: &str, txn: Txn<'a>) -> Option<Txn<'a>> {
    let seen = |path: Cow<'a, str>| -> Option<Cow<'a, str>> {
        let rest = path.strip_prefix(root)?;
        rest.starts_with('/').then(|| Cow::Owned(rest.to_owned()))
    };
    Some(match txn {
        Txn::Create(mut body) => {
            body.path = seen(body.path)?;
            Txn::Create(body)
        }
        Txn::Create2(mut body) => {
            body.path = seen(body.path)?;
            Txn::Create2(body)
        }
        Txn::CreateContainer(mut body) => {
            body.path = seen(body.path)?;
            Txn::CreateContainer(body)
        }
        Txn::CreateTtl(mut body) => {
            body.path = seen(body.path)?;
            Txn::CreateTtl(body)
        }
        Txn::SetData(mut body) => {
            body.path = seen(body.path)?;
            Txn::SetData(body)
        }
        Txn::SetAcl(mut body) => {
            body.path = seen(body.path)?;
            Txn::SetAcl(body)
        }
        Txn::Delete(path) => Txn::Delete(seen(path)?),
        Txn::DeleteContainer(path) => Txn::DeleteContainer(seen(path)?),
        Txn::Check(path, version) => Txn::Check(seen(path)?, version),
        Txn::Multi(mut multi) => {
            if multi.failed() {
                return None;
            }
            let parts = multi.parts.into_iter();
            multi.parts = parts
                .map(|part| Some(SubTxn { txn: below(root, part.txn)? }))
                .collect::<Option<_>>()?;
            Txn::Multi(multi)
        }
        _ => return None,
    })
}
