//! What every cluster has from the start: namespaces, the `kubernetes` service, the built-in roles.
//!
//! Made through the same code as clients' objects. Runs at every start and leaves alone what is right already.

use k8s_apimachinery::{Object, Value};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde_json::json;

use super::{Missing, Registry, Tracking, Write, WriteOptions};
use crate::{ApiError, User, user::MASTERS};

/// The namespaces that are always there.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// What is to be made at start, beside namespaces and the `kubernetes` service.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The built-in roles.
    pub roles: Vec<ClusterRole>,
    /// And who has them.
    pub bindings: Vec<ClusterRoleBinding>,
    /// The roles of single namespaces.
    pub local_roles: Vec<Role>,
    /// And who has them.
    pub local_bindings: Vec<RoleBinding>,
    /// Whom this server believes, for servers that it aggregates.
    pub authorities: Option<Authorities>,
}

/// Certificates of authorities, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// Signs the certificates of clients.
    pub client: String,
    /// Signs the certificate with which this server calls aggregated ones in a client's name.
    pub front_proxy: String,
}

/// Makes what is missing and corrects what has changed, such as the address of this server.
pub async fn run(registry: &Registry, policy: &Policy) -> Result<(), ApiError> {
    let bootstrap = Bootstrap {
        registry,
        user: User::new("system:apiserver").in_group(MASTERS),
    };
    for name in NAMESPACES {
        let namespace = json!({ "metadata": { "name": name } });
        bootstrap
            .ensure("", "namespaces", namespace, Keep::Existing)
            .await?;
    }
    bootstrap.kubernetes_service().await?;
    for role in &policy.roles {
        bootstrap
            .ensure(RBAC, "clusterroles", tree(role)?, Keep::Nothing)
            .await?;
    }
    for binding in &policy.bindings {
        bootstrap
            .ensure(RBAC, "clusterrolebindings", tree(binding)?, Keep::Existing)
            .await?;
    }
    for role in &policy.local_roles {
        bootstrap
            .ensure(RBAC, "roles", tree(role)?, Keep::Nothing)
            .await?;
    }
    for binding in &policy.local_bindings {
        bootstrap
            .ensure(RBAC, "rolebindings", tree(binding)?, Keep::Existing)
            .await?;
    }
    match &policy.authorities {
        Some(authorities) => bootstrap.authentication(authorities).await,
        None => Ok(()),
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

struct Bootstrap<'a> {
    registry: &'a Registry,
    user: User,
}

/// What is left of an object that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// All of it.
    Existing,
    /// Nothing but its metadata.
    Nothing,
}

impl Bootstrap<'_> {
    /// The service by which pods reach this server, and where it leads.
    async fn kubernetes_service(&self) -> Result<(), ApiError> {
        let config = self.registry.config();
        let (address, port) = config.advertise;
        let cluster_ip = config.service_network.address(1).to_string();
        let labels = json!({ "component": "apiserver", "provider": "kubernetes" });
        let service = json!({
            "metadata": { "name": "kubernetes", "namespace": "default", "labels": labels },
            "spec": {
                "type": "ClusterIP",
                "clusterIP": cluster_ip,
                "sessionAffinity": "None",
                "ports": [{ "name": "https", "port": 443, "protocol": "TCP", "targetPort": port }],
            },
        });
        self.ensure("", "services", service, Keep::Existing).await?;

        let address = address.to_string();
        let endpoints = json!({
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": { "endpointslice.kubernetes.io/skip-mirror": "true" },
            },
            "subsets": [{
                "addresses": [{ "ip": address }],
                "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
            }],
        });
        self.ensure("", "endpoints", endpoints, Keep::Nothing)
            .await?;

        let slice = json!({
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": { "kubernetes.io/service-name": "kubernetes" },
            },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": [address], "conditions": { "ready": true } }],
            "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
        });
        self.ensure("discovery.k8s.io", "endpointslices", slice, Keep::Nothing)
            .await
    }

    /// What an aggregated server reads to know its callers: `extension-apiserver-authentication`.
    async fn authentication(&self, authorities: &Authorities) -> Result<(), ApiError> {
        let map = json!({
            "metadata": { "name": "extension-apiserver-authentication", "namespace": "kube-system" },
            "data": {
                "client-ca-file": authorities.client,
                "requestheader-allowed-names": r#"["front-proxy-client"]"#,
                "requestheader-client-ca-file": authorities.front_proxy,
                "requestheader-extra-headers-prefix": r#"["X-Remote-Extra-"]"#,
                "requestheader-group-headers": r#"["X-Remote-Group"]"#,
                "requestheader-uid-headers": r#"["X-Remote-Uid"]"#,
                "requestheader-username-headers": r#"["X-Remote-User"]"#,
            },
        });
        self.ensure("", "configmaps", map, Keep::Nothing).await
    }

    /// Makes an object, or brings it into this form. Kinds that this server doesn't serve are passed over.
    async fn ensure(
        &self,
        group: &str,
        plural: &str,
        value: Value,
        keep: Keep,
    ) -> Result<(), ApiError> {
        let Some(resource) = self.registry.resource(group, plural) else {
            return Ok(());
        };
        let mut object = Object::from_value(value).map_err(ApiError::internal)?;
        object.set_gvk(&resource.row.storage_gvk());
        let options = WriteOptions {
            field_manager: "kube-apiserver".to_owned(),
            ..WriteOptions::default()
        };
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        let write = Write {
            resource: &resource,
            version: &resource.row.storage_version,
            subresource: "",
            namespace: &namespace,
            name: &name,
            user: &self.user,
            options: &options,
        };
        let change = |current: Option<&Object>| match (current, keep) {
            (None, _) => Ok(object.clone()),
            (Some(current), Keep::Existing) => Ok(current.clone()),
            (Some(current), Keep::Nothing) => {
                let mut new = object.clone();
                super::keep(&mut new, current, &["metadata"]);
                Ok(new)
            }
        };
        self.registry
            .update(&write, &change, Missing::Create, Tracking::Update)
            .await
            .map(drop)
    }
}

fn tree(object: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(object).map_err(ApiError::internal)
}
