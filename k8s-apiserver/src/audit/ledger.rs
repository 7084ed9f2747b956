//! What the parts that a request passes note for its event.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{User, registry::Annotations};

/// Takes notes of one request; in its extensions while it is audited.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Notes>>);

/// What has been noted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// As whom the user acts.
    pub(crate) impersonated: Option<Arc<User>>,
    /// For the event.
    pub(crate) annotations: Annotations,
}

/// The object that a request made; in the extensions of its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Made {
    /// Its name, which the request's path doesn't say.
    pub(crate) name: String,
}

impl Ledger {
    /// Notes in a request's ledger, if it is audited.
    pub(crate) fn note<B>(request: &http::Request<B>, note: impl FnOnce(&mut Notes)) {
        if let Some(ledger) = request.extensions().get::<Ledger>() {
            note(&mut ledger.notes());
        }
    }

    /// All notes so far.
    pub(crate) fn read(&self) -> Notes {
        self.notes().clone()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
