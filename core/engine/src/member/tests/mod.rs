//! Members that serve clients together.

mod client;
mod disk;
mod ensemble;
mod local;
mod reading;
mod reconfig;
mod serving;
mod world;
