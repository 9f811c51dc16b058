//! Members that serve clients together.

mod client;
mod disk;
mod ensemble;
mod serving;
mod world;
