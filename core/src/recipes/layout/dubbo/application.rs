//! Dubbo's application-level discovery: instances in Curator's layout, and the mapping from
//! interfaces to applications.
//!
//! Instances are Curator's, at `/services/<application>/<host:port>`, with the payload
//! `ZookeeperInstance`: `id`, `name` and `metadata`, a map of strings that holds the revision and
//! the protocols. Dubbo wrote null for the payload's id until 2021, and writes the instance's own
//! since; its readers use neither. The mapping's data are application names joined by commas; it is changed
//! with the version read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::recipes::layout::discovery::{Payload, ServiceInstance};

/// An instance as Dubbo registers it. `registered_ms` is the time since 1970.
///
/// Curator's builder sets the URI to null and the type to dynamic.
///
/// ```
/// use quorate::recipes::layout::dubbo::application::{instance, metadata};
/// use std::collections::BTreeMap;
///
/// let given = BTreeMap::from([("revision".to_owned(), "1".to_owned())]);
/// let shop = instance("shop", "10.0.0.1", 20880, &given, 0);
/// assert_eq!(metadata(&shop), given);
/// ```
///
/// ```
/// use quorate::recipes::layout::discovery::Payload;
/// use quorate::recipes::layout::dubbo::application::{BASE, PAYLOAD_CLASS, instance};
///
/// let shop = instance("shop", "10.0.0.1", 20880, &Default::default(), 0);
/// assert!(matches!(shop.payload, Payload::Object { class: Some(class), .. } if class == PAYLOAD_CLASS));
/// assert_eq!(format!("{BASE}/{}/{}", shop.name, shop.id), "/services/shop/10.0.0.1:20880");
/// ```
pub fn instance(
    application: &str,
    host: &str,
    port: u16,
    metadata: &BTreeMap<String, String>,
    registered_ms: i64,
) -> ServiceInstance {
    let id = instance_id(host, port);
    let text = |text: &str| Value::String(text.to_owned());
    let metadata = metadata.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let fields = vec![
        ("id".to_owned(), text(&id)),
        ("name".to_owned(), text(application)),
        ("metadata".to_owned(), Value::Object(metadata)),
    ];
    ServiceInstance {
        address: Some(host.to_owned()),
        port: Some(port.into()),
        payload: Payload::Object { class: Some(PAYLOAD_CLASS.to_owned()), fields },
        registration_time_utc: registered_ms,
        ..ServiceInstance::new(application, id)
    }
}

/// The id of an instance, the name of its node.
///
/// ```
/// assert_eq!(quorate::recipes::layout::dubbo::application::instance_id("10.0.0.1", 20880), "10.0.0.1:20880");
/// ```
pub fn instance_id(host: &str, port: u16) -> String {
    format!("{host}:{port}")
}

/// The metadata of an instance; empty if its payload is not Dubbo's. Values that are no strings
/// are left out.
///
/// ```
/// use quorate::recipes::layout::discovery::ServiceInstance;
///
/// let bare = ServiceInstance::new("shop", "10.0.0.1:20880");
/// assert!(quorate::recipes::layout::dubbo::application::metadata(&bare).is_empty());
/// ```
pub fn metadata(instance: &ServiceInstance) -> BTreeMap<String, String> {
    let Payload::Object { fields, .. } = &instance.payload else { return BTreeMap::new() };
    let entries = fields
        .iter()
        .filter(|(name, _)| name == "metadata")
        .filter_map(|(_, value)| value.as_object())
        .flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The applications in the data of a mapping, sorted.
///
/// ```
/// use quorate::recipes::layout::dubbo::application::applications;
///
/// assert!(applications("shop,stock").contains("stock"));
/// ```
pub fn applications(data: &str) -> BTreeSet<&str> {
    data.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// The new data of a mapping with one application more; `None` if it is there already. What was
/// there stays as it is.
///
/// ```
/// use quorate::recipes::layout::dubbo::application::with_application;
///
/// assert_eq!(with_application("shop", "shop"), None);
/// assert!(with_application("shop", "stock").is_some());
/// ```
pub fn with_application(data: &str, application: &str) -> Option<String> {
    if applications(data).contains(application) {
        return None;
    }
    if data.is_empty() {
        Some(application.to_owned())
    } else {
        Some(format!("{data},{application}"))
    }
}

/// Class of the payload, which a Java reader needs.
pub const PAYLOAD_CLASS: &str = "org.apache.dubbo.registry.zookeeper.ZookeeperInstance";
/// Base of the instances unless the parameter `rootPath` of the registry says otherwise.
pub const BASE: &str = "/services";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    #[test]
    fn an_instance_as_dubbo_registers_it() {
        let values = [("dubbo.metadata.revision", "r1"), ("a", "1")];
        let values: BTreeMap<String, String> =
            values.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let instance = instance("app", "10.0.0.1", 20880, &values, 7);
        let text = concat!(
            r#"{"name":"app","id":"10.0.0.1:20880","address":"10.0.0.1","port":20880,"#,
            r#""sslPort":null,"#,
            r#""payload":{"@class":"org.apache.dubbo.registry.zookeeper.ZookeeperInstance","#,
            r#""id":"10.0.0.1:20880","name":"app","#,
            r#""metadata":{"a":"1","dubbo.metadata.revision":"r1"}},"#,
            r#""registrationTimeUTC":7,"serviceType":"DYNAMIC","uriSpec":null}"#,
        );
        assert_eq!(String::from_utf8(instance.to_json(false).unwrap()).unwrap(), text);
        let read = ServiceInstance::from_json(text.as_bytes()).unwrap();
        assert_eq!(metadata(&read), values);
    }

    #[test]
    fn payloads_of_others_have_no_metadata() {
        for payload in
            ["null", "\"x\"", "[1]", "{}", r#"{"metadata":1}"#, r#"{"metadata":{"a":1}}"#]
        {
            let text = format!("{{\"payload\":{payload}}}");
            let read = ServiceInstance::from_json(text.as_bytes()).unwrap();
            assert_eq!(metadata(&read), BTreeMap::new(), "{payload}");
        }
    }

    #[test]
    fn the_mapping_grows_by_one() {
        for (data, application, grown) in [
            ("", "a", Some("a")),
            ("a", "b", Some("a,b")),
            ("b, a", "a", None),
            ("ab", "a", Some("ab,a")),
        ] {
            assert_eq!(with_application(data, application).as_deref(), grown, "{data}");
        }
        assert_eq!(Vec::from_iter(applications(" b,,a , b")), ["a", "b"]);
        let mut random = Random::new(17);
        for _ in 0..1_000 {
            let data = random.text(&[",", " ", "a", "b"]);
            let grown = with_application(&data, "a").unwrap_or(data);
            assert!(applications(&grown).contains("a"));
        }
    }
}
