//! [`Hold`]: a lock or a leadership, held.

use crate::arguments::limit;
use crate::error::to_python;
use crate::feed::{Feed, Item};
use crate::fork::Kept;
use crate::front::{About, Front};
use crate::multi::with_parts;
use crate::results::{none, parts};
use pyo3::{Bound, Py, PyAny, PyResult, Python, pyclass, pymethods};
use quorate::client::{Client, Error, ErrorCode, Lifetime, Transaction};
use quorate::recipes::kit::Held;
use quorate::recipes::leader::{Candidate, Leadership};
use std::sync::{Arc, Mutex, PoisonError};

/// Something held under a session. Dropping it gives it up in the background.
#[pyclass(frozen, module = "quorate._quorate")]
pub(crate) struct Hold {
    inner: Kept<Inner>,
    front: Front,
    token: i64,
    path: String,
}

struct Inner {
    client: Client,
    what: What,
}

enum What {
    Lock { held: Mutex<Option<Held>>, lifetime: Lifetime },
    Term { candidate: Standing, term: Leadership },
}

/// Who stands for leadership, until it is given up.
type Standing = Arc<Mutex<Option<Candidate>>>;

impl Hold {
    pub(crate) fn lock(front: Front, held: Held) -> Self {
        let (token, path) = (held.token(), held.path());
        let (client, lifetime) = (held.client().clone(), held.lifetime().clone());
        let what = What::Lock { held: Mutex::new(Some(held)), lifetime };
        Self { inner: Kept::new(Inner { client, what }), front, token, path }
    }

    pub(crate) fn term(front: Front, candidate: Candidate, term: Leadership) -> Self {
        let (token, path) = (term.token(), term.path().to_owned());
        let client = term.client().clone();
        let candidate = Arc::new(Mutex::new(Some(candidate)));
        // A candidate stands again when its term is lost: nobody here would know that it leads.
        let (lost, standing) = (term.lost(), Arc::downgrade(&candidate));
        client.environment().spawn(Box::pin(async move {
            lost.await;
            if let Some(standing) = standing.upgrade() {
                drop(lock(&standing).take());
            }
        }));
        let what = What::Term { candidate, term };
        Self { inner: Kept::new(Inner { client, what }), front, token, path }
    }

    fn guard(&self) -> PyResult<Result<Transaction, Error>> {
        Ok(match &self.inner.get()?.what {
            What::Term { term, .. } => Ok(term.guarded()),
            What::Lock { held, .. } => match &*lock(held) {
                Some(held) => Ok(held.guarded()),
                None => Err(Error::new(ErrorCode::InvalidState, "multi", self.path.as_str())
                    .with_detail("the lock was released")),
            },
        })
    }
}

#[pymethods]
impl Hold {
    #[getter]
    const fn token(&self) -> i64 {
        self.token
    }

    #[getter]
    fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is held, by the local clock.
    fn holds(&self) -> PyResult<bool> {
        Ok(match &self.inner.get()?.what {
            What::Lock { held, lifetime } => lifetime.is_alive() && lock(held).is_some(),
            What::Term { term, .. } => term.holds(),
        })
    }

    /// A feed that is over when this is lost.
    fn lost(&self, py: Python<'_>) -> PyResult<Feed> {
        let inner = self.inner.get()?;
        let next: crate::feed::Next = match &inner.what {
            What::Term { term, .. } => {
                let mut lost = Box::pin(term.lost());
                Box::new(move |context| lost.as_mut().poll(context).map(|()| Item::Over))
            }
            What::Lock { held, .. } => match &*lock(held) {
                Some(held) => {
                    let mut lost = Box::pin(held.lost());
                    Box::new(move |context| lost.as_mut().poll(context).map(|_| Item::Over))
                }
                None => Box::new(|_| std::task::Poll::Ready(Item::Over)),
            },
        };
        let environment = inner.client.environment();
        Ok(Feed::new(self.front.share(py), environment, ("lost", &self.path), next))
    }

    /// A transaction that happens only while this is held. Its results begin with the check's.
    #[pyo3(signature = (parts_, timeout=None))]
    fn guarded(
        &self,
        py: Python<'_>,
        parts_: Vec<Bound<'_, PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Py<PyAny>> {
        let guard = self.guard()?.map_err(|error| to_python(py, &error))?;
        let op = with_parts(guard, &parts_)?.commit();
        let environment = self.inner.get()?.client.environment();
        let about = About::write("multi", "");
        self.front.operation(py, environment, about, limit(timeout)?, op, parts)
    }

    /// Gives it up; the second time, nothing happens.
    #[pyo3(signature = (timeout=None))]
    fn release(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Py<PyAny>> {
        let inner = self.inner.get()?;
        let (held, candidate) = match &inner.what {
            What::Lock { held, .. } => (lock(held).take(), None),
            // One that was lost may have its node until the session's end: that is not waited for.
            What::Term { candidate, term } => {
                (None, lock(candidate).take().filter(|_| term.holds()))
            }
        };
        let future = async move {
            if let Some(held) = held {
                held.release().await?;
            }
            if let Some(candidate) = candidate {
                candidate.leave().await?;
            }
            Ok(())
        };
        let environment = inner.client.environment();
        let about = About::write("release", &self.path);
        self.front.task(py, environment, about, limit(timeout)?, future, none)
    }

    /// Gives it up in the background.
    fn discard(&self, py: Python<'_>) -> PyResult<()> {
        let inner = self.inner.get()?;
        py.detach(|| match &inner.what {
            What::Lock { held, .. } => drop(lock(held).take()),
            What::Term { candidate, .. } => drop(lock(candidate).take()),
        });
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
