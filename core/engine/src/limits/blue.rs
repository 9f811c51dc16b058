//! Throttling of new sessions: a bucket of tokens, and refusals at random before it is empty.
//!
//! Each handshake takes tokens; the bucket is refilled over time. With a freeze time, the probability of a refusal grows
//! while the bucket is found empty and shrinks while it is full enough, so that late comers are not always the ones
//! refused. Randomness comes from a seed, so that the same inputs give the same refusals. Source:
//! `org.apache.zookeeper.server.BlueThrottle`, after the BLUE algorithm of active queue management.

/// Rules; times in ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BlueConfig {
    /// Size of the bucket; 0 for no limit.
    pub tokens: u32,
    /// Time between fillings.
    pub fill_time: i64,
    /// Tokens per filling.
    pub fill_count: u32,
    /// Time between adjustments of the probability; `None` never refuses at random.
    pub freeze_time: Option<i64>,
    /// Added to the probability when the bucket is empty.
    pub increase: f64,
    /// Taken from the probability when the bucket is full enough.
    pub decrease: f64,
    /// Share of the bucket that may be missing when it is full enough.
    pub decrease_ratio: f64,
    /// Tokens for a new session.
    pub new_session: u32,
    /// Tokens for resuming one.
    pub resumed_session: u32,
    /// Where the randomness comes from.
    pub seed: u64,
}

impl Default for BlueConfig {
    fn default() -> Self {
        Self {
            tokens: 0,
            fill_time: 1,
            fill_count: 1,
            freeze_time: None,
            increase: 0.02,
            decrease: 0.002,
            decrease_ratio: 0.0,
            new_session: 1,
            resumed_session: 1,
            seed: 0,
        }
    }
}

/// The bucket.
#[derive(Clone, Debug)]
pub struct Blue {
    config: BlueConfig,
    tokens: u32,
    filled: i64,
    adjusted: i64,
    probability: f64,
    random: u64,
}

impl Blue {
    /// A full bucket.
    #[must_use]
    pub const fn new(config: BlueConfig, now: i64) -> Self {
        Self {
            config,
            tokens: config.tokens,
            filled: now,
            adjusted: now,
            probability: 0.0,
            random: config.seed,
        }
    }

    /// Whether a handshake is let in; it takes its tokens then.
    pub fn admit(&mut self, resumes: bool, now: i64) -> bool {
        if self.config.tokens == 0 {
            return true;
        }
        self.fill(now);
        if let Some(freeze) = self.config.freeze_time {
            self.adjust(freeze, now);
            if self.draw() < self.probability {
                return false;
            }
        }
        let need = if resumes { self.config.resumed_session } else { self.config.new_session };
        let rest = self.tokens.checked_sub(need);
        self.tokens = rest.unwrap_or(self.tokens);
        rest.is_some()
    }

    /// The probability of a refusal at random.
    #[must_use]
    pub const fn drop_probability(&self) -> f64 {
        self.probability
    }

    fn fill(&mut self, now: i64) {
        let passed = now.saturating_sub(self.filled);
        if passed <= self.config.fill_time {
            return;
        }
        let fresh =
            passed.saturating_mul(self.config.fill_count.into()) / self.config.fill_time.max(1);
        let fresh = u32::try_from(fresh).unwrap_or(u32::MAX);
        self.tokens = self.tokens.saturating_add(fresh).min(self.config.tokens);
        self.filled = now;
    }

    fn adjust(&mut self, freeze: i64, now: i64) {
        if now.saturating_sub(self.adjusted) <= freeze {
            return;
        }
        let missing = self.config.tokens.saturating_sub(self.tokens);
        let enough = (f64::from(self.config.tokens) * self.config.decrease_ratio).round();
        if missing == self.config.tokens {
            self.probability = (self.probability + self.config.increase).min(1.0);
        } else if f64::from(missing) <= enough {
            self.probability = (self.probability - self.config.decrease).max(0.0);
        }
        self.adjusted = now;
    }

    /// From 0 up to but not 1: SplitMix64 (Steele, Lea, Flood), its upper 32 bits.
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let upper = u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(0);
        f64::from(upper) / 4_294_967_296.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(blue: &mut Blue, times: impl Iterator<Item = i64>) -> usize {
        times.filter(|&now| blue.admit(false, now)).count()
    }

    #[test]
    fn no_tokens_mean_no_limit() {
        let mut blue = Blue::new(BlueConfig::default(), 0);
        assert_eq!(admitted(&mut blue, std::iter::repeat_n(0, 10_000)), 10_000);
    }

    #[test]
    fn a_burst_takes_the_bucket_and_time_fills_it() {
        let config =
            BlueConfig { tokens: 10, fill_time: 100, fill_count: 2, ..BlueConfig::default() };
        let mut blue = Blue::new(config, 0);
        assert_eq!(admitted(&mut blue, std::iter::repeat_n(0, 50)), 10);
        assert_eq!(
            admitted(&mut blue, std::iter::repeat_n(100, 50)),
            0,
            "only after the fill time"
        );
        assert_eq!(admitted(&mut blue, std::iter::repeat_n(200, 50)), 4);
        assert_eq!(
            admitted(&mut blue, std::iter::repeat_n(1_000_000, 50)),
            10,
            "never more than fit"
        );
    }

    #[test]
    fn kinds_of_session_have_their_prices() {
        let config =
            BlueConfig { tokens: 7, new_session: 3, resumed_session: 2, ..BlueConfig::default() };
        let mut blue = Blue::new(config, 0);
        assert!(blue.admit(false, 0) && blue.admit(true, 0));
        assert!(!blue.admit(false, 0), "two are left");
        assert!(blue.admit(true, 0) && !blue.admit(true, 0));
    }

    #[test]
    fn refusals_at_random_rise_under_load_and_fall_without() {
        let config = BlueConfig {
            tokens: 5,
            fill_time: 100,
            fill_count: 5,
            freeze_time: Some(10),
            increase: 0.1,
            decrease: 0.05,
            decrease_ratio: 0.9,
            seed: 42,
            ..BlueConfig::default()
        };
        let mut blue = Blue::new(config, 0);
        // Twenty at once, every 5 ms: the bucket is empty most of the time.
        for round in 0..200 {
            admitted(&mut blue, std::iter::repeat_n(round * 5, 20));
        }
        let busy = blue.drop_probability();
        assert!(busy > 0.3, "{busy}");
        for round in 0..400 {
            admitted(&mut blue, std::iter::once(1000 + round * 200));
        }
        assert!(blue.drop_probability() < 0.01, "{}", blue.drop_probability());
        let mut twin = Blue::new(config, 0);
        let mut again = Blue::new(config, 0);
        for now in 0..5000 {
            assert_eq!(
                twin.admit(false, now),
                again.admit(false, now),
                "the same seed, the same fate"
            );
        }
    }

    #[test]
    fn draws_are_even() {
        let mut blue = Blue::new(BlueConfig { seed: 7, ..BlueConfig::default() }, 0);
        let low = (0..10_000).filter(|_| blue.draw() < 0.25).count();
        assert!((2300..2700).contains(&low), "{low}");
    }
}
