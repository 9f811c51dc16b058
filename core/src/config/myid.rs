//! `myid`: the file in the data directory that says which member this server is.
//!
//! Apache reads its first line with `Long#parseLong` (`QuorumPeerConfig#setupMyId`); space around the number is allowed here.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::ensemble_problem::numbers;
use super::error::{ConfigError, shorten};

/// Where the file of a data directory is.
pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("myid")
}

/// Reads the file. `listed` are the numbers of all members, for the message.
pub(super) fn read(path: &Path, listed: &[i64]) -> Result<i64, ConfigError> {
    let wrong = |problem: String| ConfigError::MyId { path: path.to_owned(), problem };
    let text = match begin(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(wrong(format!(
                "does not exist; each member of an ensemble keeps its number there, so write one of {} into it, the N of \
                 this server's `server.N` line",
                numbers(listed)
            )));
        }
        Err(error) => {
            return Err(wrong(format!(
                "cannot be read: {error}; check what it is, and its permissions"
            )));
        }
    };
    let line = text.lines().next().unwrap_or_default().trim();
    line.parse().map_err(|_| {
        wrong(format!(
            "begins with `{}`, which is not the number of a server; write one of {} into it, the N of this server's \
             `server.N` line",
            shorten(line),
            numbers(listed)
        ))
    })
}

/// The beginning of a file, longer than any number.
fn begin(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

const LONGEST: u64 = 1024;
