//! Frames and their headers.
//!
//! A frame is an `i32` length and that many bytes. The first frame each way is the handshake and has no
//! header; all later ones begin with a [`RequestHeader`] or a [`ReplyHeader`].

use crate::jute::Jute;
use crate::record;

/// xid of a notification.
pub const NOTIFICATION_XID: i32 = -1;
/// xid of a ping.
pub const PING_XID: i32 = -2;
/// xid of an auth packet.
pub const AUTH_XID: i32 = -4;
/// xid of setWatches on reconnect.
pub const SET_WATCHES_XID: i32 = -8;
/// Apache's default `jute.maxbuffer`: the longest frame a server reads, bytes.
pub const DEFAULT_MAX_FRAME: usize = 0xF_FFFF;

record! {
    /// What precedes every request.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct RequestHeader {
        /// The client's number for it; echoed.
        pub xid: i32,
        /// An [`OpCode`](crate::OpCode).
        pub op: i32,
    }
}

record! {
    /// What precedes every reply and notification.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ReplyHeader {
        /// The request's number, or a special one.
        pub xid: i32,
        /// The server's last zxid.
        pub zxid: i64,
        /// 0 or an [`ErrorCode`](crate::ErrorCode).
        pub err: i32,
    }
}

impl ReplyHeader {
    /// Bytes of a reply header.
    pub const LEN: usize = 16;
}

/// Appends a frame whose payload `write` produces; the length is filled in afterwards.
pub fn write_frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    0i32.write(out);
    write(out);
    finish_frame(out, at);
}

/// Fills in the length of the frame that begins at `at` with its four length bytes.
pub fn finish_frame(out: &mut [u8], at: usize) {
    let len = out.len().saturating_sub(at).saturating_sub(4);
    let len = i32::try_from(len).unwrap_or(i32::MAX);
    if let Some(slot) = out.get_mut(at..at.saturating_add(4)) {
        slot.copy_from_slice(&len.to_be_bytes());
    }
}

/// What stands at the start of the bytes received so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split<'a> {
    /// A whole frame: its payload, and how many bytes it takes with its length.
    Frame {
        /// The payload.
        payload: &'a [u8],
        /// Bytes to drop from the input.
        consumed: usize,
    },
    /// More bytes are needed; this many in all, when that is known already.
    Incomplete(Option<usize>),
    /// The length is negative or above the limit: the connection must be closed.
    Illegal(i32),
}

/// Looks for a frame at the start of `input`.
#[must_use]
#[inline]
pub fn split(input: &[u8], max_frame: usize) -> Split<'_> {
    let Some((head, rest)) = input.split_first_chunk::<4>() else { return Split::Incomplete(None) };
    let announced = i32::from_be_bytes(*head);
    match usize::try_from(announced) {
        Ok(len) if len <= max_frame => match rest.get(..len) {
            Some(payload) => Split::Frame { payload, consumed: len.saturating_add(4) },
            None => Split::Incomplete(Some(len.saturating_add(4))),
        },
        _ => Split::Illegal(announced),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_found_when_its_last_byte_is_there() {
        let mut stream = Vec::new();
        write_frame(&mut stream, |out| out.extend_from_slice(b"first"));
        write_frame(&mut stream, |_| {});
        for cut in 0..9 {
            let wanted = (cut >= 4).then_some(9);
            assert_eq!(split(&stream[..cut], 100), Split::Incomplete(wanted), "cut at {cut}");
        }
        assert_eq!(split(&stream, 100), Split::Frame { payload: b"first", consumed: 9 });
        assert_eq!(split(&stream[9..], 100), Split::Frame { payload: b"", consumed: 4 });
    }

    #[test]
    fn a_length_is_judged_before_the_payload_comes() {
        let head = |n: i32| n.to_be_bytes();
        assert_eq!(split(&head(101), 100), Split::Illegal(101));
        assert_eq!(split(&head(100), 100), Split::Incomplete(Some(104)));
        assert_eq!(split(&head(-1), 100), Split::Illegal(-1));
        assert_eq!(split(&head(i32::MIN), usize::MAX), Split::Illegal(i32::MIN));
        // Apache's default limit, from both sides.
        assert_eq!(split(&head(0x10_0000), DEFAULT_MAX_FRAME), Split::Illegal(0x10_0000));
        assert!(matches!(split(&head(0xF_FFFF), DEFAULT_MAX_FRAME), Split::Incomplete(_)));
    }
}
