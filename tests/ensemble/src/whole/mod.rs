//! Worlds of whole members: the product's roles, replicas, trees and shards as servers, and the product's client engine as
//! clients of all of them.
//!
//! [`world`] is the order of events, [`work`] carries out what members want, [`net`] carries what servers say to each other and [`clients`] what
//! clients say to them; [`history`] knows everything that was ever committed, and [`tap`] and [`owner`] compare what clients see with it.

mod clients;
pub mod faults;
pub mod history;
pub mod image;
pub mod net;
pub mod owner;
pub mod pipe;
pub mod server;
pub mod tap;
mod vote;
mod work;
pub mod world;
