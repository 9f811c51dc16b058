//! What makes a run, and the command line of the program `sim` that stands for it, both ways.

use super::plan::Plan;
use std::fmt;

/// Everything that decides what happens in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where all chance comes from.
    pub seed: u64,
    /// Events with faults, before the world becomes calm.
    pub steps: u64,
    /// What the world is made for.
    pub theme: Theme,
}

/// What worlds are made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Everything.
    #[default]
    Any,
    /// Connections that fall silent: what owners know of the end of their sessions.
    Silence,
    /// A wall clock that goes back while sessions come and go: their ids.
    Clocks,
}

impl Default for Run {
    fn default() -> Self {
        Self { seed: 1, steps: 20_000, theme: Theme::Any }
    }
}

impl Run {
    /// Takes an option of the command line, with its value from `rest`. Returns whether it is one of a run.
    ///
    /// # Errors
    /// When its value is not a number.
    pub fn take(
        &mut self,
        option: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<bool, String> {
        match option {
            "--seed" => self.seed = number(option, rest)?,
            "--steps" => self.steps = number(option, rest)?,
            _ => match Theme::ALL.iter().find(|theme| theme.option() == Some(option)) {
                Some(&theme) => self.theme = theme,
                None => return Ok(false),
            },
        }
        Ok(true)
    }
}

/// The value of an option.
///
/// # Errors
/// When it is not a number.
pub fn number(option: &str, rest: &mut impl Iterator<Item = String>) -> Result<u64, String> {
    let text = rest.next().unwrap_or_default();
    text.parse().map_err(|_| format!("{option} wants a number, not '{text}'"))
}

/// The options of the command line.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--seed {} --steps {}", self.seed, self.steps)?;
        self.theme.option().map_or(Ok(()), |option| write!(f, " {option}"))
    }
}

impl Theme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Any, Self::Silence, Self::Clocks];

    pub(super) const fn change(self) -> fn(&mut Plan) {
        match self {
            Self::Any => |_| (),
            Self::Silence => Plan::fall_silent,
            Self::Clocks => Plan::turn_back,
        }
    }

    const fn option(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::Silence => Some("--silence"),
            Self::Clocks => Some("--clocks"),
        }
    }
}
