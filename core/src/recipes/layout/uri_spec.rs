//! Curator's `UriSpec`: a URI with variables in braces, kept in a service instance as parts.
//!
//! `{scheme}://{address}:{port}` is read by [`UriSpec::parse`] and filled in by
//! [`UriSpec::build`]. The variables `[` and `]` stand for braces. Variables that nobody knows
//! come out empty, as in Curator.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::discovery::ServiceInstance;

/// A URI with variables.
///
/// ```
/// use quorate::recipes::layout::uri_spec::UriSpec;
///
/// let spec = UriSpec::parse("{scheme}://{address}:{port}").unwrap();
/// assert!(spec.parts[0].variable && spec.parts[0].value == "scheme");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UriSpec {
    /// Literal text and variables, in order.
    pub parts: Vec<Part>,
}

/// A piece of a [`UriSpec`].
///
/// ```
/// use quorate::recipes::layout::uri_spec::Part;
///
/// let part = Part { value: "port".into(), variable: true };
/// assert!(part.variable);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Part {
    /// The text, or the name of the variable.
    pub value: String,
    /// Whether `value` names a variable.
    pub variable: bool,
}

/// The text has braces that do not match.
///
/// ```
/// use quorate::recipes::layout::uri_spec::UriSpec;
///
/// assert!(UriSpec::parse("http://{address").is_err());
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("brace at byte {at} of the URI has no partner; write {{[}} and {{]}} for plain braces")]
pub struct UnmatchedBrace {
    /// Offset of the brace, or the length of the text if a closing one is missing at the end.
    pub at: usize,
}

impl UriSpec {
    /// Reads the form with braces. Blanks around a variable's name are dropped.
    ///
    /// ```
    /// use quorate::recipes::layout::uri_spec::UriSpec;
    ///
    /// let spec = UriSpec::parse("http://{ address }/status").unwrap();
    /// assert_eq!(spec.parts[1].value, "address");
    /// assert_eq!(UriSpec::parse("http://}").unwrap_err().at, 7);
    /// ```
    ///
    /// # Errors
    /// A brace inside braces, or one without its partner.
    pub fn parse(text: &str) -> Result<Self, UnmatchedBrace> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut variable = false;
        loop {
            let brace = rest.find(['{', '}']);
            let (value, behind) = rest.split_at(brace.unwrap_or(rest.len()));
            if !value.is_empty() {
                // `String.trim` of Java drops everything up to the blank.
                let value = if variable { value.trim_matches(|c| c <= ' ') } else { value };
                parts.push(Part { value: value.to_owned(), variable });
            }
            if variable != behind.starts_with('}') {
                return Err(UnmatchedBrace { at: text.len() - behind.len() });
            }
            let mut behind = behind.chars();
            if behind.next().is_none() {
                return Ok(Self { parts });
            }
            rest = behind.as_str();
            variable = !variable;
        }
    }

    /// Fills in the variables: those of `own` first, then those of the instance.
    ///
    /// ```
    /// use quorate::recipes::layout::{discovery::ServiceInstance, uri_spec::UriSpec};
    /// use std::collections::BTreeMap;
    ///
    /// let mut instance = ServiceInstance::new("web", "i-1");
    /// (instance.address, instance.port) = (Some("10.0.0.1".into()), Some(8080));
    /// let spec = UriSpec::parse("http://{address}:{port}/{page}").unwrap();
    /// let own = BTreeMap::from([("page".to_owned(), "status".to_owned())]);
    /// assert_eq!(spec.build(Some(&instance), &own), "http://10.0.0.1:8080/status");
    /// ```
    pub fn build(
        &self,
        instance: Option<&ServiceInstance>,
        own: &BTreeMap<String, String>,
    ) -> String {
        let value = |part: &Part| match (part.variable, own.get(&part.value)) {
            (false, _) => part.value.clone(),
            (true, Some(own)) => own.clone(),
            (true, None) => variable(&part.value, instance),
        };
        self.parts.iter().map(value).collect()
    }
}

/// The value of a variable that Curator knows.
fn variable(name: &str, instance: Option<&ServiceInstance>) -> String {
    match (name, instance) {
        ("[", _) => "{".to_owned(),
        ("]", _) => "}".to_owned(),
        ("scheme", Some(of)) if of.ssl_port.is_some() => "https".to_owned(),
        ("scheme", _) => "http".to_owned(),
        ("name", Some(of)) => of.name.clone(),
        ("id", Some(of)) => of.id.clone(),
        ("address", Some(of)) => of.address.clone().unwrap_or_default(),
        ("port", Some(of)) => of.port.map(|port| port.to_string()).unwrap_or_default(),
        ("ssl-port", Some(of)) => of.ssl_port.map(|port| port.to_string()).unwrap_or_default(),
        ("registration-time-utc", Some(of)) => of.registration_time_utc.to_string(),
        ("service-type", Some(of)) => of.service_type.name().to_ascii_lowercase(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::discovery::ServiceType;
    use crate::recipes::layout::testing::Random;

    #[test]
    fn parts_of_a_text() {
        let spec = UriSpec::parse("{ scheme }://x:{port}{[}").unwrap();
        let parts: Vec<_> = spec.parts.iter().map(|p| (p.value.as_str(), p.variable)).collect();
        let expected = [("scheme", true), ("://x:", false), ("port", true), ("[", true)];
        assert_eq!(parts, expected);
        assert_eq!(UriSpec::parse("").unwrap().parts, []);
        assert_eq!(UriSpec::parse("{}").unwrap().parts, []);
        for (text, at) in [("{", 1), ("}", 0), ("a{b{c}", 3), ("{a}}", 3), ("x{y", 3)] {
            assert_eq!(UriSpec::parse(text), Err(UnmatchedBrace { at }), "{text}");
        }
    }

    #[test]
    fn variables_of_an_instance() {
        let mut instance = ServiceInstance {
            address: Some("10.0.0.1".into()),
            port: Some(8080),
            registration_time_utc: 5,
            service_type: ServiceType::DynamicSequential,
            ..ServiceInstance::new("svc", "id-1")
        };
        let own = BTreeMap::from([("path".to_owned(), "p".to_owned())]);
        for (text, built) in [
            ("{scheme}://{address}:{port}/{path}", "http://10.0.0.1:8080/p"),
            ("{name}/{id}/{ssl-port}/{unknown}", "svc/id-1//"),
            ("{registration-time-utc} {service-type}", "5 dynamic_sequential"),
            ("{[}x{]}", "{x}"),
        ] {
            assert_eq!(UriSpec::parse(text).unwrap().build(Some(&instance), &own), built);
        }
        instance.ssl_port = Some(8443);
        let spec = UriSpec::parse("{scheme}:{ssl-port}{name}").unwrap();
        assert_eq!(spec.build(Some(&instance), &own), "https:8443svc");
        assert_eq!(spec.build(None, &own), "http:");
        let own = BTreeMap::from([("scheme".to_owned(), "ftp".to_owned())]);
        assert_eq!(spec.build(None, &own), "ftp:");
    }

    #[test]
    fn any_text_is_read_without_a_panic() {
        let mut random = Random::new(12);
        for _ in 0..10_000 {
            let text = random.text(&["{", "}", "{port}", " ", "{[}"]);
            if let Ok(spec) = UriSpec::parse(&text) {
                spec.build(None, &BTreeMap::new());
            }
        }
    }
}
