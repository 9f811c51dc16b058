//! From the ACL in a request to the ACL that is stored.
//!
//! Source: `org.apache.zookeeper.server.PrepRequestProcessor#fixupACL`, `#removeDuplicates`. Where Apache
//! stumbles over a null text, the request is answered like an undecodable one.

use super::{Identities, Schemes};
use quorate_wire::acl::{Acl, AclList, Id};
use quorate_wire::error::ErrorCode;

/// Drops exact duplicates, replaces `auth` entries by the caller's authenticated identities and refuses
/// what no provider accepts.
///
/// The order is kept; duplicates that an `auth` entry brings stay; permission bits are not looked at.
///
/// # Errors
/// [`ErrorCode::InvalidAcl`] for an empty list, a null scheme, an `auth` entry of a caller without
/// authenticated identity, an unknown scheme or an id that its scheme does not accept, or when `auth` entries,
/// each of which stands for all identities, make megabytes of it;
/// [`ErrorCode::MarshallingError`] for a null id where the id matters.
pub fn fix_up(
    acl: Vec<Acl<'_>>,
    identities: &Identities,
    schemes: Schemes,
) -> Result<Vec<Acl<'static>>, ErrorCode> {
    Ok(fix_up_borrowed(acl.into(), identities, schemes)?.into_owned().into_vec())
}

/// The same without copying texts: what a request brings is borrowed from it.
///
/// # Errors
/// As [`fix_up`].
pub fn fix_up_borrowed<'a>(
    acl: AclList<'a>,
    identities: &'a Identities,
    schemes: Schemes,
) -> Result<AclList<'a>, ErrorCode> {
    if acl.is_open() {
        return Ok(acl);
    }
    let unique = without_duplicates(acl.into_vec())?;
    if unique.is_empty() {
        return Err(ErrorCode::InvalidAcl);
    }
    let mut fixed = Vec::with_capacity(unique.len());
    let mut expanded = 0;
    for entry in unique {
        if is_anyone(&entry.id)? {
            fixed.push(entry);
        } else if entry.id.scheme() == "auth" {
            let at = fixed.len();
            expand(entry.perms, identities, schemes, &mut fixed)?;
            let gained = fixed.get(at..).unwrap_or_default().iter();
            expanded += gained.map(|entry| PER_ENTRY + entry.id.id().len()).sum::<usize>();
            if expanded > MOST_EXPANDED {
                return Err(ErrorCode::InvalidAcl);
            }
        } else {
            let provider = schemes.find(entry.id.scheme()).ok_or(ErrorCode::InvalidAcl)?;
            let id = entry.id.id.as_deref().ok_or(ErrorCode::MarshallingError)?;
            if !provider.is_valid(id) {
                return Err(ErrorCode::InvalidAcl);
            }
            fixed.push(entry);
        }
    }
    Ok(fixed.into())
}

/// Whether the entry is for `world:anyone`; a null scheme is refused here, before anything is compared.
fn is_anyone(id: &Id<'_>) -> Result<bool, ErrorCode> {
    match (id.scheme.as_deref(), id.id.as_deref()) {
        (None, _) => Err(ErrorCode::InvalidAcl),
        (Some("world"), None) => Err(ErrorCode::MarshallingError),
        (Some(scheme), id) => Ok(scheme == "world" && id == Some("anyone")),
    }
}

fn without_duplicates(acl: Vec<Acl<'_>>) -> Result<Vec<Acl<'_>>, ErrorCode> {
    match acl.len() {
        0 | 1 => Ok(acl),
        n if n <= FEW => pairwise(acl),
        _ => sorted(acl),
    }
}

fn pairwise(acl: Vec<Acl<'_>>) -> Result<Vec<Acl<'_>>, ErrorCode> {
    let mut unique: Vec<Acl<'_>> = Vec::with_capacity(acl.len());
    for entry in acl {
        let mut seen = false;
        for kept in &unique {
            if equal(&entry, kept)? {
                seen = true;
                break;
            }
        }
        if !seen {
            unique.push(entry);
        }
    }
    Ok(unique)
}

/// The same for long lists, which a hostile client could make tens of thousands of entries long.
fn sorted(acl: Vec<Acl<'_>>) -> Result<Vec<Acl<'_>>, ErrorCode> {
    if acl.iter().any(|entry| entry.id.scheme.is_none() || entry.id.id.is_none()) {
        return Err(ErrorCode::MarshallingError);
    }
    let mut numbered: Vec<(usize, Acl<'_>)> = acl.into_iter().enumerate().collect();
    numbered.sort_by(|(i, a), (j, b)| key(a).cmp(&key(b)).then(i.cmp(j)));
    numbered.dedup_by(|(_, a), (_, b)| a == b);
    numbered.sort_unstable_by_key(|(i, _)| *i);
    Ok(numbered.into_iter().map(|(_, entry)| entry).collect())
}

fn key<'a>(entry: &'a Acl<'_>) -> (i32, &'a str, &'a str) {
    (entry.perms, entry.id.scheme(), entry.id.id())
}

/// `ACL#equals`, which cannot compare a null text of its left side.
fn equal(entry: &Acl<'_>, kept: &Acl<'_>) -> Result<bool, ErrorCode> {
    if entry.perms != kept.perms {
        return Ok(false);
    }
    let scheme = entry.id.scheme.as_ref().ok_or(ErrorCode::MarshallingError)?;
    if kept.id.scheme.as_ref() != Some(scheme) {
        return Ok(false);
    }
    let id = entry.id.id.as_ref().ok_or(ErrorCode::MarshallingError)?;
    Ok(kept.id.id.as_ref() == Some(id))
}

fn expand<'a>(
    perms: i32,
    identities: &'a Identities,
    schemes: Schemes,
    fixed: &mut Vec<Acl<'a>>,
) -> Result<(), ErrorCode> {
    let before = fixed.len();
    let proven = identities
        .iter()
        .filter(|id| schemes.find(id.scheme()).is_some_and(|scheme| scheme.is_authenticated()));
    fixed.extend(proven.map(|id| Acl { perms, id: Id::new(id.scheme(), id.id()) }));
    if fixed.len() == before { Err(ErrorCode::InvalidAcl) } else { Ok(()) }
}

/// The most bytes that `auth` entries may become, and what an entry takes beside its id.
const MOST_EXPANDED: usize = 4 << 20;
const PER_ENTRY: usize = 20;
/// Up to here, comparing every pair is cheaper than sorting.
const FEW: usize = 32;
