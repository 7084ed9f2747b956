//! A watch that outlives its connection: it begins anew, elsewhere if need be, right behind what it has
//! delivered, so nothing is missed and nothing comes twice.

use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use bytes::Bytes;
use etcd_client::{
    WatchOptions, WatchRequestSender, WatchResponseStream,
    proto::{PbEvent, PbWatchResponse},
};
use futures::{StreamExt, stream};
use tokio::{sync::watch, time::sleep};

use super::{
    fault::Fault,
    range::{end_of, key_value, number, revision},
    servers::Servers,
};
use crate::{Event, Revision, StoreError, WatchItem, WatchStream};

/// Between two connections.
const PAUSE: Duration = Duration::from_millis(50);

/// etcd's number for a deletion; a put is 0.
const DELETE: i32 = 1;

/// One watch, whichever server it is on.
pub(super) struct Watch {
    servers: Arc<Servers>,
    prefix: Bytes,
    /// Everything up to here has been delivered.
    seen: Revision,
    ready: VecDeque<WatchItem>,
    /// Changes when progress is asked for; closed with the store.
    asked: watch::Receiver<()>,
    connection: Option<Connection>,
}

struct Connection {
    requests: WatchRequestSender,
    responses: WatchResponseStream,
    /// Whether this server's word of progress can be trusted.
    tells_progress: bool,
    /// What came of a response whose rest is yet to come.
    fragments: Vec<PbEvent>,
}

impl Watch {
    /// Begins behind a revision. The first connection must succeed before patience ends.
    pub(super) async fn start(
        servers: Arc<Servers>,
        prefix: Bytes,
        from: Revision,
        asked: watch::Receiver<()>,
    ) -> Result<Self, StoreError> {
        let mut watch = Watch {
            servers,
            prefix,
            seen: from,
            ready: VecDeque::new(),
            asked,
            connection: None,
        };
        watch.connection = Some(watch.connect().await.map_err(Fault::of_read)?);
        Ok(watch)
    }

    /// The first error is its end.
    pub(super) fn stream(self) -> WatchStream {
        let items = stream::unfold(Some(self), async |watch| {
            let mut watch = watch?;
            match watch.next().await {
                Ok(item) => Some((Ok(item), Some(watch))),
                Err(error) => Some((Err(error), None)),
            }
        });
        items.boxed()
    }

    async fn next(&mut self) -> Result<WatchItem, StoreError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item);
            }
            let Some(connection) = &mut self.connection else {
                self.reconnect().await?;
                continue;
            };
            let lost = tokio::select! {
                biased;
                asked = self.asked.changed() => {
                    asked.map_err(|_| StoreError::Closed)?;
                    connection.requests.request_progress().await.is_err()
                }
                response = connection.responses.message() => match response {
                    Ok(Some(response)) => self.take(response.0)?,
                    Ok(None) | Err(_) => true,
                },
            };
            if lost {
                self.connection = None;
                self.servers.turn();
                sleep(PAUSE).await;
            }
        }
    }

    /// Tries until there is a connection, the store is closed, or the cluster refuses.
    async fn reconnect(&mut self) -> Result<(), StoreError> {
        loop {
            let mut asked = self.asked.clone();
            let closed = async { while asked.changed().await.is_ok() {} };
            let connected = tokio::select! {
                () = closed => return Err(StoreError::Closed),
                connected = self.connect() => connected,
            };
            match connected {
                Ok(connection) => {
                    self.connection = Some(connection);
                    return Ok(());
                }
                Err(Fault::Refused(error)) => return Err(error),
                Err(fault) => {
                    tracing::debug!(?fault, "no etcd server to watch; trying the next one");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn connect(&self) -> Result<Connection, Fault> {
        let (client, tells_progress) = self.servers.connection().await?;
        let key = match self.prefix.is_empty() {
            true => vec![0], // etcd knows no empty key
            false => self.prefix.to_vec(),
        };
        let options = WatchOptions::new()
            .with_range(end_of(&self.prefix))
            .with_start_revision(number(self.seen.next()))
            .with_prev_key()
            .with_fragment();
        let mut client = client.watch_client().max_decoding_message_size(usize::MAX);
        let (requests, responses) = client.watch(key, Some(options)).await?.split();
        Ok(Connection {
            requests,
            responses,
            tells_progress,
            fragments: Vec::new(),
        })
    }

    /// Makes items of a response. True if the server has ended the watch without a reason that others
    /// would have as well.
    fn take(&mut self, response: PbWatchResponse) -> Result<bool, StoreError> {
        if response.compact_revision > 0 {
            return Err(StoreError::Compacted {
                requested: self.seen,
                compacted: revision(response.compact_revision),
            });
        }
        if response.canceled {
            return match response.cancel_reason.contains("permission denied") {
                true => Err(StoreError::Refused {
                    detail: response.cancel_reason,
                }),
                false => Ok(true),
            };
        }
        let Some(connection) = &mut self.connection else {
            return Ok(true);
        };
        connection.fragments.extend(response.events);
        if response.fragment {
            return Ok(false);
        }
        let events = mem::take(&mut connection.fragments);
        if events.is_empty() {
            // The word that the watch was created says nothing about what came before.
            let header = response.header.unwrap_or_default();
            let reached = revision(header.revision);
            if connection.tells_progress && !response.created && reached > self.seen {
                self.seen = reached;
                self.ready.push_back(WatchItem::Progress(reached));
            }
            return Ok(false);
        }
        let seen = self.seen;
        for event in events {
            let event = self.event(event)?;
            let revision = event.revision();
            if revision <= seen {
                // The server said before that there was nothing more up to here. Whoever believed it has
                // to begin anew.
                return Err(StoreError::Compacted {
                    requested: revision,
                    compacted: seen,
                });
            }
            self.seen = revision;
            match self.ready.back_mut() {
                Some(WatchItem::Events(at, events)) if *at == revision => events.push(event),
                _ => self
                    .ready
                    .push_back(WatchItem::Events(revision, vec![event])),
            }
        }
        Ok(false)
    }

    /// Previous values come from history: if it is forgotten before the event was delivered, the watch
    /// can't keep its promise any more.
    fn event(&self, event: PbEvent) -> Result<Event, StoreError> {
        let current = event.kv.unwrap_or_default();
        let is_new = event.r#type != DELETE && current.create_revision == current.mod_revision;
        let at = revision(current.mod_revision);
        let previous = event.prev_kv.map(key_value);
        match (previous, event.r#type) {
            (Some(previous), DELETE) => Ok(Event::Delete {
                revision: at,
                previous,
            }),
            (previous, _) if is_new || previous.is_some() => Ok(Event::Put {
                current: key_value(current),
                previous,
            }),
            _ => Err(StoreError::Compacted {
                requested: self.seen,
                compacted: at,
            }),
        }
    }
}
