//! getEphemerals: the calling session's own, by a text that their paths begin with.

use super::{Answer, ReadContext};
use quorate_wire::Jute;
use quorate_wire::jute::{write_length, write_str};
use quorate_wire::op::get_ephemerals::GetEphemeralsRequest;

pub(super) fn execute(body: &[u8], context: &ReadContext<'_>, out: &mut Vec<u8>) -> Answer {
    let request = GetEphemeralsRequest::from_bytes(body)?;
    let prefix = request.prefix.as_deref().map_or("", str::trim);
    let prefix = if prefix == "/" {
        ""
    } else {
        request.prefix.as_deref().filter(|_| !prefix.is_empty()).unwrap_or("")
    };
    let paths: Vec<String> = context
        .tree
        .ephemerals(context.conn.session)
        .filter(|path| path.starts_with(prefix))
        .collect();
    write_length(paths.len(), out);
    for path in &paths {
        write_str(path, out);
    }
    Ok(())
}
