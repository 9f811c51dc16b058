//! What a step's result has to be.

use serde_json::Value;
use std::collections::HashMap;

/// What was saved.
pub(crate) type Saved = HashMap<String, Value>;

/// Looks at a result as `expect`, `greater` and `save` of a step say.
pub(crate) fn judge(step: &Value, result: &Value, saved: &mut Saved) -> Result<(), String> {
    let expect = &step["expect"];
    if expect.get("error").is_none() && result.get("error").is_some() {
        return Err(format!("failed: {result}"));
    }
    if !expect.is_null() && !matches(expect, result) {
        return Err(format!("expected {expect}, got {result}"));
    }
    for (member, name) in step["greater"].as_object().into_iter().flatten() {
        let (now, before) = (number(at(result, member)), number(&saved[name.as_str().unwrap()]));
        if now <= before {
            return Err(format!("{member} is {now}, not greater than {before}"));
        }
    }
    for (name, member) in step["save"].as_object().into_iter().flatten() {
        saved.insert(name.clone(), at(result, member.as_str().unwrap()).clone());
    }
    Ok(())
}

fn matches(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(members), Value::Object(_)) => members
            .iter()
            .all(|(name, value)| found.get(name).is_some_and(|found| matches(value, found))),
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(expected, found)| matches(expected, found))
        }
        (Value::String(text), Value::Number(number)) => *text == number.to_string(),
        _ => expected == found,
    }
}

/// A member, by a path with dots.
fn at<'a>(result: &'a Value, member: &str) -> &'a Value {
    member.split('.').fold(result, |value, name| &value[name])
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The step with what was saved in the place of `${name}`.
pub(crate) fn filled_in(step: &Value, saved: &Saved) -> Value {
    match step {
        Value::String(text) => {
            Value::String(saved.iter().fold(text.clone(), |text, (name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                text.replace(&format!("${{{name}}}"), &value)
            }))
        }
        Value::Array(values) => values.iter().map(|value| filled_in(value, saved)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), filled_in(value, saved)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => step.clone(),
    }
}
