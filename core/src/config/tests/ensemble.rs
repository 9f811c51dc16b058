//! Members of an ensemble: `server.N` lines, `myid`, files of members, and everything that can be wrong with them.

use std::fs;
use std::path::Path;

use crate::config::{ConfigError, EnsembleConfig, ListenAddress, ServerConfig, Warning, load};

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
    assert_eq!(*ensemble, EnsembleConfig::new(2, members.parse().unwrap()));
    assert_eq!((config.client_port, config.client_port_address), (Some(2181), ListenAddress::Any));
}

#[test]
fn keys_of_a_member_are_followed() {
    let home = Home::new();
    let lines = "clientPort=2181\ninitLimit=20\nsyncLimit=7\nconnectToLearnerMasterLimit=3\n\
                 quorumListenOnAllIPs=true\nzookeeper.fastleader.minNotificationInterval=50\n\
                 fastleader.maxNotificationInterval=60000\ncnxTimeout=700\nquorumCnxnTimeoutMs=900\n\
                 electionPortBindRetry=0\ntcpKeepAlive=true\nobserver.reconnectDelayMs=4\n\
                 observer.election.DelayMs=5\nleaderConnectDelayDuringRetryMs=6\nversion=1f\n";
    let (config, warnings) = home.load(&format!("{lines}{THREE}")).unwrap();
    assert_eq!(warnings, []);
    let found = ensemble_of(&config).clone();
    let expected = EnsembleConfig {
        me: 2,
        membership: format!("{THREE}version=1f").parse().unwrap(),
        init_limit: 20,
        sync_limit: 7,
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
    };
    assert_eq!(found, expected);
}

#[test]
fn files_of_members_have_the_version_in_their_name() {
    let home = Home::new();
    for (name, version) in [("m.dynamic.1f", 0x1f), ("m.dynamic", 0), ("plain", 0)] {
        let path = home.write(name, &THREE.replace("b:2888:3888", "b:2888:3888;10.0.0.2:2199"));
        let lines = format!("{LIMITS}dynamicConfigFile={path}\n");
        let (config, warnings) = home.load(&lines).unwrap();
        assert_eq!(warnings, []);
        assert_eq!(ensemble_of(&config).membership.version, version, "{name}");
        assert_eq!(config.client_port, Some(2199));
        let address = ListenAddress::Ip("10.0.0.2".parse().unwrap());
        assert_eq!(config.client_port_address, address);
    }
}

#[test]
fn one_voter_is_an_ensemble_when_it_is_asked_for() {
    let home = Home::new();
    home.write("myid", " 1 \r\nanything");
    let lines = format!("clientPort=2181\n{LIMITS}server.1=a:2888:3888\n");
    assert_eq!(home.load(&lines).unwrap().0.ensemble, None);
    let (config, _) = home.load(&format!("{lines}standaloneEnabled=false\n")).unwrap();
    assert_eq!((ensemble_of(&config).me, ensemble_of(&config).is_observer()), (1, false));
}

#[test]
fn one_setting_of_a_member_can_change() {
    let members = format!("{THREE}version=5").parse().unwrap();
    let mut config =
        ServerConfig { ensemble: Some(EnsembleConfig::new(3, members)), ..ServerConfig::default() };
    let before = config.clone();
    assert_eq!(config.set("syncLimit", "9").unwrap(), []);
    assert_eq!(ensemble_of(&config).sync_limit, 9);
    assert!(config.set("syncLimit", "0").is_err());
    config.set("syncLimit", "5").unwrap();
    assert_eq!(config, before);
    assert!(config.set("quorum.auth.enableSasl", "true").is_err());
    assert!(config.set("server.3", "nonsense").is_err());
    assert!(config.set("server.4", "c:2888:3889").is_err(), "an address that server.3 has");
    assert_eq!(config, before);
}

/// What is said about files of server 2. Lines that begin with `+` come after three members and both limits; `clientPort` is in
/// line 2.
#[test]
fn everything_wrong_is_said_in_one_line_with_its_place() {
    let table: &[(&str, &str, &str)] = &[
        // What the file `myid` has.
        (
            "",
            "",
            "error: myid: this file begins with ``, which is not the number of a server; write one of 1, 2, 3 into it",
        ),
        ("two", "", "error: myid: this file begins with `two`, which is not"),
        (
            "99999999999999999999",
            "",
            "error: myid: this file begins with `99999999999999999999`, which is not",
        ),
        ("\n2", "", "error: myid: this file begins with ``, which is not"),
        (
            "7",
            "",
            "error: myid:1: this server is number 7, and the members are 1, 2, 3; correct the number, or add `server.7`",
        ),
        ("-1", "", "error: myid:1: this server is number -1, and the members are 1, 2, 3; correct"),
        // Members.
        (
            "2",
            "server.2=x:1:2",
            "error: zoo.cfg:8: `server.2` is set twice, first in line 6; remove one of both",
        ),
        (
            "2",
            "server.02=x:1:2",
            "error: zoo.cfg:8: \"server.02\" is set a second time; remove one of both",
        ),
        (
            "2",
            "server.4=c:2888:4888",
            "error: zoo.cfg:8: server.3 and server.4 both have c:2888; each needs",
        ),
        (
            "2",
            "server.4=C:1:3888",
            "error: zoo.cfg:8: server.3 and server.4 both have c:3888; each needs",
        ),
        ("2", "server.4=d:1:2;2", "error: zoo.cfg:8: server.4 twice has d:2; each needs"),
        (
            "2",
            "server.4=d:1:70000",
            "error: zoo.cfg:8: `server.4=d:1:70000` is not valid: expected `host:quorum-port",
        ),
        (
            "2",
            "server.4=d:1:0",
            "error: zoo.cfg:8: server.4 has the port 0, which the others cannot find",
        ),
        ("2", "server.4=d:1", "error: zoo.cfg:8: \"d:1\" is not `host:quorum-port:election-port`"),
        (
            "2",
            "server.4=d:5:5",
            "error: zoo.cfg:8: \"d:5:5\" uses one port for the quorum and for elections; they must differ",
        ),
        (
            "2",
            "server.4=d:1:2|e:1:2",
            "error: zoo.cfg:8: server.4 has several addresses; add the line `multiAddress.enabled=true`",
        ),
        (
            "2",
            "server.-4=d:1:2",
            "error: zoo.cfg:8: \"-4\" is not the number of a server or group (0 or more); correct this line",
        ),
        (
            "2",
            "server.255=d:1:2",
            "error: zoo.cfg:8: server.255 cannot have this number: session ids have one byte for it",
        ),
        (
            "2",
            "server.4=d:1:2\\nserver.5=e:1:2",
            "error: zoo.cfg:8: `server.4=d:1:2\\nserver.5=e:1:2` is not valid: expected text on one line",
        ),
        (
            "2",
            "version=xyz",
            "error: zoo.cfg:8: \"xyz\" is not a version (hexadecimal digits); correct this line",
        ),
        // Groups and weights.
        (
            "2",
            "group.1=1:2",
            "error: zoo.cfg:7: server 3 votes and is in no group; with groups or weights every voter needs a group",
        ),
        (
            "2",
            "group.1=1:2:3\ngroup.2=3",
            "error: zoo.cfg:9: server 3 is in more than one group; leave it in one of them",
        ),
        (
            "2",
            "group.1=1:2:3:4",
            "error: zoo.cfg:8: server 4 is in group 1 and is no voter of this configuration; remove it",
        ),
        (
            "2",
            "weight.1=x",
            "error: zoo.cfg:8: `weight.1=x` is not valid: expected a whole number of votes",
        ),
        (
            "2",
            "group.1=1:2:3\nweight.9=1",
            "error: zoo.cfg:9: `weight.9` is for no voter of this ensemble; remove it, or add its `server.N` line",
        ),
        // This server's place.
        ("2", "initLimit=0", "error: zoo.cfg:8: `initLimit` is 0; give a member some time"),
        ("2", "clientPort=2182\nserver.4=d:1:2", "warning"),
        (
            "2",
            "peerType=observer",
            "zoo.cfg:8: `peerType` does not say what `server.2` says: this server is a participant",
        ),
        (
            "2",
            "fastleader.minNotificationInterval=70000",
            "error: zoo.cfg:8: fastleader.minNotificationInterval (70000 ms) must not",
        ),
        (
            "2",
            "quorum.auth.enableSasl=true",
            "error: zoo.cfg:8: `quorum.auth.enableSasl=true` is refused: SASL between servers comes",
        ),
        (
            "2",
            "oraclePath=/x",
            "error: zoo.cfg:8: `oraclePath=/x` is refused: a file that decides instead of a quorum",
        ),
        // What only deserves a word.
        (
            "2",
            "electionAlg=3",
            "zoo.cfg:8: `electionAlg` has no effect: there is one algorithm, as in Apache",
        ),
        (
            "2",
            "server.4=d:1:2",
            "zoo.cfg:5: `server.*` lists 4 voters, an even number: the ensemble survives 1 failure, as 3 voters would",
        ),
        (
            "2",
            "server.4=0.0.0.0:1:2:observer",
            "zoo.cfg:8: `server.4` has an address that means every interface of this machine",
        ),
    ];
    let home = Home::new();
    for &(myid, lines, expected) in table {
        home.write("myid", myid);
        let said = home.said(&format!("clientPort=2181\n{LIMITS}{THREE}{lines}\n"));
        let expected =
            if expected == "warning" { "zoo.cfg:8: `clientPort` is set again" } else { expected };
        assert!(said.first().is_some_and(|said| said.starts_with(expected)), "{lines}: {said:#?}");
        assert!(said.iter().all(|said| said.lines().count() == 1), "{said:?}");
    }
}

#[test]
fn whole_files_that_make_no_member() {
    let home = Home::new();
    let dynamic = home.write("m", "server.1=a:1:2\nserver.2=b:1:2\n");
    let odd = home.write("odd", "server.1=a:1:2\ntickTime=5\n");
    let versioned = home.write("v", "version=5\nserver.1=a:1:2\n");
    let twice = home.write("twice", "server.1=a:1:2\nserver.1=b:1:2\n");
    let port = "clientPort=2181\n";
    let table = [
        (
            format!("{port}{THREE}"),
            "error: zoo.cfg: `initLimit` is not set; add the line `initLimit=10`",
        ),
        (
            format!("{port}initLimit=5\n{THREE}"),
            "error: zoo.cfg: `syncLimit` is not set; add the line `syncLimit=5`",
        ),
        (format!("{LIMITS}{THREE}"), "error: zoo.cfg: `clientPort` is not set"),
        (
            format!("{port}server.1=a:1:2\nserver.2=b:1:2:observer\n"),
            "error: zoo.cfg:3: observers beside a single voter; add voters, best up to three, or set standaloneEnabled=false",
        ),
        (
            format!("{port}{LIMITS}server.1=a:1:2\nserver.2=b:1:2\n"),
            "zoo.cfg:5: `server.*` lists 2 voters: the ensemble survives no failure; 3 survive one",
        ),
        (
            format!("{port}{LIMITS}server.1=a:1:2\nserver.2=b:1:2;2182\n"),
            "error: zoo.cfg:2: clients are served at *:2181 by clientPort, and at 0.0.0.0:2182 by the line of this server, \
             server.2 (zoo.cfg:6); remove clientPort or correct",
        ),
        (
            format!(
                "{port}clientPortAddress=10.0.0.1\n{LIMITS}server.1=a:1:2\nserver.2=b:1:2;10.0.0.2:2181\n"
            ),
            "error: zoo.cfg:2: clients are served at 10.0.0.1:2181 by clientPort, and at 10.0.0.2:2181 by the line",
        ),
        (
            format!("clientPortAddress=10.0.0.1\n{LIMITS}server.1=a:1:2\nserver.2=b:1:2;2181\n"),
            "error: zoo.cfg:2: clientPortAddress is set and clientPort is not; add clientPort",
        ),
        (
            format!("{port}{LIMITS}server.1=a:1:2\nserver.2=b:1:2;2181;2281\n"),
            "error: zoo.cfg:6: server.2, this server, has a second address for clients, with TLS",
        ),
        (
            format!("{port}{LIMITS}dynamicConfigFile={dynamic}\nserver.3=c:1:2\n"),
            "error: zoo.cfg:6: `server.3` must not stand beside dynamicConfigFile; move it into that file",
        ),
        (
            format!("{port}{LIMITS}dynamicConfigFile={dynamic}\nversion=5\n"),
            "zoo.cfg:6: `version` has no effect: the name of dynamicConfigFile says the version",
        ),
        (
            format!("{port}{LIMITS}dynamicConfigFile={dynamic}\n"),
            "m:1: `server.*` lists 2 voters: the ensemble survives no failure",
        ),
        (
            format!("{port}{LIMITS}dynamicConfigFile={odd}\n"),
            "error: odd:2: `tickTime` does not belong into a file of members; move it to the file that names this one",
        ),
        (
            format!("{port}{LIMITS}dynamicConfigFile={versioned}\n"),
            "error: v:1: `version` must not stand in a file of members; remove it",
        ),
        (
            format!("{port}{LIMITS}dynamicConfigFile={twice}\n"),
            "error: twice:2: `server.1` is set twice, first in line 1; remove one of both",
        ),
        (
            format!("{port}{LIMITS}dynamicConfigFile={dynamic}missing\n"),
            "error: mmissing: cannot read the configuration: No such file",
        ),
        (
            format!("{port}standaloneEnabled=false\n"),
            "error: zoo.cfg:3: standaloneEnabled is false, and there are no `server.N` lines",
        ),
    ];
    for (lines, expected) in table {
        let said = home.said(&lines);
        assert!(said.first().is_some_and(|said| said.starts_with(expected)), "{lines}: {said:#?}");
    }
    fs::remove_file(home.path().join("myid")).unwrap();
    let said = home.said(&format!("{port}{LIMITS}{THREE}"));
    assert!(said[0].starts_with("error: myid: this file does not exist; each member"), "{said:?}");
    fs::create_dir(home.path().join("myid")).unwrap();
    let said = home.said(&format!("{port}{LIMITS}{THREE}"));
    assert!(said[0].starts_with("error: myid: this file cannot be read: "), "{said:?}");
}
