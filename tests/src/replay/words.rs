//! The four-letter words: asks one and compares the text with the recorded one.
//!
//! Figures, ids, dates and directories differ from run to run; the form of every line does not. What is left of a
//! line when those are masked must be equal. Two words tell of the process itself (`envi`, `mntr`): of
//! these the lines that monitoring tools read must be there.

use crate::vectors::Word;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Sends a word and compares the answer. Of `envi` and `mntr` every recorded key must be there, or only those
/// in `keys`.
///
/// # Errors
/// What differs.
pub fn ask(address: SocketAddr, word: &Word, keys: Option<&[String]>) -> Result<(), String> {
    let text = answer(address, &word.request).map_err(|e| e.to_string())?;
    let name = word.name.trim_start_matches("4lw ");
    let differs = |wanted: &str, got: &str| Err(format!("\n  wanted {wanted:?}\n  got    {got:?}"));
    match name {
        "srvr" | "stat" | "cons" | "wchc" | "wchp" | "dirs" | "hash" | "conf" => {
            let (wanted, got) = (shape(&word.response), shape(&text));
            if wanted == got { Ok(()) } else { differs(&wanted.join("\n"), &got.join("\n")) }
        }
        "dump" => {
            let set = |text: &str| shape(text).into_iter().collect::<BTreeSet<_>>();
            let (wanted, got) = (set(&word.response), set(&text));
            if wanted == got {
                Ok(())
            } else {
                differs(&format!("{wanted:?}"), &format!("{got:?}"))
            }
        }
        "envi" => same_keys(&word.response, &text, '=', keys),
        "mntr" => same_keys(&word.response, &text, '\t', keys),
        _ if word.response == text => Ok(()),
        _ => differs(&word.response, &text),
    }
}

/// Everything that the server says until it closes.
fn answer(address: SocketAddr, request: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, WAIT)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.write_all(request)?;
    let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => text.extend_from_slice(chunk.get(..n).unwrap_or_default()),
            // Bytes behind the word may cause a reset after the text.
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(e) => return Err(e),
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The lines without what differs from run to run. Connections are listed in no particular order.
fn shape(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.split('\n').map(mask_line).collect();
    lines.dedup_by(|a, b| a == b && a.starts_with('\t'));
    let is_connection = |line: &String| line.starts_with(" /");
    for run in lines.chunk_by_mut(|a, b| is_connection(a) && is_connection(b)) {
        run.sort();
    }
    lines
}

fn mask_line(line: &str) -> String {
    if let Some((key, value)) = line.split_once('=')
        && !line.starts_with(' ')
    {
        let is_fixed = CONF_FIXED.contains(&key);
        return format!("{key}={}", if is_fixed { value } else { "*" });
    }
    if line.starts_with("Zookeeper version:") {
        return "Zookeeper version: *".to_owned();
    }
    if let Some((_, _)) = line.split_once(" expire at ") {
        return "N expire at *".to_owned();
    }
    if line.starts_with("\t/") {
        return "\t/*".to_owned();
    }
    mask_numbers(line)
}

/// Replaces each number, decimal, broken or hex, by `N`.
fn mask_numbers(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = if let Some(hex) = rest.strip_prefix("0x") {
            2 + prefix(hex, |c| c.is_ascii_hexdigit())
        } else {
            prefix(rest, |c| c.is_ascii_digit() || c == '.')
        };
        if first.is_ascii_digit() {
            out.push('N');
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

fn prefix(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.chars().take_while(|&c| is_part(c)).count()
}

/// Compares the keys of two lists: all of them, or only those `needed`, which must be among the recorded ones.
fn same_keys(
    recorded: &str,
    live: &str,
    separator: char,
    needed: Option<&[String]>,
) -> Result<(), String> {
    let keys = |text: &str| -> BTreeSet<String> {
        let pairs = text.lines().filter_map(|line| line.split_once(separator));
        pairs.map(|(key, _)| key.to_owned()).filter(|key| !is_optional(key)).collect()
    };
    let (recorded, live) = (keys(recorded), keys(live));
    let wanted = match needed {
        Some(keys) => keys.iter().cloned().collect(),
        None => recorded.clone(),
    };
    let missing: Vec<_> = wanted.difference(&live).collect();
    let unfounded: Vec<_> = wanted.difference(&recorded).collect();
    if missing.is_empty() && unfounded.is_empty() {
        return Ok(());
    }
    Err(format!("missing {missing:?}, never recorded {unfounded:?}"))
}

/// Whether a figure is printed only after something has happened, such as a pause of the collector.
fn is_optional(key: &str) -> bool {
    key.starts_with("zk_jvm_") || key.ends_with("_quota_") || key.contains("_per_namespace")
}

/// Lines of `conf` whose value follows from the configuration.
const CONF_FIXED: &[&str] = &[
    "secureClientPort",
    "tickTime",
    "maxClientCnxns",
    "minSessionTimeout",
    "maxSessionTimeout",
    "clientPortListenBacklog",
];

const WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_is_masked_and_nothing_else() {
        assert_eq!(
            mask_line("Latency min/avg/max: 0/1.6914/67"),
            mask_line("Latency min/avg/max: 10/0.0/7")
        );
        assert_eq!(mask_line("Zxid: 0xa8"), "Zxid: N");
        assert_ne!(mask_line("Mode: standalone"), mask_line("Mode: leader"));
        assert_eq!(mask_line("tickTime=2000"), "tickTime=2000");
        assert_eq!(mask_line("dataDir=/some/where"), "dataDir=*");
        assert_eq!(mask_line(" /127.0.0.1:34226[1](queued=0)"), " /N:N[N](queued=N)");
        assert_eq!(shape("\t0x1\n\t0x2\nx"), ["\tN", "x"]);
    }
}
