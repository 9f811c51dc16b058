//! The end of a session.

use super::delete::remove;
use super::judge::Judge;
use quorate_wire::error::ErrorCode;
use quorate_wire::jute::{write_length, write_str};
use quorate_wire::path;

/// Ends the judge's session: its ephemerals go, creations in flight included, deletions in flight not.
///
/// Nothing is checked, for expiry asks as well as the client. The list is sorted, so that it depends on
/// nothing but the history. Apache forgets to count the parents' children down while the transaction
/// is in flight and can answer NotEmpty for an empty node meanwhile; here it is counted.
pub(super) fn close(judge: &mut Judge<'_>, out: &mut Vec<u8>) -> Result<(), ErrorCode> {
    let paths = judge.overlay.ephemerals(judge.tree, judge.session);
    if judge.config.close_session_txn {
        write_length(paths.len(), out);
    }
    for path in &paths {
        if judge.config.close_session_txn {
            write_str(path, out);
        }
        let parent_path = path::parent(path);
        if let (Ok(node), Ok(parent)) = (judge.node(path), judge.node(parent_path)) {
            remove(judge, path, &node, parent_path, parent);
        }
    }
    Ok(())
}
