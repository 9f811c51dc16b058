//! Service instances as Curator's x-discovery keeps them: the JSON in `<base>/<name>/<id>`.
//!
//! [`ServiceInstance::to_json`] writes what `JsonInstanceSerializer` writes: fields in this order,
//! no blanks, nulls present, and no `enabled` unless asked for (its "compatible mode").
//! [`ServiceInstance::from_json`] takes what Curator takes: any order, fields may be missing,
//! unknown ones are ignored, and an absent `enabled` means yes. (Control characters are escaped
//! with small hex digits, where Jackson uses capital ones.)

use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor, value};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::uri_spec::UriSpec;

/// One registered instance of a service.
///
/// ```
/// use quorate::recipes::layout::discovery::ServiceInstance;
///
/// let mut instance = ServiceInstance::new("web", "i-1");
/// instance.address = Some("10.0.0.1".into());
/// let json = instance.to_json(true)?;
/// assert_eq!(ServiceInstance::from_json(&json)?, instance);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServiceInstance {
    /// Name of the service.
    pub name: String,
    /// Id of the instance, the name of its node; unique within the service.
    pub id: String,
    /// Host name or address.
    pub address: Option<String>,
    /// Port without TLS.
    pub port: Option<i32>,
    /// Port with TLS.
    pub ssl_port: Option<i32>,
    /// What the application adds.
    pub payload: Payload,
    /// Milliseconds since 1970.
    #[serde(rename = "registrationTimeUTC")]
    pub registration_time_utc: i64,
    /// How the node is made.
    pub service_type: ServiceType,
    /// How to call the instance.
    pub uri_spec: Option<UriSpec>,
    /// Whether the instance takes calls. Only written on request.
    pub enabled: bool,
}

/// How the node of an instance is made.
///
/// ```
/// use quorate::recipes::layout::discovery::ServiceType;
///
/// assert_eq!(ServiceType::Dynamic.name(), "DYNAMIC");
/// assert!(ServiceType::Dynamic.is_dynamic() && !ServiceType::Permanent.is_dynamic());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceType {
    /// Ephemeral.
    #[default]
    Dynamic,
    /// Persistent.
    Static,
    /// Persistent; Curator does not remove it either.
    Permanent,
    /// Ephemeral sequential.
    DynamicSequential,
}

/// What an application keeps in an instance.
///
/// ```
/// use quorate::recipes::layout::discovery::{Payload, ServiceInstance};
///
/// assert_eq!(ServiceInstance::new("web", "i-1").payload, Payload::None);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Payload {
    /// `null`
    #[default]
    None,
    /// A string.
    Text(String),
    /// An object. A Java reader needs the class, which is written first, as `@class`: the class
    /// of a map is [`JAVA_MAP`]. The other fields keep their order.
    Object {
        /// Name of the Java class.
        class: Option<String>,
        /// All fields but `@class`.
        fields: Vec<(String, Value)>,
    },
    /// A number, truth value or list. Jackson wraps longs and lists: `["<class>", …]`.
    Other(Value),
}

impl ServiceInstance {
    /// An enabled, dynamic instance without address, payload and URI.
    pub fn new(name: impl Into<String>, id: impl Into<String>) -> Self {
        Self { name: name.into(), id: id.into(), ..Self::default() }
    }

    /// Reads the data of an instance's node.
    ///
    /// ```
    /// use quorate::recipes::layout::discovery::{JAVA_MAP, Payload, ServiceInstance};
    ///
    /// let json = br#"{"name":"web","id":"i-1","port":80,"payload":{"@class":"java.util.HashMap","zone":"a"}}"#;
    /// let instance = ServiceInstance::from_json(json).unwrap();
    /// assert_eq!(instance.port, Some(80));
    /// assert!(matches!(instance.payload, Payload::Object { class: Some(class), .. } if class == JAVA_MAP));
    /// assert!(ServiceInstance::from_json(b"no JSON").is_err());
    /// ```
    ///
    /// # Errors
    /// The data is no JSON object, or a field is of the wrong type.
    pub fn from_json(data: &[u8]) -> Result<Self, serde_json::Error> {
        // A derived reader would take a list of the fields, too.
        if data.trim_ascii_start().first() != Some(&b'{') {
            return Err(Error::custom("a service instance is a JSON object"));
        }
        serde_json::from_slice(data)
    }

    /// The data of an instance's node.
    ///
    /// `with_enabled` appends the field `enabled`, which Curator does only outside of its
    /// compatible mode, the default.
    ///
    /// ```
    /// use quorate::recipes::layout::discovery::ServiceInstance;
    ///
    /// let instance = ServiceInstance::new("web", "i-1");
    /// let (plain, with) = (instance.to_json(false).unwrap(), instance.to_json(true).unwrap());
    /// assert!(!plain.ends_with(br#""enabled":true}"#) && with.ends_with(br#""enabled":true}"#));
    /// ```
    ///
    /// # Errors
    /// None with the types of this module.
    pub fn to_json(&self, with_enabled: bool) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Written {
            name: &self.name,
            id: &self.id,
            address: self.address.as_deref(),
            port: self.port,
            ssl_port: self.ssl_port,
            payload: &self.payload,
            registration_time_utc: self.registration_time_utc,
            service_type: self.service_type,
            uri_spec: self.uri_spec.as_ref(),
            enabled: with_enabled.then_some(self.enabled),
        })
    }
}

impl Default for ServiceInstance {
    /// What a reader assumes of missing fields.
    fn default() -> Self {
        Self {
            name: String::new(),
            id: String::new(),
            address: None,
            port: None,
            ssl_port: None,
            payload: Payload::None,
            registration_time_utc: 0,
            service_type: ServiceType::Dynamic,
            uri_spec: None,
            enabled: true,
        }
    }
}

impl ServiceType {
    /// The name in the JSON.
    ///
    /// ```
    /// use quorate::recipes::layout::discovery::ServiceType;
    ///
    /// assert_eq!(ServiceType::DynamicSequential.name(), "DYNAMIC_SEQUENTIAL");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "DYNAMIC",
            Self::Static => "STATIC",
            Self::Permanent => "PERMANENT",
            Self::DynamicSequential => "DYNAMIC_SEQUENTIAL",
        }
    }

    /// Whether the node goes with the session.
    ///
    /// ```
    /// use quorate::recipes::layout::discovery::ServiceType;
    ///
    /// assert!(ServiceType::DynamicSequential.is_dynamic() && !ServiceType::Static.is_dynamic());
    /// ```
    pub fn is_dynamic(self) -> bool {
        matches!(self, Self::Dynamic | Self::DynamicSequential)
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Other(value) => value.serialize(serializer),
            Self::Object { class, fields } => {
                let mut map = serializer.serialize_map(None)?;
                if let Some(class) = class {
                    map.serialize_entry(CLASS, class)?;
                }
                for (name, value) in fields {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PayloadVisitor)
    }
}

/// What is written: the fields in Jackson's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    name: &'a str,
    id: &'a str,
    address: Option<&'a str>,
    port: Option<i32>,
    ssl_port: Option<i32>,
    payload: &'a Payload,
    #[serde(rename = "registrationTimeUTC")]
    registration_time_utc: i64,
    service_type: ServiceType,
    uri_spec: Option<&'a UriSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
}

/// Reads a payload and keeps the order of its fields, which `Value` would not.
struct PayloadVisitor;

impl<'de> Visitor<'de> for PayloadVisitor {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a payload")
    }

    fn visit_unit<E>(self) -> Result<Payload, E> {
        Ok(Payload::None)
    }

    fn visit_str<E>(self, text: &str) -> Result<Payload, E> {
        Ok(Payload::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Payload, E> {
        Ok(Payload::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Payload, E> {
        Ok(Payload::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Payload, E> {
        Ok(Payload::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Payload, E> {
        Ok(Payload::Other(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Payload, A::Error> {
        Value::deserialize(value::SeqAccessDeserializer::new(items)).map(Payload::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Payload, A::Error> {
        let mut class = None;
        let mut fields = Vec::new();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            match value {
                Value::String(text) if name == CLASS => class = Some(text),
                value => fields.push((name, value)),
            }
        }
        Ok(Payload::Object { class, fields })
    }
}

/// Field that names the class of an object.
const CLASS: &str = "@class";
/// The class that Jackson names for a map.
pub const JAVA_MAP: &str = "java.util.HashMap";

#[cfg(test)]
#[path = "discovery_tests.rs"]
mod tests;
