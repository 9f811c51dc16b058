//! A server in this process.

#![allow(unsafe_code, reason = "structs from C, and exported symbols")]

use crate::boundary;
use crate::fault::{Error, Fault};
use crate::handles::ServerHandle;
use crate::input::{self, Out, WithSize};
use crate::objects;
use crate::status::QUORATE_SERVER_FAILED;
use crate::system::without_signals;
use quorate::client;
use quorate::server::{self, Builder, ServerError};
use std::ffi::c_char;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

/// As a port: none. Only clients in this process can connect.
pub const QUORATE_PORT_NONE: i32 = -1;
/// As a port: any that is free.
pub const QUORATE_PORT_FREE: i32 = 0;

/// How a server starts. Zeros are defaults: everything in memory, on a free port of the loopback address.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions {
    /// sizeof(quorate_server_options).
    pub size: usize,
    /// The directory for its data, which is made if it is missing; every write is on the disk before it is acknowledged. NULL keeps everything in
    /// memory: nothing survives the server.
    pub data_dir: *const c_char,
    /// The IP address to listen on; NULL for 127.0.0.1.
    pub host: *const c_char,
    /// The port: QUORATE_PORT_FREE, QUORATE_PORT_NONE, or a number up to 65,535.
    pub port: i32,
    /// Zero.
    pub reserved: i32,
    /// More settings, as lines of ZooKeeper's zoo.cfg: `tickTime=500\nmaxSessionTimeout=60000`. NULL for none.
    pub settings: *const c_char,
}

// SAFETY: `repr(C)`, begins with its size, zeros are valid.
unsafe impl WithSize for ServerOptions {}

/// A server under a handle.
pub(crate) struct Server {
    running: Mutex<Option<server::Server>>,
    address: Option<SocketAddr>,
}

impl Server {
    /// The way in for a client of this process.
    pub(crate) fn leads_in(&self, builder: client::Builder) -> Result<client::Builder, Fault> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match &*running {
            Some(server) => Ok(builder.in_process(server)),
            None => Err(Error::new(QUORATE_SERVER_FAILED, "the server is stopped")),
        }
    }
}

/// Starts a server in this process. When this returns, its port is open and its data is loaded. `options` may be NULL, and need not live on. The
/// server must be stopped with quorate_server_stop.
///
/// From any thread, also in a callback; blocks while the data is being read. QUORATE_SERVER_FAILED when directory or port cannot be used.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_server_start(
    options: *const ServerOptions,
    server: *mut ServerHandle,
) -> i32 {
    boundary::call(|| {
        let place = Out::new(server, 0, "the place for the server")?;
        let builder = builder(&input::options(options, "the options")?)?;
        let running = without_signals(|| builder.start())?;
        let address = running.address();
        place.set(objects::insert(Arc::new(Server {
            running: Mutex::new(Some(running)),
            address,
        }))?);
        Ok(())
    })
}

fn builder(options: &ServerOptions) -> Result<Builder, Fault> {
    input::zero(options.reserved)?;
    let mut settings = Ok(());
    let lines = input::optional_text(options.settings, "the settings")?.unwrap_or_default();
    let mut builder = server::Server::builder().configure(|config| {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if settings.is_err() || line.starts_with('#') {
                continue;
            }
            settings = match line.split_once('=') {
                Some((key, value)) => config.set(key, value).map(drop).map_err(Error::argument),
                None => Err(Error::argument(format!("{line:?} is not a setting"))),
            };
        }
    });
    settings?;
    builder = match input::optional_text(options.data_dir, "the data directory")? {
        Some(directory) => builder.data_dir(directory),
        None => builder.volatile(),
    };
    let host = match input::optional_text(options.host, "the host")? {
        Some(host) => {
            host.parse().map_err(|_| Error::argument(format!("{host:?} is not an IP address")))?
        }
        None => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    match u16::try_from(options.port) {
        Ok(port) => Ok(builder.listen(SocketAddr::new(host, port))),
        Err(_) if options.port == QUORATE_PORT_NONE => Ok(builder.no_port()),
        Err(_) => Err(Error::argument(format!("{} is not a port", options.port))),
    }
}

/// Writes where the server listens, `127.0.0.1:2181`, with a NUL into `buffer`; 64 bytes are always enough. It is a connection string. Empty when
/// there is no port.
///
/// From any thread, also in a callback; does not block. QUORATE_INVALID_ARGUMENT when it does not fit.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_server_address(
    server: ServerHandle,
    buffer: *mut c_char,
    capacity: usize,
) -> i32 {
    boundary::on::<Server>(server, |server| {
        let address = server.address.map(|address| address.to_string()).unwrap_or_default();
        match input::copy_text(&address, buffer, capacity) {
            true => Ok(()),
            false => Err(Error::argument("the buffer is NULL or too small")),
        }
    })
}

/// The port that the server listens on; QUORATE_PORT_NONE when there is none.
///
/// From any thread, also in a callback; does not block.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_server_port(server: ServerHandle, port: *mut i32) -> i32 {
    boundary::on::<Server>(server, |server| {
        let number = server.address.map_or(QUORATE_PORT_NONE, |address| i32::from(address.port()));
        Out::new(port, number, "the place for the port").map(drop)
    })
}

/// Stops a server: its connections are closed, its threads end. What was acknowledged is durable; a request under way may have
/// happened or not. Clients of this process see it as a server that has gone: close them first.
///
/// From any thread, also in a callback; blocks until the threads have ended. The handle is closed in any case. QUORATE_SERVER_FAILED when
/// it had stopped by itself before, for a full disk perhaps.
#[unsafe(no_mangle)]
pub extern "C" fn quorate_server_stop(server: ServerHandle) -> i32 {
    boundary::end::<Server>(server, |server| {
        let running = server.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let stopped: Result<(), ServerError> = running.map_or(Ok(()), server::Server::stop);
        Ok(stopped?)
    })
}
