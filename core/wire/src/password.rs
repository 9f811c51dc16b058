//! The session password, which every server of an ensemble can compute by itself.
//!
//! Sixteen bytes of `java.util.Random` seeded with the session id and a fixed secret. It
//! protects against accidents, not against attackers. Source: `ZooKeeperServer#generatePasswd`.

/// The password of a session.
#[must_use]
pub fn of_session(session: i64) -> [u8; 16] {
    let mut state = (session.cast_unsigned() ^ SUPER_SECRET ^ MULTIPLIER) & MASK;
    let mut password = [0; 16];
    for word in password.chunks_exact_mut(4) {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        for (byte, shifted) in word.iter_mut().zip((state >> 16).to_le_bytes()) {
            *byte = shifted;
        }
    }
    password
}

/// Whether `password` opens `session`. Session 0 is nobody's.
#[must_use]
pub fn matches(session: i64, password: &[u8]) -> bool {
    session != 0 && of_session(session) == password
}

const SUPER_SECRET: u64 = 0xB341_5C00;
const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const MASK: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_a_real_server() {
        // Two handshakes of a 3.8.0 server.
        let expected = 0x0f1b_4a22_f030_46ee_0542_1b69_b9e2_2906_u128.to_be_bytes();
        assert_eq!(of_session(0x0100_0024_3db3_0000), expected);
        let expected = 0x223c_4422_907c_2533_fa84_8294_8d6b_3ed3_u128.to_be_bytes();
        assert_eq!(of_session(0x0100_0024_3db3_0001), expected);
        assert!(!matches(0, &of_session(0)));
    }
}
