//! PLEG
mod view;
pub use view::PodView;
