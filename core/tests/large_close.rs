//! The end of a session with very many ephemerals is one transaction, however long.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod client;

use client::Client;
use quorate::server::Server;
use quorate_wire::op::create::{CreateMode, CreateRequest};
use quorate_wire::op::multi::MultiHeader;
use quorate_wire::{Acl, Jute, OpCode};

#[test]
fn a_directory_loads_after_the_end_of_a_session_with_very_many_ephemerals() {
    let dir = tempfile::tempdir().unwrap();
    let builder = Server::builder().data_dir(dir.path()).no_port();
    let server = builder.clone().start().unwrap();
    let mut client = Client::new(server.connect());
    let parent = format!("/{}", "p".repeat(300));
    client.create(&parent, b"", CreateMode::Persistent).unwrap();
    for batch in 0..20 {
        let mut body = Vec::new();
        for n in 0..500 {
            MultiHeader { op: OpCode::Create.code(), done: false, err: -1 }.write(&mut body);
            let acl = vec![Acl::world(quorate_wire::acl::ALL)];
            let path = format!("{parent}/{batch:02}-{n:05}");
            let flags = CreateMode::Ephemeral.flags();
            CreateRequest { path: path.into(), data: None, acl: acl.into(), flags }
                .write(&mut body);
        }
        MultiHeader::END.write(&mut body);
        client.call(OpCode::Multi, &body).unwrap();
    }
    client.call(OpCode::CloseSession, &[]).unwrap();
    server.stop().unwrap();
    let server = builder.start().unwrap();
    let mut client = Client::new(server.connect());
    assert_eq!(client.get(&parent, false).unwrap().1.num_children, 0);
}
