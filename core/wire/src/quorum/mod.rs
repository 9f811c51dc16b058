//! What servers of an ensemble say to each other: notifications of the election and packets between a leader and its learners.
