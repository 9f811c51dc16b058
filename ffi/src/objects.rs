//! The objects of this process, by handle.

use crate::fault::Fault;
use crate::system::epoch;
use crate::table::{Bad, EPOCHS, KIND_SHIFT, Table};
use std::sync::{Arc, OnceLock};

macro_rules! kinds {
    ($($kind:ident = $number:literal: $object:ty,)*) => {
        /// Something that has a handle.
        #[derive(Clone)]
        pub(crate) enum Object {
            $($kind(Arc<$object>),)*
        }

        $(impl Handled for $object {
            const KIND: u8 = $number;

            fn wrap(this: Arc<Self>) -> Object {
                Object::$kind(this)
            }

            fn unwrap(object: Object) -> Option<Arc<Self>> {
                match object {
                    Object::$kind(this) => Some(this),
                    _ => None,
                }
            }
        })*
    };
}

/// What can be had by handle.
pub(crate) trait Handled: Sized {
    /// What handles of this kind begin with.
    const KIND: u8;

    fn wrap(this: Arc<Self>) -> Object;

    fn unwrap(object: Object) -> Option<Arc<Self>>;
}

kinds! {
    Client = 1: crate::client::Client,
    Server = 2: crate::server::Server,
    Memory = 3: crate::answer::Memory,
    Multi = 4: crate::multi::Multi,
    Watch = 5: crate::watch::Watch,
    Call = 6: crate::calls::Call,
    Held = 7: crate::lock::Held,
    Election = 8: crate::election::Election,
    Term = 9: crate::election::Term,
}

/// The objects of this process. A child has a table of its own: that of its parent may be locked for ever, by threads which the child does
/// not have.
fn table() -> Result<&'static Table<Object>, Bad> {
    static TABLES: [OnceLock<Table<Object>>; EPOCHS] = [const { OnceLock::new() }; EPOCHS];
    let epoch = epoch();
    let of_process = usize::try_from(epoch).ok().and_then(|index| TABLES.get(index));
    Ok(of_process.ok_or(Bad::Forked)?.get_or_init(|| Table::new(epoch)))
}

/// Gives an object a handle.
pub(crate) fn insert<H: Handled>(object: Arc<H>) -> Result<u64, Fault> {
    Ok(table()?.insert(H::KIND, H::wrap(object))?)
}

/// The object of a handle.
pub(crate) fn get<H: Handled>(handle: u64) -> Result<Arc<H>, Fault> {
    let object = table()?.get(handle, H::KIND)?;
    H::unwrap(object).ok_or_else(|| Bad::Invalid.into())
}

/// The object of a handle, even if a call on it has panicked: to close it.
pub(crate) fn get_poisoned<H: Handled>(handle: u64) -> Result<Arc<H>, Fault> {
    let object = table()?.get_poisoned(handle, H::KIND)?;
    H::unwrap(object).ok_or_else(|| Bad::Invalid.into())
}

/// The object of a handle that is closed with this.
pub(crate) fn remove<H: Handled>(handle: u64) -> Result<Arc<H>, Fault> {
    let object = table()?.remove(handle, H::KIND)?;
    H::unwrap(object).ok_or_else(|| Bad::Invalid.into())
}

/// Ends a handle, of whatever kind.
pub(crate) fn discard(handle: u64) {
    let kind = u8::try_from(handle >> KIND_SHIFT).unwrap_or(0);
    // Its owner may have closed it meanwhile.
    let object = table().and_then(|table| table.remove(handle, kind));
    drop(object);
}

/// Leaves nothing to be done with a handle but to close it.
pub(crate) fn poison<H: Handled>(handle: u64) {
    if let Ok(table) = table() {
        table.poison(handle, H::KIND);
    }
}
