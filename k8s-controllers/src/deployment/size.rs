//! What the arithmetic of a rollout works on: numbers alone.

use k8s_openapi::{
    api::apps::v1::{Deployment, ReplicaSet},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::revision::{DESIRED_REPLICAS, MAX_REPLICAS, number};
use crate::amount::scaled;

/// What a Deployment asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Goal {
    /// Pods wanted.
    pub(super) replicas: i32,
    /// Pods allowed above that during a rolling update.
    pub(super) max_surge: i32,
    /// Pods that may be missing during a rolling update.
    pub(super) max_unavailable: i32,
    /// Whether old pods go before new ones come.
    pub(super) is_recreate: bool,
}

/// How large one ReplicaSet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// Pods it is told to have.
    pub(super) replicas: i32,
    /// Pods it has that are available.
    pub(super) available: i32,
    /// The Deployment's replicas when this set was last sized.
    pub(super) desired: Option<i32>,
    /// The Deployment's replicas and surge when this set was last sized.
    pub(super) max: Option<i32>,
}

/// How large each ReplicaSet shall be; the old ones in the order they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) new: i32,
    pub(super) old: Vec<i32>,
}

impl Goal {
    pub(super) fn of(deployment: &Deployment) -> Self {
        let replicas = deployment.spec.replicas.unwrap_or(1);
        let strategy = deployment.spec.strategy.as_ref();
        if strategy.is_some_and(|strategy| strategy.type_.as_deref() == Some("Recreate")) {
            return Self {
                replicas,
                max_surge: 0,
                max_unavailable: 0,
                is_recreate: true,
            };
        }
        let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
        let surge = rolling.and_then(|rolling| rolling.max_surge.as_ref());
        let unavailable = rolling.and_then(|rolling| rolling.max_unavailable.as_ref());
        Self::rolling(replicas, surge, unavailable)
    }

    /// Surge rounds up and unavailability down; when both come to nothing, one pod may be missing,
    /// or the rollout could never move.
    fn rolling(
        replicas: i32,
        surge: Option<&IntOrString>,
        unavailable: Option<&IntOrString>,
    ) -> Self {
        let quarter = IntOrString::String("25%".into());
        let max_surge = scaled(surge.unwrap_or(&quarter), replicas, true);
        let unavailable = scaled(unavailable.unwrap_or(&quarter), replicas, false);
        let max_unavailable = match (max_surge, unavailable) {
            (0, 0) => 1,
            _ => unavailable,
        };
        Self {
            replicas,
            max_surge,
            max_unavailable: max_unavailable.min(replicas),
            is_recreate: false,
        }
    }

    /// Replicas and surge together.
    pub(super) fn max(&self) -> i32 {
        self.replicas.saturating_add(self.max_surge)
    }

    /// How many pods must stay available.
    pub(super) fn min_available(&self) -> i32 {
        self.replicas - self.max_unavailable
    }
}

impl Size {
    pub(super) fn of(set: &ReplicaSet) -> Self {
        let status = set.status.as_ref();
        Self {
            replicas: set.spec.replicas.unwrap_or(0),
            available: status
                .and_then(|status| status.available_replicas)
                .unwrap_or(0),
            desired: number(&set.metadata, DESIRED_REPLICAS),
            max: number(&set.metadata, MAX_REPLICAS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(percent: &str) -> IntOrString {
        IntOrString::String(percent.into())
    }

    #[track_caller]
    fn check(replicas: i32, surge: IntOrString, unavailable: IntOrString, expected: (i32, i32)) {
        let goal = Goal::rolling(replicas, Some(&surge), Some(&unavailable));
        assert_eq!((goal.max_surge, goal.max_unavailable), expected);
    }

    #[test]
    fn surge_rounds_up_and_unavailability_down() {
        check(10, text("25%"), text("25%"), (3, 2));
        check(3, text("25%"), text("25%"), (1, 0));
        check(1, text("25%"), text("25%"), (1, 0));
        check(4, text("100%"), text("0%"), (4, 0));
    }

    #[test]
    fn when_neither_may_move_one_pod_may_be_missing() {
        check(5, IntOrString::Int(0), IntOrString::Int(0), (0, 1));
        check(5, IntOrString::Int(0), text("10%"), (0, 1));
        check(0, IntOrString::Int(0), IntOrString::Int(0), (0, 0));
    }

    #[test]
    fn no_more_can_be_missing_than_there_are() {
        check(2, IntOrString::Int(1), IntOrString::Int(9), (1, 2));
    }
}
