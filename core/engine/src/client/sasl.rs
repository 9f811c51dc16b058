//! The seam for SASL: a mechanism speaks first, and the session sends nothing else until it is content.

/// One side of a SASL exchange, as pure as the session that runs it.
///
/// ```
/// use quorate_engine::client::{Mechanism, SaslError};
///
/// /// Says who it is, and is asked nothing.
/// #[derive(Debug)]
/// struct Plain(Option<&'static str>);
///
/// impl Mechanism for Plain {
///     fn begin(&mut self) -> Result<Vec<u8>, SaslError> {
///         let secret = self.0.ok_or_else(|| SaslError("no password".into()))?;
///         Ok(format!("\0ann\0{secret}").into_bytes())
///     }
///     fn step(&mut self, _challenge: &[u8]) -> Result<Option<Vec<u8>>, SaslError> {
///         Ok(None)
///     }
/// }
///
/// assert_eq!(Plain(Some("secret")).begin().unwrap(), b"\0ann\0secret");
/// assert!(Plain(None).begin().is_err());
/// ```
pub trait Mechanism: std::fmt::Debug + Send {
    /// Begins a new exchange, one per connection, and answers the first token.
    ///
    /// # Errors
    /// When there are no credentials to begin with.
    fn begin(&mut self) -> Result<Vec<u8>, SaslError>;

    /// Takes a challenge. Answers the next token, or `None` when the exchange is over.
    ///
    /// # Errors
    /// When the server cannot prove itself or refuses.
    fn step(&mut self, challenge: &[u8]) -> Result<Option<Vec<u8>>, SaslError>;
}

/// Why an exchange failed. The session ends with `AuthFailed`.
///
/// ```
/// use quorate_engine::client::SaslError;
///
/// let error = SaslError("no password".into());
/// assert_eq!(error.to_string(), "SASL authentication failed: no password");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SASL authentication failed: {0}")]
pub struct SaslError(pub String);
