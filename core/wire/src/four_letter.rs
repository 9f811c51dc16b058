//! The four-letter words: what an operator may type on the client port in place of a handshake.
//!
//! Only the list and the detection are here; the answers, and the rule which words are allowed, belong to
//! the server. Source: `org.apache.zookeeper.server.command.FourLetterCommands`.

macro_rules! words {
    ($($name:ident = $text:literal, $what:literal;)*) => {
        /// A word that a server answers with text before it closes the connection.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FourLetterWord { $(#[doc = $what] $name,)* }

        impl FourLetterWord {
            /// Every word, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The word itself.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

words! {
    Conf = "conf", "the configuration";
    Cons = "cons", "every connection in detail";
    Crst = "crst", "reset the connections' figures";
    Dirs = "dirs", "sizes of the data directories";
    Dump = "dump", "sessions, ephemeral nodes and connections";
    Envi = "envi", "the environment";
    Gtmk = "gtmk", "get the trace mask";
    Hash = "hash", "the recent digests of the tree";
    Isro = "isro", "whether the server is read-only";
    Mntr = "mntr", "the figures for monitoring";
    Ruok = "ruok", "whether the server is alive";
    Srst = "srst", "reset the server's figures";
    Srvr = "srvr", "the server in brief";
    Stat = "stat", "the server and its connections in brief";
    Stmk = "stmk", "set the trace mask; eight more bytes follow";
    Wchc = "wchc", "data watches by session";
    Wchp = "wchp", "data watches by path";
    Wchs = "wchs", "watches in numbers";
}

/// What the first four bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstBytes {
    /// A word: answer it and close.
    Word(FourLetterWord),
    /// An interrupt from a telnet client: close without an answer.
    TelnetInterrupt,
    /// Anything else: the length of a frame.
    Length(i32),
}

impl FourLetterWord {
    /// The word of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.word() == name)
    }
}

/// Looks at the first four bytes of a connection. Afterwards, words are nothing but illegal lengths.
#[must_use]
pub fn classify(first: [u8; 4]) -> FirstBytes {
    if first == TELNET_INTERRUPT {
        return FirstBytes::TelnetInterrupt;
    }
    match FourLetterWord::ALL.iter().find(|word| word.word().as_bytes() == first) {
        Some(&word) => FirstBytes::Word(word),
        None => FirstBytes::Length(i32::from_be_bytes(first)),
    }
}

/// Interrupt process, synch: what a telnet client sends on Ctrl-C.
const TELNET_INTERRUPT: [u8; 4] = [0xFF, 0xF4, 0xFF, 0xFD];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_lengths() {
        assert!(FourLetterWord::ALL.is_sorted());
        for &word in FourLetterWord::ALL {
            let bytes = word.word().as_bytes().try_into().unwrap();
            assert_eq!(classify(bytes), FirstBytes::Word(word));
            assert_eq!(FourLetterWord::from_name(word.word()), Some(word));
            // No word can be a legal length.
            assert!(i32::from_be_bytes(bytes) > 1_600_000_000);
        }
        assert_eq!(classify([0xFF, 0xF4, 0xFF, 0xFD]), FirstBytes::TelnetInterrupt);
        assert_eq!(classify([0, 0, 0, 45]), FirstBytes::Length(45));
        assert_eq!(classify(*b"abcd"), FirstBytes::Length(0x6162_6364));
        assert_eq!(FourLetterWord::from_name("ruok "), None);
    }
}
