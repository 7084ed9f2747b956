//! Work queues in memory, for trying out Jobs.
//!
//! `PUT /memq/server/queues/NAME` creates, `DELETE` removes, `POST .../NAME/enqueue` adds the body as
//! a message, `POST .../NAME/dequeue` takes the oldest (204 when there is none), `POST .../NAME/drain`
//! empties; `GET /memq/server/stats` counts.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Message {
    id: String,
    body: String,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Message>,
    enqueued: u64,
    dequeued: u64,
    drained: u64,
}

/// All queues of one server.
#[derive(Debug, Default)]
pub(crate) struct Queues(BTreeMap<String, Queue>);

/// One queue's counters.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Stats {
    name: String,
    depth: usize,
    enqueued: u64,
    dequeued: u64,
    drained: u64,
}

/// Why an operation did nothing.
#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    NoSuchQueue,
    Exists,
    Empty,
}

impl Queues {
    pub(crate) fn create(&mut self, name: &str) -> Result<(), Refusal> {
        if self.0.contains_key(name) {
            return Err(Refusal::Exists);
        }
        self.0.insert(name.to_owned(), Queue::default());
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &str) -> Result<(), Refusal> {
        self.0.remove(name).map(drop).ok_or(Refusal::NoSuchQueue)
    }

    pub(crate) fn enqueue(&mut self, name: &str, body: String) -> Result<Message, Refusal> {
        let queue = self.0.get_mut(name).ok_or(Refusal::NoSuchQueue)?;
        queue.enqueued += 1;
        let message = Message {
            id: format!("{name}-{}", queue.enqueued),
            body,
        };
        queue.waiting.push_back(message.clone());
        Ok(message)
    }

    pub(crate) fn dequeue(&mut self, name: &str) -> Result<Message, Refusal> {
        let queue = self.0.get_mut(name).ok_or(Refusal::NoSuchQueue)?;
        let message = queue.waiting.pop_front().ok_or(Refusal::Empty)?;
        queue.dequeued += 1;
        Ok(message)
    }

    pub(crate) fn drain(&mut self, name: &str) -> Result<(), Refusal> {
        let queue = self.0.get_mut(name).ok_or(Refusal::NoSuchQueue)?;
        queue.drained += queue.waiting.len() as u64;
        queue.waiting.clear();
        Ok(())
    }

    pub(crate) fn stats(&self) -> Vec<Stats> {
        let stats = |(name, queue): (&String, &Queue)| Stats {
            name: name.clone(),
            depth: queue.waiting.len(),
            enqueued: queue.enqueued,
            dequeued: queue.dequeued,
            drained: queue.drained,
        };
        self.0.iter().map(stats).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_leave_in_the_order_they_came() {
        let mut queues = Queues::default();
        queues.create("keygen").unwrap();
        queues.enqueue("keygen", "a".into()).unwrap();
        queues.enqueue("keygen", "b".into()).unwrap();
        assert_eq!(queues.dequeue("keygen").unwrap().body, "a");
        assert_eq!(queues.dequeue("keygen").unwrap().body, "b");
        assert_eq!(queues.dequeue("keygen"), Err(Refusal::Empty));
    }

    #[test]
    fn refusals_name_their_cause() {
        let mut queues = Queues::default();
        assert_eq!(queues.dequeue("none"), Err(Refusal::NoSuchQueue));
        queues.create("one").unwrap();
        assert_eq!(queues.create("one"), Err(Refusal::Exists));
    }
}
