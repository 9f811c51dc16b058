//! The handshake: the first frame each way, without any header.
//!
//! A session that cannot be resumed is answered with timeout 0, session 0 and a password of zeros, and then closed;
//! a client that has seen more than the server knows is closed without a byte. Source: `zookeeper.jute`,
//! `ZooKeeperServer#processConnectRequest`.

use crate::jute::{DecodeError, Jute, Reader};

/// The first frame of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// 0; ignored.
    pub protocol_version: i32,
    /// The last zxid the client has seen: a server that is behind must refuse it.
    pub last_zxid_seen: i64,
    /// The wanted session timeout, ms.
    pub timeout: i32,
    /// 0 for a new session.
    pub session_id: i64,
    /// The password of the session to resume; anything for a new one.
    pub password: Option<&'a [u8]>,
    /// Whether a read-only server will do; `None` when the client is of the 3.3 era and sent no such byte.
    pub read_only: Option<bool>,
}

/// The first frame of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectResponse<'a> {
    /// 0.
    pub protocol_version: i32,
    /// The granted session timeout, ms; 0 when the session is gone.
    pub timeout: i32,
    /// The session; 0 when it is gone.
    pub session_id: i64,
    /// Its password: 16 bytes.
    pub password: Option<&'a [u8]>,
    /// Whether this server is read-only; `None` leaves the byte out, as for a client that sent none.
    pub read_only: Option<bool>,
}

impl<'a> Jute<'a> for ConnectRequest<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: r.get()?,
            last_zxid_seen: r.get()?,
            timeout: r.get()?,
            session_id: r.get()?,
            password: r.get()?,
            read_only: trailing_bool(r)?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.protocol_version.write(out);
        self.last_zxid_seen.write(out);
        self.timeout.write(out);
        self.session_id.write(out);
        self.password.write(out);
        if let Some(read_only) = self.read_only {
            read_only.write(out);
        }
    }
}

impl<'a> Jute<'a> for ConnectResponse<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol_version: r.get()?,
            timeout: r.get()?,
            session_id: r.get()?,
            password: r.get()?,
            read_only: trailing_bool(r)?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.protocol_version.write(out);
        self.timeout.write(out);
        self.session_id.write(out);
        self.password.write(out);
        if let Some(read_only) = self.read_only {
            read_only.write(out);
        }
    }
}

fn trailing_bool(r: &mut Reader<'_>) -> Result<Option<bool>, DecodeError> {
    if r.rest().is_empty() { Ok(None) } else { r.get().map(Some) }
}
