//! What is worth saying about a configuration before its first failure.

use super::Verifier;
use quorate_wire::quorum::Membership;
use std::fmt;

/// Why a configuration stands failures badly for its size.
///
/// ```
/// use quorate_engine::quorum::Weakness;
/// use quorate_wire::quorum::Membership;
///
/// let two = Membership::parse("server.1=a:1:2\nserver.2=b:1:2").unwrap();
/// assert_eq!(Weakness::of(&two), Some(Weakness::Few { voters: 2 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// One or two voters: any failure ends it.
    Few {
        /// Their number.
        voters: usize,
    },
    /// Groups and weights of which some failure of a single server leaves no quorum.
    Groups {
        /// The number of all voters.
        voters: usize,
    },
    /// An even number of voters: one less survives as much.
    Even {
        /// Their number.
        voters: usize,
        /// How many may fail.
        survives: usize,
    },
}

impl Weakness {
    /// The weakness of a configuration, if it has one.
    ///
    /// ```
    /// use quorate_engine::quorum::Weakness;
    ///
    /// let three = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2".parse()?;
    /// assert_eq!(Weakness::of(&three), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of(membership: &Membership) -> Option<Self> {
        let voters = membership.voters().count();
        let survives = Verifier::new(membership).survives();
        match (survives, membership.is_hierarchical()) {
            (0, true) => Some(Self::Groups { voters }),
            (0, false) => Some(Self::Few { voters }),
            (_, true) => None,
            (_, false) => voters.is_multiple_of(2).then_some(Self::Even { voters, survives }),
        }
    }
}

/// How many failures there may be, and what would be better.
impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Few { voters: 1 } => {
                f.write_str("1 voter: the ensemble survives no failure; 3 survive one")
            }
            Self::Few { voters } => {
                write!(f, "{voters} voters: the ensemble survives no failure; 3 survive one")
            }
            Self::Groups { voters } => write!(
                f,
                "{voters} voters in groups or with weights of which a single failure can leave no quorum: \
                 the ensemble survives no failure for certain"
            ),
            Self::Even { voters, survives } => write!(
                f,
                "{voters} voters, an even number: the ensemble survives {survives} failure{}, as {} voters would",
                if *survives == 1 { "" } else { "s" },
                voters.saturating_sub(1)
            ),
        }
    }
}
