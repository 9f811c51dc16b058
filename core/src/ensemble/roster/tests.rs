use super::*;
use std::collections::BTreeMap;

const STARTED: &str = "# ours\ndataDir=/data\nclientPort=2181\n server.1 = a:1:2;\\\n  2181\n# more\nserver.2=b:1:2;2181\n\
                       peerType=participant\ninitLimit=5\nsyncLimit=2";

fn membership(version: i64) -> Membership {
    let text = "server.2=b:1:2;2181\nserver.10=c:1:2;2181\nserver.1=a:1:2;2181";
    Membership { version, ..text.parse().unwrap() }
}

fn ensemble(file: Option<&Path>) -> EnsembleConfig {
    let file = file.map(Path::to_owned);
    EnsembleConfig { config_file: file, ..EnsembleConfig::new(1, membership(0)) }
}

/// What lies in a directory.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

#[test]
fn committed_configurations_move_out_of_the_settings() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().canonicalize().unwrap();
    let file = dir.join("zoo.cfg");
    fs::write(&file, STARTED).unwrap();
    let (roster, _) = Roster::open(&ensemble(Some(&file)), &dir, true).unwrap();
    let lines = "server.10=c:1:2:participant;0.0.0.0:2181\nserver.1=a:1:2:participant;0.0.0.0:2181\n\
                 server.2=b:1:2:participant;0.0.0.0:2181";
    roster.propose(Some(&membership(0xab))).unwrap();
    let next = format!("{lines}\nversion=ab");
    assert_eq!(
        files(&dir),
        [("zoo.cfg", STARTED), ("zoo.cfg.dynamic.next", &next)].map(owned).into()
    );
    for version in [0xab, 0xac] {
        roster.commit(&membership(version)).unwrap();
    }
    let settings = format!(
        "# ours\ndataDir=/data\n# more\ninitLimit=5\nsyncLimit=2\ndynamicConfigFile={}/zoo.cfg.dynamic.ac\n",
        dir.display()
    );
    let expected = [
        ("zoo.cfg", settings.as_str()),
        ("zoo.cfg.bak", STARTED),
        ("zoo.cfg.dynamic.ab", lines),
        ("zoo.cfg.dynamic.ac", lines),
    ];
    assert_eq!(files(&dir), expected.map(owned).into());
}

/// Settings may hold the passwords of key stores.
#[cfg(unix)]
#[test]
fn settings_stay_as_private_as_they_were() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("zoo.cfg");
    fs::write(&file, STARTED).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    let (roster, _) = Roster::open(&ensemble(Some(&file)), home.path(), true).unwrap();
    for version in [5, 6] {
        roster.commit(&membership(version)).unwrap();
        for name in ["zoo.cfg", "zoo.cfg.bak"] {
            let mode = fs::metadata(home.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o400, "{name}");
        }
    }
}

fn owned((name, text): (&str, &str)) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[test]
fn a_proposed_configuration_outlives_a_restart_until_something_newer_is_committed() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("zoo.cfg");
    fs::write(&file, STARTED).unwrap();
    let open = || Roster::open(&ensemble(Some(&file)), home.path(), true).unwrap();
    let (roster, quorums) = open();
    assert_eq!((quorums.committed(), quorums.pending()), (&membership(0), None));
    roster.propose(Some(&membership(5))).unwrap();
    roster.commit(&membership(4)).unwrap();
    assert_eq!(open().1.pending(), Some(&membership(5)));
    roster.propose(None).unwrap();
    roster.propose(None).unwrap();
    assert_eq!(open().1.pending(), None);
    roster.propose(Some(&membership(6))).unwrap();
    roster.commit(&membership(7)).unwrap();
    assert!(!home.path().join("zoo.cfg.dynamic.next").exists());
    // Where nothing is reconfigured, nothing of it counts.
    roster.propose(Some(&membership(8))).unwrap();
    let (_, fixed) = Roster::open(&ensemble(Some(&file)), home.path(), false).unwrap();
    assert_eq!((fixed.committed().version, fixed.pending()), (0, None));
}

#[test]
fn a_program_finds_the_newest_configuration_in_the_data_directory() {
    let home = tempfile::tempdir().unwrap();
    let open = || Roster::open(&ensemble(None), home.path(), true).unwrap();
    let (roster, _) = open();
    for version in [9, 0x10, 0x11] {
        roster.commit(&membership(version)).unwrap();
        assert_eq!(open().1.committed(), &membership(version));
    }
    assert_eq!(files(home.path()).into_keys().collect::<Vec<_>>(), ["zoo.cfg.dynamic.11"]);
}

#[test]
fn what_cannot_be_written_or_read_is_named() {
    let home = tempfile::tempdir().unwrap();
    let (roster, _) = Roster::open(&ensemble(None), &home.path().join("gone"), true).unwrap();
    let error = roster.propose(Some(&membership(5))).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot write ") && error.contains("gone/zoo.cfg.dynamic.next"),
        "{error}"
    );
    fs::write(home.path().join("zoo.cfg.dynamic.next"), "server.1=a").unwrap();
    let error = Roster::open(&ensemble(None), home.path(), true).unwrap_err().to_string();
    assert!(error.starts_with("cannot read ") && error.contains("line 1"), "{error}");
}
