//! [`Slot`]: the field that a value is written to, and the writing.

use super::key::Value;
use super::server_config::ServerConfig;

/// The field of [`ServerConfig`], or of another part of the configuration, that a value is written to.
///
/// ```
/// use quorate::config::{Disposition, ServerConfig, Slot, keys};
///
/// let mut config = ServerConfig::default();
/// if let Disposition::Honoured(Slot::U32(field)) = &keys::find("tickTime").unwrap().disposition {
///     *field(&mut config) = 500;
/// }
/// assert_eq!(config.tick_time_ms, 500);
/// ```
#[derive(Debug)]
pub enum Slot<C = ServerConfig> {
    /// A switch.
    Bool(fn(&mut C) -> &mut bool),
    /// A number of Java's `int` range.
    U32(fn(&mut C) -> &mut u32),
    /// A number of Java's `int` range; negative is `None`.
    OptU32(fn(&mut C) -> &mut Option<u32>),
    /// A number of Java's `long` range.
    U64(fn(&mut C) -> &mut u64),
    /// A probability or ratio.
    F64(fn(&mut C) -> &mut f64),
    /// A number that needs a thought; its kind has checked the range.
    Int(fn(&mut C, i64)),
    /// Anything else; the error says what was expected.
    Text(fn(&mut C, &str) -> Result<(), String>),
}

impl<C> Slot<C> {
    /// Writes a value to its field, or says what was expected.
    pub(super) fn fill(&self, target: &mut C, value: Value<'_>) -> Result<(), String> {
        let misfit = || "another kind of value".to_owned();
        match (self, value) {
            (Self::Bool(field), Value::Bool(value)) => *field(target) = value,
            (Self::U32(field), Value::Int(value, _)) => {
                *field(target) = u32::try_from(value).map_err(|_| misfit())?;
            }
            (Self::OptU32(field), Value::Int(value, _)) => {
                *field(target) = u32::try_from(value).ok();
            }
            (Self::U64(field), Value::Int(value, _)) => {
                *field(target) = u64::try_from(value).map_err(|_| misfit())?;
            }
            (Self::F64(field), Value::Fraction(value)) => *field(target) = value,
            (Self::Int(set), Value::Int(value, _)) => set(target, value),
            (Self::Text(set), Value::Text(value)) => set(target, value)?,
            _ => return Err(misfit()),
        }
        Ok(())
    }
}
