//! The client protocol: the handshake, requests and replies, and the framing around them.

use crate::messages::{Reply, Request};
use quorate_wire::OpCode;
use quorate_wire::frame::{DEFAULT_MAX_FRAME, Split, split};
use quorate_wire::jute::Jute;
use quorate_wire::op::connect::{ConnectRequest, ConnectResponse};

/// A handshake, in both directions.
pub fn connect(data: &[u8]) {
    if let Ok(request) = ConnectRequest::from_bytes(data) {
        assert_eq!(ConnectRequest::from_bytes(&request.to_bytes()).as_ref(), Ok(&request));
    }
    if let Ok(response) = ConnectResponse::from_bytes(data) {
        assert_eq!(ConnectResponse::from_bytes(&response.to_bytes()).as_ref(), Ok(&response));
    }
}

/// What a client sends: the bytes as a stream of frames, and as the payload of one.
pub fn request(data: &[u8]) {
    let mut rest = data;
    while let Split::Frame { payload, consumed } = split(rest, DEFAULT_MAX_FRAME) {
        assert!(consumed == payload.len() + 4 && consumed <= rest.len());
        rest = rest.get(consumed..).unwrap_or_default();
        request_payload(payload);
    }
    request_payload(data);
}

fn request_payload(payload: &[u8]) {
    let Ok((request, _)) = Request::read(payload) else { return };
    let bytes = request.to_bytes();
    let again = Request::read(&bytes);
    assert_eq!(again.as_ref().map(|(request, rest)| (request, rest.len())), Ok((&request, 0)));
}

/// What a server sends: the first byte chooses the operation, the rest is the payload.
pub fn reply(data: &[u8]) {
    let Some((&choice, payload)) = data.split_first() else { return };
    let op = OpCode::ALL.get(usize::from(choice) % OpCode::ALL.len()).copied();
    let Ok((reply, _)) = Reply::read(op, payload) else { return };
    let bytes = reply.to_bytes();
    let again = Reply::read(op, &bytes);
    assert_eq!(again.as_ref().map(|(reply, rest)| (reply, rest.len())), Ok((&reply, 0)));
}
