//! Members that serve clients together.

mod client;
mod disk;
mod ensemble;
mod local;
mod reading;
mod serving;
mod world;
