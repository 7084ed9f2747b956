//! Kinds of `certificates.k8s.io`.

pub mod cluster_trust_bundle;
mod pem;
pub mod pod_certificate_request;
mod signer;
