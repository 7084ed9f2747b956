//! What a real node needs around the node agent: its container runtime, pod network and images.

pub(crate) mod cni;
pub(crate) mod containerd;
pub(crate) mod image;
pub(crate) mod masquerade;
pub(crate) mod route;
