//! Members of an ensemble: `server.N` lines, `myid`, files of members, and everything that can be wrong with them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::client::tls::TlsVersions;
use crate::config::{
    ClientAuth, ConfigError, EnsembleConfig, ListenAddress, QuorumTls, ServerConfig, Warning, load,
};

const LIMITS: &str = "initLimit=10\nsyncLimit=5\n";
const THREE: &str = "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n";

/// A directory for the data of server 2, and what a file says of it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        home.write("myid", "2\n");
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self) -> PathBuf {
        self.path().join("zoo.cfg")
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    fn load(&self, lines: &str) -> Result<(ServerConfig, Vec<Warning>), ConfigError> {
        let text = format!("dataDir={}\n{lines}", self.path().display());
        load(Path::new(&self.write("zoo.cfg", &text)))
    }

    /// What is said about a file, without the name of the directory.
    fn said(&self, lines: &str) -> Vec<String> {
        let said = match self.load(lines) {
            Ok((_, warnings)) => warnings.iter().map(Warning::to_string).collect(),
            Err(error) => vec![format!("error: {error}")],
        };
        let home = format!("{}/", self.path().display());
        said.iter().map(|line| line.replace(&home, "")).collect()
    }
}

fn ensemble_of(config: &ServerConfig) -> &EnsembleConfig {
    config.ensemble.as_ref().unwrap()
}

#[test]
fn three_lines_and_a_number_make_a_member() {
    let home = Home::new();
    let (config, warnings) = home.load(&format!("clientPort=2181\n{LIMITS}{THREE}")).unwrap();
    assert_eq!(warnings, []);
    let ensemble = ensemble_of(&config);
    let members = ensemble.membership.to_string();
    assert_eq!(
        members,
        "server.1=a:2888:3888:participant\nserver.2=b:2888:3888:participant\n\
         server.3=c:2888:3888:participant\nversion=0"
    );
    let expected = EnsembleConfig {
        config_file: Some(home.file()),
        several_addresses: false,
        ..EnsembleConfig::new(2, members.parse().unwrap())
    };
    assert_eq!(*ensemble, expected);
    assert_eq!((config.client_port, config.client_port_address), (Some(2181), ListenAddress::Any));
}

#[test]
fn keys_of_a_member_are_followed() {
    let home = Home::new();
    let lines = "clientPort=2181\ninitLimit=20\nsyncLimit=7\nconnectToLearnerMasterLimit=3\nquorate.beat=70\n\
                 quorumListenOnAllIPs=true\nzookeeper.fastleader.minNotificationInterval=50\n\
                 fastleader.maxNotificationInterval=60000\ncnxTimeout=700\nquorumCnxnTimeoutMs=900\n\
                 electionPortBindRetry=0\ntcpKeepAlive=true\nobserver.reconnectDelayMs=4\n\
                 observer.election.DelayMs=5\nleaderConnectDelayDuringRetryMs=6\nversion=1f\n\
                 localSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true\n\
                 sslQuorum=true\nportUnification=true\nsslQuorumReloadCertFiles=true\n\
                 ssl.quorum.keyStore.location=/k.pem\nssl.quorum.keyStore.type=pem\n\
                 zookeeper.ssl.quorum.trustStore.location=/t.pem\nssl.quorum.trustStore.type=PEM\n\
                 ssl.quorum.hostnameVerification=false\nssl.quorum.clientHostnameVerification=false\n\
                 ssl.quorum.protocol=TLSv1.2\nssl.quorum.enabledProtocols=TLSv1.3, TLSv1.1\n\
                 ssl.quorum.ciphersuites=TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384\n\
                 ssl.quorum.clientAuth=NEED\n\
                 multiAddress.enabled=true\nsnapshotSizeFactor=-1\nquorate.learnerHistoryKb=77\n";
    let (config, warnings) = home.load(&format!("{lines}{THREE}")).unwrap();
    assert_eq!(warnings, []);
    let found = ensemble_of(&config).clone();
    let expected = EnsembleConfig {
        config_file: Some(home.file()),
        standalone_enabled: true,
        me: 2,
        membership: format!("{THREE}version=1f").parse().unwrap(),
        init_limit: 20,
        sync_limit: 7,
        snapshot_size_factor: -1.0,
        learner_history_kb: 77,
        several_addresses: true,
        beat_ms: 70,
        connect_limit: Some(3),
        listen_on_all: true,
        min_notification_interval_ms: 50,
        max_notification_interval_ms: 60_000,
        connect_timeout_ms: 700,
        greeting_timeout_ms: Some(900),
        bind_attempts: 0,
        tcp_keep_alive: true,
        connect_retry_delay_ms: 6,
        observer_reconnect_delay_ms: 4,
        observer_election_delay_ms: 5,
        local_sessions: true,
        local_sessions_upgrading: true,
        tls: QuorumTls {
            ssl_quorum: true,
            port_unification: true,
            reload_cert_files: true,
            key_store: Some("/k.pem".into()),
            trust_store: Some("/t.pem".into()),
            hostname_verification: false,
            client_hostname_verification: false,
            client_auth: ClientAuth::Need,
            protocol: Some(TlsVersions::Tls12),
            enabled_protocols: Some(TlsVersions::Tls13),
            cipher_suites: ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"]
                .map(str::to_owned)
                .to_vec(),
        },
    };
    assert_eq!(found, expected);
}

/// A member that was told to encrypt, or seems to have been, does not start without, or says so.
#[test]
fn tls_needs_its_files_and_its_files_need_tls() {
    let home = Home::new();
    home.write("myid", "2");
    let said = |lines: &str| home.said(&format!("clientPort=2181\n{LIMITS}{THREE}{lines}"));
    for switch in ["sslQuorum=true", "portUnification=true"] {
        let [error] = &said(&format!("{switch}\nssl.quorum.keyStore.location=/k\n"))[..] else {
            panic!("{switch}")
        };
        assert!(error.starts_with("error: zoo.cfg:"), "{error}");
        assert!(
            error.ends_with("`ssl.quorum.trustStore.location` must name a PEM file; add it"),
            "{error}"
        );
    }
    let [warning] = &said("ssl.quorum.keyStore.location=/k\n")[..] else { panic!() };
    assert!(warning.contains("without sslQuorum=true or portUnification=true"), "{warning}");
    let stores =
        "ssl.quorum.keyStore.location=/k\nssl.quorum.trustStore.location=/t\nsslQuorum=true\n";
    let [warning] = &said(&format!("{stores}ssl.quorum.clientAuth=want\n"))[..] else { panic!() };
    assert!(warning.contains("without a certificate"), "{warning}");
    for (line, words) in [
        ("ssl.quorum.keyStore.type=JKS", "openssl pkcs12"),
        ("ssl.quorum.trustStore.type=BCFKS", "PEM is read here"),
        ("ssl.quorum.enabledProtocols=TLSv1.1", "`TLSv1.2`"),
        ("ssl.quorum.protocol=SSL", "`TLSv1.3`"),
        ("ssl.quorum.clientAuth=maybe", "`need` or `want`"),
        ("ssl.quorum.crl=true", "short lives"),
        ("ssl.quorum.context.supplier.class=org.Own", "a Java class"),
    ] {
        let [error] = &said(&format!("{line}\n"))[..] else { panic!("{line}") };
        assert!(error.starts_with("error: ") && error.contains(words), "{error}");
    }
}

#[test]
fn a_file_of_lines_for_no_member_is_refused() {
    let home = Home::new();
    home.write("myid", "7");
    let said = home.said(&format!("clientPort=2181\n{LIMITS}{THREE}"));
    assert_eq!(
        said,
        [
            "error: myid:1: this server is number 7, and the members are 1, 2, 3; correct the number, \
          or add `server.7` on every member"
        ]
    );
}
