//! Signs what was approved, for Kubernetes' own signers.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    ByteString,
    api::certificates::v1::{
        CertificateSigningRequest, CertificateSigningRequestCondition,
        CertificateSigningRequestSpec,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use k8s_runtime::{Action, Context, Controller, Key, Store};
use kube::{Api, api::PostParams};

use super::{
    CLIENT, KUBELET_CLIENT, KUBELET_SERVING, certificate, condition,
    request::{self, Request},
};

/// The longest that a certificate lives.
const LONGEST: SignedDuration = SignedDuration::from_hours(365 * 24);
/// The shortest.
const SHORTEST: SignedDuration = SignedDuration::from_mins(10);
/// Certificates begin this long ago, since clocks differ.
const BACKDATE: SignedDuration = SignedDuration::from_mins(5);
/// What lives shorter than this loses nothing of its end to that.
const SHORT: SignedDuration = SignedDuration::from_hours(8);

/// A certificate to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order<'a> {
    /// The request, in PEM. Its signature was checked when it was taken.
    pub request: &'a str,
    /// What the certificate is for, in the words of CertificateSigningRequests.
    pub usages: &'a [String],
    /// When it begins.
    pub not_before: Timestamp,
    /// When it ends, unless the authority does so earlier.
    pub not_after: Timestamp,
}

/// Holds a cluster's key. Whoever wires a cluster implements it, or hands in a closure; decisions are
/// the controller's.
pub trait Authority: Send + Sync + 'static {
    /// A certificate, in PEM; an error is for the log, and tried again.
    fn sign(&self, order: &Order<'_>) -> Result<String, String>;
}

impl<F> Authority for F
where
    F: Fn(&Order<'_>) -> Result<String, String> + Send + Sync + 'static,
{
    fn sign(&self, order: &Order<'_>) -> Result<String, String> {
        self(order)
    }
}

/// Signs until the context is cancelled. It isn't one of the [`builtins`](crate::builtins), since it
/// needs the authority.
pub async fn run(ctx: Context, authority: Arc<dyn Authority>) {
    let requests = ctx.hub.informer::<CertificateSigningRequest>();
    let signer = Arc::new(Signer {
        ctx: ctx.clone(),
        store: requests.store(),
        authority,
    });
    Controller::new("csrsigning", ctx)
        .owns_keys(&requests)
        .run(5, move |key| {
            let round = signer.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Signer {
    ctx: Context,
    store: Store<CertificateSigningRequest>,
    authority: Arc<dyn Authority>,
}

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum SignError {
    #[error("cannot sign: {0}")]
    Authority(String),
    #[error(transparent)]
    Api(#[from] kube::Error),
}

impl Signer {
    async fn reconcile(&self, key: Key) -> Result<Action, SignError> {
        let Some(csr) = self.store.get(&key) else {
            return Ok(Action::Done);
        };
        let is_wanted = condition(&csr, "Approved").is_some()
            && condition(&csr, "Failed").is_none()
            && certificate(&csr).is_none();
        if !is_wanted {
            return Ok(Action::Done);
        }
        let mut answered = CertificateSigningRequest::clone(&csr);
        let status = answered.status.get_or_insert_default();
        match verdict(&csr.spec) {
            None => return Ok(Action::Done),
            Some(Err(fault)) => {
                let conditions = status.conditions.get_or_insert_default();
                conditions.push(CertificateSigningRequestCondition {
                    type_: "Failed".into(),
                    status: "True".into(),
                    reason: Some("SignerValidationFailure".into()),
                    message: Some(fault),
                    last_update_time: Some(Time(self.ctx.clock.now())),
                    ..CertificateSigningRequestCondition::default()
                });
            }
            Some(Ok(())) => {
                let (not_before, not_after) =
                    validity(self.ctx.clock.now(), csr.spec.expiration_seconds);
                let signed = self.authority.sign(&Order {
                    request: &String::from_utf8_lossy(&csr.spec.request.0),
                    usages: csr.spec.usages.as_deref().unwrap_or_default(),
                    not_before,
                    not_after,
                });
                let signed = signed.map_err(SignError::Authority)?;
                status.certificate = Some(ByteString(signed.into_bytes()));
            }
        }
        let api: Api<CertificateSigningRequest> = Api::all(self.ctx.client.clone());
        api.replace_subresource("status", &key.name, &PostParams::default(), &answered)
            .await?;
        Ok(Action::Done)
    }
}

/// Whether the request is one that its signer signs; `None` if the signer isn't ours.
fn verdict(spec: &CertificateSigningRequestSpec) -> Option<Result<(), String>> {
    let usages = spec.usages.as_deref().unwrap_or_default();
    let check = |check: fn(&Request, &[String]) -> Result<(), String>| {
        let request = Request::parse(&spec.request.0)?;
        check(&request, usages)
    };
    match spec.signer_name.as_str() {
        CLIENT => Some(check(|_, usages| request::check_client_usages(usages))),
        KUBELET_CLIENT => Some(check(Request::check_kubelet_client)),
        KUBELET_SERVING => Some(check(Request::check_kubelet_serving)),
        _ => None,
    }
}

/// From when until when a certificate is good, that was asked for so many seconds.
fn validity(now: Timestamp, asked: Option<i32>) -> (Timestamp, Timestamp) {
    let asked = asked.map_or(LONGEST, |seconds| SignedDuration::from_secs(seconds.into()));
    let lifetime = asked.clamp(SHORTEST, LONGEST);
    let lost = match lifetime < SHORT {
        true => SignedDuration::ZERO,
        false => BACKDATE,
    };
    (now - BACKDATE, now + lifetime - lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: Option<i32>, want: i64) {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let (begin, end) = validity(now, asked);
        assert_eq!(begin.as_second(), 1_000_000 - 300);
        assert_eq!(end.as_second() - 1_000_000, want, "{asked:?}");
    }

    #[test]
    fn a_certificate_lives_as_asked_within_bounds() {
        let year = 365 * 24 * 3600;
        check(None, year - 300);
        check(Some(i32::MAX), year - 300);
        check(Some(3600), 3600);
        check(Some(9 * 3600), 9 * 3600 - 300);
        check(Some(1), 600);
    }

    #[test]
    fn other_signers_requests_are_left_alone() {
        let spec = CertificateSigningRequestSpec {
            signer_name: "example.com/signer".into(),
            ..CertificateSigningRequestSpec::default()
        };
        assert_eq!(verdict(&spec), None);
        let spec = CertificateSigningRequestSpec {
            signer_name: CLIENT.into(),
            ..CertificateSigningRequestSpec::default()
        };
        assert!(verdict(&spec).unwrap().is_err());
    }
}
