use super::*;
use quorate_wire::quorum::membership::{Address, Role, Server};

/// A configuration of voters 1 to `n`, and of groups and weights, each written as in the text.
fn membership(n: i64, rules: &str) -> Membership {
    let servers: String = (1..=n).map(|sid| format!("server.{sid}=h{sid}:1:2\n")).collect();
    Membership::parse(&format!("{servers}{rules}")).unwrap()
}

fn verifier(n: i64, rules: &str) -> Verifier {
    Verifier::new(&membership(n, rules))
}

fn is_quorum(verifier: &Verifier, sids: &[i64]) -> bool {
    verifier.is_quorum(|sid| sids.contains(&sid))
}

#[test]
fn majorities() {
    for (n, survives) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (6, 2), (7, 3), (8, 3)] {
        let verifier = verifier(n, "");
        assert_eq!(verifier.survives(), survives, "{n} voters");
        for size in 0..=n {
            let sids: Vec<i64> = (1..=size).collect();
            assert_eq!(is_quorum(&verifier, &sids), 2 * size > n, "{size} of {n}");
        }
    }
}

#[test]
fn strangers_and_observers_do_not_count() {
    let mut membership = membership(3, "");
    membership.servers.insert(4, Server::new(Address::new("h4", 1, 2), Role::Observer));
    let verifier = Verifier::new(&membership);
    assert!(!is_quorum(&verifier, &[1, 4, 5, 6]));
    assert!(is_quorum(&verifier, &[1, 3, 4]));
    assert!(!Quorums::new(membership.clone()).is_voter(4));
    membership.groups.insert(1, [1, 2, 3, 4, 5].into());
    let verifier = Verifier::new(&membership);
    assert!(!is_quorum(&verifier, &[1, 4, 5]) && is_quorum(&verifier, &[1, 2]));
}

#[test]
fn hierarchies() {
    let three = "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9";
    let table: &[(i64, &str, &[i64], bool)] = &[
        (9, three, &[1, 2, 4, 5], true),
        (9, three, &[1, 2, 3, 4, 7], false),
        (9, three, &[1, 2, 3, 4, 5, 6, 7, 8, 9], true),
        // One of two groups is not more than half of them.
        (4, "group.1=1:2\ngroup.2=3:4", &[1, 2], false),
        (4, "group.1=1:2\ngroup.2=3:4", &[1, 2, 3], false),
        (4, "group.1=1:2\ngroup.2=3:4", &[1, 2, 3, 4], true),
        // One heavy server outweighs the others of its group, a light one is nobody.
        (3, "group.1=1:2:3\nweight.1=3", &[1], true),
        (3, "group.1=1:2:3\nweight.1=3", &[2, 3], false),
        (3, "group.1=1:2:3\nweight.1=2", &[2, 3], false),
        (3, "group.1=1:2:3\nweight.1=2", &[1, 2], true),
        (3, "group.1=1:2:3\nweight.3=0", &[1, 3], false),
        (3, "group.1=1:2:3\nweight.3=0", &[1, 2], true),
        // A group without weight does not count: two groups are left, then one.
        (6, "group.1=1:2\ngroup.2=3:4\ngroup.3=5:6\nweight.5=0\nweight.6=0", &[1, 2, 3, 4], true),
        (6, "group.1=1:2\ngroup.2=3:4\ngroup.3=5:6\nweight.5=0\nweight.6=0", &[1, 2, 5, 6], false),
        (4, "group.1=1:2\ngroup.2=3:4\nweight.3=0\nweight.4=0", &[1, 2], true),
    ];
    for &(n, rules, sids, expected) in table {
        assert_eq!(is_quorum(&verifier(n, rules), sids), expected, "{sids:?} of {n}: {rules}");
    }
}

#[test]
fn failures_of_hierarchies() {
    for (n, rules, survives) in [
        // Two groups must fall, with two servers each.
        (9, "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9", 3),
        // One of two groups is enough.
        (6, "group.1=1:2:3\ngroup.2=4:5:6", 1),
        (5, "group.1=1:2:3:4:5", 2),
        (3, "group.1=1:2:3\nweight.1=3", 0),
        (3, "group.1=1\ngroup.2=2\ngroup.3=3", 1),
        (6, "group.1=1:2:3\ngroup.2=4:5:6\nweight.4=0\nweight.5=0\nweight.6=0", 1),
    ] {
        assert_eq!(verifier(n, rules).survives(), survives, "{rules}");
    }
}

#[test]
fn weak_configurations_are_pointed_out() {
    for (n, rules, said) in [
        (1, "", "1 voter: the ensemble survives no failure; 3 survive one"),
        (2, "", "2 voters: the ensemble survives no failure; 3 survive one"),
        (3, "", ""),
        (4, "", "4 voters, an even number: the ensemble survives 1 failure, as 3 voters would"),
        (5, "", ""),
        (6, "", "6 voters, an even number: the ensemble survives 2 failures, as 5 voters would"),
        (
            4,
            "group.1=1:2\ngroup.2=3:4",
            "4 voters in groups or with weights of which a single failure can leave no quorum: \
             the ensemble survives no failure for certain",
        ),
        (6, "group.1=1:2:3\ngroup.2=4:5:6", ""),
    ] {
        let found = Weakness::of(&membership(n, rules)).map_or(String::new(), |w| w.to_string());
        assert_eq!(found, said, "{n} voters, {rules}");
    }
}

#[test]
fn a_margin_is_what_is_left() {
    let five = verifier(5, "");
    assert_eq!(five.margin(|sid| sid != 1), Some(1));
    assert_eq!(five.margin(|sid| sid > 2), Some(0));
    assert_eq!(five.margin(|sid| sid > 3), None);
    let groups = verifier(9, "group.1=1:2:3\ngroup.2=4:5:6\ngroup.3=7:8:9");
    assert_eq!(groups.margin(|sid| sid != 1), Some(2));
    assert_eq!(groups.margin(|sid| sid > 3), Some(1));
    assert_eq!(groups.margin(|sid| sid > 4), Some(0));
    assert_eq!(groups.margin(|sid| sid > 5), None);
}

#[test]
fn two_configurations_decide_together() {
    let mut quorums = Quorums::new(membership(3, "version=1"));
    assert!(quorums.is_quorum(|sid| sid <= 2));
    quorums.see(membership(5, "version=1"));
    assert!(quorums.pending().is_none(), "not newer");
    quorums.see(membership(5, "version=2"));
    assert!(!quorums.is_quorum(|sid| sid <= 2), "no quorum of the new one");
    assert!(!quorums.is_quorum(|sid| sid >= 3), "no quorum of the old one");
    assert!(quorums.is_quorum(|sid| (2..=4).contains(&sid)));
    assert_eq!(quorums.margin(|_| true), Some(1));
    assert_eq!(quorums.margin(|sid| sid > 2), None);
    assert_eq!(quorums.voters().collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(
        quorums.is_voter(5) && quorums.may_lead(5) && !quorums.is_voter(6) && !quorums.may_lead(6)
    );

    assert!(!quorums.commit(membership(7, "version=1")), "not newer");
    assert!(quorums.commit(membership(5, "version=2")));
    assert!(quorums.pending().is_none());
    assert!(quorums.is_quorum(|sid| sid >= 3));

    quorums.see(membership(1, "version=4"));
    assert!(quorums.commit(membership(3, "version=3")));
    assert_eq!(quorums.pending().map(|config| config.version), Some(4));
    assert_eq!(quorums.committed().version, 3);
}

#[test]
fn servers_without_weight_never_lead() {
    let weighted = membership(4, "group.1=1:2\ngroup.2=3:4\nweight.2=0\nversion=1");
    let mut quorums = Quorums::new(weighted);
    assert_eq!([1, 2, 3, 5].map(|sid| quorums.may_lead(sid)), [true, false, true, false]);
    quorums.see(membership(5, "group.1=1:2:3\ngroup.2=4:5\nweight.1=0\nweight.4=0\nversion=2"));
    let may = [1, 2, 3, 4, 5].map(|sid| quorums.may_lead(sid));
    assert_eq!(may, [true, false, true, true, true], "the committed one rules where it can");
}

/// All ways to put `n` servers into groups, each as the group of every server: the first server is in group 0, every next one in a
/// group that is there or in a new one.
fn partitions(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for _ in 0..n {
        let grown = all.iter().flat_map(|partition: &Vec<usize>| {
            let groups = partition.iter().max().map_or(0, |&last| last + 1);
            (0..=groups).map(move |group| [partition.as_slice(), &[group]].concat())
        });
        all = grown.collect();
    }
    all
}

/// All rules of up to five voters: the majority, and all groups with all weights up to 2.
fn every_small_rule(check: impl Fn(usize, &Verifier)) {
    for n in 1..=5_usize {
        let sids: Vec<i64> = (1..=5).take(n).collect();
        let plain = membership(sids[n - 1], "");
        check(n, &Verifier::new(&plain));
        for partition in partitions(n) {
            let mut config = plain.clone();
            for (&sid, &group) in sids.iter().zip(&partition) {
                config.groups.entry(sids[group]).or_default().insert(sid);
            }
            for choice in 0..3_usize.pow(u32::try_from(n).unwrap()) {
                let digits = std::iter::successors(Some(choice), |rest| Some(rest / 3));
                let weights = digits.map(|rest| [0, 1, 2][rest % 3]);
                config.weights = sids.iter().copied().zip(weights).collect();
                check(n, &Verifier::new(&config));
            }
        }
    }
}

fn in_set(set: usize) -> impl Fn(i64) -> bool {
    move |sid| usize::try_from(sid - 1).is_ok_and(|at| set >> at & 1 == 1)
}

#[test]
fn any_two_quorums_of_a_configuration_intersect() {
    every_small_rule(|n, rule| {
        for set in 0..1_usize << n {
            if !rule.is_quorum(in_set(set)) {
                continue;
            }
            // Whatever is larger is a quorum too, so it is enough that the rest is none.
            let rest = (1 << n) - 1 - set;
            assert!(!rule.is_quorum(in_set(rest)), "{set:b} and {rest:b}: {rule:?}");
            for at in 0..n {
                assert!(rule.is_quorum(in_set(set | 1 << at)), "{set:b} and {at} more: {rule:?}");
            }
        }
    });
}

#[test]
fn a_margin_is_the_number_of_failures_that_never_hurt() {
    every_small_rule(|n, rule| {
        // For each set of living servers the smallest number of failures that leaves no quorum.
        let mut fatal = vec![usize::MAX; 1 << n];
        for set in 0..1_usize << n {
            let fewer = (0..n).filter(|at| set >> at & 1 == 1).map(|at| fatal[set ^ 1 << at]);
            let least = fewer.min().unwrap_or(usize::MAX);
            fatal[set] = if rule.is_quorum(in_set(set)) { least + 1 } else { 0 };
            assert_eq!(rule.margin(in_set(set)), fatal[set].checked_sub(1), "{set:b}: {rule:?}");
        }
    });
}
