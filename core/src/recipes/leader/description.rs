//! What the descriptions of elections have in common: they differ in the layout, and in how one takes part.

/// Gives a description, which has a field `queue`, the methods of all of them.
macro_rules! description {
    ($name:ident) => {
        impl $name {
            /// With this id (or host name) in the node, for others to see who leads.
            #[must_use]
            pub fn id(mut self, id: impl Into<Vec<u8>>) -> Self {
                self.queue.data = id.into();
                self
            }

            /// Who leads while the connection is away.
            #[must_use]
            pub const fn policy(mut self, policy: $crate::recipes::leader::Policy) -> Self {
                self.queue.policy = policy;
                self
            }

            /// Watches who leads, without taking part.
            ///
            /// # Errors
            /// When the server refuses the first look.
            pub async fn observe(
                &self,
            ) -> $crate::client::Result<$crate::recipes::leader::Observer> {
                $crate::recipes::leader::Observer::start(self.queue.clone()).await
            }

            /// Everybody who takes part, in the order of succession. The first leads by convention only: it may not know yet, or not be
            /// able to.
            ///
            /// # Errors
            /// When the server refuses.
            pub async fn participants(
                &self,
            ) -> $crate::client::Result<Vec<$crate::recipes::leader::Leader>> {
                self.queue.participants().await
            }
        }
    };
}

pub(crate) use description;
