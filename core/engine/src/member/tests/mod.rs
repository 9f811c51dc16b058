//! Members that serve clients together.

mod client;
mod disk;
mod ensemble;
mod reading;
mod serving;
mod world;
