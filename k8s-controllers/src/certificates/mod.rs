//! CertificateSigningRequests: approved where a role says so, signed when approved, removed when done
//! with.
//!
//! Three loops with one account: [`approve`] decides about the client certificates of nodes' agents,
//! [`sign`] serves the signers `kubernetes.io/kube-apiserver-client`, `-client-kubelet` and
//! `kubelet-serving` with an [`Authority`] that whoever wires a cluster hands in, [`clean`] removes
//! what is old. [`approve_serving`] has an account of its own, and runs only where a cluster's makers want it.

pub mod approve;
pub mod approve_serving;
pub mod clean;
mod request;
pub mod sign;

use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestCondition,
};

pub use sign::{Authority, Order};

/// The service account in `kube-system` that the three act as.
pub const ACCOUNT: &str = "certificate-controller";

const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";
const KUBELET_SERVING: &str = "kubernetes.io/kubelet-serving";

fn conditions(csr: &CertificateSigningRequest) -> &[CertificateSigningRequestCondition] {
    let status = csr.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref());
    conditions.unwrap_or_default()
}

/// The condition of a type, if it holds.
fn condition<'a>(
    csr: &'a CertificateSigningRequest,
    type_: &str,
) -> Option<&'a CertificateSigningRequestCondition> {
    let mut all = conditions(csr).iter();
    all.find(|each| each.type_ == type_ && each.status == "True")
}

/// The certificate, as PEM, if there is one.
fn certificate(csr: &CertificateSigningRequest) -> Option<&[u8]> {
    let issued = csr.status.as_ref()?.certificate.as_ref()?;
    Some(issued.0.as_slice()).filter(|pem| !pem.is_empty())
}
