//! What is done with a request that has come through all layers.

pub mod connect;
