//! Certificates that are renewed under a running member (`sslQuorumReloadCertFiles`).

use super::load::Texts;
use super::{Security, lock};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A thread that looks at the files now and then. Dropping it ends it.
///
/// It reads them as a whole: the time of a file does not tell that of a link's target, and two writes may have the same.
#[derive(Debug)]
pub(crate) struct Renewal {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Renewal {
    /// Begins, if the settings ask for it.
    ///
    /// # Errors
    /// The system has no thread.
    pub(crate) fn begin(security: &Arc<Security>) -> io::Result<Option<Self>> {
        if !security.options.is_used() || !security.options.reload_cert_files {
            return Ok(None);
        }
        let security = Arc::clone(security);
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("quorate-certs".into()).spawn(move || {
            let mut state = State::default();
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                state.look(&security);
            }
        })?;
        Ok(Some(Self { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It reports its own panics.
            let _ = thread.join();
        }
    }
}

/// What was seen last.
#[derive(Default)]
struct State {
    texts: Option<Texts>,
    /// The problem that was last warned of, if it has not gone away.
    warned: Option<String>,
}

impl State {
    fn look(&mut self, security: &Security) {
        let problem = self.renew(security).err().map(|error| error.to_string());
        if let Some(problem) = problem.as_ref().filter(|_| self.warned != problem) {
            tracing::warn!(
                "new certificates for TLS between members cannot be used, and the old ones stay: {problem}"
            );
        }
        self.warned = problem;
    }

    fn renew(&mut self, security: &Security) -> Result<(), super::QuorumTlsError> {
        let texts = Texts::read(&security.options)?;
        if self.texts.as_ref() == Some(&texts) {
            return Ok(());
        }
        let means = texts.means(&security.options)?;
        let first = self.texts.replace(texts).is_none();
        *lock(&security.current) = Some(Arc::new(means));
        if !first {
            tracing::info!("new certificates are used for TLS between members");
        }
        Ok(())
    }
}

/// How long new files may lie there.
const PERIOD: Duration = Duration::from_secs(1);
