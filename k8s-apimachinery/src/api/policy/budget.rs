//! What a disruption budget says about itself once its numbers are known: shared by the controller, which counts, and
//! the server, which takes one off with each eviction.

/// The condition that says whether the budget has room.
pub const DISRUPTION_ALLOWED: &str = "DisruptionAllowed";
/// The reason of [`DISRUPTION_ALLOWED`] when the numbers could not be found out.
pub const SYNC_FAILED: &str = "SyncFailed";

/// Status and reason of [`DISRUPTION_ALLOWED`] for so many allowed disruptions.
///
/// ```
/// use k8s_apimachinery::api::policy::budget::verdict;
/// assert_eq!(verdict(0), ("False", "InsufficientPods"));
/// assert_eq!(verdict(2), ("True", "SufficientPods"));
/// ```
pub fn verdict(disruptions_allowed: i64) -> (&'static str, &'static str) {
    match disruptions_allowed {
        1.. => ("True", "SufficientPods"),
        _ => ("False", "InsufficientPods"),
    }
}
