#![doc = include_str!("../README.md")]

mod cluster;

pub use cluster::{Builder, Cluster, Error};
