//! [`Server`]: a server in this process.

use crate::arguments::Path;
use crate::error::to_python;
use crate::fork::Kept;
use crate::front::Front;
use crate::hub::Hub;
use crate::results::any;
use pyo3::exceptions::PyValueError;
use pyo3::{Py, PyAny, PyResult, Python, pyclass, pymethods};
use quorate::client::{Builder, Error, ErrorCode};
use quorate::config::ConfigBuilder;
use quorate::server::{self, ServerError};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A server that runs. Dropping it stops it.
#[pyclass(frozen, module = "quorate._quorate")]
pub(crate) struct Server {
    running: Kept<Mutex<Option<server::Server>>>,
    front: Front,
    address: Option<SocketAddr>,
}

impl Server {
    /// Lets a client connect without a socket.
    pub(crate) fn connect(&self, builder: Builder) -> PyResult<Builder> {
        match &*lock(self.running.get()?) {
            Some(server) => Ok(builder.in_process(server)),
            None => Err(PyValueError::new_err("the server was stopped")),
        }
    }
}

#[pymethods]
impl Server {
    /// Starts a server: gives it, or a future. Without a directory everything is in memory; without a port only this process can
    /// connect; port 0 is a free one.
    #[staticmethod]
    #[pyo3(signature = (*, hub, create_future, data_dir, host, port, settings))]
    fn start(
        py: Python<'_>,
        hub: Option<Py<Hub>>,
        create_future: Option<Py<PyAny>>,
        data_dir: Option<Path>,
        host: &str,
        port: Option<u16>,
        settings: Vec<(String, String)>,
    ) -> PyResult<Py<PyAny>> {
        let mut config = ConfigBuilder::new();
        for (key, value) in settings {
            config
                .set("settings", &key, &value)
                .map_err(|error| PyValueError::new_err(error.to_string()))?;
        }
        let (config, _warnings) =
            config.build().map_err(|error| PyValueError::new_err(error.to_string()))?;
        let mut builder = server::Server::builder().config(config);
        builder = match data_dir {
            Some(dir) => builder.data_dir(dir.0),
            None => builder.volatile(),
        };
        builder = match port {
            None => builder.no_port(),
            Some(port) => {
                let ip: IpAddr = host.parse().map_err(|_| {
                    PyValueError::new_err(format!("{host:?} is no IP address to listen on"))
                })?;
                builder.listen(SocketAddr::new(ip, port))
            }
        };
        let front = Front::new(hub, create_future);
        let own = front.share(py);
        front.work(
            py,
            move || builder.start(),
            move |py, started| {
                let server = started.map_err(|error| failure(py, &error))?;
                let address = server.address();
                any(py, Self { running: Kept::new(Mutex::new(Some(server))), front: own, address })
            },
        )
    }

    /// Host and port, or None.
    #[getter]
    fn address(&self) -> Option<(String, u16)> {
        self.address.map(|address| (address.ip().to_string(), address.port()))
    }

    /// Stops it; the second time, nothing happens.
    fn stop(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let server = lock(self.running.get()?).take();
        self.front.work(
            py,
            move || server.map_or(Ok(()), server::Server::stop),
            |py, stopped| stopped.map(|()| py.None()).map_err(|error| failure(py, &error)),
        )
    }
}

fn failure(py: Python<'_>, error: &ServerError) -> pyo3::PyErr {
    to_python(py, &Error::new(ErrorCode::SystemError, "server", "").with_detail(error.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
