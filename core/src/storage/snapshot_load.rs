//! Finds the newest snapshot that can be trusted and builds the tree from it.
//!
//! A snapshot counts only when every seal is right and its nodes make a tree; otherwise the next older one is tried, with
//! a warning. The caller replays the log afterwards and must make sure that it reaches at least to the newest
//! snapshot that was passed over.

use super::error::StorageError;
use super::layout::{Layout, SnapshotFile};
use super::purge::looks_complete;
use flate2::read::MultiGzDecoder;
use quorate_engine::tree::{LoadError, Tree, TreeConfig, TreeLoader};
use quorate_wire::Zxid;
use quorate_wire::disk::names::Compression;
use quorate_wire::disk::snappy_frame::Chunks;
use quorate_wire::disk::snapshot::{SnapshotDigest, SnapshotError, SnapshotReader};
use quorate_wire::jute::DecodeError;
use std::borrow::Cow;
use std::io::{self, Read};

/// A tree from a snapshot.
pub(crate) struct Loaded {
    pub(crate) tree: Tree,
    pub(crate) file: SnapshotFile,
    /// The digest of the tree after a transaction. Up to that one the tree may already hold effects of
    /// transactions that are still to be replayed.
    pub(crate) digest: Option<SnapshotDigest>,
}

/// A snapshot that was passed over, and why.
pub(crate) struct Rejected {
    pub(crate) file: SnapshotFile,
    pub(crate) reason: String,
}

/// Loads the newest usable one of `files` (newest first). Also returns those that were passed over, newest first.
pub(crate) fn newest(
    layout: &Layout,
    files: &[SnapshotFile],
    config: TreeConfig,
) -> Result<(Loaded, Vec<Rejected>), StorageError> {
    let mut rejected = Vec::new();
    let mut tried = 0;
    for &file in files {
        if tried == MAX_TRIES {
            break;
        }
        let result = if looks_complete(layout, &file) {
            tried += 1;
            load(layout, file, config).map_err(|e| e.to_string())
        } else {
            Err("the file is incomplete".to_owned())
        };
        match result {
            Ok(loaded) => return Ok((loaded, rejected)),
            Err(reason) => rejected.push(Rejected { file, reason }),
        }
    }
    let (newest, reason) = rejected.first().map_or_else(Default::default, |r| {
        (layout.snapshot_path(&r.file).display().to_string(), r.reason.clone())
    });
    let dir = layout.snapshots.clone();
    Err(StorageError::NoValidSnapshot { dir, tried: rejected.len(), newest, reason })
}

fn load(layout: &Layout, file: SnapshotFile, config: TreeConfig) -> Result<Loaded, Unusable> {
    let raw = layout.disk.read(&layout.snapshot_path(&file))?;
    let bytes = decompress(&raw, file.compression)?;
    let mut reader = SnapshotReader::new(&bytes)?;
    let mut loader = TreeLoader::new(config);
    for session in reader.sessions() {
        loader.session(session.id, session.timeout);
    }
    for entry in reader.acls() {
        loader.acl(entry.id, &entry.acl);
    }
    while let Some(node) = reader.next_node()? {
        loader.node(&node.path, node.data, node.acl, &node.stat)?;
    }
    // Apache writes zeros before the first transaction.
    let known = |digest: &SnapshotDigest| digest.zxid >= file.zxid && digest.zxid > Zxid::ZERO;
    let digest = reader.finish()?.digest.filter(known);
    if digest.is_some_and(|digest| digest.zxid == file.zxid) {
        // Nothing was applied while it was written, so what it says of quotas is exact.
        loader.keep_quota_totals();
    }
    Ok(Loaded { tree: loader.finish(file.zxid)?, file, digest })
}

/// The stream in a file.
fn decompress(raw: &[u8], compression: Compression) -> Result<Cow<'_, [u8]>, Unusable> {
    let mut bytes = Vec::new();
    match compression {
        Compression::Plain => return Ok(raw.into()),
        Compression::Gzip => {
            MultiGzDecoder::new(raw).read_to_end(&mut bytes)?;
        }
        Compression::Snappy => {
            let mut decoder = snap::raw::Decoder::new();
            for chunk in Chunks::new(raw)? {
                let chunk = chunk?;
                let len = snap::raw::decompress_len(chunk)?;
                if len > chunk.len().saturating_mul(MAX_SNAPPY_RATIO) {
                    return Err(snap::Error::TooBig { given: 0, max: 0 }.into());
                }
                bytes.extend_from_slice(&decoder.decompress_vec(chunk)?);
            }
        }
    }
    Ok(bytes.into())
}

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("not a snappy stream: {0}")]
    Frame(#[from] DecodeError),
    #[error("not a snappy stream: {0}")]
    Snappy(#[from] snap::Error),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Tree(#[from] LoadError),
}

/// As many as Apache tries.
const MAX_TRIES: usize = 100;
/// A copy of 64 bytes takes 3 in a snappy block, so more than this is nonsense that would only cost memory.
const MAX_SNAPPY_RATIO: usize = 64;
