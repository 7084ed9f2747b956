//! In process, through the server: from a request to a certificate.

use std::sync::Arc;

use k8s_openapi::api::{
    certificates::v1::CertificateSigningRequest as Csr,
    rbac::v1::{ClusterRole, ClusterRoleBinding},
};
use k8s_store::memory::MemoryStore;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use rcgen::{CertificateParams, DnType, KeyPair};

use super::*;
use crate::{
    ApiServer, User,
    pki::{Pki, PkiOptions},
};

struct Cluster {
    server: ApiServer,
    admin: Client,
}

/// A request of this name, in these groups.
fn pem(name: &str, group: &str) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, group);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

fn csr(group: &str, signer: &str) -> Csr {
    serde_json::from_value(json!({
        "metadata": { "name": "r" },
        "spec": {
            "request": STANDARD.encode(pem("jane", group)),
            "signerName": signer,
            "usages": ["client auth"],
            "username": "somebody-else",
        },
    }))
    .unwrap()
}

const SIGNER: &str = "kubernetes.io/kube-apiserver-client";

impl Cluster {
    async fn start() -> Self {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()));
        let server = server.build().await.unwrap();
        let admin = server.client(User::new("admin").in_group("kubeadm:cluster-admins"));
        Cluster { server, admin }
    }

    /// A client of somebody who may do this to requests, and this for signers.
    async fn person(&self, name: &str, subresource: &str, verb: &str, signer: &str) -> Client {
        let params = PostParams::default();
        let role: ClusterRole = serde_json::from_value(json!({
            "metadata": { "name": name },
            "rules": [
                {
                    "apiGroups": ["certificates.k8s.io"],
                    "resources": ["certificatesigningrequests", format!("certificatesigningrequests/{subresource}")],
                    "verbs": ["*"],
                },
                {
                    "apiGroups": ["certificates.k8s.io"], "resources": ["signers"],
                    "verbs": [verb], "resourceNames": [signer],
                },
            ],
        }))
        .unwrap();
        let roles: Api<ClusterRole> = Api::all(self.admin.clone());
        roles.create(&params, &role).await.unwrap();
        let binding: ClusterRoleBinding = serde_json::from_value(json!({
            "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name }],
        }))
        .unwrap();
        let bindings: Api<ClusterRoleBinding> = Api::all(self.admin.clone());
        bindings.create(&params, &binding).await.unwrap();
        self.server.client(User::new(name))
    }

    async fn create(&self, csr: &Csr) -> Result<Csr, String> {
        let api: Api<Csr> = Api::all(self.admin.clone());
        said(api.create(&PostParams::default(), csr).await)
    }
}

fn said<T>(answer: kube::Result<T>) -> Result<T, String> {
    answer.map_err(|error| match error {
        kube::Error::Api(status) => status.message.clone(),
        other => panic!("{other}"),
    })
}

async fn patch(client: &Client, subresource: &str, status: Value) -> Result<Csr, String> {
    let api: Api<Csr> = Api::all(client.clone());
    let patch = json!({ "metadata": { "labels": { "by": subresource } }, "status": status });
    let params = PatchParams::default();
    said(
        api.patch_subresource(subresource, "r", &params, &Patch::Merge(patch))
            .await,
    )
}

fn approved() -> Value {
    json!({ "conditions": [{ "type": "Approved", "status": "True", "reason": "R" }] })
}

#[tokio::test]
async fn the_server_says_who_asked() {
    let cluster = Cluster::start().await;
    let made = cluster.create(&csr("builders", SIGNER)).await.unwrap();
    assert_eq!(made.spec.username.as_deref(), Some("admin"));
    assert_eq!(
        made.spec.groups.unwrap(),
        ["kubeadm:cluster-admins", "system:authenticated"]
    );
}

#[tokio::test]
async fn approval_takes_the_right_to_approve_for_the_signer() {
    let cluster = Cluster::start().await;
    cluster.create(&csr("builders", SIGNER)).await.unwrap();
    let stranger = cluster
        .person("stranger", "approval", "approve", "example.com/*")
        .await;
    assert_eq!(
        patch(&stranger, "approval", approved()).await.unwrap_err(),
        "certificatesigningrequests.certificates.k8s.io \"r\" is forbidden: user not permitted to approve requests \
         with signerName \"kubernetes.io/kube-apiserver-client\""
    );
    let approver = cluster
        .person("approver", "approval", "approve", "kubernetes.io/*")
        .await;
    let decided = patch(&approver, "approval", approved()).await.unwrap();
    assert_eq!(decided.metadata.labels.unwrap()["by"], "approval");
    let conditions = decided.status.unwrap().conditions.unwrap();
    assert!(conditions[0].last_transition_time.is_some());
    assert!(conditions[0].last_update_time.is_some());
    assert!(
        patch(&approver, "approval", json!({ "conditions": [] }))
            .await
            .unwrap_err()
            .contains("updates may not remove a condition of type \"Approved\"")
    );
}

#[tokio::test]
async fn signing_takes_the_right_to_sign_and_decides_nothing() {
    let cluster = Cluster::start().await;
    let request = csr("builders", SIGNER);
    cluster.create(&request).await.unwrap();
    let pki = Pki::ephemeral(&PkiOptions::default()).unwrap();
    let text = String::from_utf8(request.spec.request.0).unwrap();
    let now = Timestamp::now();
    let signed = pki
        .signer()
        .sign(&text, &["client auth".to_owned()], now, now);
    let signed = json!({ "certificate": STANDARD.encode(signed.unwrap()) });
    let stranger = cluster
        .person("stranger", "status", "sign", "example.com/signer")
        .await;
    assert_eq!(
        patch(&stranger, "status", signed.clone())
            .await
            .unwrap_err(),
        "certificatesigningrequests.certificates.k8s.io \"r\" is forbidden: user not permitted to sign requests with \
         signerName \"kubernetes.io/kube-apiserver-client\""
    );
    // Metadata alone takes no right to sign.
    patch(&stranger, "status", json!({})).await.unwrap();
    let signer = cluster.person("signer", "status", "sign", SIGNER).await;
    assert!(
        patch(&signer, "status", approved())
            .await
            .unwrap_err()
            .contains("updates may not add a condition of type \"Approved\"")
    );
    patch(&signer, "status", signed.clone()).await.unwrap();
    assert!(
        patch(&signer, "status", json!({ "certificate": null }))
            .await
            .unwrap_err()
            .contains("updates may not modify existing certificate content")
    );
}

#[tokio::test]
async fn what_no_signer_could_sign_is_not_taken() {
    let cluster = Cluster::start().await;
    assert_eq!(
        cluster
            .create(&csr("system:masters", SIGNER))
            .await
            .unwrap_err(),
        "certificatesigningrequests.certificates.k8s.io \"r\" is forbidden: use of \
         kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
    );
    let mut broken = csr("builders", "example.com/signer");
    let text = "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n";
    broken.spec.request.0 = text.into();
    let refusal = cluster.create(&broken).await.unwrap_err();
    assert!(refusal.contains("malformed request"), "{refusal}");
}

#[test]
fn the_row_tells_what_became_of_a_request() {
    let check = |status: Value, want: &str| {
        let object = Object::from_value(json!({ "status": status })).unwrap();
        assert_eq!(condition(&object), want);
    };
    let with = |types: &[&str]| {
        let conditions: Vec<_> = types.iter().map(|type_| json!({ "type": type_ })).collect();
        json!({ "conditions": conditions })
    };
    check(json!({}), "Pending");
    check(with(&["Approved"]), "Approved");
    check(with(&["Denied"]), "Denied");
    check(with(&["Approved", "Failed"]), "Approved,Failed");
    let mut issued = with(&["Approved"]);
    issued["certificate"] = "eA==".into();
    check(issued, "Approved,Issued");
}
