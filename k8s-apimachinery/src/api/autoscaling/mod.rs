//! Kinds of `autoscaling`.

pub mod scale;
