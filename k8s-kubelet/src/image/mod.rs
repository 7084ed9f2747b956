//! Having a container's image on the node before the container is made.

mod auth;
mod collect;
mod collector;

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{Container, ObjectReference, Pod};
use k8s_runtime::EventRecorder;

use crate::{
    cri::{Image, Runtime, api::PodSandboxConfig},
    pod::{backoff::go_duration, status::Reason},
    source::Objects,
};

pub use collect::ImageCollection;
pub(crate) use collector::{Collector, run as collect};

/// The waits after failed pulls.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Pulls images as the containers' policies say, backing off from those that fail.
#[derive(Default)]
pub(crate) struct Images {
    failures: Mutex<HashMap<String, Failure>>,
}

#[derive(Clone)]
struct Failure {
    until: Instant,
    wait: Duration,
    message: String,
}

/// What a pull needs to know beside the container.
pub(crate) struct Pull<'a> {
    pub(crate) pod: &'a Pod,
    pub(crate) about: ObjectReference,
    pub(crate) sandbox: &'a PodSandboxConfig,
    pub(crate) runtime: &'a dyn Runtime,
    pub(crate) recorder: &'a EventRecorder,
    pub(crate) objects: &'a Objects,
}

impl Images {
    /// Makes sure that the image is there; says why not, as the container's waiting state shows it.
    pub(crate) async fn ensure(
        &self,
        container: &Container,
        pull: &Pull<'_>,
    ) -> Result<Image, Reason> {
        let name = container.image.as_deref().unwrap_or_default();
        let policy = container
            .image_pull_policy
            .as_deref()
            .unwrap_or_else(|| default_policy(name));
        let present = pull.runtime.image(name).await.map_err(|error| {
            Reason::new(
                "ImageInspectError",
                format!("Failed to inspect image \"{name}\": {error}"),
            )
        })?;
        let event = |reason: &str, message: String| {
            pull.recorder.normal(pull.about.clone(), reason, message);
        };
        let warning = |reason: &str, message: String| {
            pull.recorder.warning(pull.about.clone(), reason, message);
        };
        match (policy, present) {
            ("IfNotPresent" | "Never", Some(image)) => {
                event(
                    "Pulled",
                    format!("Container image \"{name}\" already present on machine"),
                );
                return Ok(image);
            }
            ("Never", None) => {
                let message =
                    format!("Container image \"{name}\" is not present with pull policy of Never");
                warning("ErrImageNeverPull", message.clone());
                return Err(Reason::new("ErrImageNeverPull", message));
            }
            _ => {}
        }
        if let Some(failure) = self.failure(name) {
            event("BackOff", format!("Back-off pulling image \"{name}\""));
            let message = format!(
                "Back-off pulling image \"{name}\": ErrImagePull: {}",
                failure.message
            );
            return Err(Reason::new("ImagePullBackOff", message));
        }
        event("Pulling", format!("Pulling image \"{name}\""));
        let begun = Instant::now();
        match self.pull(name, pull).await {
            Ok(image) => {
                self.failures().remove(name);
                let took = go_seconds(begun.elapsed());
                let size = image.size;
                event(
                    "Pulled",
                    format!(
                        "Successfully pulled image \"{name}\" in {took} ({took} including waiting). Image size: {size} bytes."
                    ),
                );
                Ok(image)
            }
            Err(message) => {
                warning(
                    "Failed",
                    format!("Failed to pull image \"{name}\": {message}"),
                );
                warning("Failed", "Error: ErrImagePull".to_owned());
                self.note_failure(name, &message);
                Err(Reason::new("ErrImagePull", message))
            }
        }
    }

    async fn pull(&self, name: &str, pull: &Pull<'_>) -> Result<Image, String> {
        let mut credentials = auth::of_pod(pull.pod, name, pull.objects).await.into_iter();
        let mut credential = credentials.next();
        let reference = loop {
            let last = match pull.runtime.pull(name, credential, pull.sandbox).await {
                Ok(reference) => break reference,
                Err(error) => error,
            };
            match credentials.next() {
                Some(next) => credential = Some(next),
                None => return Err(last.to_string()),
            }
        };
        let image = pull
            .runtime
            .image(&reference)
            .await
            .map_err(|error| error.to_string())?;
        image.ok_or_else(|| format!("image {reference} is gone after its pull"))
    }

    fn failure(&self, name: &str) -> Option<Failure> {
        let failures = self.failures();
        failures
            .get(name)
            .filter(|failure| failure.until > Instant::now())
            .cloned()
    }

    fn note_failure(&self, name: &str, message: &str) {
        let mut failures = self.failures();
        let wait = failures
            .get(name)
            .map_or(FIRST_WAIT, |failure| (failure.wait * 2).min(LONGEST_WAIT));
        let failure = Failure {
            until: Instant::now() + wait,
            wait,
            message: message.to_owned(),
        };
        tracing::debug!(image = name, wait = go_duration(wait), "pull failed");
        failures.insert(name.to_owned(), failure);
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, HashMap<String, Failure>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Images named `latest`, or not tagged at all, are fetched every time.
fn default_policy(name: &str) -> &'static str {
    let last = name.rsplit('/').next().unwrap_or(name);
    if name.contains('@') {
        return "IfNotPresent";
    }
    match last.split_once(':') {
        None | Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
    }
}

/// A short duration as Go writes it: `812ms`, `1.204s`.
fn go_seconds(duration: Duration) -> String {
    match duration.as_millis() {
        millis if millis < 1000 => format!("{millis}ms"),
        _ => format!("{:.3}s", duration.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_moving_tags_are_pulled_every_time() {
        for (name, policy) in [
            ("nginx", "Always"),
            ("localhost:5000/nginx", "Always"),
            ("nginx:latest", "Always"),
            ("localhost/kuard:blue", "IfNotPresent"),
            ("nginx@sha256:00", "IfNotPresent"),
        ] {
            assert_eq!(default_policy(name), policy, "{name}");
        }
    }
}
