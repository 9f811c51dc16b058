//! `quorate server`: a server as a process of its own.
//!
//! Reads the configuration, says in a few lines what it does, and runs until a signal, which may come while it still loads
//! its data. The log goes to standard error; `RUST_LOG` chooses how much of it.

mod ending;
mod loading;
mod warnings;

use anyhow::Context;
use ending::Ending;
use quorate::config::{ConfigBuilder, IoMode, ServerConfig, Warning};
use quorate::server::{Server, ServerError};
use quorate::storage::{Loading, StorageError};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use tracing_subscriber::EnvFilter;

/// What `quorate server` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A zoo.cfg; without one, a durable server on 127.0.0.1:2181 with its data in ./quorate-data.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Overrides a setting, as if it stood last in the file.
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Keep everything in memory: nothing survives the server.
    #[arg(long)]
    volatile: bool,
    /// How threads share the work: auto, fused or sharded.
    #[arg(long, value_name = "MODE")]
    io: Option<Io>,
    /// End with the process that started this one; for `quorate ensemble`.
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Io {
    Auto,
    Fused,
    Sharded,
}

/// Runs the server until a signal ends it.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A log that cannot be written is no reason to end: the complaint about it would panic.
        .log_internal_errors(false)
        .init();
    if args.end_with_parent {
        end_with_parent()?;
    }
    let began = Instant::now();
    let (mut config, warnings) = configuration(args)?;
    for line in warnings::lines(&warnings) {
        crate::complain(&line);
    }
    match args.io {
        Some(Io::Auto) => config.io = IoMode::Auto,
        Some(Io::Fused) => config.io = IoMode::Fused,
        Some(Io::Sharded) => config.io = IoMode::Sharded,
        None => {}
    }
    let data = place(&config, args.volatile);
    let loading = Arc::new(Loading::default());
    let ending = Ending::on_signals(Arc::clone(&loading)).context("cannot listen for signals")?;
    let mut builder = Server::builder().config(config).loading(Arc::clone(&loading));
    if args.volatile {
        builder = builder.volatile();
    }
    let server = match loading::shown(&loading, || builder.start()) {
        Err(ServerError::Storage(StorageError::GivenUp)) => {
            say("stopped while loading; the data is as it was");
            return Ok(ExitCode::SUCCESS);
        }
        started => started?,
    };
    announce(&server, &data, began);
    ending.applies_to(server.stopper());
    server.wait();
    server.stop()?;
    say("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Whoever dies without a farewell leaves no servers behind. Elsewhere than on Linux they stay.
fn end_with_parent() -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
        .context("cannot ask to be ended with the parent")?;
    Ok(())
}

fn configuration(args: &Args) -> anyhow::Result<(ServerConfig, Vec<Warning>)> {
    let mut builder = ConfigBuilder::new();
    if let Some(path) = &args.config {
        builder.load(path)?;
    }
    for setting in &args.set {
        let (key, value) = setting
            .split_once('=')
            .with_context(|| format!("--set {setting}: expected KEY=VALUE"))?;
        builder.set("--set", key, value)?;
    }
    Ok(builder.build()?)
}

/// Where the data is, and what a client may rely on when a write is acknowledged.
fn place(config: &ServerConfig, volatile: bool) -> String {
    if volatile {
        return String::from("in memory only; nothing survives this process");
    }
    let promise = if config.force_sync {
        "synced before every acknowledgement"
    } else {
        "NOT synced before acknowledgements: forceSync is off"
    };
    format!("{} ({promise})", config.data_dir.display())
}

/// Says what the server does. Nobody has to listen: a closed standard output is no reason to stop.
fn announce(server: &Server, data: &str, began: Instant) {
    let version = env!("CARGO_PKG_VERSION");
    let took = began.elapsed().as_millis();
    let place = server.address().map_or_else(
        || String::from("runs without a client port"),
        |address| format!("serves ZooKeeper clients on {address}"),
    );
    say(&format!(
        "quorate {version} {place}\n  data: {data}\n  ready after {took} ms; Ctrl-C stops it"
    ));
}

fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
