//! Removes requests that nobody waits for any more.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_runtime::{Context, Key};
use kube::{
    Api,
    api::{DeleteParams, Preconditions},
};
use x509_parser::{
    pem::Pem,
    prelude::{FromDer, X509Certificate},
};

use super::{certificate, condition, conditions};

/// How often it looks: at the cache alone.
const PERIOD: Duration = Duration::from_secs(3600);
/// How long what was decided is kept.
const DECIDED: SignedDuration = SignedDuration::from_hours(1);
/// How long what nobody decided is kept.
const PENDING: SignedDuration = SignedDuration::from_hours(24);

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let requests = ctx.hub.informer::<CertificateSigningRequest>();
    let body = async {
        requests.synced().await;
        loop {
            for csr in requests.store().list() {
                if is_over(&csr, ctx.clock.now()) {
                    remove(&ctx, &csr).await;
                }
            }
            tokio::time::sleep(PERIOD).await;
        }
    };
    ctx.cancel.run_until_cancelled(body).await;
}

/// Decided an hour ago, waiting for a day, or with a certificate that has expired.
fn is_over(csr: &CertificateSigningRequest, now: Timestamp) -> bool {
    let is_past = |since: Option<Timestamp>, kept: SignedDuration| {
        since.is_some_and(|since| now.duration_since(since) > kept)
    };
    let decided = ["Approved", "Denied", "Failed"]
        .iter()
        .filter_map(|type_| condition(csr, type_));
    let was_decided = decided
        .filter_map(|condition| condition.last_update_time.as_ref())
        .any(|since| is_past(Some(since.0), DECIDED));
    let created = csr.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let is_stale = conditions(csr).is_empty() && is_past(created, PENDING);
    let ended = certificate(csr).and_then(end_of);
    was_decided || is_stale || ended.is_some_and(|end| end < now)
}

/// When a certificate ends.
fn end_of(pem: &[u8]) -> Option<Timestamp> {
    let pem = Pem::iter_from_buffer(pem).next()?.ok()?;
    let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

async fn remove(ctx: &Context, csr: &CertificateSigningRequest) {
    let api: Api<CertificateSigningRequest> = Api::all(ctx.client.clone());
    let params = DeleteParams {
        preconditions: Some(Preconditions {
            uid: csr.metadata.uid.clone(),
            resource_version: csr.metadata.resource_version.clone(),
        }),
        ..DeleteParams::default()
    };
    let key = Key::of(csr);
    if let Err(error) = api.delete(&key.name, &params).await {
        tracing::debug!(csr = %key, %error, "not removed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(status: Value, minutes: i64, want: bool) {
        let mut csr = json!({
            "metadata": { "creationTimestamp": "2026-01-01T00:00:00Z" },
            "spec": { "request": "", "signerName": "" },
        });
        csr["status"] = status;
        let csr: CertificateSigningRequest = serde_json::from_value(csr).unwrap();
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let now = start + SignedDuration::from_mins(minutes);
        assert_eq!(is_over(&csr, now), want);
    }

    #[test]
    fn what_was_decided_goes_after_an_hour_and_what_was_not_after_a_day() {
        let decided = |type_: &str| {
            json!({ "conditions": [
                { "type": type_, "status": "True", "lastUpdateTime": "2026-01-01T00:00:00Z" },
            ] })
        };
        for type_ in ["Approved", "Denied", "Failed"] {
            check(decided(type_), 60, false);
            check(decided(type_), 61, true);
        }
        check(decided("Other"), 24 * 60 + 1, false);
        check(json!({}), 24 * 60, false);
        check(json!({}), 24 * 60 + 1, true);
    }
}
