//! The servers that are compared: Apache's, of two releases, and `quorate server`, as child processes.
//!
//! Each gets a free loopback port, a directory of its own that vanishes with it, and the same zoo.cfg.

use super::connection::Connection;
use anyhow::{Context, Result, bail};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Whose server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Apache's.
    Apache(Release),
    /// Ours: the binary.
    Quorate(PathBuf),
}

/// A release of Apache's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// 3.8.0, Debian's package.
    V38,
    /// 3.9.4, which `tests/setup` copies from Maven.
    V39,
}

/// What a server is tuned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuning {
    /// Nothing ever happens by itself: no session expires, nothing is reaped.
    Still,
    /// Sessions expire and nodes are reaped within seconds.
    Quick,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    kind: Kind,
    address: SocketAddr,
    child: Child,
    home: TempDir,
}

impl Kind {
    /// Why such a server cannot be started here, if so.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let wanted = match self {
            Self::Apache(Release::V38) => Path::new(APACHE_JAR),
            Self::Apache(Release::V39) => Path::new(MAVEN_COPIED),
            Self::Quorate(binary) => binary.as_path(),
        };
        (!wanted.exists()).then(|| format!("{} does not exist", wanted.display()))
    }
}

impl Server {
    /// Starts a server and returns once it serves.
    ///
    /// # Errors
    /// When it exits or does not serve in time; the end of its log is in the error.
    pub(super) fn start(kind: &Kind, tuning: Tuning) -> Result<Self> {
        let mut last = None;
        // A port that was free a moment ago may be taken when the server wants it.
        for _ in 0..3 {
            match Self::try_start(kind, tuning) {
                Ok(server) => return Ok(server),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("no attempt was made")?)
    }

    /// Which of Apache's it is; `None` for ours.
    #[must_use]
    pub(super) const fn release(&self) -> Option<Release> {
        match self.kind {
            Kind::Apache(release) => Some(release),
            Kind::Quorate(_) => None,
        }
    }

    /// Where clients connect.
    #[must_use]
    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The answer to a four-letter word.
    ///
    /// # Errors
    /// When the server does not take the connection.
    pub(super) fn word(&self, word: &str) -> Result<String> {
        let mut connection = Connection::open(self.address)?;
        connection.send_raw(word.as_bytes());
        Ok(String::from_utf8_lossy(&connection.read_to_end(WORD_LIMIT)).into_owned())
    }

    /// The end of what the server has printed.
    #[must_use]
    pub(super) fn log_tail(&self) -> String {
        let text = fs::read(self.home.path().join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(40)..).unwrap_or_default().join("\n")
    }

    fn try_start(kind: &Kind, tuning: Tuning) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("quorate-lockstep-").tempdir()?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let config = home.path().join("zoo.cfg");
        fs::write(&config, settings(home.path(), port, tuning)?)?;
        let log = File::create(home.path().join("log"))?;
        let child = command(kind, &config, tuning)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .current_dir(home.path())
            .spawn()
            .with_context(|| format!("cannot start {kind:?}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Self { kind: kind.clone(), address, child, home };
        server.await_service()?;
        Ok(server)
    }

    fn await_service(&mut self) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        loop {
            if self.word("srvr").is_ok_and(|text| text.contains("Mode: ")) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{:?} exited at start ({status}):\n{}", self.kind, self.log_tail());
            }
            if Instant::now() > end {
                bail!("{:?} does not serve:\n{}", self.kind, self.log_tail());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; its directory goes either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settings(home: &Path, port: u16, tuning: Tuning) -> Result<String> {
    let mut text = String::new();
    writeln!(text, "dataDir={}", home.join("data").display())?;
    writeln!(text, "clientPort={port}\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0")?;
    writeln!(text, "4lw.commands.whitelist=*\nextendedTypesEnabled=true\nenforceQuota=true")?;
    writeln!(text, "DigestAuthenticationProvider.superDigest={SUPER_DIGEST}")?;
    let (tick, shortest) = match tuning {
        Tuning::Still => (2000, 4000),
        Tuning::Quick => (200, 1000),
    };
    writeln!(text, "tickTime={tick}\nminSessionTimeout={shortest}\nmaxSessionTimeout=3600000")?;
    Ok(text)
}

fn command(kind: &Kind, config: &Path, tuning: Tuning) -> Command {
    let interval = match tuning {
        Tuning::Still => "3600000",
        Tuning::Quick => "250",
    };
    match kind {
        Kind::Quorate(binary) => {
            if let Ok(mut text) = fs::read_to_string(config) {
                // What Apache takes as a system property is a key of ours.
                let _ = writeln!(text, "znode.container.checkIntervalMs={interval}");
                let _ = fs::write(config, text);
            }
            let mut command = Command::new(binary);
            command.arg("server").arg("--config").arg(config);
            let more = std::env::var("QUORATE_ARGS").unwrap_or_default();
            command.args(more.split_whitespace());
            command
        }
        Kind::Apache(release) => {
            let class_path = match release {
                Release::V38 => CLASS_PATH,
                Release::V39 => MAVEN_CLASS_PATH,
            };
            let mut command = Command::new("java");
            command
                .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"])
                .args(["-Dfile.encoding=UTF-8", "-Dzookeeper.admin.enableServer=false"])
                .arg("-Dzookeeper.forceSync=no")
                .arg(format!("-Dznode.container.checkIntervalMs={interval}"))
                .args(["-cp", class_path, "org.apache.zookeeper.server.ZooKeeperServerMain"])
                .arg(config);
            command
        }
    }
}

/// The superuser's password is `test`.
const SUPER_DIGEST: &str = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
const APACHE_JAR: &str = "/usr/share/java/zookeeper.jar";
const CLASS_PATH: &str = "/usr/share/java/zookeeper.jar:/usr/share/java/snappy-java.jar:/usr/share/java/slf4j-simple.jar";
/// Stands beside the jars when all of them are there.
const MAVEN_COPIED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.peers/maven/pom.installed");
const MAVEN_CLASS_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.peers/maven/*");
const START_LIMIT: Duration = Duration::from_secs(60);
const WORD_LIMIT: Duration = Duration::from_secs(2);
