//! Finds the newest snapshot that can be trusted and builds the tree from it.
//!
//! A snapshot counts only when every seal is right and its nodes make a tree; otherwise the next older one is tried, with
//! a warning. The caller replays the log afterwards and must make sure that it reaches at least to the newest
//! snapshot that was passed over. A large snapshot is decoded on a second thread, ahead of the one that builds.

use super::error::StorageError;
use super::layout::{Layout, SnapshotFile};
use super::loading::{self, Loading};
use super::purge::looks_complete;
use flate2::read::MultiGzDecoder;
use quorate_engine::session::SessionNumber;
use quorate_engine::tree::{LoadError, Preparation, Prepared, Tree, TreeConfig, TreeLoader};
use quorate_wire::Zxid;
use quorate_wire::disk::names::Compression;
use quorate_wire::disk::snappy_frame::Chunks;
use quorate_wire::disk::snapshot::{
    self, SnapshotDigest, SnapshotError, SnapshotNode, SnapshotReader,
};
use quorate_wire::jute::DecodeError;
use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

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
    loading: &Loading,
) -> Result<(Loaded, Vec<Rejected>), StorageError> {
    let mut rejected = Vec::new();
    let mut tried = 0;
    for &file in files {
        if tried == MAX_TRIES {
            break;
        }
        let result = if looks_complete(layout, &file) {
            tried += 1;
            load(layout, file, config, loading)
        } else {
            Err(Unusable::Incomplete)
        };
        match result {
            Ok(loaded) => return Ok((loaded, rejected)),
            Err(Unusable::Unwanted(given_up)) => return Err(given_up),
            Err(unusable) => rejected.push(Rejected { file, reason: unusable.to_string() }),
        }
    }
    let (newest, reason) = rejected.first().map_or_else(Default::default, |r| {
        (layout.snapshot_path(&r.file).display().to_string(), r.reason.clone())
    });
    let dir = layout.snapshots.clone();
    Err(StorageError::NoValidSnapshot { dir, tried: rejected.len(), newest, reason })
}

fn load(
    layout: &Layout,
    file: SnapshotFile,
    config: TreeConfig,
    loading: &Loading,
) -> Result<Loaded, Unusable> {
    let raw = layout.disk.read(&layout.snapshot_path(&file))?;
    parse(&decompress(&raw, file.compression)?, file, config, loading)
}

fn parse(
    bytes: &[u8],
    file: SnapshotFile,
    config: TreeConfig,
    loading: &Loading,
) -> Result<Loaded, Unusable> {
    let mut reader = SnapshotReader::new(bytes)?;
    let mut loader = TreeLoader::new(config);
    let newest = snapshot::newest_session(reader.dbid());
    loader.newest_session(newest.and_then(|number| SessionNumber::of(number.cast_signed())));
    for session in reader.sessions() {
        loader.session(session.id, session.timeout);
    }
    for entry in reader.acls() {
        loader.acl(entry.id, &entry.acl);
    }
    add_nodes(&mut reader, bytes.len(), &mut loader, loading)?;
    // Apache writes zeros before the first transaction.
    let known = |digest: &SnapshotDigest| digest.zxid >= file.zxid && digest.zxid > Zxid::ZERO;
    let digest = reader.finish()?.digest.filter(known);
    if newest.is_some() && digest.is_some_and(|digest| digest.zxid == file.zxid) {
        // Nothing was applied while it was written, so what it says of quotas is exact. Apache's snapshots can say the same and show
        // a stats node between its creation and the first count: there, as Apache does, totals are counted anew.
        loader.keep_quota_totals();
    }
    Ok(Loaded { tree: loader.finish(file.zxid)?, file, digest })
}

/// Nodes decoded, and everything known of them that needs no tree.
struct Batch<'a> {
    nodes: Vec<(SnapshotNode<'a>, Prepared)>,
    /// Where the snapshot goes on.
    end: usize,
}

/// Adds all nodes of a snapshot of `len` bytes.
fn add_nodes(
    reader: &mut SnapshotReader<'_>,
    len: usize,
    loader: &mut TreeLoader,
    loading: &Loading,
) -> Result<(), Unusable> {
    loading.begin(len);
    let preparation = loader.preparation();
    let mut builder = Builder { loader, loading, len, added: 0, expects: false };
    let first = read_batch(reader, &preparation)?;
    let mut goes_on = first.nodes.len() == BATCH;
    builder.add(first)?;
    if goes_on && add_ahead(reader, &preparation, &mut builder)? {
        return Ok(());
    }
    while goes_on {
        let batch = read_batch(reader, &preparation)?;
        goes_on = batch.nodes.len() == BATCH;
        builder.add(batch)?;
    }
    Ok(())
}

/// Adds the rest of the nodes, which another thread decodes meanwhile. `false`, and nothing done, when the system has no
/// thread for us.
fn add_ahead(
    reader: &mut SnapshotReader<'_>,
    preparation: &Preparation,
    builder: &mut Builder<'_>,
) -> Result<bool, Unusable> {
    thread::scope(|scope| {
        let (batches, inbox) = sync_channel(AHEAD);
        let decode = move || read_batches(reader, preparation, &batches);
        let named = thread::Builder::new().name("quorate-load".into());
        let Ok(decoder) = named.spawn_scoped(scope, decode) else { return Ok(false) };
        // Whoever fails first ends the other one by dropping its end of the channel.
        for batch in inbox {
            builder.add(batch)?;
        }
        let crashed = |_| Err(io::Error::other("the thread that decodes it crashed").into());
        decoder.join().unwrap_or_else(crashed).map(|()| true)
    })
}

fn read_batches<'a>(
    reader: &mut SnapshotReader<'a>,
    preparation: &Preparation,
    batches: &SyncSender<Batch<'a>>,
) -> Result<(), Unusable> {
    loop {
        let batch = read_batch(reader, preparation)?;
        let is_last = batch.nodes.len() < BATCH;
        if batches.send(batch).is_err() || is_last {
            return Ok(());
        }
    }
}

/// The next nodes; fewer than [`BATCH`] only at the end.
fn read_batch<'a>(
    reader: &mut SnapshotReader<'a>,
    preparation: &Preparation,
) -> Result<Batch<'a>, Unusable> {
    let mut nodes = Vec::with_capacity(BATCH);
    while nodes.len() < BATCH {
        let Some(node) = reader.next_node()? else { break };
        let prepared = preparation.prepare(&node.path, node.data, &node.stat);
        nodes.push((node, prepared));
    }
    Ok(Batch { nodes, end: reader.position() })
}

/// Puts batches into the tree.
struct Builder<'l> {
    loader: &'l mut TreeLoader,
    loading: &'l Loading,
    /// Bytes of the snapshot.
    len: usize,
    added: usize,
    /// Whether the loader knows about how many nodes there will be.
    expects: bool,
}

impl Builder<'_> {
    fn add(&mut self, batch: Batch<'_>) -> Result<(), Unusable> {
        self.loading.reach(loading::bytes(batch.end))?;
        self.added = self.added.saturating_add(batch.nodes.len());
        for (node, prepared) in batch.nodes {
            self.loader.prepared_node(&node.path, node.data, node.acl, &node.stat, prepared)?;
        }
        if !self.expects && batch.end > self.len / SAMPLE {
            self.expects = true;
            // The others are probably about as long. Room for too many would stay unused for good.
            let whole = self.len.saturating_mul(self.added).checked_div(batch.end);
            self.loader.expect(whole.unwrap_or_default());
        }
        Ok(())
    }
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
    #[error("the file is incomplete")]
    Incomplete,
    #[error(transparent)]
    Unwanted(#[from] StorageError),
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

/// Nodes that change threads at once; a snapshot of fewer nodes is not worth a thread.
const BATCH: usize = 256;
/// What part of a snapshot tells how many nodes the whole holds: the first ones are often parents, and shorter.
const SAMPLE: usize = 64;
/// Batches that may wait.
const AHEAD: usize = 16;
/// As many as Apache tries.
const MAX_TRIES: usize = 100;
/// A copy of 64 bytes takes 3 in a snappy block, so more than this is nonsense that would only cost memory.
const MAX_SNAPPY_RATIO: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_wire::StatPersisted;
    use quorate_wire::disk::snapshot::{
        APACHE_DBID, Sealer, SessionEntry, Trailer, native_dbid, write_header, write_node,
        write_sessions,
    };

    const CONFIG: TreeConfig = TreeConfig { hash_seed: 7, digest: true };

    /// A snapshot of the root and these nodes.
    fn snapshot(paths: impl Iterator<Item = String>) -> Vec<u8> {
        let mut out = Vec::new();
        write_header(native_dbid(0), &mut out);
        out.extend_from_slice(&[0; 8]);
        for path in std::iter::once(String::new()).chain(paths) {
            write_node(&path, Some(path.as_bytes()), -1, &StatPersisted::default(), &mut out);
        }
        let mut sealer = Sealer::new();
        sealer.absorb(&out);
        sealer.finish(&Trailer::default(), &mut out);
        out
    }

    fn build(bytes: &[u8]) -> Result<Tree, Unusable> {
        let mut reader = SnapshotReader::new(bytes)?;
        let mut loader = TreeLoader::new(CONFIG);
        add_nodes(&mut reader, bytes.len(), &mut loader, &Loading::default())?;
        reader.finish()?;
        Ok(loader.finish(Zxid(1))?)
    }

    #[test]
    fn every_node_arrives_whatever_the_number_of_batches() {
        for count in [1, BATCH - 2, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH, 40 * BATCH + 5] {
            let paths = || (0..count).map(|n| format!("/node{n}"));
            let tree = build(&snapshot(paths())).unwrap();
            assert_eq!(tree.node_count(), count + 1);
            assert_eq!(tree.computed_digest(), tree.digest());
            for path in paths() {
                let id = tree.find(&path).unwrap();
                assert_eq!(tree.data(id), Some(path.as_bytes()));
            }
        }
    }

    /// The password follows from the id: nobody else may get that of a session that has ended.
    #[test]
    fn the_newest_session_is_known_when_it_has_ended() {
        let file = SnapshotFile { zxid: Zxid(9), compression: Compression::Plain, len: 0 };
        for (dbid, newest) in [(native_dbid(9), 9), (native_dbid(0), 5), (APACHE_DBID, 5)] {
            let mut out = Vec::new();
            write_header(dbid, &mut out);
            let live = [SessionEntry { id: 0x0100_0000_0000_0005, timeout: 4000 }];
            write_sessions(live.into_iter(), &mut out);
            out.extend_from_slice(&[0; 4]);
            write_node("", Some(b""), -1, &StatPersisted::default(), &mut out);
            let mut sealer = Sealer::new();
            sealer.absorb(&out);
            sealer.finish(&Trailer::default(), &mut out);
            let tree = parse(&out, file, CONFIG, &Loading::default()).unwrap().tree;
            assert_eq!(tree.newest_session(), SessionNumber::of(newest));
        }
    }

    /// Apache's snapshot thread can come between the creation of a stats node and its first count.
    #[test]
    fn totals_of_quotas_are_believed_only_of_our_own_snapshots() {
        let stats = "/zookeeper/quota/g/zookeeper_stats";
        let limits = "/zookeeper/quota/g/zookeeper_limits";
        let above = ["/zookeeper", "/zookeeper/quota", "/zookeeper/quota/g", "/g", "/g/a"];
        let file = SnapshotFile { zxid: Zxid(9), compression: Compression::Plain, len: 0 };
        for (dbid, totals) in
            [(native_dbid(0), "count=7,bytes=7"), (APACHE_DBID, "count=2,bytes=6")]
        {
            let mut out = Vec::new();
            write_header(dbid, &mut out);
            out.extend_from_slice(&[0; 8]);
            let stat = StatPersisted::default();
            for path in std::iter::once("").chain(above) {
                write_node(path, Some(path.as_bytes()), -1, &stat, &mut out);
            }
            write_node(limits, Some(b"count=9,bytes=-1"), -1, &stat, &mut out);
            write_node(stats, Some(b"count=7,bytes=7"), -1, &stat, &mut out);
            let mut sealer = Sealer::new();
            sealer.absorb(&out);
            let digest = Some(SnapshotDigest { zxid: file.zxid, version: 2, tree: 0 });
            sealer.finish(&Trailer { digest, ..Trailer::default() }, &mut out);
            let tree = parse(&out, file, CONFIG, &Loading::default()).unwrap().tree;
            let data = tree.data(tree.find(stats).unwrap()).unwrap();
            assert_eq!(String::from_utf8_lossy(data), totals);
        }
    }

    #[test]
    fn damage_is_found_on_either_thread_and_ends_both() {
        let nodes = 100 * BATCH;
        let good = snapshot((0..nodes).map(|n| format!("/node{n}")));
        for part in 1..10 {
            let cut = good.get(..good.len() / 10 * part).unwrap();
            assert!(matches!(build(cut), Err(Unusable::Snapshot(_))), "{part}");
            let at = nodes / 10 * part;
            let twice = |n| if n == at { "/node0".into() } else { format!("/node{n}") };
            let result = build(&snapshot((0..nodes).map(twice)));
            assert!(matches!(result, Err(Unusable::Tree(LoadError::Duplicate { .. }))), "{part}");
        }
    }
}
