//! What a person types while the ensemble runs.

/// One line of standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Stop(Whom),
    Kill(Whom),
    Pause(Whom),
    Resume(Whom),
    Restart(Whom),
    Status,
    Help,
    Quit,
    /// An empty line.
    Nothing,
}

/// A member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    Number(i64),
    Leader,
}

impl Order {
    /// Reads a line; the error says what is wrong with it.
    pub(super) fn read(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let of: fn(Whom) -> Self = match words.first().copied() {
            None => return Ok(Self::Nothing),
            Some("status") => return alone(&words, Self::Status),
            Some("help") => return alone(&words, Self::Help),
            Some("quit" | "exit") => return alone(&words, Self::Quit),
            Some("stop") => Self::Stop,
            Some("kill") => Self::Kill,
            Some("pause") => Self::Pause,
            Some("resume") => Self::Resume,
            Some("restart" | "start") => Self::Restart,
            Some(word) => return Err(format!("{word:?} is no command; type `help`")),
        };
        match words.get(1..) {
            Some(["leader"]) => Ok(of(Whom::Leader)),
            Some([number]) => {
                let number = number.parse().map_err(|_| {
                    format!("{number:?} is no member; give its number, or `leader`")
                })?;
                Ok(of(Whom::Number(number)))
            }
            _ => Err("give one member: a number, or `leader`".to_owned()),
        }
    }
}

fn alone(words: &[&str], order: Order) -> Result<Order, String> {
    if words.len() > 1 {
        return Err(format!("nothing follows `{}`", words.first().unwrap_or(&"")));
    }
    Ok(order)
}

/// What can be typed.
pub(super) const HELP: &str = "\
  status      a table of all members
  stop N      end a member in good order
  kill N      end it at once (SIGKILL)
  pause N     let it stand still, connections open (SIGSTOP)
  resume N    let it go on
  restart N   stop it if it runs, and start it
  quit        end all; so do the end of input and Ctrl-C
N is the number of a member, or `leader`";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_and_a_member() {
        for (line, order) in [
            ("", Order::Nothing),
            (" \t", Order::Nothing),
            ("stop 1", Order::Stop(Whom::Number(1))),
            ("  kill   leader ", Order::Kill(Whom::Leader)),
            ("pause 2", Order::Pause(Whom::Number(2))),
            ("resume 2", Order::Resume(Whom::Number(2))),
            ("restart 12", Order::Restart(Whom::Number(12))),
            ("start 12", Order::Restart(Whom::Number(12))),
            ("status", Order::Status),
            ("help", Order::Help),
            ("quit", Order::Quit),
            ("exit", Order::Quit),
        ] {
            assert_eq!(Order::read(line), Ok(order), "{line:?}");
        }
    }

    #[test]
    fn a_line_that_is_none_says_why() {
        for (line, error) in [
            ("dance", "\"dance\" is no command; type `help`"),
            ("stop", "give one member: a number, or `leader`"),
            ("stop 1 2", "give one member: a number, or `leader`"),
            ("kill one", "\"one\" is no member; give its number, or `leader`"),
            ("quit now", "nothing follows `quit`"),
        ] {
            assert_eq!(Order::read(line), Err(error.to_owned()), "{line:?}");
        }
    }
}
