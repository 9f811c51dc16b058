//! What JavaScript passes: options and lists, checked in TypeScript and once more here.

use napi::bindgen_prelude::{BigInt, Buffer};
use napi_derive::napi;
use quorate::client::tls::TlsOptions;
use quorate::client::{
    Acl, Builder, Client, CreateMode, CreateOptions, Error, ErrorCode, Id, Identity, Result,
    Transaction,
};
use quorate::server::Server;
use std::time::Duration;

/// How to connect; see `ConnectOptions` in `node/src/types.ts`.
#[napi(object, object_to_js = false)]
pub struct ConnectArguments {
    /// Connection string.
    pub servers: Option<String>,
    /// Milliseconds.
    pub session_timeout_ms: Option<u32>,
    /// How long to wait for the session, ms.
    pub timeout_ms: Option<u32>,
    /// Whether a server without a quorum will do.
    pub read_only: Option<bool>,
    /// Whether a new session follows a lost one.
    pub renew: Option<bool>,
    /// Root of all paths.
    pub root: Option<String>,
    /// Identities.
    pub auth: Option<Vec<AuthArgument>>,
    /// Session to resume: id.
    pub resume_id: Option<BigInt>,
    /// Session to resume: password.
    pub resume_password: Option<Buffer>,
    /// Limit of requests without an answer.
    pub max_in_flight: Option<u32>,
    /// Whom to trust.
    pub tls: Option<TlsArguments>,
}

/// An identity.
#[napi(object, object_to_js = false)]
pub struct AuthArgument {
    /// Such as `digest`.
    pub scheme: String,
    /// Such as `user:password`.
    pub secret: Buffer,
}

/// Files and names for TLS.
#[napi(object, object_to_js = false)]
pub struct TlsArguments {
    /// File of trusted certificates.
    pub ca_file: String,
    /// File of the client's certificate.
    pub cert_file: Option<String>,
    /// File of its key.
    pub key_file: Option<String>,
    /// Name to expect.
    pub server_name: Option<String>,
}

impl ConnectArguments {
    /// The builder of such a client.
    pub(crate) fn builder(self, server: Option<&Server>) -> Result<Builder> {
        let mut builder = Client::builder();
        if let Some(server) = server {
            builder = builder.in_process(server);
        }
        if let Some(servers) = self.servers {
            builder = builder.servers(&servers);
        }
        if let Some(ms) = self.session_timeout_ms {
            builder = builder.session_timeout(milliseconds(ms));
        }
        if let Some(ms) = self.timeout_ms {
            builder = builder.patience(milliseconds(ms));
        }
        if let Some(read_only) = self.read_only {
            builder = builder.read_only(read_only);
        }
        if let Some(renew) = self.renew {
            builder = builder.renew(renew);
        }
        if let Some(root) = self.root {
            builder = builder.root(&root);
        }
        for AuthArgument { scheme, secret } in self.auth.unwrap_or_default() {
            builder = builder.auth(&scheme, &secret);
        }
        if let (Some(id), Some(password)) = (self.resume_id, self.resume_password) {
            let (id, _) = id.get_i64();
            builder = builder.resume(Identity { id, password: identity_password(&password)? });
        }
        if let Some(requests) = self.max_in_flight {
            builder = builder.max_in_flight(usize::try_from(requests).unwrap_or(usize::MAX), BYTES);
        }
        if let Some(tls) = self.tls {
            builder = builder.tls(tls.options().build().map_err(|error| {
                Error::new(ErrorCode::BadArguments, "connect", "").with_detail(error.to_string())
            })?);
        }
        Ok(builder)
    }
}

impl TlsArguments {
    fn options(self) -> TlsOptions {
        let mut options = TlsOptions::new().roots_file(self.ca_file);
        if let (Some(cert), Some(key)) = (self.cert_file, self.key_file) {
            options = options.client_files(cert, key);
        }
        if let Some(name) = self.server_name {
            options = options.server_name(name);
        }
        options
    }
}

fn identity_password(bytes: &[u8]) -> Result<[u8; 16]> {
    bytes.try_into().map_err(|_| {
        Error::new(ErrorCode::BadArguments, "connect", "")
            .with_detail("the password of a session has 16 bytes")
    })
}

/// One entry of an ACL.
#[napi(object, object_to_js = false)]
pub struct AclArgument {
    /// Bits.
    pub perms: i32,
    /// Such as `world`.
    pub scheme: String,
    /// Such as `anyone`.
    pub id: String,
}

/// One part of a transaction.
#[napi(object, object_to_js = false)]
pub struct PartArgument {
    /// `create`, `set`, `delete` or `check`.
    pub kind: String,
    /// The node.
    pub path: String,
    /// For those that write.
    pub data: Option<Buffer>,
    /// Expected version; any if absent.
    pub version: Option<i32>,
    /// For those that create.
    pub mode: Option<u8>,
    /// Time to live, ms.
    pub ttl_ms: Option<f64>,
    /// For those that create.
    pub acl: Option<Vec<AclArgument>>,
}

/// Adds the parts to a transaction.
pub(crate) fn add_parts(
    mut transaction: Transaction,
    parts: Vec<PartArgument>,
) -> Result<Transaction> {
    for part in parts {
        let data = part.data.map(Vec::from).unwrap_or_default();
        transaction = match part.kind.as_str() {
            "create" => {
                let options = create_options(part.mode.unwrap_or_default(), part.ttl_ms, part.acl)?;
                transaction.create(part.path, data, options)
            }
            "set" => transaction.set(part.path, data, part.version),
            "delete" => transaction.delete(part.path, part.version),
            "check" => transaction.check(part.path, part.version),
            _ => return Err(Error::new(ErrorCode::BadArguments, "multi", part.path)),
        };
    }
    Ok(transaction)
}

/// What a node is created with. `mode` counts the modes as `CREATE_MODES` in `node/src/types.ts` lists them.
pub(crate) fn create_options(
    mode: u8,
    ttl_ms: Option<f64>,
    acl: Option<Vec<AclArgument>>,
) -> Result<CreateOptions> {
    let mode = match mode {
        0 => CreateMode::Persistent,
        1 => CreateMode::PersistentSequential,
        2 => CreateMode::Ephemeral,
        3 => CreateMode::EphemeralSequential,
        4 => CreateMode::Container,
        5 => CreateMode::PersistentWithTtl,
        6 => CreateMode::PersistentSequentialWithTtl,
        _ => return Err(Error::new(ErrorCode::BadArguments, "create", "")),
    };
    let mut options = CreateOptions::new(mode);
    if let Some(ms) = ttl_ms {
        options = options.ttl(Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default());
    }
    if let Some(acl) = acl {
        let entry =
            |entry: AclArgument| Acl { perms: entry.perms, id: Id::new(entry.scheme, entry.id) };
        options = options.acl(acl.into_iter().map(entry).collect::<Vec<_>>());
    }
    Ok(options)
}

/// A time limit, as far as there is one.
pub(crate) fn limit(ms: Option<u32>) -> Option<Duration> {
    ms.map(milliseconds)
}

pub(crate) fn milliseconds(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

/// Bytes of requests without an answer, as the library has it.
const BYTES: usize = 64 << 20;
