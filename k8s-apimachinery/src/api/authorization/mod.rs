//! Kinds of the group `authorization.k8s.io`: questions, which have no name and are stored nowhere.
//! [`Rules::check`](super::Rules::check) holds all there is to check.

mod access;
pub mod local_subject_access_review;
pub mod self_subject_access_review;
pub mod subject_access_review;
