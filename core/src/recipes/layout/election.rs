//! Names of elections other than the latch, and who leads.
//!
//! Curator's `LeaderSelector` and kazoo's `Election` are locks: see [`lock`](super::lock). Here are
//! ZooKeeper's `LeaderElectionSupport` (`n_N10`, data = host name), the documentation's
//! `<guid>-n_N10`, and the textbook's hot standby (`<host>-N10` under `instances`), all
//! ephemeral sequential; and the single node for which all candidates try the same create.

use super::position::{self, Position};
use super::protected::Id;
use super::sequence::{self, Sequence};

/// The form of the candidates' names. One form per directory.
///
/// ```
/// use quorate::recipes::layout::election::Form;
/// use quorate::recipes::layout::position::Position;
///
/// let offers = ["n_0000000002", "n_0000000001"];
/// assert!(Form::Offer.position(&offers, "n_0000000001").is_held());
/// assert_eq!(Form::Offer.position(&offers, "n_0000000002"), Position::Wait("n_0000000001"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `n_N10`, or with the documentation's `<guid>-` before it. Other children do not count.
    Offer,
    /// `<host>-N10`. Every child that ends in a dash and a number counts.
    Instance,
}

impl Form {
    /// The number of a candidate's node; `None` for a foreign child.
    ///
    /// ```
    /// use quorate::recipes::layout::election::{Form, OFFER};
    ///
    /// assert_eq!(Form::Offer.contender(&format!("{OFFER}0000000007")).unwrap().0, 7);
    /// assert!(Form::Offer.contender("db-1-0000000007").is_none());
    /// assert!(Form::Instance.contender("db-1-0000000007").is_some());
    /// ```
    pub fn contender(self, name: &str) -> Option<Sequence> {
        match self {
            Self::Offer => {
                let (stem, number) = sequence::split(name)?;
                let before = stem.strip_suffix(OFFER)?;
                (before.is_empty() || before.ends_with('-')).then_some(number)
            }
            Self::Instance => {
                let (stem, number) = sequence::split(name)?;
                (stem.len() > 1 && stem.ends_with('-')).then_some(number)
            }
        }
    }

    /// Where the node `mine` stands; [`Position::Held`] means leading.
    ///
    /// ```
    /// use quorate::recipes::layout::election::Form;
    /// use quorate::recipes::layout::position::Position;
    ///
    /// let names = ["n_0000000003", "n_0000000001", "n_0000000002"];
    /// // The nearest before it is watched, not the leader.
    /// assert_eq!(Form::Offer.position(&names, "n_0000000003"), Position::Wait("n_0000000002"));
    /// ```
    pub fn position<'a, S: AsRef<str>>(self, children: &'a [S], mine: &str) -> Position<'a> {
        position::position(children, &[mine], |name| self.contender(name))
    }

    /// The candidates in order of succession.
    ///
    /// ```
    /// use quorate::recipes::layout::election::{Form, INSTANCES, SINGLE_NODE};
    ///
    /// let names = ["n_0000000003", INSTANCES, SINGLE_NODE, "n_0000000001"];
    /// assert_eq!(Form::Offer.participants(&names), ["n_0000000001", "n_0000000003"]);
    /// ```
    pub fn participants<S: AsRef<str>>(self, children: &[S]) -> Vec<&str> {
        position::participants(children, |name| self.contender(name))
    }
}

/// The name of a candidate as ZooKeeper's documentation writes it, to create sequentially.
///
/// ```
/// use quorate::recipes::layout::election::{Form, protected_offer};
/// use quorate::recipes::layout::protected::Id;
///
/// let name = format!("{}0000000001", protected_offer(Id(7)));
/// assert!(Form::Offer.contender(&name).is_some());
/// ```
pub fn protected_offer(id: Id) -> String {
    format!("{id}-{OFFER}")
}

/// The name of an instance of the hot standby, to create sequentially.
///
/// ```
/// use quorate::recipes::layout::election::{host, instance};
///
/// assert_eq!(host(&format!("{}0000000004", instance("db-1"))), Some("db-1"));
/// ```
pub fn instance(host: &str) -> String {
    format!("{host}-")
}

/// The host of an instance's node.
///
/// ```
/// assert_eq!(quorate::recipes::layout::election::host("something else"), None);
/// ```
pub fn host(name: &str) -> Option<&str> {
    sequence::split(name)?.0.strip_suffix('-')
}

/// The name of a candidate of `LeaderElectionSupport`, to create sequentially.
pub const OFFER: &str = "n_";
/// Directory of a task in which its instances stand by.
pub const INSTANCES: &str = "instances";
/// The node of the election by a single node.
pub const SINGLE_NODE: &str = "leader";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_are_ordered_by_number() {
        let guid = protected_offer(Id(9)) + "0000000002";
        assert_eq!(guid, "00000000-0000-0000-0000-000000000009-n_0000000002");
        let children = ["n_0000000003", &guid, "config-n", "run_0000000001", "h1-0000000000"];
        assert!(Form::Offer.position(&children, &guid).is_held());
        assert_eq!(Form::Offer.position(&children, children[0]), Position::Wait(&guid));
        assert_eq!(Form::Offer.participants(&children), [&guid, "n_0000000003"]);
    }

    #[test]
    fn instances_stand_by_in_order() {
        let children = ["zeta-0000000001", "alpha-0000000002", "position", "-0000000000"];
        assert!(Form::Instance.position(&children, children[0]).is_held());
        assert_eq!(Form::Instance.position(&children, children[1]), Position::Wait(children[0]));
        assert_eq!(instance("alpha") + "0000000002", children[1]);
        assert_eq!(host(children[1]), Some("alpha"));
        assert_eq!(host("position"), None);
    }
}
