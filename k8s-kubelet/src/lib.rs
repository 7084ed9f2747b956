//! Placeholder
pub mod cri;
pub mod hollow { /** x */ pub struct HollowRuntime; }
