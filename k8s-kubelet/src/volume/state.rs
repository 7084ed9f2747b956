//! What is wanted and what is there, shared by the workers of all pods; and whose turn it is at a device.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use super::{Device, actual::Actual, desired::Desired};

/// The state of a node's volumes.
#[derive(Default)]
pub(super) struct State {
    pub(super) desired: Desired,
    pub(super) actual: Actual,
    /// Devices that somebody is staging or unstaging.
    busy: BTreeSet<Device>,
    /// Devices that the node's status says are in use.
    reported: BTreeSet<Device>,
}

/// The state behind a lock that is never held for long.
pub(super) struct Shared {
    state: Mutex<State>,
    /// A device is free again, or the node's status names others.
    turn: Notify,
    /// Which devices are in use has changed.
    use_changed: Notify,
}

/// The right to work on a device.
pub(super) struct Turn<'a> {
    shared: &'a Shared,
    device: Device,
}

impl State {
    /// Devices in use that others attach to the node.
    pub(super) fn in_use(&self) -> BTreeSet<Device> {
        let mut devices = self.desired.attached();
        devices.extend(self.actual.attached());
        devices
    }
}

impl Shared {
    pub(super) fn new(actual: Actual) -> Self {
        let state = State {
            actual,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            turn: Notify::new(),
            use_changed: Notify::new(),
        }
    }

    /// Looks at the state.
    pub(super) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state; tells if that changes which devices are in use.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        if state.in_use() != state.reported {
            self.use_changed.notify_one();
        }
        result
    }

    /// The node's status names these devices now.
    pub(super) fn reported(&self, devices: BTreeSet<Device>) {
        self.lock().reported = devices;
        self.turn.notify_waiters();
    }

    /// Waits until other devices are in use than the node's status names.
    pub(super) async fn use_changed(&self) {
        self.use_changed.notified().await;
    }

    /// Waits until the node's status names the device: whoever detaches devices must see it first.
    pub(super) async fn wait_until_reported(&self, device: &Device) {
        self.wait(|state| state.reported.contains(device)).await;
    }

    /// Waits until nobody else works on the device; nobody else will while the turn is held.
    pub(super) async fn take(&self, device: &Device) -> Turn<'_> {
        self.wait(|state| state.busy.insert(device.clone())).await;
        Turn {
            shared: self,
            device: device.clone(),
        }
    }

    async fn wait(&self, mut holds: impl FnMut(&mut State) -> bool) {
        loop {
            let mut turn = std::pin::pin!(self.turn.notified());
            // News between the look and the wait counts.
            turn.as_mut().enable();
            if holds(&mut self.lock()) {
                return;
            }
            turn.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.shared.lock().busy.remove(&self.device);
        self.shared.turn.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;
    use crate::volume::actual::Staged;

    fn device() -> Device {
        Device {
            driver: "d".into(),
            handle: "h".into(),
        }
    }

    #[tokio::test]
    async fn a_device_is_worked_on_by_one_at_a_time() {
        let shared = Shared::new(Actual::default());
        let device = device();
        let first = shared.take(&device).await;
        let mut second = Box::pin(shared.take(&device));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        drop(second.await);
    }

    #[tokio::test]
    async fn a_device_in_use_is_news_until_the_node_s_status_names_it() {
        let shared = Shared::new(Actual::default());
        let stage = |state: &mut State| {
            let staged = Staged {
                is_attached: true,
                is_complete: true,
            };
            state.actual.devices.insert(device(), staged);
        };
        shared.change(stage);
        shared.use_changed().await;
        let device = device();
        let mut waiting = Box::pin(shared.wait_until_reported(&device));
        assert!(waiting.as_mut().now_or_never().is_none());
        shared.reported(shared.look(State::in_use));
        waiting.await;
        shared.change(stage);
        assert!(shared.use_changed().now_or_never().is_none(), "no news");
    }
}
