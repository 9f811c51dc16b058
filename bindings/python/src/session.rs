//! [`Session`]: a client.

use crate::arguments::{AclEntry, Data, Path, duration, limit, options};
use crate::error::to_python;
use crate::feed::{Feed, Item};
use crate::fork::Kept;
use crate::front::{About, Front};
use crate::hold::Hold;
use crate::hub::Hub;
use crate::multi::with_parts;
use crate::results::{any, children, created, data, maybe_stat, none, parts, stat, word};
use crate::server::Server;
use crate::stat::Stat;
use futures_core::Stream as _;
use pyo3::exceptions::PyValueError;
use pyo3::types::PyBytes;
use pyo3::{Bound, Py, PyAny, PyResult, Python, pyclass, pymethods};
use quorate::client::{
    Client, Environment, Error, ErrorCode, Result, Watch, WatchMode, Watcher, within,
};
use quorate::recipes::latch::LeaderLatch;
use quorate::recipes::layout::lock::Mode;
use quorate::recipes::leader::Policy;
use quorate::recipes::lock::Lock;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

/// A client of a service. Every operation takes a `timeout` in seconds.
#[pyclass(frozen, module = "quorate._quorate")]
pub(crate) struct Session {
    client: Kept<Client>,
    front: Front,
}

#[pymethods]
impl Session {
    /// Begins to connect.
    #[new]
    #[pyo3(signature = (*, hub, create_future, servers, server, session_timeout, root, auth, read_only, renew))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn new(
        py: Python<'_>,
        hub: Option<Py<Hub>>,
        create_future: Option<Py<PyAny>>,
        servers: Option<&str>,
        server: Option<Bound<'_, Server>>,
        session_timeout: Option<f64>,
        root: Option<&str>,
        auth: Vec<(String, Data<'_>)>,
        read_only: bool,
        renew: bool,
    ) -> PyResult<Self> {
        let mut builder = Client::builder().read_only(read_only).renew(renew);
        if let Some(servers) = servers {
            builder = builder.servers(servers);
        }
        if let Some(server) = server {
            builder = server.get().connect(builder)?;
        }
        if let Some(timeout) = session_timeout {
            builder = builder.session_timeout(duration(timeout)?);
        }
        if let Some(root) = root {
            builder = builder.root(root);
        }
        for (scheme, secret) in auth {
            builder = builder.auth(&scheme, secret.bytes());
        }
        let client = py.detach(|| builder.open()).map_err(|error| to_python(py, &error))?;
        Ok(Self { client: Kept::new(client), front: Front::new(hub, create_future) })
    }

    /// Waits until requests are answered.
    #[pyo3(signature = (timeout=None))]
    fn connected(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?.clone();
        let limit = limit(timeout)?;
        let future = async move {
            let Some(limit) = limit else { return client.connected().await };
            within(&**client.environment(), limit, client.connected()).await.unwrap_or_else(|| {
                let text = format!("no server answered within {limit:?}");
                Err(Error::new(ErrorCode::ConnectionLoss, "connect", "").with_detail(text))
            })
        };
        self.front.task(py, self.environment()?, About::read("connect", ""), None, future, none)
    }

    #[pyo3(signature = (timeout=None))]
    fn close(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let client = self.client.get()?;
        let close = client.close();
        let future = async move {
            match close.await {
                // Closed already, or about to be.
                Err(error) if error.code() == ErrorCode::Closing => Ok(()),
                other => other,
            }
        };
        let about = About::write("closeSession", "");
        self.front.operation(py, self.environment()?, about, limit(timeout)?, future, none)
    }

    fn state(&self) -> PyResult<&'static str> {
        Ok(word(self.client.get()?.state()))
    }

    fn session_id(&self) -> PyResult<i64> {
        Ok(self.client.get()?.session_id())
    }

    fn session_timeout(&self) -> PyResult<f64> {
        Ok(self.client.get()?.session_timeout().as_secs_f64())
    }

    /// The states that follow.
    fn states(&self, py: Python<'_>) -> PyResult<Feed> {
        let mut states = self.client.get()?.states();
        self.feed(
            py,
            ("states", ""),
            Box::new(move |context| {
                Pin::new(&mut states)
                    .poll_next(context)
                    .map(|state| state.map_or(Item::Over, Item::State))
            }),
        )
    }

    #[pyo3(signature = (path, data, mode, ttl=None, acl=None, timeout=None))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn create(
        &self,
        py: Python<'_>,
        path: Path,
        data: Data<'_>,
        mode: &str,
        ttl: Option<f64>,
        acl: Option<Vec<AclEntry>>,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.create(&path.0, data.bytes(), options(mode, ttl, acl)?);
        let about = About::write("create", &path.0);
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, created)
    }

    #[pyo3(signature = (path, timeout=None))]
    fn get(&self, py: Python<'_>, path: Path, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.get(&path.0);
        let about = About::read("getData", &path.0);
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, data)
    }

    #[pyo3(signature = (path, data, version=None, timeout=None))]
    fn set(
        &self,
        py: Python<'_>,
        path: Path,
        data: Data<'_>,
        version: Option<i32>,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.set(&path.0, data.bytes(), version);
        let about = About::write("setData", &path.0);
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, stat)
    }

    #[pyo3(signature = (path, version=None, timeout=None))]
    fn delete(
        &self,
        py: Python<'_>,
        path: Path,
        version: Option<i32>,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.delete(&path.0, version);
        let about = About::write("delete", &path.0);
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, none)
    }

    #[pyo3(signature = (path, timeout=None))]
    fn exists(&self, py: Python<'_>, path: Path, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.exists(&path.0);
        let about = About::read("exists", &path.0);
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, maybe_stat)
    }

    #[pyo3(signature = (path, timeout=None))]
    fn children(&self, py: Python<'_>, path: Path, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.children(&path.0);
        let about = About::read("getChildren2", &path.0);
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, children)
    }

    #[pyo3(signature = (path, timeout=None))]
    fn sync(&self, py: Python<'_>, path: Path, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.sync(&path.0);
        let about = About::read("sync", &path.0);
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, none)
    }

    #[pyo3(signature = (parts_, timeout=None))]
    fn multi(
        &self,
        py: Python<'_>,
        parts_: Vec<Bound<'_, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let op = with_parts(self.client.get()?.multi(), &parts_)?.commit();
        let about = About::write("multi", "");
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, parts)
    }

    /// `(data, stat, watch)`
    #[pyo3(signature = (path, timeout=None))]
    fn get_and_watch(
        &self,
        py: Python<'_>,
        path: Path,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.get_and_watch(&path.0);
        let about = About::read("getData", &path.0);
        let watch = self.one_shot(py, path)?;
        let convert = move |py: Python<'_>, (data, stat, found): (Vec<u8>, _, _)| {
            any(py, (PyBytes::new(py, &data), Stat::from(stat), watch(found)))
        };
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, convert)
    }

    /// `(stat, watch)`
    #[pyo3(signature = (path, timeout=None))]
    fn exists_and_watch(
        &self,
        py: Python<'_>,
        path: Path,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.exists_and_watch(&path.0);
        let about = About::read("exists", &path.0);
        let watch = self.one_shot(py, path)?;
        let convert = move |py: Python<'_>, (stat, found): (Option<_>, _)| {
            any(py, (stat.map(Stat::from), watch(found)))
        };
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, convert)
    }

    /// `(names, stat, watch)`
    #[pyo3(signature = (path, timeout=None))]
    fn children_and_watch(
        &self,
        py: Python<'_>,
        path: Path,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let op = self.client.get()?.children_and_watch(&path.0);
        let about = About::read("getChildren2", &path.0);
        let watch = self.one_shot(py, path)?;
        let convert = move |py: Python<'_>, (names, stat, found): (Vec<String>, _, _)| {
            any(py, (names, Stat::from(stat), watch(found)))
        };
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, convert)
    }

    /// A feed of events.
    #[pyo3(signature = (path, recursive, timeout=None))]
    fn watch(
        &self,
        py: Python<'_>,
        path: Path,
        recursive: bool,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let mode = if recursive { WatchMode::Recursive } else { WatchMode::Node };
        let op = self.client.get()?.watch(&path.0, mode);
        let about = About::read("addWatch", &path.0);
        let (front, environment) = (self.front.share(py), Arc::clone(self.environment()?));
        let convert = move |py: Python<'_>, mut watcher: Watcher| {
            let next = Box::new(move |context: &mut std::task::Context<'_>| {
                Pin::new(&mut watcher)
                    .poll_next(context)
                    .map(|event| event.map_or(Item::Over, Item::from))
            });
            any(py, Feed::new(front, &environment, ("watch", &path.0), next))
        };
        self.front.operation(py, self.environment()?, about, limit(timeout)?, op, convert)
    }

    /// A [`Hold`] of the exclusive lock.
    #[pyo3(signature = (path, data, layout, timeout=None))]
    fn acquire(
        &self,
        py: Python<'_>,
        path: Path,
        data: Data<'_>,
        layout: &str,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let mode = match layout {
            "curator" => Mode::Curator,
            "kazoo" => Mode::Kazoo { yields_to_curator: false },
            "bridge" => Mode::Bridge,
            _ => return Err(PyValueError::new_err(format!("there is no layout {layout:?}"))),
        };
        let lock = Lock::new(self.client.get()?, &path.0).mode(mode).data(data.bytes());
        let front = self.front.share(py);
        let about = About::read("lock", &path.0);
        let future = async move { lock.acquire().await };
        let convert = move |py: Python<'_>, held| any(py, Hold::lock(front, held));
        self.front.task(py, self.environment()?, about, limit(timeout)?, future, convert)
    }

    /// A [`Hold`] of the leadership.
    #[pyo3(signature = (path, id, while_suspended, timeout=None))]
    fn lead(
        &self,
        py: Python<'_>,
        path: Path,
        id: Data<'_>,
        while_suspended: bool,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let policy = if while_suspended { Policy::Session } else { Policy::Connection };
        let latch = LeaderLatch::new(self.client.get()?, &path.0).id(id.bytes()).policy(policy);
        let front = self.front.share(py);
        let about = About::read("leader", &path.0);
        let future = async move {
            let candidate = latch.join();
            let term = candidate.leads().await?;
            Ok((candidate, term))
        };
        let convert =
            move |py: Python<'_>, (candidate, term)| any(py, Hold::term(front, candidate, term));
        self.front.task(py, self.environment()?, about, limit(timeout)?, future, convert)
    }
}

impl Session {
    fn environment(&self) -> PyResult<&Arc<dyn Environment>> {
        Ok(self.client.get()?.environment())
    }

    fn feed(
        &self,
        py: Python<'_>,
        about: (&'static str, &str),
        next: crate::feed::Next,
    ) -> PyResult<Feed> {
        Ok(Feed::new(self.front.share(py), self.environment()?, about, next))
    }

    /// What makes a feed of a watch that fires once.
    fn one_shot(
        &self,
        py: Python<'_>,
        path: Path,
    ) -> PyResult<impl FnOnce(Watch) -> Feed + Send + 'static> {
        let (front, environment) = (self.front.share(py), Arc::clone(self.environment()?));
        Ok(move |mut watch: Watch| {
            let mut fired = false;
            let next = Box::new(move |context: &mut std::task::Context<'_>| {
                if fired {
                    return Poll::Ready(Item::Over);
                }
                let polled: Poll<Result<_>> = Pin::new(&mut watch).poll(context);
                polled.map(|event| {
                    fired = true;
                    Item::from(event)
                })
            });
            Feed::new(front, &environment, ("watch", &path.0), next)
        })
    }
}
