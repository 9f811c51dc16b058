//! The nodes a workload works on: made before it, removed after it, also when it fails.
//!
//! Everything lies below one node whose name no one else uses, so that the bench can be pointed at a server
//! in use.

use super::client::Client;
use super::options::Context;
use super::request;
use anyhow::Result;
use std::sync::atomic::{AtomicU32, Ordering};

/// A session with a root of its own.
#[derive(Debug)]
pub(super) struct Stage {
    /// The session; not used while the measurement runs.
    pub(super) client: Client,
    /// `/quorate-bench-…`
    pub(super) root: String,
}

/// Runs `work` below a new root, which is removed afterwards unless the user wants it kept.
///
/// # Errors
/// Those of `work`, then those of making and removing nodes.
pub(super) fn on_stage<T>(
    context: &Context,
    work: impl FnOnce(&mut Stage) -> Result<T>,
) -> Result<T> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let root = format!("/quorate-bench-{}-{number}", std::process::id());
    let mut client = Client::connect_to_any(&context.servers)?;
    client.must("create the bench's root", &request::create(&root, b""))?;
    client.close();
    // The session of the stage would expire while a long workload keeps it silent: hence two.
    let result = Client::connect_to_any(&context.servers).and_then(|client| {
        let mut stage = Stage { client, root: root.clone() };
        let result = work(&mut stage);
        stage.client.close();
        result
    });
    if !context.keep {
        let removed = Client::connect_to_any(&context.servers).and_then(|mut client| {
            client.remove_tree(&root)?;
            client.close();
            Ok(())
        });
        if let Err(error) = removed {
            eprintln!("quorate bench: {root} may be left on the server: {error:#}");
        }
    }
    result
}

impl Stage {
    /// Makes `count` nodes of `size` bytes and returns their paths.
    ///
    /// # Errors
    /// When the connection fails or the server answers with an error.
    pub(super) fn keys(&mut self, count: u64, size: usize) -> Result<Vec<String>> {
        let data = request::payload(size);
        let paths: Vec<String> =
            (0..count.max(1)).map(|n| format!("{}/k{n:09}", self.root)).collect();
        self.client.pipeline("create keys", paths.iter().map(|p| request::create(p, &data)))?;
        Ok(paths)
    }

    /// Waits until all members have everything that was made here.
    ///
    /// # Errors
    /// When one cannot be reached.
    pub(super) fn spread(&self, context: &Context) -> Result<()> {
        for server in context.servers.all().skip(1) {
            let mut client = Client::connect(server)?;
            client.must("sync", &request::sync(&self.root))?;
            client.close();
        }
        Ok(())
    }
}

static NUMBER: AtomicU32 = AtomicU32::new(0);
