//! Tests of the JSON of service instances: golden texts and what a reader must take.

use serde_json::json;

use super::*;
use crate::recipes::layout::testing::Random;

/// The text that Curator 5.9 wrote, with the payload given.
fn golden(payload: &str) -> String {
    format!(
        concat!(
            r#"{{"name":"svc","id":"id-1","address":"10.0.0.1","port":8080,"sslPort":null,"#,
            r#""payload":{},"registrationTimeUTC":1795363984663,"serviceType":"DYNAMIC","#,
            r#""uriSpec":{{"parts":[{{"value":"scheme","variable":true}},"#,
            r#"{{"value":"://","variable":false}}]}}}}"#,
        ),
        payload
    )
}

fn instance(payload: Payload) -> ServiceInstance {
    ServiceInstance {
        address: Some("10.0.0.1".into()),
        port: Some(8080),
        payload,
        registration_time_utc: 1_795_363_984_663,
        uri_spec: Some(UriSpec::parse("{scheme}://").unwrap()),
        ..ServiceInstance::new("svc", "id-1")
    }
}

#[test]
fn bytes_as_curator_writes_them() {
    let object = |class: Option<&str>, fields: &[(&str, Value)]| Payload::Object {
        class: class.map(str::to_owned),
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    };
    for (payload, text) in [
        (Payload::None, "null"),
        (Payload::Text("a\"b".into()), r#""a\"b""#),
        (
            object(Some("x.Y"), &[("z", json!(1)), ("a", json!({"b": []}))]),
            r#"{"@class":"x.Y","z":1,"a":{"b":[]}}"#,
        ),
        (object(Some(JAVA_MAP), &[("0", json!("v"))]), r#"{"@class":"java.util.HashMap","0":"v"}"#),
        (object(None, &[]), "{}"),
        (Payload::Other(json!(7)), "7"),
        (Payload::Other(json!(-7)), "-7"),
        (Payload::Other(json!(0.5)), "0.5"),
        (Payload::Other(json!(true)), "true"),
        (Payload::Other(json!(["java.util.ArrayList", [1]])), r#"["java.util.ArrayList",[1]]"#),
    ] {
        let instance = instance(payload);
        let written = instance.to_json(false).unwrap();
        assert_eq!(String::from_utf8(written.clone()).unwrap(), golden(text));
        assert_eq!(ServiceInstance::from_json(&written).unwrap(), instance);
    }
}

#[test]
fn enabled_is_written_on_request_and_read_if_there() {
    let mut instance = instance(Payload::None);
    instance.enabled = false;
    let with = String::from_utf8(instance.to_json(true).unwrap()).unwrap();
    assert!(with.ends_with(r#"]},"enabled":false}"#), "{with}");
    assert_eq!(ServiceInstance::from_json(with.as_bytes()).unwrap(), instance);
    let without = instance.to_json(false).unwrap();
    assert!(ServiceInstance::from_json(&without).unwrap().enabled);
}

#[test]
fn an_instance_with_nothing_set() {
    let bare = ServiceInstance::new("s", "i");
    let text = concat!(
        r#"{"name":"s","id":"i","address":null,"port":null,"sslPort":null,"payload":null,"#,
        r#""registrationTimeUTC":0,"serviceType":"DYNAMIC","uriSpec":null}"#
    );
    assert_eq!(String::from_utf8(bare.to_json(false).unwrap()).unwrap(), text);
    assert_eq!(ServiceInstance::from_json(b"{}").unwrap(), ServiceInstance::new("", ""));
}

#[test]
fn readers_are_tolerant() {
    let text = br#" { "id": "i", "new": {"x": [1]}, "name": "s", "serviceType": "STATIC",
        "payload": {"a": 1, "@class": "x.Y", "b": 2}, "uriSpec": {"parts": [{"value": "v"}]} } "#;
    let read = ServiceInstance::from_json(text).unwrap();
    assert_eq!(read.service_type, ServiceType::Static);
    assert!(!read.service_type.is_dynamic());
    let written = String::from_utf8(read.to_json(false).unwrap()).unwrap();
    assert!(written.contains(r#""payload":{"@class":"x.Y","a":1,"b":2}"#), "{written}");
    for text in
        ["", "[]", "null", r#"{"port":"x"}"#, r#"{"serviceType":"OTHER"}"#, r#"{"id":null}"#]
    {
        assert!(ServiceInstance::from_json(text.as_bytes()).is_err(), "{text}");
    }
    for kind in [
        ServiceType::Dynamic,
        ServiceType::Static,
        ServiceType::Permanent,
        ServiceType::DynamicSequential,
    ] {
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
    }
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let mut random = Random::new(13);
    let whole = golden(r#"{"@class":"x.Y","a":[1,{"b":null}]}"#);
    for _ in 0..5_000 {
        // A good text with one byte replaced, and cut somewhere.
        let mut data = whole.clone().into_bytes();
        let at = random.below(data.len());
        [data[at]] = random.array();
        if random.below(4) == 0 {
            data.truncate(random.below(whole.len()));
        }
        if let Ok(read) = ServiceInstance::from_json(&data) {
            let again = read.to_json(true).unwrap();
            assert_eq!(ServiceInstance::from_json(&again).unwrap(), read);
        }
    }
    let deep = format!("{{\"payload\":{}", "[".repeat(100_000));
    assert!(ServiceInstance::from_json(deep.as_bytes()).is_err());
}
