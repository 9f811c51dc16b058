//! How things look: stats, dates, ACLs, quotas and data as zkCli prints them, and the reading of ACLs.
//!
//! Dates are in UTC, whatever the machine's zone, so that two operators see the same text. Source:
//! `org.apache.zookeeper.cli.StatPrinter`, `AclParser`, `ZKUtil#getPermString`.

use quorate_wire::acl::{ADMIN, CREATE, DELETE, READ, WRITE};
use quorate_wire::{Acl, Id, Stat};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The block of eleven lines, each ended.
pub(crate) fn stat_block(stat: &Stat) -> String {
    format!(
        "cZxid = {:#x}\nctime = {}\nmZxid = {:#x}\nmtime = {}\npZxid = {:#x}\ncversion = {}\n\
         dataVersion = {}\naclVersion = {}\nephemeralOwner = {:#x}\ndataLength = {}\nnumChildren = {}\n",
        stat.czxid,
        date(stat.ctime),
        stat.mzxid,
        date(stat.mtime),
        stat.pzxid,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children,
    )
}

/// The stat as JSON, with ZooKeeper's field names; numbers stay numbers.
pub(crate) fn stat_json(stat: &Stat) -> Value {
    json!({
        "czxid": stat.czxid,
        "mzxid": stat.mzxid,
        "pzxid": stat.pzxid,
        "ctime": stat.ctime,
        "mtime": stat.mtime,
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeralOwner": stat.ephemeral_owner,
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
    })
}

/// Milliseconds since 1970 as Java's `Date#toString`, in UTC: `Thu Jan 01 00:00:00 UTC 1970`.
pub(crate) fn date(ms: i64) -> String {
    let seconds = ms.div_euclid(1000);
    let days = seconds.div_euclid(86_400);
    let of_day = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    let weekday = pick(&WEEKDAYS, (days + 3).rem_euclid(7));
    let month = pick(&MONTHS, month - 1);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year:04}")
}

/// An ACL entry as zkCli prints it, over two lines.
pub(crate) fn acl_lines(acl: &Acl<'_>) -> String {
    format!("'{},'{}\n: {}\n", csv(acl.id.scheme()), csv(acl.id.id()), permissions(acl.perms))
}

/// An ACL as JSON.
pub(crate) fn acl_json(acl: &[Acl<'_>]) -> Value {
    acl.iter()
        .map(|a| {
            json!({
                "scheme": a.id.scheme(),
                "id": a.id.id(),
                "perms": permissions(a.perms),
            })
        })
        .collect()
}

/// Permission bits as letters, in zkCli's order.
pub(crate) fn permissions(perms: i32) -> String {
    [(CREATE, 'c'), (DELETE, 'd'), (READ, 'r'), (WRITE, 'w'), (ADMIN, 'a')]
        .iter()
        .filter(|(bit, _)| perms & bit != 0)
        .map(|(_, letter)| letter)
        .collect()
}

/// Reads `scheme:id:perms,…`. What makes no sense is left out and complained about, as in zkCli.
pub(crate) fn parse_acl(text: &str, complaints: &mut Vec<String>) -> Vec<Acl<'static>> {
    let mut acl = Vec::new();
    for entry in text.split(',') {
        let parts = entry.split_once(':').and_then(|(scheme, rest)| {
            rest.rsplit_once(':').map(|(id, perms)| (scheme, id, perms))
        });
        let Some((scheme, id, letters)) = parts else {
            complaints.push(format!("{entry} does not have the form scheme:id:perm"));
            continue;
        };
        let mut perms = 0;
        for letter in letters.chars() {
            perms |= match letter {
                'r' => READ,
                'w' => WRITE,
                'c' => CREATE,
                'd' => DELETE,
                'a' => ADMIN,
                other => {
                    complaints.push(format!("Unknown perm type: {other}"));
                    0
                }
            };
        }
        acl.push(Acl { perms, id: Id::new(scheme.to_owned(), id.to_owned()) });
    }
    acl
}

/// Data as JSON: text where it is UTF-8, else base64; `encoding` says which.
pub(crate) fn data_json(data: Option<&[u8]>, force_base64: bool) -> (Value, &'static str) {
    match data {
        None => (Value::Null, "utf8"),
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if !force_base64 => (text.into(), "utf8"),
            _ => (base64(bytes).into(), "base64"),
        },
    }
}

/// Standard base64 with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Reads standard base64.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// A table of bytes and characters, sixteen to a line, in the frame that zkCli 3.9 draws.
pub(crate) fn hex_dump(bytes: &[u8]) -> String {
    const RULE: &str =
        "+--------+-------------------------------------------------+----------------+";
    let mut out = String::from(
        "         +-------------------------------------------------+\n         \
         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |\n",
    );
    out.push_str(RULE);
    for (row, chunk) in bytes.chunks(16).enumerate() {
        let _ = write!(out, "\n|{:08x}|", row * 16);
        for byte in chunk {
            let _ = write!(out, " {byte:02x}");
        }
        let _ = write!(out, "{:width$} |", "", width = 3 * (16 - chunk.len()));
        out.extend(
            chunk.iter().map(|&b| if (b' '..0x7F).contains(&b) { char::from(b) } else { '.' }),
        );
        let _ = write!(out, "{:width$}|", "", width = 16 - chunk.len());
    }
    out.push('\n');
    out.push_str(RULE);
    out
}

/// `[a, b]`, as Java prints a list.
pub(crate) fn list(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

/// Text as jute's CSV form escapes it.
fn csv(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push_str("%00"),
            '\n' => out.push_str("%0A"),
            '\r' => out.push_str("%0D"),
            ',' => out.push_str("%2C"),
            '}' => out.push_str("%7D"),
            '%' => out.push_str("%25"),
            other => out.push(other),
        }
    }
    out
}

/// Year, month and day of a day count since 1970, by the proleptic Gregorian calendar.
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
const fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

fn pick(names: &[&'static str], index: i64) -> &'static str {
    usize::try_from(index).ok().and_then(|i| names.get(i)).copied().unwrap_or("?")
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_like_java_s() {
        for (ms, expected) in [
            (0, "Thu Jan 01 00:00:00 UTC 1970"),
            (1_795_372_277_123, "Sun Nov 22 18:31:17 UTC 2026"),
            (951_782_400_000, "Tue Feb 29 00:00:00 UTC 2000"),
            (-1, "Wed Dec 31 23:59:59 UTC 1969"),
        ] {
            assert_eq!(date(ms), expected);
        }
    }

    #[test]
    fn an_acl_is_read_and_printed_as_in_zkcli() {
        let mut complaints = Vec::new();
        let acl = parse_acl("world:anyone:rz,digest:u:h=:cdrwa,bad,a:b", &mut complaints);
        let shown: String = acl.iter().map(acl_lines).collect();
        assert_eq!(shown, "'world,'anyone\n: r\n'digest,'u:h=\n: cdrwa\n");
        assert_eq!(
            complaints,
            [
                "Unknown perm type: z",
                "bad does not have the form scheme:id:perm",
                "a:b does not have the form scheme:id:perm"
            ]
        );
    }

    #[test]
    fn a_stat_is_eleven_lines() {
        let stat = Stat { czxid: 0x22, ephemeral_owner: 0x10, data_length: 5, ..Stat::default() };
        let block = stat_block(&stat);
        assert!(
            block.starts_with("cZxid = 0x22\nctime = Thu Jan 01 00:00:00 UTC 1970\nmZxid = 0x0\n")
        );
        assert!(block.ends_with("ephemeralOwner = 0x10\ndataLength = 5\nnumChildren = 0\n"));
        assert_eq!(block.lines().count(), 11);
    }

    #[test]
    fn data_that_is_no_text_becomes_base64() {
        assert_eq!(data_json(Some(b"x"), false), ("x".into(), "utf8"));
        assert_eq!(data_json(Some(b"x"), true), ("eA==".into(), "base64"));
        assert_eq!(data_json(Some(b"\xFF"), false), ("/w==".into(), "base64"));
        assert_eq!(data_json(None, false), (Value::Null, "utf8"));
        assert_eq!(from_base64("/w=="), Some(vec![0xFF]));
    }

    #[test]
    fn a_hex_dump_shows_bytes_and_characters() {
        let dump = hex_dump(b"hello\n0123456789abcdef");
        let rows: Vec<&str> = dump.lines().skip(3).collect();
        assert_eq!(
            rows[0],
            "|00000000| 68 65 6c 6c 6f 0a 30 31 32 33 34 35 36 37 38 39 |hello.0123456789|"
        );
        assert_eq!(
            rows[1],
            "|00000010| 61 62 63 64 65 66                               |abcdef          |"
        );
    }
}
