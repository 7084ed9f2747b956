//! Telling users what a component did, as Event objects.
//!
//! Recording never waits: events go through a bounded channel to one task, which folds repetitions
//! ([`correlate`]) and writes. When the channel is full or a write fails, the event is lost; nothing
//! depends on it.

mod correlate;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::{
    Api, Client, Resource,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use crate::Context;
use correlate::{Correlator, Verdict};

/// Whether an event is expected or calls for attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// Information.
    Normal,
    /// Something may need attention.
    Warning,
}

impl EventType {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            EventType::Normal => "Normal",
            EventType::Warning => "Warning",
        }
    }
}

/// A reference to an object, as events carry it.
pub fn reference<K: Resource<DynamicType = ()>>(object: &K) -> ObjectReference {
    ObjectReference {
        resource_version: object.meta().resource_version.clone(),
        ..object.object_ref(&())
    }
}

/// One thing that happened, before folding.
#[derive(Clone, Debug)]
struct Note {
    about: ObjectReference,
    event_type: EventType,
    reason: String,
    message: String,
    at: Timestamp,
}

/// Records events of one component. Cheap to clone; its task ends with the context or with the
/// last clone.
#[derive(Clone)]
pub struct EventRecorder {
    notes: mpsc::Sender<Note>,
    clock: Arc<dyn crate::Clock>,
    _task: Arc<AbortOnDropHandle<()>>,
}

/// Notes that may wait to be written before new ones are dropped.
const CAPACITY: usize = 1000;

impl EventRecorder {
    /// A recorder that writes as the context's client, naming `component` as the source.
    ///
    /// # Panics
    /// When called outside a Tokio runtime.
    pub fn new(ctx: &Context, component: impl Into<String>) -> Self {
        Self::on_host(ctx, component, "")
    }

    /// A recorder of a component that runs on a node: events name the host as well.
    ///
    /// # Panics
    /// When called outside a Tokio runtime.
    pub fn on_host(ctx: &Context, component: impl Into<String>, host: impl Into<String>) -> Self {
        let (notes, incoming) = mpsc::channel(CAPACITY);
        let source = EventSource {
            component: Some(component.into()),
            host: Some(host.into()).filter(|host| !host.is_empty()),
        };
        let writer = Writer {
            client: ctx.client.clone(),
            source,
            correlator: Correlator::default(),
        };
        let task = tokio::spawn(writer.run(incoming, ctx.cancel.clone()));
        Self {
            notes,
            clock: ctx.clock.clone(),
            _task: Arc::new(AbortOnDropHandle::new(task)),
        }
    }

    /// Records that something normal happened to an object.
    pub fn normal(&self, about: ObjectReference, reason: &str, message: impl Into<String>) {
        self.event(about, EventType::Normal, reason, message);
    }

    /// Records that something worth attention happened to an object.
    pub fn warning(&self, about: ObjectReference, reason: &str, message: impl Into<String>) {
        self.event(about, EventType::Warning, reason, message);
    }

    /// Records an event about an object (see [`reference`]); never waits.
    pub fn event(
        &self,
        about: ObjectReference,
        event_type: EventType,
        reason: &str,
        message: impl Into<String>,
    ) {
        let note = Note {
            about,
            event_type,
            reason: reason.to_owned(),
            message: message.into(),
            at: self.clock.now(),
        };
        if self.notes.try_send(note).is_err() {
            tracing::debug!(reason, "event dropped");
        }
    }
}

struct Writer {
    client: Client,
    source: EventSource,
    correlator: Correlator,
}

impl Writer {
    async fn run(mut self, mut incoming: mpsc::Receiver<Note>, cancel: CancellationToken) {
        let write_all = async {
            while let Some(note) = incoming.recv().await {
                if let Err(error) = self.write(note).await {
                    tracing::debug!(%error, "event not written");
                }
            }
        };
        cancel.run_until_cancelled(write_all).await;
    }

    async fn write(&mut self, note: Note) -> Result<(), kube::Error> {
        match self.correlator.judge(note) {
            Verdict::Drop => Ok(()),
            Verdict::Create { note, name } => self.create(note, name, 1).await,
            Verdict::Repeat { note, name, count } => {
                let namespace = namespace(&note);
                let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
                let change = serde_json::json!({
                    "count": count,
                    "lastTimestamp": Time(note.at),
                    "message": note.message,
                });
                let params = PatchParams::default();
                match events.patch(&name, &params, &Patch::Merge(change)).await {
                    // It has expired since; begin anew.
                    Err(kube::Error::Api(status)) if status.is_not_found() => {
                        self.create(note, name, count).await
                    }
                    other => other.map(drop),
                }
            }
        }
    }

    async fn create(&self, note: Note, name: String, count: i32) -> Result<(), kube::Error> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace(&note));
        let event = Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(namespace(&note).to_owned()),
                ..Default::default()
            },
            involved_object: note.about,
            reason: Some(note.reason),
            message: Some(note.message),
            type_: Some(note.event_type.as_str().to_owned()),
            source: Some(self.source.clone()),
            reporting_component: self.source.component.clone(),
            reporting_instance: self.source.host.clone(),
            count: Some(count),
            first_timestamp: Some(Time(note.at)),
            last_timestamp: Some(Time(note.at)),
            ..Default::default()
        };
        events.create(&PostParams::default(), &event).await?;
        Ok(())
    }
}

/// Events about cluster-scoped objects live in `default`.
fn namespace(note: &Note) -> &str {
    note.about.namespace.as_deref().unwrap_or("default")
}
