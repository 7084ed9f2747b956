//! Identities across server and controllers: certificates that are asked for, approved and signed;
//! tokens that live in secrets.

use std::sync::Arc;

use http_body_util::BodyExt;
use k8s_apiserver::{
    Request, User,
    authn::service_account::{Reference, TokenIssuer},
    body,
    pki::{Pki, PkiOptions},
    registry::SystemEnvironment,
};
use k8s_controllers::{
    certificates::{self, Order},
    token::{self, Wanted},
};
use k8s_openapi::api::{
    certificates::v1::CertificateSigningRequest,
    core::v1::{ConfigMap, Secret, ServiceAccount},
    rbac::v1::ClusterRoleBinding,
};
use k8s_testkit::Cluster;
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use serde_json::{Value, json};

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn pki() -> Arc<Pki> {
    Arc::new(Pki::ephemeral(&PkiOptions::default()).unwrap())
}

/// A request for the certificate of node `n1`.
fn request() -> String {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let mut push = |type_, text: &str| params.distinguished_name.push(type_, text);
    push(rcgen::DnType::OrganizationName, "system:nodes");
    push(rcgen::DnType::CommonName, "system:node:n1");
    let key = rcgen::KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

#[tokio::test]
async fn a_new_machine_becomes_a_node_where_a_role_lets_it() {
    let pki = pki();
    let builder = Cluster::builder().controllers(["csrapproving"]);
    let mut cluster = builder.pki(pki.clone()).start().await.unwrap();
    let account = User::service_account("kube-system", certificates::ACCOUNT);
    let signer = pki.signer();
    cluster.run(account, move |ctx| {
        let authority = move |order: &Order<'_>| {
            let (begin, end) = (order.not_before, order.not_after);
            let signed = signer.sign(order.request, order.usages, begin, end);
            signed.map_err(|error| error.to_string())
        };
        Box::pin(certificates::sign::run(ctx, Arc::new(authority)))
    });
    let group = "system:bootstrappers";
    let bindings: Api<ClusterRoleBinding> = Api::all(cluster.client());
    for role in [
        "system:node-bootstrapper",
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    ] {
        let binding = object(json!({
            "metadata": { "name": format!("test:{role}") },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group }],
        }));
        bindings
            .create(&PostParams::default(), &binding)
            .await
            .unwrap();
    }
    let machine = cluster.client_as(User::new("system:bootstrap:abcdef").in_group(group));
    let requests: Api<CertificateSigningRequest> = Api::all(machine);
    let mut csr: CertificateSigningRequest = object(json!({
        "metadata": { "name": "n1" },
        "spec": {
            "request": "",
            "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "client auth"],
        },
    }));
    csr.spec.request.0 = request().into_bytes();
    requests.create(&PostParams::default(), &csr).await.unwrap();
    let all: Api<CertificateSigningRequest> = Api::all(cluster.client());
    let issued = cluster
        .until(&all, |all| {
            let status = all.first().and_then(|csr| csr.status.as_ref());
            status.is_some_and(|status| status.certificate.is_some())
        })
        .await
        .unwrap();
    let status = issued[0].status.as_ref().unwrap();
    let conditions = status.conditions.as_ref().unwrap();
    assert_eq!(
        conditions[0].message.as_deref(),
        Some("Auto approving kubelet client certificate after SubjectAccessReview.")
    );
    assert_eq!(conditions[0].reason.as_deref(), Some("AutoApproved"));
    let pem = String::from_utf8(status.certificate.clone().unwrap().0).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----\n"), "{pem}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_secrets_token_is_filled_in_is_believed_and_ends_with_its_account() {
    let pki = pki();
    let builder = Cluster::builder().pki(pki.clone());
    let mut cluster = builder.start().await.unwrap();
    let issuer = TokenIssuer::new(pki.token_key(), "", Arc::new(SystemEnvironment));
    cluster.run(User::new("system:kube-controller-manager"), move |ctx| {
        let source = move |wanted: &Wanted<'_>| {
            let account = Reference {
                name: wanted.account.to_owned(),
                uid: wanted.uid.to_owned(),
            };
            issuer.issue_legacy(wanted.namespace, &account, wanted.secret)
        };
        Box::pin(token::run(ctx, Arc::new(source), "authority".to_owned()))
    });
    let accounts: Api<ServiceAccount> = Api::default_namespaced(cluster.client());
    let account = object(json!({ "metadata": { "name": "builder" } }));
    accounts
        .create(&PostParams::default(), &account)
        .await
        .unwrap();
    let secrets: Api<Secret> = Api::default_namespaced(cluster.client());
    let secret = object(json!({
        "metadata": {
            "name": "builder-token",
            "annotations": { "kubernetes.io/service-account.name": "builder" },
        },
        "type": "kubernetes.io/service-account-token",
    }));
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    let filled = cluster
        .until(&secrets, |all| {
            let data = all.first().and_then(|secret| secret.data.as_ref());
            data.is_some_and(|data| data.contains_key("token"))
        })
        .await
        .unwrap();
    let data = filled[0].data.as_ref().unwrap();
    assert_eq!(data["ca.crt"].0, b"authority");
    assert_eq!(data["namespace"].0, b"default");
    let token = String::from_utf8(data["token"].0.clone()).unwrap();
    let me = who_am_i(&cluster, &token).await.unwrap();
    assert_eq!(me["username"], "system:serviceaccount:default:builder");

    accounts
        .delete("builder", &DeleteParams::default())
        .await
        .unwrap();
    assert_eq!(who_am_i(&cluster, &token).await, None);
    cluster.until(&secrets, |all| all.is_empty()).await.unwrap();
    cluster.stop().await;
}

/// Whom the server takes the bearer of a token for; `None` if it is unauthorized.
async fn who_am_i(cluster: &Cluster, token: &str) -> Option<Value> {
    let mut request = Request::new(body::full("{}"));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        .parse()
        .unwrap();
    let header = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", header);
    let response = cluster.server().service().answer(request).await;
    let is_known = response.status() == http::StatusCode::CREATED;
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    is_known.then(|| answer["status"]["userInfo"].clone())
}

#[tokio::test]
async fn aggregated_servers_learn_whom_to_believe() {
    let pki = pki();
    let cluster = Cluster::builder().pki(pki.clone()).start().await.unwrap();
    let scheduler = cluster.client_as(User::new("system:kube-scheduler"));
    let maps: Api<ConfigMap> = Api::namespaced(scheduler, "kube-system");
    let map = maps
        .get("extension-apiserver-authentication")
        .await
        .unwrap();
    let data = map.data.unwrap();
    assert_eq!(data["client-ca-file"], pki.ca_pem());
    assert_eq!(
        data["requestheader-client-ca-file"],
        pki.front_proxy_ca_pem()
    );
    assert_eq!(
        data["requestheader-username-headers"],
        r#"["X-Remote-User"]"#
    );
    assert!(maps.list(&kube::api::ListParams::default()).await.is_err());
    cluster.stop().await;
}
