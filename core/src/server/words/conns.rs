//! `cons`, and the line of a connection. Source: `ServerCnxn#dumpConnectionInfo`, `ConsCommand`.

use super::View;
use quorate_engine::shard::Conn;
use quorate_wire::OpCode;
use std::fmt::{self, Write};

impl View<'_> {
    pub(super) fn cons(&self, out: &mut String) -> fmt::Result {
        for conn in self.conns() {
            self.brief(conn, out)?;
            if conn.session != 0 {
                self.details(conn, out)?;
            }
            writeln!(out, ")")?;
        }
        writeln!(out)
    }

    /// The line up to where details may follow; the parenthesis is left open.
    pub(super) fn brief(&self, conn: &Conn, out: &mut String) -> fmt::Result {
        // The bits of Java's selection keys: what the connection waits for.
        let ops = u8::from(conn.is_listening()) | if conn.unsent() > 0 { 4 } else { 0 };
        write!(
            out,
            " {}[{ops}](queued={},recved={},sent={}",
            address(conn),
            conn.outstanding(),
            conn.stats.received,
            conn.stats.sent
        )
    }

    fn details(&self, conn: &Conn, out: &mut String) -> fmt::Result {
        let stats = &conn.stats;
        write!(
            out,
            ",sid=0x{:x},lop={},est={},to={}",
            conn.session,
            stats.last_op.map_or("NA", name),
            self.wall(stats.established),
            conn.timeout
        )?;
        if stats.last_xid >= 0 {
            write!(out, ",lcxid=0x{:x}", stats.last_xid)?;
        }
        let latency = &stats.latency;
        write!(
            out,
            ",lzxid=0x{:x},lresp={},llat={},minlat={},avglat={},maxlat={}",
            stats.last_zxid,
            stats.last_response,
            stats.last_latency,
            latency.min,
            latency.sum.checked_div(latency.count).unwrap_or(0),
            latency.max
        )
    }
}

/// The peer as Java prints it. A connection within the process has no address; its place stands for the port.
pub(super) fn address(conn: &Conn) -> String {
    match conn.remote {
        Some(remote) => format!("/{remote}"),
        None => format!("/in-process:{}", conn.key.slot),
    }
}

/// Apache's short names of operations. Source: `FinalRequestProcessor#processRequest`.
const fn name(op: OpCode) -> &'static str {
    match op {
        OpCode::Ping => "PING",
        OpCode::CreateSession => "SESS",
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => "CREA",
        OpCode::Delete | OpCode::DeleteContainer => "DELE",
        OpCode::Exists => "EXIS",
        OpCode::GetData => "GETD",
        OpCode::SetData => "SETD",
        OpCode::GetAcl => "GETA",
        OpCode::SetAcl => "SETA",
        OpCode::GetChildren | OpCode::GetChildren2 => "GETC",
        OpCode::GetAllChildrenNumber => "GETACN",
        OpCode::Sync => "SYNC",
        OpCode::Multi => "MULT",
        OpCode::MultiRead => "MLTR",
        OpCode::Check => "CHEC",
        OpCode::CheckWatches => "CHKW",
        OpCode::RemoveWatches => "REMW",
        OpCode::SetWatches => "SETW",
        OpCode::SetWatches2 => "STW2",
        OpCode::AddWatch => "ADDW",
        OpCode::GetEphemerals => "GETE",
        OpCode::WhoAmI => "HOMI",
        OpCode::Reconfig => "RECO",
        OpCode::CloseSession => "CLOS",
        OpCode::Auth | OpCode::Sasl => "NA",
    }
}
