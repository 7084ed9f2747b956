//! Limit ranges of a namespace: what an object gets that asks for nothing, and how much it may ask for.

mod constraint;
mod default;

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Operation, Review};
use crate::{ApiError, registry::Effects};

/// Fills in requests and limits of containers from the namespace's LimitRanges, and refuses pods and claims of storage
/// that ask for less or more than those allow. A pod is looked at when it is created and when it is resized.
#[derive(Debug, Clone, Copy)]
pub struct LimitRanger;

#[async_trait]
impl Admission for LimitRanger {
    fn name(&self) -> &'static str {
        "LimitRanger"
    }

    async fn mutate(&self, review: &Review<'_>, object: &mut Object) -> Result<(), ApiError> {
        if subject(review) == Some(Subject::Pod) {
            for range in ranges(review) {
                let filled = default::fill(object, &range);
                // A resize changes no annotations.
                if let Some(filled) = filled.filter(|_| review.subresource.is_empty()) {
                    object.set(
                        &["metadata", "annotations", default::ANNOTATION],
                        filled.into(),
                    );
                }
            }
        }
        Ok(())
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        object: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        if let (Some(subject), Some(object)) = (subject(review), object) {
            for range in ranges(review) {
                constraint::check(&range, object, subject)
                    .map_err(|violations| review.forbidden(violations))?;
            }
        }
        Ok(Effects::default())
    }
}

/// What limit ranges have a say in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Pod,
    Claim,
}

fn subject(review: &Review<'_>) -> Option<Subject> {
    let row = &review.resource.row;
    let is_going = review
        .old
        .is_some_and(|old| old.deletion_timestamp().is_some());
    if is_going || !row.group.is_empty() {
        return None;
    }
    match (row.plural.as_str(), review.subresource, review.operation) {
        ("pods", "", Operation::Create) | ("pods", "resize", Operation::Update) => {
            Some(Subject::Pod)
        }
        ("persistentvolumeclaims", "", Operation::Create | Operation::Update) => {
            Some(Subject::Claim)
        }
        _ => None,
    }
}

fn ranges<'a>(review: &'a Review<'_>) -> impl Iterator<Item = Object> + use<'a> {
    let found = review.view.list("", "limitranges", review.namespace);
    found.into_iter().map(|stored| stored.entry.object())
}

#[cfg(test)]
mod tests;
