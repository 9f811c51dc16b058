//! Dubbo's interface-level registry (`ZookeeperRegistry`): paths, and which providers a consumer
//! takes (`UrlUtils.isMatch`).
//!
//! An entry is a node whose name is the encoded URL; its data is unimportant, its parents are
//! persistent. On NodeExists of an ephemeral entry Dubbo deletes and creates it again, because
//! the session before may still own it.

use super::codec;
use super::url::Url;

/// The categories below an interface, in the order in which `*` names them.
///
/// ```
/// use quorate::recipes::layout::dubbo::registry::{CATEGORIES, CONFIGURATORS, CONSUMERS, PROVIDERS, ROUTERS};
///
/// assert_eq!(CATEGORIES, [PROVIDERS, CONSUMERS, ROUTERS, CONFIGURATORS]);
/// assert_eq!((PROVIDERS, CONSUMERS), ("providers", "consumers"));
/// ```
pub const CATEGORIES: [&str; 4] = [PROVIDERS, CONSUMERS, ROUTERS, CONFIGURATORS];
/// Category of providers, the default.
pub const PROVIDERS: &str = "providers";
/// Category of consumers.
pub const CONSUMERS: &str = "consumers";
/// Category of routing rules.
pub const ROUTERS: &str = "routers";
/// Category of override rules.
pub const CONFIGURATORS: &str = "configurators";

/// The node that registers `url` below `root`; `None` if the URL names no interface.
///
/// ```
/// use quorate::recipes::layout::dubbo::registry::entry_path;
/// use quorate::recipes::layout::dubbo::Url;
///
/// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders?version=1.0").unwrap();
/// assert!(entry_path("/dubbo", &url).unwrap().starts_with("/dubbo/org.shop.Orders/providers/"));
/// ```
pub fn entry_path(root: &str, url: &Url) -> Option<String> {
    let service = service_path(root, url)?;
    Some(format!("{service}/{}/{}", category(url), url.to_node_name()))
}

/// Whether the entry is ephemeral: the parameter `dynamic`, true by default.
///
/// ```
/// use quorate::recipes::layout::dubbo::registry::is_ephemeral;
/// use quorate::recipes::layout::dubbo::Url;
///
/// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders?version=1.0").unwrap();
/// assert!(is_ephemeral(&url) && !is_ephemeral(&url.with_parameter("dynamic", "false")));
/// ```
pub fn is_ephemeral(url: &Url) -> bool {
    url.flag("dynamic", true)
}

/// The directories whose children a subscriber watches: one for each of its categories, all four
/// for `*`. `None` if the URL names no interface.
///
/// ```
/// use quorate::recipes::layout::dubbo::registry::category_paths;
/// use quorate::recipes::layout::dubbo::Url;
///
/// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders?version=1.0").unwrap();
/// assert!(!category_paths("/dubbo", &url).unwrap().is_empty());
/// ```
pub fn category_paths(root: &str, subscriber: &Url) -> Option<Vec<String>> {
    let service = service_path(root, subscriber)?;
    let names: Vec<&str> = match category(subscriber) {
        ANY => CATEGORIES.to_vec(),
        some => list(some).collect(),
    };
    Some(names.into_iter().map(|name| format!("{service}/{name}")).collect())
}

/// The node of an interface below `root`; the root itself for the interface `*`.
///
/// ```
/// use quorate::recipes::layout::dubbo::registry::service_path;
/// use quorate::recipes::layout::dubbo::Url;
///
/// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders?version=1.0").unwrap();
/// assert_eq!(service_path("/dubbo", &url).unwrap(), "/dubbo/org.shop.Orders");
/// ```
pub fn service_path(root: &str, url: &Url) -> Option<String> {
    match url.interface()? {
        ANY => Some(root.to_owned()),
        name if root == "/" => Some(format!("/{}", codec::encode(name))),
        name => Some(format!("{root}/{}", codec::encode(name))),
    }
}

/// Whether `provider` (any entry) is meant for `consumer`: by interface, category, `enabled`,
/// group, version and classifier. `*` on the side of the consumer matches anything; its group may
/// be a list.
///
/// ```
/// use quorate::recipes::layout::dubbo::registry::is_match;
/// use quorate::recipes::layout::dubbo::Url;
///
/// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders?version=1.0").unwrap();
/// assert!(is_match(&url, &url));
/// ```
pub fn is_match(consumer: &Url, provider: &Url) -> bool {
    let (wanted, offered) = (consumer.interface(), provider.interface());
    let interface = wanted == Some(ANY) || offered == Some(ANY) || wanted == offered;
    let enabled = provider.flag("enabled", true) || consumer.parameter("enabled") == Some(ANY);
    interface
        && is_category(category(provider), category(consumer))
        && enabled
        && matches_group(raw(consumer, "group"), raw(provider, "group"))
        && matches(raw(consumer, "version"), raw(provider, "version"))
        && matches(
            Some(consumer.parameter("classifier").unwrap_or(ANY)),
            Some(provider.parameter("classifier").unwrap_or(ANY)),
        )
}

/// What a subscriber is told of an empty category, so that it forgets what it had.
///
/// ```
/// use quorate::recipes::layout::dubbo::registry::empty;
/// use quorate::recipes::layout::dubbo::Url;
///
/// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders?version=1.0").unwrap();
/// assert_eq!(empty(&url, "providers").protocol.as_deref(), Some("empty"));
/// ```
#[must_use]
pub fn empty(consumer: &Url, category: &str) -> Url {
    let url = consumer.clone().with_parameter("category", category);
    Url { protocol: Some("empty".to_owned()), ..url }
}

/// The entries of a category that are meant for `consumer`. Names that are no URLs are left out,
/// as Dubbo does; an empty result is to be told as [`empty`].
///
/// ```
/// use quorate::recipes::layout::dubbo::registry::matching;
/// use quorate::recipes::layout::dubbo::Url;
///
/// let url = Url::parse("dubbo://10.0.0.1:20880/org.shop.Orders?version=1.0").unwrap();
/// assert_eq!(matching(&url, &[url.to_node_name()]), [url]);
/// ```
pub fn matching<S: AsRef<str>>(consumer: &Url, children: &[S]) -> Vec<Url> {
    let urls = children.iter().filter_map(|name| Url::from_node_name(name.as_ref()).ok());
    urls.filter(|url| url.protocol.is_some() && is_match(consumer, url)).collect()
}

fn category(url: &Url) -> &str {
    url.parameter("category").unwrap_or(PROVIDERS)
}

/// Dubbo looks for text inside of text here, so that part of a category's name matches as well.
fn is_category(category: &str, wanted: &str) -> bool {
    if wanted.contains(ANY) {
        true
    } else if wanted.contains('-') {
        !wanted.contains(&format!("-{category}"))
    } else {
        wanted.contains(category)
    }
}

fn matches_group(wanted: Option<&str>, offered: Option<&str>) -> bool {
    let listed = match (wanted, offered) {
        (Some(wanted), Some(offered)) if !offered.is_empty() => {
            list(wanted).any(|group| group == offered)
        }
        _ => false,
    };
    matches(wanted, offered) || listed
}

fn matches(wanted: Option<&str>, offered: Option<&str>) -> bool {
    wanted == Some(ANY) || wanted == offered
}

/// A parameter as it stands; missing and empty differ where Dubbo compares.
fn raw<'a>(url: &'a Url, name: &str) -> Option<&'a str> {
    url.parameters.get(name).map(String::as_str)
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Stands for anything.
const ANY: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::layout::testing::Random;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn paths_as_dubbo_makes_them() {
        let provider = url("dubbo://10.0.0.1:20880/a.B?side=provider");
        let name = "dubbo%3A%2F%2F10.0.0.1%3A20880%2Fa.B%3Fside%3Dprovider";
        let path = entry_path("/dubbo", &provider);
        assert_eq!(path.unwrap(), format!("/dubbo/a.B/providers/{name}"));
        let consumer = url("consumer://h/a.B?category=consumers&dynamic=false&interface=x/Y");
        let path = entry_path("/", &consumer).unwrap();
        assert!(path.starts_with("/x%2FY/consumers/consumer%3A%2F%2Fh%2Fa.B%3F"), "{path}");
        assert!(is_ephemeral(&provider) && !is_ephemeral(&consumer));
        assert_eq!(entry_path("/dubbo", &url("dubbo://h:1")), None);

        for (category, paths) in [
            ("", "/dubbo/a.B/providers"),
            ("providers, routers", "/dubbo/a.B/providers /dubbo/a.B/routers"),
            (
                "*",
                "/dubbo/a.B/providers /dubbo/a.B/consumers /dubbo/a.B/routers \
                 /dubbo/a.B/configurators",
            ),
        ] {
            let subscriber = url("consumer://h/a.B").with_parameter("category", category);
            assert_eq!(category_paths("/dubbo", &subscriber).unwrap().join(" "), paths);
        }
        assert_eq!(service_path("/dubbo", &url("admin://h/*")).unwrap(), "/dubbo");
    }

    /// Each line: what follows the consumer's and the provider's `…/`, and whether they match.
    #[test]
    fn consumers_and_providers() {
        for (consumer, provider, expected) in [
            ("a.B", "a.B", true),
            ("a.B", "a.C", false),
            ("*", "a.C", true),
            ("a.B", "*", true),
            ("x?interface=a.B", "a.B", true),
            ("a.B?category=consumers", "a.B", false),
            ("a.B?category=*", "a.B", true),
            ("a.B?category=-providers", "a.B", false),
            ("a.B?category=-routers", "a.B", true),
            ("a.B?category=providers,routers", "a.B?category=routers", true),
            ("a.B", "a.B?category=routers", false),
            ("a.B", "a.B?enabled=false", false),
            ("a.B?enabled=*", "a.B?enabled=false", true),
            ("a.B", "a.B?group=g", false),
            ("a.B?group=g", "a.B", false),
            ("a.B?group=g", "a.B?group=g", true),
            ("a.B?group=*", "a.B?group=g", true),
            ("a.B?group=f , g", "a.B?group=g", true),
            ("a.B?group=f,gg", "a.B?group=g", false),
            ("a.B?version=1", "a.B?version=1", true),
            ("a.B?version=1", "a.B?version=2", false),
            ("a.B?version=*", "a.B?version=2", true),
            ("a.B?version=1,2", "a.B?version=2", false),
            ("a.B?classifier=c", "a.B?classifier=c", true),
            ("a.B?classifier=c", "a.B", false),
            ("a.B", "a.B?classifier=c", true),
        ] {
            let consumer = url(&format!("consumer://h/{consumer}"));
            let provider = url(&format!("dubbo://h:1/{provider}"));
            assert_eq!(is_match(&consumer, &provider), expected, "{consumer} {provider}");
        }
    }

    #[test]
    fn only_matching_entries_are_told() {
        let consumer = url("consumer://h/a.B?version=1");
        let good = url("dubbo://h:1/a.B?version=1");
        let other = url("dubbo://h:1/a.B?version=2");
        let children = [good.to_node_name(), other.to_node_name(), "%".into(), "noise".into()];
        assert_eq!(matching(&consumer, &children), [good]);
        let empty = empty(&consumer, PROVIDERS).to_string();
        assert_eq!(empty, "empty://h/a.B?category=providers&version=1");
    }

    #[test]
    fn any_names_are_judged_without_a_panic() {
        let mut random = Random::new(16);
        let parts = ["dubbo://", "h", "/a.B", "?", "group=", "*", "&", "%3F", "category=", ","];
        for _ in 0..5_000 {
            let children: Vec<String> = (0..3).map(|_| random.text(&parts)).collect();
            if let Ok(consumer) = Url::parse(&random.text(&parts)) {
                matching(&consumer, &children);
                category_paths("/dubbo", &consumer);
                entry_path("/dubbo", &consumer);
            }
        }
    }
}
