//! Tests of the whole: text in, settings, warnings and errors out; and of the key table itself.

mod ensemble;
mod guide;
mod table;

use std::path::{Path, PathBuf};

use super::*;

/// A file that sets what a file must set, then `lines`.
fn file(lines: &str) -> Result<(ServerConfig, Vec<Warning>), ConfigError> {
    let text = format!("clientPort=2181\ndataDir=/data\n{lines}");
    ServerConfig::from_properties(text, "zoo.cfg")
}

fn accepted(lines: &str) -> ServerConfig {
    let (config, warnings) = file(lines).unwrap();
    assert_eq!(warnings, [], "{lines}");
    config
}

fn failed(lines: &str) -> String {
    file(lines).unwrap_err().to_string()
}

#[test]
fn apaches_sample_file() {
    let sample = "# The number of milliseconds of each tick\ntickTime=2000\n\
                  # The number of ticks that the initial \n# synchronization phase can take\n\
                  initLimit=10\nsyncLimit=5\ndataDir=/tmp/zookeeper\nclientPort=2181\n\
                  #maxClientCnxns=60\n#autopurge.snapRetainCount=3\n";
    let (config, warnings) = ServerConfig::from_properties(sample, "zoo.cfg").unwrap();
    assert_eq!(config.tick_time_ms, 2_000);
    assert_eq!((config.min_session_timeout(), config.max_session_timeout()), (4_000, 40_000));
    assert_eq!(config.data_dir, PathBuf::from("/tmp/zookeeper"));
    assert_eq!(config.log_dir(), Path::new("/tmp/zookeeper"));
    assert_eq!((config.client_port, config.client_port_address), (Some(2181), ListenAddress::Any));
    let kinds: Vec<_> = warnings.iter().map(|w| (w.key.as_str(), w.kind)).collect();
    let waits = WarningKind::EnsembleOnly;
    assert_eq!(kinds, [("initLimit", waits), ("syncLimit", waits)]);
    assert_eq!(
        warnings[0].to_string(),
        "zoo.cfg:5: `initLimit` concerns ensembles and has no effect on a standalone server"
    );
}

#[test]
fn without_a_file_it_listens_on_loopback() {
    let (config, warnings) = ConfigBuilder::new().build().unwrap();
    assert_eq!(config, ServerConfig::default());
    assert_eq!(warnings, []);
    let loopback = ListenAddress::Ip("127.0.0.1".parse().unwrap());
    assert_eq!((config.client_port, &config.client_port_address), (Some(2181), &loopback));
    let mut config = config;
    config.set("clientPort", "0").unwrap();
    assert_eq!((config.client_port, config.client_port_address), (Some(0), loopback));
}

#[test]
fn prefix_and_property_names_are_the_same_key() {
    for name in ["snapCount", "zookeeper.snapCount"] {
        assert_eq!(accepted(&format!("{name}=7")).snap_count, 7, "{name}");
    }
    for name in ["requestThrottleLimit", "request_throttle_max_requests"] {
        for prefix in ["", "zookeeper."] {
            let config = accepted(&format!("{prefix}{name} = 9"));
            assert_eq!(config.request_throttle.max_requests, 9, "{prefix}{name}");
        }
    }
    assert_eq!(accepted("jute.maxbuffer=0x1fffff").jute_max_buffer, 0x1f_ffff);
    assert_eq!(accepted("znode.container.maxPerMinute=5").containers.max_per_minute, 5);
    assert!(accepted("readonlymode.enabled=true").answers_word("isro"));
}

#[test]
fn fields_that_are_not_numbers() {
    assert_eq!(
        accepted("clientPortAddress=10.0.0.1").client_port_address,
        ListenAddress::Ip("10.0.0.1".parse().unwrap())
    );
    assert_eq!(accepted("dataLogDir=/log").log_dir(), Path::new("/log"));
    assert_eq!(accepted("autopurge.purgeInterval=24").auto_purge.interval_ms, 86_400_000);
    assert_eq!(accepted("autopurge.purgeInterval=5m").auto_purge.interval_ms, 300_000);
    assert_eq!(
        accepted("snapshot.compression.method=gz").snapshot_compression,
        SnapshotCompression::Gzip
    );
    assert_eq!(
        accepted("DigestAuthenticationProvider.digestAlg=sha-256").digest_algorithm,
        DigestAlgorithm::Sha256
    );
    assert_eq!(accepted("largeRequestThreshold=100").large_requests.threshold, Some(100));
    assert_eq!(accepted("largeRequestThreshold=-1").large_requests.threshold, None);
    assert_eq!(accepted("clientPortListenBacklog=-1").client_port_listen_backlog, 50);
    assert_eq!(accepted("quorate.io=sharded\nquorate.shards=3").shards, Some(3));
    assert_eq!(accepted("maxClientCnxns=-1").max_client_cnxns, 0);
    assert_eq!(accepted("jute.maxbuffer=2097152").jute_extra_bytes(), 2_097_152);
    assert_eq!(accepted("flushDelay=30").write_queue_poll_time_ms(), 10);
    let config = accepted("4lw.commands.whitelist=stat, mntr");
    assert!(config.answers_word("mntr") && !config.answers_word("isro"));
}

/// Each block of `messages.txt` is lines of a file, marked `> `, and everything said about them.
/// The file is meant to be read as a whole; set `UPDATE_DOCS=1` to write it anew.
#[test]
fn messages_say_where_and_what_to_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/tests/messages.txt");
    let known = std::fs::read_to_string(&path).unwrap();
    let mut found = String::new();
    for block in known.split("\n\n") {
        let lines: Vec<&str> = block.lines().filter_map(|line| line.strip_prefix("> ")).collect();
        let said = match file(&lines.join("\n")) {
            Ok((_, warnings)) if warnings.is_empty() => vec!["nothing".to_owned()],
            Ok((_, warnings)) => warnings.iter().map(|w| format!("warning: {w}")).collect(),
            Err(error) => vec![format!("error: {error}")],
        };
        let shown = lines.iter().map(|line| format!("> {line}")).chain(said);
        found.push_str(&shown.collect::<Vec<_>>().join("\n"));
        found.push_str("\n\n");
    }
    found.pop();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &found).unwrap();
        return;
    }
    for (found, known) in found.split("\n\n").zip(known.split("\n\n")) {
        assert_eq!(found, known, "run with UPDATE_DOCS=1 if the new message is better");
    }
    assert_eq!(found, known);
}

#[test]
fn a_file_must_set_what_apache_demands() {
    let text = |text: &str| ServerConfig::from_properties(text, "f").unwrap_err().to_string();
    assert_eq!(text(""), "f: `dataDir` is not set; add a line such as `dataDir=/var/lib/quorate`");
    assert_eq!(text("dataDir=/x"), "f: `clientPort` is not set; add the line `clientPort=2181`");
    let mut builder = ConfigBuilder::new();
    builder.file("clientPort=1", "f").unwrap();
    builder.set("--set", "dataDir", "/x").unwrap();
    assert_eq!(builder.build().unwrap().0.data_dir, PathBuf::from("/x"));
}

#[test]
fn secrets_are_never_shown() {
    for line in [
        "ssl.keyStore.password=hunter2",
        "zookeeper.ssl.trustStore.password=hunter2",
        "DigestAuthenticationProvider.superDigest=hunter2",
    ] {
        let message = failed(line);
        assert!(message.contains("(hidden)") && !message.contains("hunter2"), "{message}");
    }
    let warned = "dataDir=/x\nclientPort=1\nssl.quorum.keyStore.password=hunter2";
    let (_, warnings) = ServerConfig::from_properties(warned, "f").unwrap();
    assert!(warnings.len() == 1 && !warnings[0].to_string().contains("hunter2"), "{warnings:?}");
    let config =
        accepted("DigestAuthenticationProvider.superDigest=super:g9oN2HttPfn8MMWJZ2r45Np/LIA=");
    assert_eq!(
        config.super_digest.as_ref().unwrap().reveal(),
        "super:g9oN2HttPfn8MMWJZ2r45Np/LIA="
    );
    assert!(!format!("{config:?}").contains("g9oN"));
}

#[test]
fn raw_bytes_beyond_ascii_are_latin1_and_warned_about() {
    let text = "clientPort=1\ndataDir=/t/é\n";
    let (config, warnings) = ServerConfig::from_properties(text, "f").unwrap();
    assert_eq!(config.data_dir, PathBuf::from("/t/\u{c3}\u{a9}"));
    assert_eq!(warnings[0].kind, WarningKind::Suspicious);
}

#[test]
fn a_later_line_wins_and_an_overridden_value_is_not_read() {
    assert_eq!(file("tickTime=bad\ntickTime=5").unwrap().0.tick_time_ms, 5);
    let harmless = "authProvider.1=org.apache.zookeeper.server.auth.IPAuthenticationProvider";
    let (config, warnings) = file(&format!("zookeeper.authProvider.1=x\n{harmless}")).unwrap();
    assert_eq!(config.tick_time_ms, 3_000);
    assert_eq!((warnings.len(), warnings[0].kind), (1, WarningKind::Duplicate));
}

#[test]
fn one_member_is_standalone() {
    let (config, warnings) = file("server.1=localhost:2888:3888").unwrap();
    assert_eq!(config.client_port, Some(2181));
    assert_eq!((warnings.len(), warnings[0].kind), (1, WarningKind::EnsembleOnly));
    let text = "dataDir=/d\nserver.1=localhost:2888:3888;127.0.0.1:2199";
    let (config, _) = ServerConfig::from_properties(text, "f").unwrap();
    assert_eq!(config.client_port, Some(2199));
    assert_eq!(config.client_port_address, ListenAddress::Ip("127.0.0.1".parse().unwrap()));
    assert!(failed("server.one=a:2888:3888").contains("the number of the server"));
}

#[test]
fn a_failed_set_changes_nothing() {
    let mut config = ServerConfig::default();
    assert!(config.set("minSessionTimeout", "99999999").is_err());
    assert!(config.set("ssl.clientAuth", "need").is_err());
    assert_eq!(config, ServerConfig::default());
    let warnings = config.set("snapcount", "1").unwrap();
    let warning = warnings[0].to_string();
    assert!(warning.starts_with("--set: `snapcount` is not a key"), "{warning}");
    assert!(warning.ends_with("did you mean `snapCount`?"), "{warning}");
}

#[test]
fn files_are_read_within_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("zoo.cfg");
    assert!(matches!(load(&path), Err(ConfigError::Read { .. })));
    std::fs::write(&path, "clientPort=1\ndataDir=/x\nsnapCount=4").unwrap();
    assert_eq!(load(&path).unwrap().0.snap_count, 4);
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(matches!(load(&path), Err(ConfigError::TooLarge { .. })));
    assert!(matches!(load(Path::new("/dev/zero")), Err(ConfigError::TooLarge { .. })));
}

#[test]
fn any_bytes_end_in_an_answer() {
    let mut random = Random(0x5eed);
    let names: Vec<&str> = keys::all().flat_map(Key::names).collect();
    let scraps: &[&[u8]] = &[
        b"=",
        b":",
        b"\\",
        b"\n",
        b"\r",
        b"\\u",
        b"#",
        b" ",
        b"00e9",
        b"d83d",
        b"-1",
        b"99999999999999999999",
        b"true",
        b"yes",
        b"zookeeper.",
        b"server.1",
        b"a:1:2",
        b";",
        b"0x",
        b"\xff",
        b"\0",
        b"[::1]:",
        b"|",
        b"ms",
    ];
    for _ in 0..5_000 {
        let mut text = b"clientPort=1\ndataDir=/x\n".to_vec();
        for _ in 0..random.below(12) {
            match random.below(4) {
                0 => text.extend_from_slice(names[random.below(names.len())].as_bytes()),
                1 => text.push(u8::try_from(random.below(256)).unwrap()),
                _ => text.extend_from_slice(scraps[random.below(scraps.len())]),
            }
        }
        // The answer must be printable too.
        match ServerConfig::from_properties(&text, "f") {
            Ok((_, warnings)) => warnings.iter().for_each(|w| assert!(!w.to_string().is_empty())),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[test]
fn the_largest_file_of_nonsense_is_read_quickly() {
    let text = "zzzzzzz\n".repeat((1 << 20) / 8 - 8);
    let unique: String = (0..80_000).map(|n| format!("x{n:x}=\n")).collect();
    for text in [text, unique] {
        assert!(file(&text).unwrap().1.len() > 1);
    }
}

/// xorshift64*: enough for scrambling text, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let value = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(value).unwrap() % limit
    }
}
