//! TLS of the client: whom to trust, who to be, and the handshake.
//!
//! [`TlsOptions`] says it, [`Tls`] is it, ready for use and shared by all connections. The files
//! are read again at each connection attempt, so certificates can be renewed under a running
//! client; what cannot be used is logged and the last usable state kept.
//!
//! Of the cryptography nothing shows outside: it is rustls with ring, passed explicitly, so that
//! the choice of the embedding program for its own TLS is left alone. Revocation lists are not
//! checked. Called by the driver for each connection.

mod error;
pub(crate) mod load;
#[cfg(test)]
pub(crate) mod tests;
mod verify;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

pub use error::{TlsError, advice};
use load::Texts;
pub(crate) use verify::ChainOnly;

/// An encrypted connection.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// # runtime.block_on(async {
/// use quorate::client::tls::{TlsOptions, TlsStream};
/// use tokio::io::DuplexStream;
///
/// # let own = rcgen::generate_simple_self_signed(["zoo1".to_owned()]).unwrap();
/// let tls = TlsOptions::new().roots_pem(own.cert.pem()).build()?;
/// let (near, far) = tokio::io::duplex(1 << 16);
/// drop(far);
/// let refused: Result<TlsStream<DuplexStream>, _> = tls.connect("zoo1", near).await;
/// assert!(refused.is_err());
/// # Ok::<(), quorate::client::tls::TlsError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type TlsStream<S> = tokio_rustls::client::TlsStream<S>;

/// What TLS needs to know; [`build`](Self::build) makes it usable.
///
/// Trust roots must be given. Those of the system are deliberately no default: the members of an
/// ensemble have certificates of their owner's, and whoever can get a certificate from any public
/// authority must not pass for one of them.
///
/// ```
/// use quorate::client::tls::{TlsOptions, TlsVersions};
///
/// # let own = rcgen::generate_simple_self_signed(["client".to_owned()])?;
/// # let (ca, cert, key) = (own.cert.pem(), own.cert.pem(), own.signing_key.serialize_pem());
/// // PEM texts here; files with `roots_file` and `client_files`, which are read again for each connection.
/// let options = TlsOptions::new().roots_pem(ca).client_pem(cert, key).versions(TlsVersions::Tls13);
/// // Servers whose certificates name neither their host nor their address.
/// let tls = options.clone().server_name("zookeeper.internal").build()?;
/// let careless = options.without_name_check().build()?;
/// # let _ = (tls, careless);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    roots: Option<Source>,
    client: Option<(Source, Source)>,
    name: NameCheck,
    versions: TlsVersions,
}

/// Versions of TLS to offer. By default, Apache's server 3.8 speaks 1.2 only, and that of 3.9 on a current Java 1.3 only
/// (`ssl.protocol`, `ssl.enabledProtocols`).
///
/// ```
/// use quorate::client::tls::{TlsOptions, TlsVersions};
///
/// assert_eq!(TlsVersions::default(), TlsVersions::Both);
/// let strict = TlsOptions::new().versions(TlsVersions::Tls13);
/// assert!(format!("{strict:?}").contains("Tls13"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsVersions {
    /// 1.3, and 1.2 for servers that have nothing newer.
    #[default]
    Both,
    /// 1.2 only.
    Tls12,
    /// 1.3 only.
    Tls13,
}

/// TLS ready for use. Clones share one state; cheap to clone.
///
/// ```
/// use quorate::client::tls::TlsOptions;
///
/// # let ca = rcgen::generate_simple_self_signed(["zoo1".to_owned()])?.cert.pem();
/// let tls = TlsOptions::new().roots_pem(ca).build()?;
/// // For any number of clients; `Builder::tls` takes it.
/// let client = quorate::client::Client::builder().tls(tls.clone());
/// # let _ = client;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
}

impl TlsOptions {
    /// Nothing said: no roots, no client certificate, names checked, TLS 1.2 and 1.3.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificates of this PEM file, and what they signed.
    #[must_use]
    pub fn roots_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots = Some(Source::File(path.into()));
        self
    }

    /// Trusts the certificates of this PEM text, and what they signed.
    #[must_use]
    pub fn roots_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(Source::Text(pem.into()));
        self
    }

    /// Presents the certificate of these PEM files to servers that ask for one: `chain` has the
    /// client's own certificate first and then those between it and the root, `key` its private
    /// key, unencrypted (PKCS#8, PKCS#1 or SEC1). Both may be one file.
    ///
    /// ```
    /// use quorate::client::tls::{TlsError, TlsOptions};
    ///
    /// let options = TlsOptions::new().roots_file("/etc/zk/ca.pem").client_files("/etc/zk/me.pem", "/etc/zk/me.key");
    /// // Nothing is read before `build`.
    /// assert!(matches!(options.build(), Err(TlsError::Read { path, .. }) if path.starts_with("/etc/zk")));
    /// ```
    #[must_use]
    pub fn client_files(mut self, chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client = Some((Source::File(chain.into()), Source::File(key.into())));
        self
    }

    /// The same from PEM texts.
    #[must_use]
    pub fn client_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.client = Some((Source::Text(chain.into()), Source::Text(key.into())));
        self
    }

    /// Expects this name or IP address in the certificate of every server, instead of the host
    /// that the connection string names.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.name = NameCheck::Fixed(name.into());
        self
    }

    /// Accepts any name in the certificate, which must still come from the roots: what
    /// `ssl.hostnameVerification=false` means to ZooKeeper. Whoever has any certificate of these
    /// roots can then pass for a server.
    #[must_use]
    pub fn without_name_check(mut self) -> Self {
        self.name = NameCheck::None;
        self
    }

    /// Offers these versions.
    #[must_use]
    pub const fn versions(mut self, versions: TlsVersions) -> Self {
        self.versions = versions;
        self
    }

    /// Reads the files and checks everything. Blocks while it reads.
    ///
    /// ```
    /// use quorate::client::tls::{TlsError, TlsOptions};
    ///
    /// assert!(matches!(TlsOptions::new().build(), Err(TlsError::NoRoots)));
    /// let missing = TlsOptions::new().roots_file("/no/such/file.pem").build();
    /// assert!(matches!(missing, Err(TlsError::Read { .. })));
    /// ```
    ///
    /// # Errors
    ///
    /// What is missing or unusable, with the file that has it.
    pub fn build(self) -> Result<Tls, TlsError> {
        if let NameCheck::Fixed(name) = &self.name {
            server_name(name)?;
        }
        let texts = Texts::read(&self)?;
        let config = Arc::new(texts.config(&self)?);
        let current = Mutex::new(Current { texts, config, warned: None });
        Ok(Tls { shared: Arc::new(Shared { options: self, current }) })
    }

    /// Whether a later read can give something else.
    fn has_files(&self) -> bool {
        let client = self.client.iter().flat_map(|(chain, key)| [chain, key]);
        self.roots.iter().chain(client).any(|source| matches!(source, Source::File(_)))
    }
}

impl Tls {
    /// Reads the files again and does the handshake over `stream`, with the server that the
    /// connection string calls `host`.
    ///
    /// Waits as long as the server lets it: the caller sets the limit. Needs a tokio runtime.
    ///
    /// A server that refuses the client's certificate, or the lack of one, does so in TLS 1.3
    /// only after this has returned: the first read fails then, and [`advice`] explains it.
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// # runtime.block_on(async {
    /// # use std::sync::Arc;
    /// # let own = rcgen::generate_simple_self_signed(["zoo1".to_owned()])?;
    /// # let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der())?;
    /// # let provider = Arc::new(rustls::crypto::ring::default_provider());
    /// # let server = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?
    /// #     .with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key)?;
    /// # let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    /// # let (near, far) = tokio::io::duplex(1 << 16);
    /// # let serving = tokio::spawn(async move { acceptor.accept(far).await.is_ok() });
    /// use quorate::client::tls::TlsOptions;
    ///
    /// let tls = TlsOptions::new().roots_pem(own.cert.pem()).build()?;
    /// // `near` leads to a server with that certificate, which is for the name `zoo1`.
    /// let stream = tls.connect("zoo1", near).await?;
    /// assert!(stream.get_ref().1.alpn_protocol().is_none());
    /// # assert!(serving.await?);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`TlsError::ServerName`] and [`TlsError::Handshake`].
    pub async fn connect<S>(&self, host: &str, stream: S) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match &self.shared.options.name {
            NameCheck::Host => server_name(host)?,
            NameCheck::Fixed(name) => server_name(name)?,
            // Still sent to the server, if it is one, which may choose its certificate by it.
            NameCheck::None => server_name(host).unwrap_or_else(|_| no_name()),
        };
        let config = self.fresh_config().await;
        let connector = TlsConnector::from(config);
        let connected = connector.connect(name, stream).await;
        connected.map_err(|source| TlsError::handshake(host, source))
    }

    /// Reads the files again. [`connect`](Self::connect) does so by itself; this is for those who
    /// want to know at once whether new files are good. Blocks while it reads.
    ///
    /// ```
    /// use quorate::client::tls::TlsOptions;
    ///
    /// # let ca = || Ok::<_, rcgen::Error>(rcgen::generate_simple_self_signed(["zoo1".to_owned()])?.cert.pem());
    /// # let directory = tempfile::tempdir()?;
    /// let roots = directory.path().join("roots.pem");
    /// std::fs::write(&roots, ca()?)?;
    /// let tls = TlsOptions::new().roots_file(&roots).build()?;
    /// std::fs::write(&roots, ca()?)?;
    /// tls.reload()?;
    /// // What cannot be used changes nothing.
    /// std::fs::write(&roots, "no certificate")?;
    /// assert!(tls.reload().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`TlsOptions::build`]; what was read before stays in use then.
    pub fn reload(&self) -> Result<(), TlsError> {
        let options = &self.shared.options;
        let texts = Texts::read(options)?;
        if texts == self.shared.current().texts {
            return Ok(());
        }
        let config = Arc::new(texts.config(options)?);
        *self.shared.current() = Current { texts, config, warned: None };
        tracing::info!("read new TLS certificates");
        Ok(())
    }

    /// The configuration for one more connection.
    async fn fresh_config(&self) -> Arc<ClientConfig> {
        if self.shared.options.has_files() {
            let tls = self.clone();
            // Files may lie on a disk that takes its time. A failure to run means that the runtime
            // is going down; then the state as it is will do.
            let _ended = tokio::task::spawn_blocking(move || tls.reload_or_warn()).await;
        }
        Arc::clone(&self.shared.current().config)
    }

    /// Warns of each problem once, not at each attempt.
    fn reload_or_warn(&self) {
        let problem = self.reload().err().map(|error| error.to_string());
        let mut current = self.shared.current();
        if let Some(problem) = problem.as_ref().filter(|_| current.warned != problem) {
            tracing::warn!("the TLS files cannot be used, keeping what was read before: {problem}");
        }
        current.warned = problem;
    }
}

/// Shows what was asked for, without texts.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("options", &self.shared.options).finish_non_exhaustive()
    }
}

/// What all clones have in common.
struct Shared {
    options: TlsOptions,
    current: Mutex<Current>,
}

/// The last state that could be used.
struct Current {
    texts: Texts,
    config: Arc<ClientConfig>,
    /// The problem last warned of, if it has not gone away.
    warned: Option<String>,
}

impl Shared {
    fn current(&self) -> MutexGuard<'_, Current> {
        // Every state in there is whole: it is replaced in one assignment.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which name the server's certificate must have.
#[derive(Debug, Clone, Default)]
enum NameCheck {
    #[default]
    Host,
    Fixed(String),
    None,
}

/// Where a PEM text comes from.
#[derive(Clone)]
enum Source {
    File(PathBuf),
    Text(Vec<u8>),
}

/// Hides texts: one of them is a private key.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{path:?}"),
            Self::Text(text) => write!(f, "<{} bytes>", text.len()),
        }
    }
}

/// The name to look for in a certificate: without the dot of a complete name, and without the zone
/// of an IPv6 address.
fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = host.strip_suffix('.').unwrap_or(host);
    let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
    let name = ServerName::try_from(bare.to_owned());
    name.map_err(|_| TlsError::ServerName { name: host.to_owned() })
}

/// An address is not sent to the server, and this one is nobody's.
fn no_name() -> ServerName<'static> {
    ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}
