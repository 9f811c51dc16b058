//! reconfig (16): changes the membership of an ensemble.
//!
//! The reply is a [`GetDataResponse`](super::get_data::GetDataResponse) with the text of the new configuration. A
//! standalone server refuses it with ReconfigDisabled (-123) or Unimplemented (-6).

use crate::record;
use std::borrow::Cow;

record! {
    /// Body of reconfig.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ReconfigRequest<'a> {
        /// Servers to add, comma separated.
        pub joining: Option<Cow<'a, str>>,
        /// Ids of servers to remove, comma separated.
        pub leaving: Option<Cow<'a, str>>,
        /// The whole new membership; selects the non-incremental form.
        pub new_members: Option<Cow<'a, str>>,
        /// Expected version of the configuration; -1 for any.
        pub cur_config_id: i64,
    }
}
