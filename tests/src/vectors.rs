//! The golden vectors in `tests/vectors`, loaded.
//!
//! They are compiled in, so that a test binary runs wherever it is started. What is in which file, and where it
//! comes from, is told in `tests/vectors/README.md`. Used by the vector tests and as the corpus of the fuzzers.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "the vectors are part of the tests: one that is broken must fail them"
)]

pub mod describe;

use serde_json::Value;

/// One exchange on the client port.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What it shows.
    pub name: String,
    /// `standalone`, `quorum` or `readonly`: what kind of server it was recorded from.
    pub server: String,
    /// The TCP connection: exchanges with the same label went over one, in this order.
    pub conn: String,
    /// Bytes sent, with lengths; none for a pushed notification.
    pub request: Vec<u8>,
    /// Bytes received in answer, with lengths.
    pub response: Option<Vec<u8>>,
    /// Notifications that came before the answer.
    pub pushed_before: Vec<Vec<u8>>,
    /// `response` holds more than one frame.
    pub multi_frame: bool,
    /// The connection was closed instead of an answer.
    pub closed: bool,
    /// The connection was closed behind the answer.
    pub closed_after_reply: bool,
    /// Nothing came back.
    pub no_reply: bool,
    /// The connection that held the session before was closed.
    pub first_connection_closed: bool,
}

/// A four-letter word and its answer.
#[derive(Clone, Debug)]
pub struct Word {
    /// `4lw` and the word.
    pub name: String,
    /// As in [`Exchange`].
    pub server: String,
    /// Bytes sent.
    pub request: Vec<u8>,
    /// Text received.
    pub response: String,
}

/// How quorate answers an exchange otherwise than recorded.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The exchange.
    pub name: String,
    /// The reason, for a person.
    pub why: String,
    /// What is answered, as it would have been in the recorded run.
    pub response: Option<Vec<u8>>,
    /// The connection is closed behind the answer.
    pub closed_after_reply: bool,
    /// The connection that held the session before stays.
    pub first_connection_stays: bool,
}

/// The table of everything that quorate answers otherwise.
#[must_use]
pub fn answers() -> Vec<Answer> {
    list(&json(ANSWERS)["exchanges"])
        .iter()
        .map(|v| Answer {
            name: text(&v["name"]),
            why: text(&v["why"]),
            response: v["response_hex"].as_str().map(hex),
            closed_after_reply: v["closed_after_reply"].as_bool().unwrap_or_default(),
            first_connection_stays: v["first_connection_stays"].as_bool().unwrap_or_default(),
        })
        .collect()
}

/// How quorate answers a word that tells of the process itself.
#[derive(Clone, Debug)]
pub struct WordAnswer {
    /// As in [`Word`].
    pub name: String,
    /// Why it is not the whole answer, for a person.
    pub why: String,
    /// The keys that are there.
    pub keys: Vec<String>,
}

/// The words of which quorate answers only a part.
#[must_use]
pub fn word_answers() -> Vec<WordAnswer> {
    list(&json(ANSWERS)["words"])
        .iter()
        .map(|v| WordAnswer {
            name: text(&v["name"]),
            why: text(&v["why"]),
            keys: list(&v["keys"]).iter().map(text).collect(),
        })
        .collect()
}

/// Every recorded exchange, in order.
#[must_use]
pub fn exchanges() -> Vec<Exchange> {
    let doc = json(CLIENT_FRAMES);
    let flag = |v: &Value, key: &str| v[key].as_bool().unwrap_or_default();
    list(&doc["frames"])
        .iter()
        .map(|v| Exchange {
            name: text(&v["name"]),
            server: text(&v["server"]),
            conn: text(&v["conn"]),
            request: hex(&text(&v["request_hex"])),
            response: v["response_hex"].as_str().map(hex),
            pushed_before: v["pushed_before_hex"]
                .as_array()
                .map(|frames| frames.iter().map(|f| hex(&text(f))).collect())
                .unwrap_or_default(),
            multi_frame: flag(v, "multi_frame_response"),
            closed: flag(v, "closed"),
            closed_after_reply: flag(v, "closed_after_reply"),
            no_reply: flag(v, "no_reply"),
            first_connection_closed: flag(v, "first_connection_closed"),
        })
        .collect()
}

/// Every recorded four-letter word, in order.
#[must_use]
pub fn words() -> Vec<Word> {
    list(&json(CLIENT_FRAMES)["four_letter_words"])
        .iter()
        .map(|v| Word {
            name: text(&v["name"]),
            server: text(&v["server"]),
            request: hex(&text(&v["request_hex"])),
            response: text(&v["response_text"]),
        })
        .collect()
}

/// The bytes of a file of the recorded data directory, such as `version-2/snapshot.0`.
///
/// # Panics
/// When there is no such file.
#[must_use]
pub fn data_file(name: &str) -> Vec<u8> {
    let doc = json(DATADIR);
    let file = &doc["files"][name];
    let mut bytes = hex(&text(&file["hex"]));
    let size = file["size"].as_u64().and_then(|n| usize::try_from(n).ok());
    bytes.resize(size.unwrap_or_default(), 0);
    bytes
}

/// The names of the files of the recorded data directory.
#[must_use]
pub fn data_files() -> Vec<String> {
    let doc = json(DATADIR);
    doc["files"].as_object().map(|files| files.keys().cloned().collect()).unwrap_or_default()
}

/// Every record and node of the recorded data directory as an independent decoder reads them.
#[must_use]
pub fn decoded() -> Value {
    json(DATADIR_DECODED)
}

/// The tree that clients saw just before the recorded data directory was left.
#[must_use]
pub fn expected_tree() -> Value {
    json(DATADIR_TREE)
}

/// What one side of a connection between servers sent.
#[derive(Clone, Debug)]
pub struct ServerStream {
    /// Every byte, in order.
    pub bytes: Vec<u8>,
    /// The messages in it as an independent decoder reads them; `at` says where each begins.
    pub frames: Value,
}

/// A connection between two servers of an ensemble.
#[derive(Clone, Debug)]
pub struct ServerConnection {
    /// When it was opened, for a person.
    pub name: String,
    /// Whether it led to the election port, and not to the leader's port for learners.
    pub election: bool,
    /// Of who connected; on a leader's port the learner.
    pub initiator: ServerStream,
    /// Of who was connected to.
    pub acceptor: ServerStream,
}

/// Every recorded connection between servers, in order.
#[must_use]
pub fn server_connections() -> Vec<ServerConnection> {
    let (frames, extra) = (json(QUORUM_FRAMES), json(QUORUM_FRAMES_EXTRA));
    let stream =
        |v: &Value| ServerStream { bytes: hex(&text(&v["hex"])), frames: v["frames"].clone() };
    let both = [&frames, &extra].map(|doc| list(&doc["connections"]));
    let all = both.into_iter().flatten();
    all.map(|v| ServerConnection {
        name: format!("{}{} at {}", text(&v["phase_opened"]), text(&v["run"]), v["t"]),
        election: v["kind"] == "election",
        initiator: stream(&v["initiator_to_acceptor"]),
        acceptor: stream(&v["acceptor_to_initiator"]),
    })
    .collect()
}

/// Bytes of a text of hex digits.
///
/// # Panics
/// When it is something else.
#[must_use]
pub fn hex(text: &str) -> Vec<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [a, b] => digit(*a).zip(digit(*b)).map(|(a, b)| a << 4 | b),
            _ => None,
        })
        .collect::<Option<_>>()
        .unwrap_or_else(|| panic!("{text:?} is not hex"))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("the vectors are JSON")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

const CLIENT_FRAMES: &str = include_str!("../vectors/client-frames.json");
const ANSWERS: &str = include_str!("../vectors/answers.json");
const QUORUM_FRAMES: &str = include_str!("../vectors/quorum-frames.json");
const QUORUM_FRAMES_EXTRA: &str = include_str!("../vectors/quorum-frames-extra.json");
const DATADIR: &str = include_str!("../vectors/datadir-3.8.json");
const DATADIR_DECODED: &str = include_str!("../vectors/datadir-3.8-decoded.json");
const DATADIR_TREE: &str = include_str!("../vectors/datadir-3.8-expected-tree.json");
