//! Approves the client certificates of nodes' agents, where whoever asks may have them: a review of
//! `certificatesigningrequests/nodeclient`, or for one's own node `selfnodeclient`, says so.

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
        certificates::v1::{
            CertificateSigningRequest, CertificateSigningRequestCondition,
            CertificateSigningRequestSpec,
        },
    },
    apimachinery::pkg::apis::meta::v1::Time,
};
use k8s_runtime::{Action, Context, Controller, Key, Store};
use kube::{Api, api::PostParams};

use super::{KUBELET_CLIENT, certificate, condition, request::Request};

/// When to ask again whether a request that was not allowed is by now: roles change.
const AGAIN: Duration = Duration::from_secs(60);

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let requests = ctx.hub.informer::<CertificateSigningRequest>();
    let store = requests.store();
    Controller::new("csrapproving", ctx.clone())
        .owns_keys(&requests)
        .run(5, move |key| {
            let (ctx, store) = (ctx.clone(), store.clone());
            async move { reconcile(&ctx, &store, key).await }
        })
        .await;
}

/// A way to be approved: what the asker must be allowed to create, and what is said then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    subresource: &'static str,
    message: &'static str,
}

const OWN: Way = Way {
    subresource: "selfnodeclient",
    message: "Auto approving self kubelet client certificate after SubjectAccessReview.",
};
const ANY: Way = Way {
    subresource: "nodeclient",
    message: "Auto approving kubelet client certificate after SubjectAccessReview.",
};

/// The ways that are open to a request.
fn ways(spec: &CertificateSigningRequestSpec) -> Vec<Way> {
    let usages = spec.usages.as_deref().unwrap_or_default();
    let Ok(request) = Request::parse(&spec.request.0) else {
        return Vec::new();
    };
    if spec.signer_name != KUBELET_CLIENT || request.check_kubelet_client(usages).is_err() {
        return Vec::new();
    }
    match spec.username.as_deref() == Some(request.common_name.as_str()) {
        true => vec![OWN, ANY],
        false => vec![ANY],
    }
}

async fn reconcile(
    ctx: &Context,
    store: &Store<CertificateSigningRequest>,
    key: Key,
) -> Result<Action, kube::Error> {
    let Some(csr) = store.get(&key) else {
        return Ok(Action::Done);
    };
    let is_decided = ["Approved", "Denied"].map(|type_| condition(&csr, type_).is_some());
    if is_decided.contains(&true) || certificate(&csr).is_some() {
        return Ok(Action::Done);
    }
    let ways = ways(&csr.spec);
    for way in &ways {
        if is_allowed(ctx, &csr.spec, *way).await? {
            return approve(ctx, &csr, way.message).await.map(|()| Action::Done);
        }
    }
    match ways.is_empty() {
        true => Ok(Action::Done),
        false => {
            let tried: Vec<_> = ways.iter().map(|way| way.subresource).collect();
            tracing::debug!(csr = %key, ?tried, "recognized, but the review did not allow it");
            Ok(Action::After(AGAIN))
        }
    }
}

async fn is_allowed(
    ctx: &Context,
    spec: &CertificateSigningRequestSpec,
    way: Way,
) -> Result<bool, kube::Error> {
    let api: Api<SubjectAccessReview> = Api::all(ctx.client.clone());
    let text = |text: &str| Some(text.to_owned());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: spec.username.clone(),
            uid: spec.uid.clone(),
            groups: spec.groups.clone(),
            extra: spec.extra.clone(),
            resource_attributes: Some(ResourceAttributes {
                group: text("certificates.k8s.io"),
                version: text("*"),
                resource: text("certificatesigningrequests"),
                subresource: text(way.subresource),
                verb: text("create"),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = api.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Approves a request, saying why.
pub(super) async fn approve(
    ctx: &Context,
    csr: &Arc<CertificateSigningRequest>,
    message: &str,
) -> Result<(), kube::Error> {
    let mut approved = CertificateSigningRequest::clone(csr);
    let now = Time(ctx.clock.now());
    let status = approved.status.get_or_insert_default();
    let conditions = status.conditions.get_or_insert_default();
    conditions.push(CertificateSigningRequestCondition {
        type_: "Approved".into(),
        status: "True".into(),
        reason: Some("AutoApproved".into()),
        message: Some(message.into()),
        last_update_time: Some(now),
        ..CertificateSigningRequestCondition::default()
    });
    let name = approved.metadata.name.clone().unwrap_or_default();
    let api: Api<CertificateSigningRequest> = Api::all(ctx.client.clone());
    let params = PostParams::default();
    api.replace_subresource("approval", &name, &params, &approved)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn spec(by: &str, signer: &str, group: &str) -> CertificateSigningRequestSpec {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
        params
            .distinguished_name
            .push(DnType::CommonName, "system:node:n1");
        let key = KeyPair::generate().unwrap();
        let pem = params.serialize_request(&key).unwrap().pem().unwrap();
        CertificateSigningRequestSpec {
            request: k8s_openapi::ByteString(pem.into_bytes()),
            signer_name: signer.into(),
            username: Some(by.into()),
            usages: Some(vec!["digital signature".into(), "client auth".into()]),
            ..CertificateSigningRequestSpec::default()
        }
    }

    #[test]
    fn only_agents_certificates_are_approved_unseen() {
        let nodes = "system:nodes";
        let own = spec("system:node:n1", KUBELET_CLIENT, nodes);
        assert_eq!(ways(&own), [OWN, ANY]);
        let new = spec("system:bootstrap:abcdef", KUBELET_CLIENT, nodes);
        assert_eq!(ways(&new), [ANY]);
        assert_eq!(ways(&spec("jane", super::super::CLIENT, nodes)), []);
        assert_eq!(ways(&spec("jane", KUBELET_CLIENT, "system:masters")), []);
    }
}
