//! What has to happen so that what is mounted becomes what is wanted. Pure.

use super::{
    actual::Actual,
    desired::{Desired, Device, Slot},
};

/// One step of a pod's, to be taken in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Take a volume away that the pod doesn't want any more.
    Unpublish(Slot),
    /// Bring a device to the node.
    Stage(Device),
    /// Give the pod its volume.
    Publish(Slot),
}

/// The steps towards what one pod wants; none of them touches another pod's volumes.
pub(super) fn plan(desired: &Desired, actual: &Actual, pod: &str) -> Vec<Step> {
    let wanted = desired.pods.get(pod);
    let held = actual.pods.get(pod);
    let mut steps = Vec::new();
    for slot in held.iter().flat_map(|held| held.keys()) {
        if wanted.is_none_or(|wanted| !wanted.contains_key(slot)) {
            steps.push(Step::Unpublish(slot.clone()));
        }
    }
    for (slot, want) in wanted.into_iter().flatten() {
        let is_held = held
            .and_then(|held| held.get(slot))
            .is_some_and(|held| held.is_complete);
        if is_held {
            continue;
        }
        if let Some(device) = &want.device
            && actual
                .devices
                .get(device)
                .is_none_or(|staged| !staged.is_complete)
        {
            let stage = Step::Stage(device.clone());
            if !steps.contains(&stage) {
                steps.push(stage);
            }
        }
        steps.push(Step::Publish(slot.clone()));
    }
    steps
}

/// Devices on the node that no pod wants or holds.
pub(super) fn idle(desired: &Desired, actual: &Actual) -> Vec<Device> {
    let devices = actual.devices.keys();
    devices
        .filter(|device| !desired.wants_device(device) && !actual.holds_device(device))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::{
        actual::{Held, Staged},
        desired::{Kind, Wanted},
    };

    fn slot(name: &str) -> Slot {
        Slot {
            kind: Kind::Filesystem,
            plugin: "kubernetes.io~csi".into(),
            name: name.into(),
        }
    }

    fn device(handle: &str) -> Device {
        Device {
            driver: "d".into(),
            handle: handle.into(),
        }
    }

    /// `pod volume handle`, wanted and held; handles that are staged. `?` marks what is half done.
    fn states(wanted: &[&str], held: &[&str], staged: &[&str]) -> (Desired, Actual) {
        let (mut desired, mut actual) = (Desired::default(), Actual::default());
        let words = |line: &&str| -> (String, Slot, Option<Device>, bool) {
            let words: Vec<&str> = line.trim_end_matches('?').split(' ').collect();
            let device = words.get(2).map(|handle| device(handle));
            (
                words[0].into(),
                slot(words[1]),
                device,
                !line.ends_with('?'),
            )
        };
        for (pod, slot, device, _) in wanted.iter().map(words) {
            let want = Wanted {
                device,
                ..Wanted::default()
            };
            desired.pods.entry(pod).or_default().insert(slot, want);
        }
        for (pod, slot, device, is_complete) in held.iter().map(words) {
            let held = Held {
                device,
                is_complete,
                alone: None,
            };
            actual.pods.entry(pod).or_default().insert(slot, held);
        }
        for handle in staged {
            let staged = Staged {
                is_complete: !handle.ends_with('?'),
                ..Staged::default()
            };
            let device = device(handle.trim_end_matches('?'));
            actual.devices.insert(device, staged);
        }
        (desired, actual)
    }

    #[track_caller]
    fn check(wanted: &[&str], held: &[&str], staged: &[&str], steps: &[&str], idle_ones: &[&str]) {
        let (desired, actual) = states(wanted, held, staged);
        let planned: Vec<String> = plan(&desired, &actual, "a")
            .iter()
            .map(|step| match step {
                Step::Unpublish(slot) => format!("unpublish {}", slot.name),
                Step::Stage(device) => format!("stage {}", device.handle),
                Step::Publish(slot) => format!("publish {}", slot.name),
            })
            .collect();
        assert_eq!(planned, steps);
        let idle: Vec<String> = idle(&desired, &actual)
            .into_iter()
            .map(|device| device.handle)
            .collect();
        assert_eq!(idle, idle_ones);
    }

    #[test]
    fn a_device_is_staged_before_its_volumes_are_published() {
        check(
            &["a v h", "a w h"],
            &[],
            &[],
            &["stage h", "publish v", "publish w"],
            &[],
        );
        check(&["a v h"], &[], &["h"], &["publish v"], &[]);
        check(&["a v"], &[], &[], &["publish v"], &[]);
    }

    #[test]
    fn what_is_complete_is_left_alone_and_what_is_half_done_is_done_again() {
        check(&["a v h"], &["a v h"], &["h"], &[], &[]);
        check(
            &["a v h"],
            &["a v h?"],
            &["h?"],
            &["stage h", "publish v"],
            &[],
        );
    }

    #[test]
    fn a_device_stays_as_long_as_any_pod_wants_or_holds_it() {
        check(&[], &["a v h"], &["h"], &["unpublish v"], &[]);
        check(&[], &[], &["h", "i?"], &[], &["h", "i"]);
        check(&["b v h"], &[], &["h"], &[], &[]);
        check(&[], &["b v h?"], &["h"], &[], &[]);
    }
}
