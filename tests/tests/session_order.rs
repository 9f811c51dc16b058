//! Requests of one session are answered in their order, and each read sees exactly the writes before it.
//!
//! Many writes with reads between them are sent at once, so that whole groups of them become durable together:
//! that is where a read between two writes of one group could be forgotten, or could see too much.

use quorate::config::IoMode;
use quorate::server::Server;
use quorate_wire::acl::{ALL, Acl};
use quorate_wire::frame::{ReplyHeader, RequestHeader, write_frame};
use quorate_wire::op::connect::ConnectRequest;
use quorate_wire::op::create::CreateRequest;
use quorate_wire::op::get_data::{GetDataRequest, GetDataResponse};
use quorate_wire::op::set_data::SetDataRequest;
use quorate_wire::op::sync::SyncRequest;
use quorate_wire::{Jute, OpCode, Reader};
use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn a_read_between_two_writes_sees_the_first_and_not_the_second() {
    for io in [IoMode::Fused, IoMode::Sharded] {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::builder()
            .data_dir(dir.path())
            .configure(|config| config.io = io)
            .free_port()
            .start()
            .unwrap();
        let mut stream = TcpStream::connect(server.address().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&requests()).unwrap();
        assert!(!frame(&mut stream).unwrap().is_empty(), "no session");
        for xid in 0..=3 * ROUNDS {
            let reply = frame(&mut stream).unwrap();
            let mut reader = Reader::new(&reply);
            let header: ReplyHeader = reader.get().unwrap();
            assert_eq!((header.xid, header.err), (xid, 0), "{io:?}");
            if xid > 0 && xid % 3 == 2 {
                let seen: GetDataResponse<'_> = reader.get().unwrap();
                assert_eq!(seen.data, Some(&(xid - 1).to_be_bytes()[..]), "{io:?}");
            }
        }
        drop(stream);
        server.stop().unwrap();
    }
}

/// A handshake, a create, and then again and again a write, a read and a sync.
fn requests() -> Vec<u8> {
    let mut out = Vec::new();
    let hello = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 0,
        timeout: 30_000,
        session_id: 0,
        password: Some(&[0; 16]),
        read_only: Some(false),
    };
    write_frame(&mut out, |out| hello.write(out));
    let path = Cow::Borrowed("/node");
    let acl = vec![Acl::world(ALL)];
    let create = CreateRequest { path: path.clone(), data: None, acl: acl.into(), flags: 0 };
    request(&mut out, 0, OpCode::Create, &create);
    for round in 0..ROUNDS {
        let xid = 3 * round + 1;
        let data = xid.to_be_bytes();
        let set = SetDataRequest { path: path.clone(), data: Some(&data), version: -1 };
        request(&mut out, xid, OpCode::SetData, &set);
        request(
            &mut out,
            xid + 1,
            OpCode::GetData,
            &GetDataRequest { path: path.clone(), watch: false },
        );
        request(&mut out, xid + 2, OpCode::Sync, &SyncRequest { path: Some(path.clone()) });
    }
    out
}

fn request<'a>(out: &mut Vec<u8>, xid: i32, op: OpCode, body: &impl Jute<'a>) {
    write_frame(out, |out| {
        RequestHeader { xid, op: op.code() }.write(out);
        body.write(out);
    });
}

fn frame(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut payload = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap_or(0)];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}

const ROUNDS: i32 = 300;
