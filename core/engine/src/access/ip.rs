//! The ip scheme: addresses as text, matched under a mask.
//!
//! Source: `org.apache.zookeeper.server.auth.IPAuthenticationProvider` of 3.9.4 and later, where IPv6
//! works; earlier servers refuse IPv6 ids. Numbers are read as `Integer.parseInt` reads them, sign
//! included. No names are resolved and zone ids are not understood.

/// Whether `id` is an address, alone or followed by `/bits` within its family's width.
pub(super) fn is_valid(id: &str) -> bool {
    masked_address(id).is_some()
}

/// Whether the address `own` lies in what `wanted` describes.
pub(super) fn matches(own: &str, wanted: &str) -> bool {
    let Some((mut wanted, bits)) = masked_address(wanted) else { return false };
    let Some(mut own) = Address::parse(own) else { return false };
    wanted.mask(bits);
    own.mask(bits);
    own == wanted
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Address {
    V4(u32),
    V6(u128),
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        if text.contains(':') { parse_v6(text).map(Self::V6) } else { parse_v4(text).map(Self::V4) }
    }

    const fn width(self) -> u32 {
        match self {
            Self::V4(_) => u32::BITS,
            Self::V6(_) => u128::BITS,
        }
    }

    /// Clears all but the first `bits`, if there are as many.
    fn mask(&mut self, bits: u32) {
        match self {
            Self::V4(v) => {
                *v &= u32::MAX.checked_shl(u32::BITS.saturating_sub(bits)).unwrap_or(0);
            }
            Self::V6(v) => {
                *v &= u128::MAX.checked_shl(u128::BITS.saturating_sub(bits)).unwrap_or(0);
            }
        }
    }
}

/// The address and the number of bits that count.
fn masked_address(text: &str) -> Option<(Address, u32)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (Address::parse(address)?, Some(bits)),
        None => (Address::parse(text)?, None),
    };
    let bits = match bits {
        Some(bits) => u32::try_from(parse_int(bits, 10)?).ok()?,
        None => address.width(),
    };
    (bits <= address.width()).then_some((address, bits))
}

fn parse_v4(text: &str) -> Option<u32> {
    let mut parts = text.split('.');
    let mut address = 0;
    for _ in 0..4 {
        let byte = u8::try_from(parse_int(parts.next()?, 10)?).ok()?;
        address = address << 8 | u32::from(byte);
    }
    parts.next().is_none().then_some(address)
}

fn parse_v6(text: &str) -> Option<u128> {
    let mut halves = text.split("::");
    let (head, tail) = (halves.next()?, halves.next());
    if halves.next().is_some() {
        return None;
    }
    let Some(tail) = tail else {
        let (address, count) = parse_segments(head)?;
        return (count == SEGMENTS).then_some(address);
    };
    let (head, before) = if head.is_empty() { (0, 0) } else { parse_segments(head)? };
    let (tail, after) = if tail.is_empty() { (0, 0) } else { parse_segments(tail)? };
    if before + after >= SEGMENTS {
        return None;
    }
    let head = head.checked_shl(SEGMENT_BITS * (SEGMENTS - before)).unwrap_or(0);
    Some(head | tail)
}

/// The value of groups of hex digits between colons, and how many there are.
fn parse_segments(text: &str) -> Option<(u128, u32)> {
    let (mut value, mut count) = (0, 0);
    for segment in text.split(':') {
        if segment.is_empty() || segment.len() > 4 || count == SEGMENTS {
            return None;
        }
        // A sign is read like Java's: the low 16 bits of the number count.
        let bits = u128::from(parse_int(segment, 16)?.cast_unsigned() & 0xFFFF);
        value = value << SEGMENT_BITS | bits;
        count += 1;
    }
    Some((value, count))
}

/// `Integer.parseInt`, for ASCII digits.
fn parse_int(text: &str, radix: u32) -> Option<i32> {
    i32::from_str_radix(text, radix).ok()
}

const SEGMENTS: u32 = 8;
const SEGMENT_BITS: u32 = 16;
