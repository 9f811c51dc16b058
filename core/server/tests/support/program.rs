//! The binary as a process of a test: what it says as it says it, signals for it, and a terminal.

#![allow(dead_code, reason = "each test file uses its own part")]

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The binary with these arguments.
pub(crate) fn quorate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    command.args(arguments).env_remove("RUST_LOG");
    command
}

/// A process that is killed when the test ends before it.
pub(crate) struct Program {
    child: Child,
    pub(crate) out: Stream,
    pub(crate) err: Stream,
}

/// How a process ended, and what it had said that nobody had waited for.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Program {
    /// With pipes, and an empty standard input unless the command has another one.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = Stream::of(child.stdout.take().unwrap());
        let err = Stream::of(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// With a terminal for standard error only.
    pub(crate) fn start_with_terminal_for_errors(command: &mut Command) -> Self {
        let (ours, theirs) = terminal();
        let mut child = command.stdout(Stdio::piped()).stderr(theirs).spawn().unwrap();
        // The command keeps a handle of the terminal, whose end would never be seen.
        command.stderr(Stdio::null());
        Self { out: Stream::of(child.stdout.take().unwrap()), err: Stream::of(ours), child }
    }

    /// At a terminal, to which one can type; all it says is in `out`.
    pub(crate) fn start_at_terminal(command: &mut Command) -> (Self, File) {
        let (ours, theirs) = terminal();
        let copy = || theirs.try_clone().unwrap();
        let child = command.stdin(copy()).stdout(copy()).stderr(copy()).spawn().unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        drop(theirs);
        let keyboard = ours.try_clone().unwrap();
        (Self { child, out: Stream::of(ours), err: Stream::silent() }, keyboard)
    }

    pub(crate) fn input(&mut self, text: &str) {
        self.child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether it says the one on standard error before the other one on standard output.
    pub(crate) fn says_before(&mut self, error: &str, output: &str) -> bool {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if self.err.has_said(error) {
                return true;
            }
            if self.out.has_said(output) {
                return false;
            }
            assert!(Instant::now() < deadline, "neither {error:?} nor {output:?}");
        }
    }

    /// Ends its standard input, and waits until it ends.
    pub(crate) fn end_of_input(mut self) -> Ended {
        drop(self.child.stdin.take());
        self.end()
    }

    /// Waits until it ends by itself.
    pub(crate) fn end(mut self) -> Ended {
        let (out, err) = (self.out.rest(), self.err.rest());
        Ended { status: self.child.wait().unwrap(), out, err }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process says, as it says it.
pub(crate) struct Stream {
    chunks: Receiver<Vec<u8>>,
    /// What nobody has waited for yet.
    pending: Vec<u8>,
}

impl Stream {
    fn of(mut source: impl Read + Send + 'static) -> Self {
        let (sender, chunks) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            // The end of a terminal is an error.
            while let Ok(n @ 1..) = source.read(&mut chunk) {
                if sender.send(chunk.iter().take(n).copied().collect()).is_err() {
                    return;
                }
            }
        });
        Self { chunks, pending: Vec::new() }
    }

    fn silent() -> Self {
        Self { chunks: channel().1, pending: Vec::new() }
    }

    /// Whether it has said a text, which stays to be waited for. Looks for a moment only.
    fn has_said(&mut self, text: &str) -> bool {
        if let Ok(chunk) = self.chunks.recv_timeout(Duration::from_millis(10)) {
            self.pending.extend_from_slice(&chunk);
        }
        self.pending.windows(text.len()).any(|at| at == text.as_bytes())
    }

    /// Waits for a text and returns everything up to its end.
    pub(crate) fn until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let found = self.pending.windows(text.len()).position(|at| at == text.as_bytes());
            if let Some(at) = found {
                let said: Vec<u8> = self.pending.drain(..at + text.len()).collect();
                return String::from_utf8_lossy(&said).into_owned();
            }
            match self.chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(chunk) => self.pending.extend_from_slice(&chunk),
                Err(why) => {
                    let said = String::from_utf8_lossy(&self.pending);
                    panic!("no {text:?}, {why}: {said}");
                }
            }
        }
    }

    /// What is said up to the end.
    fn rest(&mut self) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(chunk) => self.pending.extend_from_slice(&chunk),
                Err(RecvTimeoutError::Disconnected) => {
                    return String::from_utf8_lossy(&std::mem::take(&mut self.pending))
                        .into_owned();
                }
                Err(RecvTimeoutError::Timeout) => {
                    let said = String::from_utf8_lossy(&self.pending);
                    panic!("no end within {DEADLINE:?}: {said}");
                }
            }
        }
    }
}

/// A terminal of 80 columns: our end, and the one for a process.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&ours, size).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    let flags = i32::try_from(OpenptFlags::NOCTTY.bits()).unwrap();
    let theirs = File::options().read(true).write(true).custom_flags(flags).open(path).unwrap();
    (ours.into(), theirs)
}

/// How long a test waits for what must come.
const DEADLINE: Duration = Duration::from_secs(60);
