//! The id at the front of a node name, by which a client finds a node again whose creation
//! succeeded while the answer was lost.
//!
//! Curator writes `_c_<uuid>-` (`ProtectedUtils`), kazoo the same 128 bits as 32 hex digits and no
//! separator (`kazoo.recipe.lock`), go-zookeeper `_c_<hex>-` (`CreateProtectedEphemeralSequential`).
//! Ids are given to this module, never made here. A node found by its id may belong to the
//! session before: the caller compares `ephemeralOwner` before it takes the node.

use std::fmt;

/// 128 bits that name one attempt to contend. Use a fresh random one for each new node.
///
/// ```
/// use quorate::recipes::layout::protected::Id;
///
/// let id = Id(7);
/// assert_eq!(id.dashed(), "00000000-0000-0000-0000-000000000007");
/// assert_eq!(Id::parse(&id.dashed()), Some(id));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub u128);

/// Who writes a prefix of this kind.
///
/// ```
/// use quorate::recipes::layout::protected::{Id, Style};
///
/// assert_eq!(Id(7).prefix(Style::Curator), "_c_00000000-0000-0000-0000-000000000007-");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// `_c_<uuid>-`
    Curator,
    /// `<hex>`
    Kazoo,
    /// `_c_<hex>-`
    Go,
}

impl Id {
    /// The 36 characters of a UUID, in small letters.
    ///
    /// ```
    /// assert_eq!(quorate::recipes::layout::protected::Id(7).dashed(), "00000000-0000-0000-0000-000000000007");
    /// ```
    pub fn dashed(self) -> String {
        let hex = self.hex();
        let mut text = String::with_capacity(DASHED);
        for (index, digit) in hex.chars().enumerate() {
            if matches!(index, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(digit);
        }
        text
    }

    /// 32 hex digits, in small letters.
    ///
    /// ```
    /// assert_eq!(quorate::recipes::layout::protected::Id(7).hex(), "00000000000000000000000000000007");
    /// ```
    pub fn hex(self) -> String {
        format!("{:032x}", self.0)
    }

    /// Reads either form, in small or capital letters.
    ///
    /// ```
    /// use quorate::recipes::layout::protected::Id;
    ///
    /// assert_eq!(Id::parse("000000000000000000000000000000FF"), Some(Id(255)));
    /// assert_eq!(Id::parse("seven"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let hex = match text.len() {
            HEX => text.to_owned(),
            DASHED => {
                let dashes = text.match_indices('-').map(|(at, _)| at);
                if !dashes.eq([8, 13, 18, 23]) {
                    return None;
                }
                text.replace('-', "")
            }
            _ => return None,
        };
        let digits = hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u128::from_str_radix(&hex, 16).ok()).flatten().map(Self)
    }

    /// The prefix of a node name in the given style.
    ///
    /// ```
    /// use quorate::recipes::layout::protected::{Id, Style};
    ///
    /// assert_eq!(Id(7).prefix(Style::Kazoo), Id(7).hex());
    /// assert_eq!(Id(7).prefix(Style::Go), format!("_c_{}-", Id(7).hex()));
    /// ```
    pub fn prefix(self, style: Style) -> String {
        match style {
            Style::Curator => format!("{MARK}{}-", self.dashed()),
            Style::Kazoo => self.hex(),
            Style::Go => format!("{MARK}{}-", self.hex()),
        }
    }

    /// Whether the name carries this id in any style, also as the `<uuid>-` of ZooKeeper's documentation.
    ///
    /// ```
    /// use quorate::recipes::layout::protected::{Id, Style};
    ///
    /// let name = format!("{}lock-0000000001", Id(7).prefix(Style::Curator));
    /// assert!(Id(7).owns(&name) && !Id(8).owns(&name));
    /// ```
    pub fn owns(self, name: &str) -> bool {
        split(name).is_some_and(|(_, id, _)| id == self) || name.starts_with(&self.dashed())
    }

    /// The children that carry this id; what to look for after an answer was lost.
    ///
    /// ```
    /// use quorate::recipes::layout::protected::{Id, Style};
    ///
    /// let names = [7, 8].map(|id| format!("{}lock-0000000001", Id(id).prefix(Style::Curator)));
    /// assert_eq!(Id(8).find(&names), [&names[1]]);
    /// ```
    pub fn find<S: AsRef<str>>(self, children: &[S]) -> Vec<&str> {
        children.iter().map(AsRef::as_ref).filter(|name| self.owns(name)).collect()
    }
}

impl fmt::Display for Id {
    /// The form with dashes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dashed())
    }
}

/// Takes a name apart: who wrote the prefix, the id, and what follows. `None` without a prefix.
///
/// ```
/// use quorate::recipes::layout::protected::{Id, Style, split};
///
/// let name = format!("{}lock-", Id(7).prefix(Style::Curator));
/// assert_eq!(split(&name), Some((Style::Curator, Id(7), "lock-")));
/// ```
pub fn split(name: &str) -> Option<(Style, Id, &str)> {
    if let Some(rest) = name.strip_prefix(MARK) {
        for (style, length) in [(Style::Curator, DASHED), (Style::Go, HEX)] {
            if let Some((id, rest)) = rest.split_at_checked(length)
                && let (Some(id), Some(rest)) = (Id::parse(id), rest.strip_prefix('-'))
            {
                return Some((style, id, rest));
            }
        }
        return None;
    }
    let (id, rest) = name.split_at_checked(HEX)?;
    Some((Style::Kazoo, Id::parse(id)?, rest))
}

/// The name without its prefix, or the whole name if it has none.
///
/// ```
/// use quorate::recipes::layout::protected::{Id, Style, strip};
///
/// assert_eq!(strip(&format!("{}lock-", Id(7).prefix(Style::Curator))), "lock-");
/// assert_eq!(strip("lock-"), "lock-");
/// ```
pub fn strip(name: &str) -> &str {
    split(name).map_or(name, |(_, _, rest)| rest)
}

/// Beginning of a protected name.
const MARK: &str = "_c_";
/// Length of an id with dashes.
const DASHED: usize = 36;
/// Length of an id without dashes.
const HEX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    const ID: Id = Id(0x5334_5f98_9423_4e0c_a7b5_9f81_9e3e_c2e1);
    const UUID: &str = "53345f98-9423-4e0c-a7b5-9f819e3ec2e1";
    const PLAIN: &str = "53345f9894234e0ca7b59f819e3ec2e1";

    #[test]
    fn prints_and_reads_both_forms() {
        assert_eq!(ID.dashed(), UUID);
        assert_eq!(ID.to_string(), UUID);
        assert_eq!(ID.hex(), PLAIN);
        assert_eq!(Id(7).hex(), "00000000000000000000000000000007");
        for text in [UUID, PLAIN, &UUID.to_uppercase()] {
            assert_eq!(Id::parse(text), Some(ID), "{text}");
        }
        for text in [
            "",
            "53345f98-94234-e0c-a7b5-9f819e3ec2e1",
            "53345f9894234e0ca7b59f819e3ec2e",
            "+3345f9894234e0ca7b59f819e3ec2e1",
            "g3345f9894234e0ca7b59f819e3ec2e1",
            "éé345f9894234e0ca7b59f819e3ec2e",
        ] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }

    #[test]
    fn knows_the_prefixes_of_three_clients() {
        for (style, prefix) in [
            (Style::Curator, format!("_c_{UUID}-")),
            (Style::Kazoo, PLAIN.to_owned()),
            (Style::Go, format!("_c_{PLAIN}-")),
        ] {
            assert_eq!(ID.prefix(style), prefix);
            let name = format!("{prefix}lock-0000000001");
            assert_eq!(split(&name), Some((style, ID, "lock-0000000001")));
            assert_eq!(strip(&name), "lock-0000000001");
            assert!(ID.owns(&name));
            assert!(!Id(1).owns(&name));
        }
        assert!(ID.owns(&format!("{UUID}-read-0000000001")));
        for name in ["lock-0000000001", "_c_", "_c_53345f98", &format!("_c_{UUID}lock-"), ""] {
            assert_eq!(split(name), None, "{name}");
            assert_eq!(strip(name), name);
        }
    }

    #[test]
    fn finds_own_nodes_after_a_lost_answer() {
        let bridge = [
            format!("_c_{UUID}-lock-0000000004"),
            "_c_00000000-0000-0000-0000-000000000001-lock-0000000003".to_owned(),
            format!("{PLAIN}__lock__0000000005"),
        ];
        assert_eq!(ID.find(&bridge), [bridge[0].as_str(), bridge[2].as_str()]);
        assert!(Id(9).find(&bridge).is_empty());
    }

    #[test]
    fn any_name_is_split_without_a_panic() {
        let mut random = Random::new(3);
        for _ in 0..20_000 {
            let name = random.text(&["_c_", UUID, PLAIN, "-", "lock-0000000001"]);
            if let Some((style, id, rest)) = split(&name) {
                assert_eq!(format!("{}{rest}", id.prefix(style)), name);
            }
        }
    }
}
