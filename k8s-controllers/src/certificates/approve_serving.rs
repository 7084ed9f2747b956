//! Approves the certificates that nodes' agents serve with: for the node that asks, and for no name or address but
//! those that its Node object has.
//!
//! Kubernetes leaves this to whoever runs a cluster, since a node writes its addresses itself: this is for clusters
//! whose nodes are trusted to say where they are.

use std::{net::IpAddr, sync::Arc, time::Duration};

use k8s_openapi::api::{
    certificates::v1::{CertificateSigningRequest, CertificateSigningRequestSpec},
    core::v1::Node,
};
use k8s_runtime::{Action, Context, Controller, Key, Store};

use super::{KUBELET_SERVING, approve::approve, certificate, condition, request::Request};

/// The service account in `kube-system` that this acts as.
pub const ACCOUNT: &str = "kubelet-serving-approver";

/// What an approval says.
const MESSAGE: &str = "Auto approving kubelet serving certificate for the node's addresses.";

/// When to look again at a request whose node has not said yet where it is.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs the controller until the context is cancelled.
pub async fn run(ctx: Context) {
    let requests = ctx.hub.informer::<CertificateSigningRequest>();
    let nodes = ctx.hub.informer::<Node>();
    let stores = Arc::new((requests.store(), nodes.store()));
    nodes.synced().await;
    Controller::new("csrapproving-serving", ctx.clone())
        .owns_keys(&requests)
        .run(1, move |key| {
            let (ctx, stores) = (ctx.clone(), stores.clone());
            async move { reconcile(&ctx, &stores.0, &stores.1, key).await }
        })
        .await;
}

async fn reconcile(
    ctx: &Context,
    requests: &Store<CertificateSigningRequest>,
    nodes: &Store<Node>,
    key: Key,
) -> Result<Action, kube::Error> {
    let Some(csr) = requests.get(&key) else {
        return Ok(Action::Done);
    };
    let is_decided = ["Approved", "Denied"].map(|type_| condition(&csr, type_).is_some());
    if is_decided.contains(&true) || certificate(&csr).is_some() {
        return Ok(Action::Done);
    }
    let Some((name, request)) = candidate(&csr.spec) else {
        return Ok(Action::Done);
    };
    let node = nodes.get(&Key::cluster(&name));
    match node.is_some_and(|node| is_there(&node, &name, &request)) {
        true => approve(ctx, &csr, MESSAGE).await.map(|()| Action::Done),
        false => Ok(Action::After(AGAIN)),
    }
}

/// The node that asks for itself, and what it asks for, if the request is of the right form.
fn candidate(spec: &CertificateSigningRequestSpec) -> Option<(String, Request)> {
    let usages = spec.usages.as_deref().unwrap_or_default();
    let request = Request::parse(&spec.request.0).ok()?;
    let asks_for_itself = spec.username.as_deref() == Some(request.common_name.as_str());
    if spec.signer_name != KUBELET_SERVING
        || !asks_for_itself
        || request.check_kubelet_serving(usages).is_err()
    {
        return None;
    }
    let node = request.common_name.strip_prefix("system:node:")?.to_owned();
    Some((node, request))
}

/// Whether every name and address of the request is the node's.
fn is_there(node: &Node, name: &str, request: &Request) -> bool {
    let addresses = node
        .status
        .iter()
        .flat_map(|status| status.addresses.iter().flatten());
    let known: Vec<&str> = addresses.map(|each| each.address.as_str()).collect();
    let is_known = |address: &IpAddr| known.contains(&address.to_string().as_str());
    let mut names = request.dns.iter().map(String::as_str);
    names.all(|each| each == name || known.contains(&each))
        && request.addresses.iter().all(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::{NodeAddress, NodeStatus};
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    fn spec(by: &str, names: &[&str]) -> CertificateSigningRequestSpec {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        let mut push = |type_, text: &str| params.distinguished_name.push(type_, text);
        push(DnType::OrganizationName, "system:nodes");
        push(DnType::CommonName, "system:node:n1");
        let key = KeyPair::generate().unwrap();
        let pem = params.serialize_request(&key).unwrap().pem().unwrap();
        CertificateSigningRequestSpec {
            request: k8s_openapi::ByteString(pem.into_bytes()),
            signer_name: KUBELET_SERVING.into(),
            username: Some(by.into()),
            usages: Some(vec!["digital signature".into(), "server auth".into()]),
            ..CertificateSigningRequestSpec::default()
        }
    }

    #[track_caller]
    fn check(by: &str, names: &[&str], approved: bool) {
        let addresses = [("InternalIP", "192.0.2.1"), ("Hostname", "n1.example")];
        let address = |(type_, address): (&str, &str)| NodeAddress {
            type_: type_.into(),
            address: address.into(),
        };
        let node = Node {
            status: Some(NodeStatus {
                addresses: Some(addresses.map(address).into()),
                ..NodeStatus::default()
            }),
            ..Node::default()
        };
        let candidate = candidate(&spec(by, names));
        let is_approved = candidate.is_some_and(|(name, request)| is_there(&node, &name, &request));
        assert_eq!(is_approved, approved);
    }

    #[test]
    fn a_node_gets_what_is_its_own() {
        let own = "system:node:n1";
        check(own, &["n1", "192.0.2.1"], true);
        check(own, &["n1.example"], true);
        check(own, &["n1", "192.0.2.1", "10.96.0.1"], false);
        check(own, &["kubernetes.default.svc"], false);
        check(own, &[], false);
        check("system:node:n2", &["n1"], false);
        check("jane", &["n1"], false);
    }
}
