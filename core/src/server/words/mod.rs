//! Answers to the four-letter words, in Apache's output format.
//!
//! One file per family; each writes text from a [`View`]: the tree, the replica, the shards, and the [`Facts`] that only
//! the driver knows. Here are the whitelist rule, the words of one line, and those that change something.
//! The drivers call [`Words::answer`] while they hold everything. Source:
//! `org.apache.zookeeper.server.command` (3.8 and 3.9).

mod conns;
mod ensemble;
mod facts;
mod monitor;
mod numbers;
mod sessions;
mod setup;
mod status;
mod watches;

pub(super) use facts::Facts;

use quorate_engine::member::Standing;
use quorate_engine::replica::{Now, Replica, Word};
use quorate_engine::shard::{Conn, Shard, ShardStats};
use quorate_engine::tree::Tree;
use quorate_wire::four_letter::FourLetterWord;
use std::fmt::{self, Write};

/// Answers four-letter words.
pub(super) struct Words {
    facts: Facts,
    /// What the server is in its ensemble; `None` while that is being found out.
    mode: Option<&'static str>,
    /// What `gtmk` and `stmk` speak of. Apache's bits of what its log traces; kept for tools, without effect.
    trace_mask: i64,
}

/// Everything that an answer may be made from, at one moment.
struct View<'a> {
    facts: &'a Facts,
    mode: &'static str,
    tree: &'a Tree,
    replica: &'a Replica,
    /// Where it stands, if it is a member of an ensemble.
    standing: Option<Standing<'a>>,
    shards: Vec<&'a Shard>,
    now: Now,
}

impl Words {
    pub(super) const fn new(facts: Facts) -> Self {
        Self { facts, mode: Some("standalone"), trace_mask: DEFAULT_TRACE_MASK }
    }

    /// Takes note of what a member of an ensemble does: `leader`, `follower`, `observer` or [`READ_ONLY`]; `None` while it does not serve.
    pub(super) const fn set_mode(&mut self, mode: Option<&'static str>) {
        self.mode = mode;
    }

    /// Answers what can be said by a member that does not serve. Source: `AbstractFourLetterCommand#isZKServerRunning`.
    pub(super) fn answer_idle(&self, word: &Word, shards: &mut [&mut Shard]) {
        let text = match word.word {
            _ if !self.facts.config.answers_word(word.word.word()) => Self::unlisted(word),
            FourLetterWord::Ruok => "imok".to_owned(),
            FourLetterWord::Isro => "null".to_owned(),
            _ => "This ZooKeeper instance is not currently serving requests\n".to_owned(),
        };
        if let Some(shard) = shards.get_mut(word.conn.shard) {
            shard.say(word.conn.conn, &text);
        }
    }

    fn unlisted(word: &Word) -> String {
        format!("{} is not executed because it is not in the whitelist.\n", word.word.word())
    }

    /// Sends the answer to who asked, whose connection closes behind it.
    pub(super) fn answer(
        &mut self,
        word: &Word,
        tree: &Tree,
        replica: &Replica,
        standing: Option<Standing<'_>>,
        shards: &mut [&mut Shard],
        now: Now,
    ) {
        let mut text = String::new();
        if !self.facts.config.answers_word(word.word.word()) {
            text = Self::unlisted(word);
        } else if !self.act(word, shards, &mut text) {
            let shards = shards.iter().map(|shard| &**shard).collect();
            let mode = self.mode.unwrap_or_default();
            let view = View { facts: &self.facts, mode, tree, replica, standing, shards, now };
            // Writing to a string cannot fail.
            let _ = view.tell(word.word, &mut text);
        }
        if let Some(shard) = shards.get_mut(word.conn.shard) {
            shard.say(word.conn.conn, &text);
        }
    }

    /// The words that change something, or depend on what they have changed. Returns whether it was one.
    fn act(&mut self, word: &Word, shards: &mut [&mut Shard], text: &mut String) -> bool {
        match word.word {
            FourLetterWord::Crst | FourLetterWord::Srst => {
                let of_connections = word.word == FourLetterWord::Crst;
                for shard in shards.iter_mut() {
                    shard.reset_stats(of_connections);
                }
                text.push_str(if of_connections { "Connection" } else { "Server" });
                text.push_str(" stats reset.\n");
            }
            FourLetterWord::Stmk => {
                if let Some(mask) = word.rest.first_chunk::<8>() {
                    self.trace_mask = i64::from_be_bytes(*mask);
                    text.push_str(&self.trace_mask.to_string());
                }
            }
            FourLetterWord::Gtmk => text.push_str(&self.trace_mask.to_string()),
            _ => return false,
        }
        true
    }
}

impl View<'_> {
    fn tell(&self, word: FourLetterWord, out: &mut String) -> fmt::Result {
        match word {
            FourLetterWord::Ruok => out.write_str("imok"),
            FourLetterWord::Isro => out.write_str(if self.is_read_only() { "ro" } else { "rw" }),
            FourLetterWord::Srvr => self.srvr(out),
            FourLetterWord::Stat => self.stat(out),
            FourLetterWord::Hash => self.hash(out),
            FourLetterWord::Cons => self.cons(out),
            FourLetterWord::Dump => self.dump(out),
            FourLetterWord::Wchs => self.wchs(out),
            FourLetterWord::Wchc => self.wchc(out),
            FourLetterWord::Wchp => self.wchp(out),
            FourLetterWord::Conf => self.conf(out),
            FourLetterWord::Envi => Self::envi(out),
            FourLetterWord::Dirs => self.dirs(out),
            FourLetterWord::Mntr => self.mntr(out),
            FourLetterWord::Crst
            | FourLetterWord::Srst
            | FourLetterWord::Gtmk
            | FourLetterWord::Stmk => Ok(()),
        }
    }

    /// Whether only clients are served that make do with reading.
    fn is_read_only(&self) -> bool {
        self.mode == READ_ONLY
    }

    /// All connections, by shard and slot.
    fn conns(&self) -> impl Iterator<Item = &Conn> {
        self.shards.iter().flat_map(|shard| shard.conns())
    }

    /// The figures of all shards together.
    fn stats(&self) -> ShardStats {
        let mut all = ShardStats::default();
        for shard in &self.shards {
            all.merge(shard.stats());
        }
        all
    }

    /// The wall clock's time of a moment of the monotonic clock, ms since 1970.
    const fn wall(&self, mono: i64) -> i64 {
        self.now.wall.saturating_add(mono.saturating_sub(self.now.mono))
    }
}

/// The mode of a member that has no leader and lets clients read.
pub(super) const READ_ONLY: &str = "read-only";
/// `ZooTrace.DEFAULT_MASK`: client requests, sessions, warnings.
const DEFAULT_TRACE_MASK: i64 = 306;
