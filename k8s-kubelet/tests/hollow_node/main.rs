//! A whole agent over a hollow runtime and an API server, all in this process.

mod life;
mod promise;
mod static_pod;
mod world;
