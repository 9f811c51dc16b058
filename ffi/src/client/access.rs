//! Who a client is, whom it trusts, and who may use its nodes.

#![allow(unsafe_code, reason = "structs from C")]

use crate::fault::{Error, Fault};
use crate::input::{self, WithSize};
use crate::status::QUORATE_BAD_ARGUMENTS;
use quorate::client::tls::{Tls, TlsOptions};
use quorate::client::{Acl, Builder, Id};
use std::ffi::c_char;

/// Read the data, list the children.
pub const QUORATE_PERMISSION_READ: i32 = 1;
/// Set the data.
pub const QUORATE_PERMISSION_WRITE: i32 = 2;
/// Create children.
pub const QUORATE_PERMISSION_CREATE: i32 = 4;
/// Delete children.
pub const QUORATE_PERMISSION_DELETE: i32 = 8;
/// Set the ACL.
pub const QUORATE_PERMISSION_ADMIN: i32 = 16;
/// All of them.
pub const QUORATE_PERMISSION_ALL: i32 = 31;

/// An identity of a client.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// `digest`, for example.
    pub scheme: *const c_char,
    /// What proves it: for `digest`, `user:password`.
    pub secret: *const u8,
    /// Bytes of it.
    pub secret_length: usize,
}

/// An entry of an ACL: who may do what with a node.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// `QUORATE_PERMISSION_…`, added up.
    pub permissions: i32,
    /// Zero.
    pub reserved: i32,
    /// `world`, `auth`, `digest`, `ip`, …
    pub scheme: *const c_char,
    /// `anyone` for `world`; empty or NULL for `auth`, which stands for the client's own identities.
    pub id: *const c_char,
}

/// How a client connects with TLS. Files are PEM, and are read again for each connection.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TlsSettings {
    /// sizeof(quorate_tls_options).
    pub size: usize,
    /// The certificates that are trusted, and what they have signed. Must be given: those of the system are not trusted.
    pub ca_file: *const c_char,
    /// The client's certificate, followed by those between it and the root. NULL for none.
    pub certificate_file: *const c_char,
    /// Its key, unencrypted; it may be in the same file. NULL for none.
    pub key_file: *const c_char,
    /// The name or address in the certificates of all servers. NULL for the host that the connection string names.
    pub server_name: *const c_char,
    /// 1: any name will do, as with `ssl.hostnameVerification=false`.
    pub any_name: i32,
    /// Zero.
    pub reserved: i32,
}

// SAFETY: `repr(C)`, begins with its size, zeros are valid.
unsafe impl WithSize for TlsSettings {}

/// Gives the client these identities.
pub(super) fn identify(
    mut builder: Builder,
    identities: *const Identity,
    count: usize,
) -> Result<Builder, Fault> {
    for identity in input::list(identities, count, "the identities")? {
        let scheme = input::text(identity.scheme, "the scheme")?;
        let secret = input::bytes(identity.secret, identity.secret_length, "the secret")?;
        builder = builder.auth(scheme, secret);
    }
    Ok(builder)
}

/// TLS as the settings say it.
pub(super) fn tls(settings: *const TlsSettings) -> Result<Tls, Fault> {
    let settings = input::options(settings, "the TLS options")?;
    input::zero(settings.reserved)?;
    let mut options = TlsOptions::new();
    if let Some(file) = input::optional_text(settings.ca_file, "the trusted certificates' file")? {
        options = options.roots_file(file);
    }
    let certificate = input::optional_text(settings.certificate_file, "the certificate's file")?;
    let key = input::optional_text(settings.key_file, "the key's file")?;
    options = match (certificate, key) {
        (Some(certificate), Some(key)) => options.client_files(certificate, key),
        (None, None) => options,
        _ => return Err(Error::argument("a certificate needs a key, and a key a certificate")),
    };
    if let Some(name) = input::optional_text(settings.server_name, "the servers' name")? {
        options = options.server_name(name);
    }
    if settings.any_name != 0 {
        options = options.without_name_check();
    }
    options.build().map_err(|error| Error::new(QUORATE_BAD_ARGUMENTS, error))
}

/// An ACL; nothing when there are no entries.
pub(crate) fn acl(entries: *const Entry, count: usize) -> Result<Option<Vec<Acl<'static>>>, Fault> {
    let read = |entry: &Entry| {
        input::zero(entry.reserved)?;
        let scheme = input::text(entry.scheme, "the scheme")?;
        let id = input::optional_text(entry.id, "the id")?.unwrap_or_default();
        let id = Id::new(scheme.to_owned(), id.to_owned());
        Ok(Acl { perms: entry.permissions, id })
    };
    let entries = input::list(entries, count, "the ACL")?;
    let acl = entries.iter().map(read).collect::<Result<Vec<_>, Fault>>()?;
    Ok(Some(acl).filter(|acl| !acl.is_empty()))
}
