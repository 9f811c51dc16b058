//! What the owner of a session wants: any request of the client engine, on the paths that everybody uses.

use crate::sim::plan::Plan;
use crate::sim::random::Random;
use crate::sim::watching::Kind;
use quorate_engine::client::{Create, Part, Request, WatchKey};
use quorate_wire::op::create::CreateMode;
use quorate_wire::op::remove_watches::WatcherType;
use quorate_wire::{Acl, acl};

/// A request that owns what it is made of.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    Create { path: String, data: Vec<u8>, mode: CreateMode },
    Delete { path: String, version: i32 },
    Set { path: String, data: Vec<u8>, version: i32 },
    Exists { path: String, watch: Option<WatchKey> },
    Get { path: String, watch: Option<WatchKey> },
    Children { path: String, watch: Option<WatchKey> },
    AddWatch { path: String, recursive: bool, watch: WatchKey },
    GetAcl { path: String },
    SetAcl { path: String },
    Sync { path: String },
    Multi { paths: Vec<String>, data: Vec<u8> },
    MultiRead { paths: Vec<String> },
    Ephemerals { prefix: String },
    Count { path: String },
    WhoAmI,
    ByType { path: String, kind: WatcherType, removes: bool, had: bool },
}

impl Wish {
    /// Asks for watches of a type, or removes them. `here` is where there are some, and `had` says whether there are any of this type.
    pub(super) fn by_type(
        random: &mut Random,
        here: String,
        had: impl FnOnce(&str, WatcherType) -> bool,
    ) -> Self {
        let types = [
            WatcherType::Data,
            WatcherType::Children,
            WatcherType::Persistent,
            WatcherType::PersistentRecursive,
        ];
        let kind = random.of(WatcherType::Any, &types);
        let had = had(&here, kind);
        Self::ByType { path: here, kind, removes: random.chance(500), had }
    }

    /// One of any kind. `key` names the watch, if there is one.
    pub(super) fn any(random: &mut Random, plan: &Plan, key: WatchKey) -> Self {
        let path = plan.path(random);
        let watch = random.chance(500).then_some(key);
        let version = if random.chance(800) { -1 } else { small(random, 3) };
        match random.below(100) {
            0..=24 => Self::Create { path, data: data(random, plan), mode: mode(random) },
            25..=34 => Self::Delete { path, version },
            35..=46 => Self::Set { path, data: data(random, plan), version },
            47..=52 => {
                let paths = (0..random.between(1, 4)).map(|_| plan.path(random)).collect();
                Self::Multi { paths, data: data(random, plan) }
            }
            53..=62 => Self::Get { path, watch },
            63..=71 => Self::Exists { path, watch },
            72..=79 => Self::Children { path, watch },
            80..=86 => Self::AddWatch { path, recursive: random.chance(500), watch: key },
            87..=88 => Self::GetAcl { path },
            89..=90 => Self::SetAcl { path },
            91..=93 => Self::Sync { path },
            94..=95 => {
                let paths = (0..random.between(1, 4)).map(|_| plan.path(random)).collect();
                Self::MultiRead { paths }
            }
            96 => Self::Ephemerals { prefix: path },
            97..=98 => Self::Count { path },
            _ => Self::WhoAmI,
        }
    }

    /// Hands the request over in the form that the engine takes.
    pub(super) fn with<T>(&self, take: impl FnOnce(&Request<'_>) -> T) -> T {
        let open = [Acl::world(acl::ALL)];
        let request = match self {
            Self::Create { path, data, mode } => {
                Request::Create(Create { path, data, acl: &open, mode: *mode, ttl: 700 })
            }
            Self::Delete { path, version } => Request::Delete { path, version: *version },
            Self::Set { path, data, version } => Request::Set { path, data, version: *version },
            Self::Exists { path, watch } => Request::Exists { path, watch: *watch },
            Self::Get { path, watch } => Request::Get { path, watch: *watch },
            Self::Children { path, watch } => Request::Children { path, watch: *watch },
            Self::AddWatch { path, recursive, watch } => {
                Request::AddWatch { path, recursive: *recursive, watch: *watch }
            }
            Self::GetAcl { path } => Request::GetAcl { path },
            Self::SetAcl { path } => Request::SetAcl { path, acl: &open, version: -1 },
            Self::Sync { path } => Request::Sync { path },
            Self::Ephemerals { prefix } => Request::Ephemerals { prefix },
            Self::Count { path } => Request::CountDescendants { path },
            Self::WhoAmI => Request::WhoAmI,
            Self::ByType { path, kind, removes: true, .. } => {
                Request::RemoveWatches { path, kind: *kind }
            }
            Self::ByType { path, kind, .. } => Request::CheckWatches { path, kind: *kind },
            Self::Multi { paths, data } => {
                let parts = paths.iter().enumerate().map(|(n, path)| match (n + data.len()) % 4 {
                    0 => Part::Set { path, data, version: -1 },
                    1 => Part::Delete { path, version: -1 },
                    2 => Part::Check { path, version: -1 },
                    _ => Part::Create(Create {
                        path,
                        data,
                        acl: &open,
                        mode: CreateMode::Ephemeral,
                        ttl: 0,
                    }),
                });
                return take(&Request::Multi(&parts.collect::<Vec<_>>()));
            }
            Self::MultiRead { paths } => {
                let parts = paths.iter().map(|path| Part::Get { path });
                return take(&Request::MultiRead(&parts.collect::<Vec<_>>()));
            }
        };
        take(&request)
    }

    /// Nobody waits for its watch any more.
    pub(super) fn unwatch(&mut self) {
        match self {
            Self::Exists { watch, .. } | Self::Get { watch, .. } | Self::Children { watch, .. } => {
                *watch = None;
            }
            Self::AddWatch { path, .. } => *self = Self::Sync { path: std::mem::take(path) },
            _ => {}
        }
    }

    /// The watch it leaves when it succeeds: key, kind, and whether the path, below the root, has a node.
    pub(super) fn watch(&self, absent: bool) -> Option<(WatchKey, Kind, &str)> {
        match self {
            Self::Exists { path, watch } => {
                Some(((*watch)?, if absent { Kind::Exist } else { Kind::Data }, path))
            }
            Self::Get { path, watch } => Some(((*watch)?, Kind::Data, path)),
            Self::Children { path, watch } => Some(((*watch)?, Kind::Child, path)),
            Self::AddWatch { path, recursive, watch } => {
                let kind = if *recursive { Kind::Recursive } else { Kind::Persistent };
                Some((*watch, kind, path))
            }
            _ => None,
        }
    }
}

fn mode(random: &mut Random) -> CreateMode {
    random.of(
        CreateMode::Persistent,
        &[
            CreateMode::Persistent,
            CreateMode::Ephemeral,
            CreateMode::Ephemeral,
            CreateMode::EphemeralSequential,
            CreateMode::Container,
            CreateMode::PersistentWithTtl,
        ],
    )
}

fn data(random: &mut Random, plan: &Plan) -> Vec<u8> {
    let len = random.skewed(0, plan.data.max(1));
    vec![b'd'; usize::try_from(len).unwrap_or(0)]
}

fn small(random: &mut Random, most: u64) -> i32 {
    i32::try_from(random.between(0, most)).unwrap_or(0)
}
