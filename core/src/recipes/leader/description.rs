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
            /// ```
            /// # quorate::client::blocking::wait(async {
            /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
            /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
            /// // A latch here; so do all elections.
            /// let latch = quorate::recipes::latch::LeaderLatch::new(&client, "/leader").id("host-1");
            /// let observer = latch.observe().await?;
            /// let candidate = latch.join();
            /// assert_eq!(observer.newer_than(0).await.unwrap().data, b"host-1");
            /// # drop(candidate);
            /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
            /// ```
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
            /// ```
            /// # quorate::client::blocking::wait(async {
            /// # let server = quorate::server::Server::builder().volatile().no_port().start().unwrap();
            /// # let client = quorate::client::Client::builder().in_process(&server).connect().await?;
            /// // A latch here; so do all elections.
            /// let latch = quorate::recipes::latch::LeaderLatch::new(&client, "/leader").id("host-1");
            /// let candidate = latch.join();
            /// let leadership = candidate.leads().await?;
            /// let participants = latch.participants().await?;
            /// assert_eq!((participants.len(), participants[0].token), (1, leadership.token()));
            /// # Ok::<(), quorate::client::Error>(()) }).unwrap();
            /// ```
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
