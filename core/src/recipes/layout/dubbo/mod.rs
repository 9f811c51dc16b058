//! What Apache Dubbo keeps in ZooKeeper: registry, application-level discovery, metadata.
//!
//! | Path | Content |
//! |---|---|
//! | `/dubbo/<interface>/<category>/<encoded URL>` | [`registry`]: the *name* is the entry |
//! | `/services/<application>/<host:port>` | [`application`]: Curator's instance JSON |
//! | `/dubbo/mapping/<interface>` | [`application`]: application names, joined by commas |
//! | `/dubbo/metadata/…`, `/dubbo/config/…` | [`paths`] |
//!
//! [`url`] is Dubbo's own URL, [`codec`] Java's form encoding of it. Written after Dubbo 3.3.

pub mod application;
pub mod codec;
pub mod paths;
pub mod registry;
pub mod url;

pub use url::Url;
