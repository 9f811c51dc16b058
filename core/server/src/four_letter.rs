//! Four-letter words from the other end: one is sent, and all that comes back is read.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

/// Asks a server, `host:port`, one word. All of it takes no longer than `patience`, but for looking up a name.
pub(crate) fn ask(host: &str, word: &str, patience: Duration) -> io::Result<String> {
    let deadline = Instant::now() + patience;
    let mut stream = dial(host, patience)?;
    stream.write_all(word.as_bytes())?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while answer.len() < MAX_ANSWER {
        // No time at all would mean no limit.
        let left = deadline.saturating_duration_since(Instant::now()).max(SHORTEST);
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // How a read that takes too long fails depends on the system.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(e) => return Err(e),
        }
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Tries each address of a name.
pub(crate) fn dial(host: &str, patience: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => return Ok(stream),
            Err(e) => failure = e,
        }
    }
    Err(failure)
}

const SHORTEST: Duration = Duration::from_millis(1);
/// Longest answer that is read, bytes.
const MAX_ANSWER: usize = 256 << 20;
