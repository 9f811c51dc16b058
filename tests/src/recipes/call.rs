//! One request and what it gives.

use anyhow::{Context, anyhow};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// One request; its fields beside `id` and `do` are arguments.
#[derive(Debug, Deserialize)]
pub(super) struct Call {
    /// Repeated in the answer.
    pub(super) id: u64,
    /// Role and verb, such as `lock.acquire`.
    #[serde(rename = "do")]
    pub(super) verb: String,
    #[serde(flatten)]
    arguments: Map<String, Value>,
}

impl Call {
    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> anyhow::Result<&str> {
        self.maybe_text(name).with_context(|| format!("{} needs the text {name:?}", self.verb))
    }

    /// A text that may be there.
    pub(super) fn maybe_text(&self, name: &str) -> Option<&str> {
        self.arguments.get(name).and_then(Value::as_str)
    }

    /// A number that must be there.
    pub(super) fn number<T: TryFrom<i64>>(&self, name: &str) -> anyhow::Result<T> {
        let number = self.arguments.get(name).and_then(Value::as_i64);
        number
            .and_then(|number| T::try_from(number).ok())
            .with_context(|| format!("{} needs the number {name:?}", self.verb))
    }

    /// Any value; null if there is none.
    pub(super) fn value(&self, name: &str) -> &Value {
        self.arguments.get(name).unwrap_or(&Value::Null)
    }

    /// Whether there is such an argument.
    pub(super) fn has(&self, name: &str) -> bool {
        self.arguments.contains_key(name)
    }

    /// The node it is about.
    pub(super) fn path(&self) -> anyhow::Result<&str> {
        self.text("path")
    }

    /// The name of what is held.
    pub(super) fn name(&self) -> anyhow::Result<&str> {
        self.text("as")
    }

    /// How long to wait; without it for ever. In the request in seconds.
    pub(super) fn limit(&self) -> Option<Duration> {
        let seconds = self.arguments.get("wait").and_then(Value::as_f64)?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// That there is no such verb.
    pub(super) fn unknown(&self) -> anyhow::Error {
        anyhow!("there is no command {:?}", self.verb)
    }
}
