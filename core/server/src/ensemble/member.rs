//! A member as a process: `quorate server` with a `zoo.cfg` in a directory of its own.

use anyhow::Context as _;
use quorate::server::LocalPlan;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A member, running or not. It is killed when this is dropped.
pub(super) struct Member {
    pub(super) client: SocketAddr,
    dir: PathBuf,
    process: Option<Child>,
    /// What was seen earlier does not count: it was another process, or this one did not stand still.
    pub(super) since: Instant,
}

impl Member {
    /// Prepares the files of a member, and starts nothing. `settings` are further lines of its `zoo.cfg`.
    pub(super) fn new(plan: &LocalPlan, sid: i64, settings: &[String]) -> anyhow::Result<Self> {
        let dir = plan.data_dir(sid);
        let client = plan.client(sid).with_context(|| format!("there is no member {sid}"))?;
        let members = plan.membership().to_string();
        let members = members.lines().filter(|line| !line.starts_with("version="));
        let own = BASE.iter().copied().chain(members).chain(settings.iter().map(String::as_str));
        let config: String = own.map(|line| format!("{line}\n")).collect();
        fs::create_dir_all(dir.join("data"))
            .and_then(|()| fs::write(dir.join("data/myid"), format!("{sid}\n")))
            .and_then(|()| fs::write(dir.join("zoo.cfg"), config))
            .with_context(|| format!("cannot write into {}", dir.display()))?;
        Ok(Self { client, dir, process: None, since: Instant::now() })
    }

    /// The number of its process, if it runs.
    pub(super) fn process(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let log = self.dir.join("log");
        let open = || File::options().create(true).append(true).open(&log);
        let (out, err) = (open(), open());
        let unwritable = || format!("cannot write {}", log.display());
        let mut command = Command::new(std::env::current_exe().context("cannot find myself")?);
        command
            .args(["server", "--config", "zoo.cfg", "--end-with-parent"])
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(out.with_context(unwritable)?)
            .stderr(err.with_context(unwritable)?)
            // Ctrl-C is for us: we end the members, in good order.
            .process_group(0);
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "info");
        }
        self.process = Some(command.spawn().context("cannot start a server")?);
        self.since = Instant::now();
        Ok(())
    }

    /// Sends a signal to its process, if it runs.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            // It may have ended, and waits to be asked how.
            let _ = kill_process(Pid::from_child(process), signal);
        }
    }

    /// Lets it stand still.
    pub(super) fn pause(&mut self) {
        self.signal(Signal::STOP);
        self.since = Instant::now();
    }

    /// Asks it to end, also if it is paused.
    pub(super) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
        self.signal(Signal::CONT);
    }

    /// How its process ended, once.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.process.as_mut()?.try_wait().ok().flatten()?;
        self.process = None;
        Some(status)
    }

    /// Waits until it has ended, and makes it end when that takes too long. Nothing if it does not run.
    pub(super) fn wait(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while self.process.is_some() && Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            std::thread::sleep(PAUSE);
        }
        let mut process = self.process.take()?;
        // It may have ended just now.
        let _ = process.kill();
        process.wait().ok()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Short ticks, so that who is gone is missed soon. One voter is an ensemble, too.
const BASE: [&str; 6] = [
    "dataDir=data",
    "tickTime=500",
    "initLimit=20",
    "syncLimit=10",
    "standaloneEnabled=false",
    "4lw.commands.whitelist=*",
];
/// How long a member may take to end.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);
