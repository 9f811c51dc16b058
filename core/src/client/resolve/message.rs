//! The two messages of DNS that a lookup of SRV records needs: question and answer (RFC 1035
//! section 4, RFC 2782).
//!
//! Pure. Any bytes give an answer or an error: every read is checked, a name ends after 255 bytes,
//! and a pointer in a name must point before the part it continues, so there are no loops. Called
//! by `resolve`.

use crate::client::address::Server;

/// The question for the SRV records of one name.
#[derive(Debug)]
pub(super) struct Question {
    /// Without a dot at the end.
    name: String,
}

/// An answer to our question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The records of the name; perhaps none.
    Records(Vec<SrvRecord>),
    /// There is no such name.
    NoSuchName,
    /// The name server's error code.
    Refused(u8),
    /// There is more than fits a datagram: ask over TCP.
    Truncated,
}

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SrvRecord {
    /// Lower ones come first.
    pub(super) priority: u16,
    /// Share among those of one priority.
    pub(super) weight: u16,
    /// Where; an empty host for the root, which stands for nowhere.
    pub(super) server: Server,
}

/// What a message can be instead of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    /// Not an answer to this question: another id, another name, or not even a header.
    NotOurs,
    /// An answer to this question, damaged.
    Broken,
}

impl Question {
    /// A question, if the name is one.
    pub(super) fn new(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let fits = name.len() <= MAX_NAME - 2
            && name.split('.').all(|label| (1..=63).contains(&label.len()) && is_host(label));
        fits.then(|| Self { name: name.to_owned() })
    }

    /// The message to send: recursion desired, one question.
    pub(super) fn message(&self, id: u16) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER + self.name.len() + 6);
        for field in [id, FLAG_RECURSE, 1, 0, 0, 0] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        for label in self.name.split('.') {
            // At most 63, so this never fails.
            out.push(u8::try_from(label.len()).unwrap_or(0));
            out.extend_from_slice(label.as_bytes());
        }
        out.push(0);
        out.extend_from_slice(&TYPE_SRV.to_be_bytes());
        out.extend_from_slice(&CLASS_IN.to_be_bytes());
        out
    }

    /// Reads an answer to [`message`](Self::message).
    pub(super) fn answer(&self, id: u16, message: &[u8]) -> Result<Answer, Malformed> {
        let mut reader = Reader { message, at: 0 };
        let (flags, answers) = self.header(id, &mut reader).ok_or(Malformed::NotOurs)?;
        if flags & FLAG_TRUNCATED != 0 {
            return Ok(Answer::Truncated);
        }
        match flags.to_be_bytes()[1] & 0x0F {
            0 => self.records(&mut reader, answers).map(Answer::Records).ok_or(Malformed::Broken),
            3 => Ok(Answer::NoSuchName),
            code => Ok(Answer::Refused(code)),
        }
    }

    /// Reads header and question; flags and the number of answers if both are ours.
    fn header(&self, id: u16, reader: &mut Reader<'_>) -> Option<(u16, u16)> {
        let (answered, flags) = (reader.u16()?, reader.u16()?);
        let (questions, answers) = (reader.u16()?, reader.u16()?);
        reader.skip(4)?;
        let name = reader.name()?;
        let (kind, class) = (reader.u16()?, reader.u16()?);
        let ours = answered == id
            && flags & FLAG_RESPONSE != 0
            && questions == 1
            && name.eq_ignore_ascii_case(&self.name)
            && (kind, class) == (TYPE_SRV, CLASS_IN);
        ours.then_some((flags, answers))
    }

    /// Reads the answer section. Aliases are followed as they come: name servers put them first.
    fn records(&self, reader: &mut Reader<'_>, count: u16) -> Option<Vec<SrvRecord>> {
        let mut owner = self.name.clone();
        let mut records = Vec::new();
        for _ in 0..count {
            let name = reader.name()?;
            let (kind, class) = (reader.u16()?, reader.u16()?);
            reader.skip(4)?;
            let size = usize::from(reader.u16()?);
            let end = reader.at + size;
            if class == CLASS_IN && name.eq_ignore_ascii_case(&owner) {
                match kind {
                    TYPE_CNAME => owner = reader.name()?,
                    TYPE_SRV => records.push(reader.srv()?),
                    _ => reader.skip(size)?,
                }
            } else {
                reader.skip(size)?;
            }
            if reader.at != end {
                return None;
            }
        }
        Some(records)
    }
}

/// A place in a message.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u8(&mut self) -> Option<u8> {
        let byte = *self.message.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.u8()?, self.u8()?]))
    }

    fn skip(&mut self, size: usize) -> Option<()> {
        self.at = self.at.checked_add(size).filter(|end| *end <= self.message.len())?;
        Some(())
    }

    fn srv(&mut self) -> Option<SrvRecord> {
        let (priority, weight, port) = (self.u16()?, self.u16()?, self.u16()?);
        let host = self.name()?;
        // What is no host name must not get into messages or to the system's resolver.
        if !is_host(&host) {
            return None;
        }
        Some(SrvRecord { priority, weight, server: Server { host, port } })
    }

    /// Reads a name, following pointers; `""` for the root. Bytes that no host name has become `?`.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        // Where the part being read begins, and where reading goes on after the name.
        let mut start = self.at;
        let mut after = None;
        loop {
            let length = self.u8()?;
            match length >> 6 {
                0b00 if length == 0 => break,
                0b00 => {
                    if !name.is_empty() {
                        name.push('.');
                    }
                    for _ in 0..length {
                        let c = char::from(self.u8()?);
                        name.push(if is_host_char(c) { c } else { '?' });
                    }
                }
                0b11 => {
                    let target = u16::from_be_bytes([length & 0x3F, self.u8()?]);
                    after = after.or(Some(self.at));
                    start = Some(usize::from(target)).filter(|target| *target < start)?;
                    self.at = start;
                }
                _ => return None,
            }
            if name.len() > MAX_NAME - 2 {
                return None;
            }
        }
        self.at = after.unwrap_or(self.at);
        Some(name)
    }
}

fn is_host(text: &str) -> bool {
    text.chars().all(|c| c == '.' || is_host_char(c))
}

const fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

const HEADER: usize = 12;
const FLAG_RESPONSE: u16 = 0x8000;
const FLAG_TRUNCATED: u16 = 0x0200;
const FLAG_RECURSE: u16 = 0x0100;
const TYPE_CNAME: u16 = 5;
const TYPE_SRV: u16 = 33;
const CLASS_IN: u16 = 1;
/// Bytes of a name in a message, with its lengths and the end.
const MAX_NAME: usize = 255;
