//! Paths of Dubbo's mapping, metadata and configuration below its root (`ZookeeperMetadataReport`,
//! `BaseServiceMetadataIdentifier`, `ZookeeperDynamicConfiguration`).
//!
//! Dubbo joins the parts of a metadata path as a *set*: empty parts and repetitions are left out,
//! so that an interface of group `1.0` and version `1.0` has one level less (`PathUtils`). We do
//! the same, or we would look elsewhere.

use super::codec;

/// Which side of a call stored a service's metadata.
///
/// ```
/// use quorate::recipes::layout::dubbo::paths::Side;
///
/// assert_ne!(Side::Provider, Side::Consumer);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who offers the service.
    Provider,
    /// Who calls it.
    Consumer,
}

/// The node of the applications that offer an interface.
///
/// ```
/// let path = quorate::recipes::layout::dubbo::paths::mapping("/dubbo", "org.shop.Orders");
/// assert!(path.starts_with("/dubbo/") && path.ends_with("org.shop.Orders"));
/// ```
pub fn mapping(root: &str, interface: &str) -> String {
    below(root, &format!("mapping/{interface}"))
}

/// The node of a service's definition: `metadata/<interface>[/<version>][/<group>]/<side>/<application>`.
/// Empty version or group means none.
///
/// ```
/// use quorate::recipes::layout::dubbo::paths::{Side, service_metadata};
///
/// let path = service_metadata("/dubbo", "org.shop.Orders", "1.0", "g", Side::Provider, "shop");
/// assert!(path.starts_with("/dubbo/metadata/org.shop.Orders"));
/// ```
pub fn service_metadata(
    root: &str,
    interface: &str,
    version: &str,
    group: &str,
    side: Side,
    application: &str,
) -> String {
    let side = match side {
        Side::Provider => "provider",
        Side::Consumer => "consumer",
    };
    let interface = if interface == "*" { String::new() } else { codec::encode(interface) };
    let prefix = join(&["metadata", &interface, version, group, side]);
    below(root, &join(&[&prefix, application]))
}

/// The node of an application's metadata of one revision.
///
/// ```
/// let path = quorate::recipes::layout::dubbo::paths::application_metadata("/dubbo", "shop", "r1");
/// assert!(path.starts_with("/dubbo/metadata/shop"));
/// ```
pub fn application_metadata(root: &str, application: &str, revision: &str) -> String {
    let prefix = join(&["metadata", application]);
    below(root, &join(&[&prefix, revision]))
}

/// The node of a key in the configuration centre. Dubbo's own group is `dubbo`.
///
/// ```
/// let path = quorate::recipes::layout::dubbo::paths::config("/dubbo", "group", "key");
/// assert!(path.starts_with("/dubbo/config/"));
/// ```
pub fn config(root: &str, group: &str, key: &str) -> String {
    below(root, &format!("config/{group}/{key}"))
}

fn below(root: &str, path: &str) -> String {
    if root == "/" { format!("/{path}") } else { format!("{root}/{path}") }
}

/// `PathUtils.buildPath`: the first of equal parts counts, what follows a question mark is cut
/// off, and slashes do not double.
fn join(parts: &[&str]) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for part in parts {
        if !part.is_empty() && !kept.contains(part) {
            kept.push(part);
        }
    }
    let mut path = String::new();
    for character in kept.join("/").chars().take_while(|character| *character != '?') {
        if character != '/' || !path.ends_with('/') {
            path.push(character);
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_dubbo_makes_them() {
        assert_eq!(mapping("/dubbo", "a.B"), "/dubbo/mapping/a.B");
        assert_eq!(config("/", "dubbo", "a.B.configurators"), "/config/dubbo/a.B.configurators");
        assert_eq!(application_metadata("/dubbo", "app", "r1"), "/dubbo/metadata/app/r1");
        assert_eq!(application_metadata("/dubbo", "app", ""), "/dubbo/metadata/app");
        for (interface, version, group, path) in [
            ("a.B", "", "", "a.B/provider/app"),
            ("a.B", "1.0", "", "a.B/1.0/provider/app"),
            ("a.B", "", "g", "a.B/g/provider/app"),
            ("a.B", "1.0", "g", "a.B/1.0/g/provider/app"),
            ("a.B", "1.0", "1.0", "a.B/1.0/provider/app"),
            ("a$B", "", "g//h", "a%24B/g/h/provider/app"),
            ("a.B", "", "g?x", "a.B/g/app"),
            ("*", "", "", "provider/app"),
        ] {
            let found =
                service_metadata("/dubbo", interface, version, group, Side::Provider, "app");
            assert_eq!(found, format!("/dubbo/metadata/{path}"));
        }
        let path = service_metadata("/x", "a.B", "", "", Side::Consumer, "app");
        assert_eq!(path, "/x/metadata/a.B/consumer/app");
    }
}
