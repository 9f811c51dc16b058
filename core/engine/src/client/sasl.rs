//! The seam for SASL: a mechanism speaks first, and the session sends nothing else until it is content.

/// One side of a SASL exchange, as pure as the session that runs it.
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SASL authentication failed: {0}")]
pub struct SaslError(pub String);
