//! Who publishes what to trust for a signer must be allowed to attest for it.

use async_trait::async_trait;
use k8s_apimachinery::Object;

use super::{Admission, Operation, Review};
use crate::{ApiError, authz::signer::Signers, registry::Effects};

/// Asks for the verb `attest` on the signer that a ClusterTrustBundle names, if it names one. An update that changes
/// nothing but who owns the bundle and what holds it isn't asked about.
#[derive(Clone)]
pub struct ClusterTrustBundleAttest(pub Signers);

#[async_trait]
impl Admission for ClusterTrustBundleAttest {
    fn name(&self) -> &'static str {
        "ClusterTrustBundleAttest"
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        bundle: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let is_write = matches!(review.operation, Operation::Create | Operation::Update);
        if is_write
            && review.is("certificates.k8s.io", "clustertrustbundles")
            && let Some(bundle) = bundle
            && let Some(signer) = bundle.str(&["spec", "signerName"])
            && !signer.is_empty()
            && !review
                .old
                .is_some_and(|old| changes_owners_alone(bundle, old))
            && !self.0.may(review.user, "attest", signer).await
        {
            return Err(review.forbidden(format!(
                "user not permitted to attest for signerName {signer:?}"
            )));
        }
        Ok(Effects::default())
    }
}

/// Whether two states differ in nothing but owners, finalizers and what the server notes itself.
fn changes_owners_alone(new: &Object, old: &Object) -> bool {
    let rest = |object: &Object| {
        let mut object = object.clone();
        for field in [
            "ownerReferences",
            "finalizers",
            "managedFields",
            "resourceVersion",
        ] {
            object.remove(&["metadata", field]);
        }
        object
    };
    rest(new) == rest(old)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Method;
    use k8s_store::memory::MemoryStore;
    use serde_json::{Value, json};

    use crate::{ApiServer, User};

    const BUNDLES: &str = "/apis/certificates.k8s.io/v1/clustertrustbundles";

    async fn send(
        client: &kube::Client,
        method: Method,
        uri: &str,
        object: Value,
    ) -> Result<Value, String> {
        let request = http::Request::builder().method(method).uri(uri);
        let body = object.to_string().into_bytes();
        let answer = client.request::<Value>(request.body(body).unwrap()).await;
        answer.map_err(|error| match error {
            kube::Error::Api(status) => status.message.clone(),
            other => panic!("{other}"),
        })
    }

    fn bundle(name: &str, signer: &str) -> Value {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&rcgen::KeyPair::generate().unwrap());
        json!({
            "metadata": { "name": name },
            "spec": { "signerName": signer, "trustBundle": authority.unwrap().pem() },
        })
    }

    /// Jane writes bundles, and attests for `example.com/known`.
    #[tokio::test]
    async fn bundles_of_a_signer_are_written_by_those_who_attest_for_it() {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()));
        let server = server.build().await.unwrap();
        let admin = server.client(User::new("admin").in_group("kubeadm:cluster-admins"));
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let group = "certificates.k8s.io";
        let role = json!({ "metadata": { "name": "bundler" }, "rules": [
            { "apiGroups": [group], "resources": ["clustertrustbundles"], "verbs": ["*"] },
            {
                "apiGroups": [group], "resources": ["signers"], "verbs": ["attest"],
                "resourceNames": ["example.com/known"],
            },
        ] });
        let roles = format!("{rbac}/clusterroles");
        send(&admin, Method::POST, &roles, role).await.unwrap();
        let binding = json!({
            "metadata": { "name": "bundler" },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "bundler",
            },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane" }],
        });
        let bindings = format!("{rbac}/clusterrolebindings");
        send(&admin, Method::POST, &bindings, binding)
            .await
            .unwrap();
        let jane = server.client(User::new("jane"));
        let known = bundle("example.com:known:a", "example.com/known");
        send(&jane, Method::POST, BUNDLES, known).await.unwrap();

        let refusal = r#"clustertrustbundles.certificates.k8s.io "example.com:other:a" is forbidden: user not permitted to attest for signerName "example.com/other""#;
        let other = bundle("example.com:other:a", "example.com/other");
        let found = send(&jane, Method::POST, BUNDLES, other.clone()).await;
        assert_eq!(found.unwrap_err(), refusal);
        let mut other = send(&admin, Method::POST, BUNDLES, other).await.unwrap();
        let uri = format!("{BUNDLES}/example.com:other:a");
        other["metadata"]["finalizers"] = json!(["example.com/hold"]);
        let mut other = send(&jane, Method::PUT, &uri, other).await.unwrap();
        other["metadata"]["labels"] = json!({ "a": "b" });
        let found = send(&jane, Method::PUT, &uri, other).await;
        assert_eq!(found.unwrap_err(), refusal);
        let own = json!({
            "metadata": { "name": "own" },
            "spec": { "trustBundle": bundle("x", "")["spec"]["trustBundle"] },
        });
        send(&jane, Method::POST, BUNDLES, own).await.unwrap();
    }
}
