//! Placeholder
pub mod cri;
pub mod pod;
pub mod probe;
pub mod pleg;
pub mod hollow { /** x */ pub struct HollowRuntime; }
