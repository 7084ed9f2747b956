//! What every cluster has from the start: namespaces, the `kubernetes` service and its network, priority classes, flow
//! control, the built-in roles, and a note of each API version.
//!
//! Made through the same code as clients' objects. Runs at every start and leaves alone what is right already.

mod api_service;
pub(crate) mod flow_control;
mod service;

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, api::scheduling::priority_class::SYSTEM_CLASSES};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use serde::Serialize;
use serde_json::json;

use super::{Missing, Notices, Registry, Tracking, Write, WriteOptions, cell};
use crate::{ApiError, User, user::MASTERS};

/// The namespaces that are always there.
const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// What is to be made at start, beside what every cluster has.
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
    let maker = Maker::new(registry);
    for name in NAMESPACES {
        let namespace = json!({ "metadata": { "name": name } });
        maker
            .ensure("", "namespaces", namespace, Keep::Existing)
            .await?;
    }
    service::network(&maker).await?;
    service::addresses(&maker).await?;
    service::kubernetes(&maker).await?;
    priority_classes(&maker).await?;
    flow_control::run(&maker).await?;
    api_service::run(&maker).await?;
    for role in &policy.roles {
        maker
            .ensure(RBAC, "clusterroles", tree(role)?, Keep::Nothing)
            .await?;
    }
    for binding in &policy.bindings {
        maker
            .ensure(RBAC, "clusterrolebindings", tree(binding)?, Keep::Existing)
            .await?;
    }
    for role in &policy.local_roles {
        maker
            .ensure(RBAC, "roles", tree(role)?, Keep::Nothing)
            .await?;
    }
    for binding in &policy.local_bindings {
        maker
            .ensure(RBAC, "rolebindings", tree(binding)?, Keep::Existing)
            .await?;
    }
    match &policy.authorities {
        Some(authorities) => maker.authentication(authorities).await,
        None => Ok(()),
    }
}

const RBAC: &str = "rbac.authorization.k8s.io";

async fn priority_classes(maker: &Maker<'_>) -> Result<(), ApiError> {
    for class in SYSTEM_CLASSES {
        let class = json!({
            "metadata": { "name": class.name },
            "value": class.value,
            "description": class.description,
            "preemptionPolicy": "PreemptLowerPriority",
        });
        maker
            .ensure(
                "scheduling.k8s.io",
                "priorityclasses",
                class,
                Keep::Existing,
            )
            .await?;
    }
    Ok(())
}

/// Makes objects in the name of the server itself.
struct Maker<'a> {
    registry: &'a Registry,
    user: User,
}

/// What is left of an object that is there already.
#[derive(Debug, Clone, Copy)]
enum Keep {
    /// All of it.
    Existing,
    /// Nothing but its metadata.
    Nothing,
    /// All of it if this holds, else nothing but its metadata.
    If(fn(&Object) -> bool),
}

impl Keep {
    fn keeps(self, object: &Object) -> bool {
        match self {
            Keep::Existing => true,
            Keep::Nothing => false,
            Keep::If(condition) => condition(object),
        }
    }
}

impl<'a> Maker<'a> {
    fn new(registry: &'a Registry) -> Self {
        Maker {
            registry,
            user: User::new("system:apiserver").in_group(MASTERS),
        }
    }

    fn now(&self) -> Timestamp {
        self.registry.config().environment.now()
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
        let options = options();
        let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
        let write = Write {
            resource: &resource,
            version: &resource.row.storage_version,
            subresource: "",
            namespace: &namespace,
            name: &name,
            user: &self.user,
            options: &options,
            notices: &Notices::default(),
        };
        let change = |current: Option<&Object>| match current {
            None => Ok(object.clone()),
            Some(current) if keep.keeps(current) => Ok(current.clone()),
            Some(current) => {
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

    /// Sets a condition of a cluster-scoped object, unless it says the same already.
    async fn ensure_condition(
        &self,
        group: &str,
        plural: &str,
        name: &str,
        condition: Value,
    ) -> Result<(), ApiError> {
        let Some(resource) = self.registry.resource(group, plural) else {
            return Ok(());
        };
        let options = options();
        let write = Write {
            resource: &resource,
            version: &resource.row.storage_version,
            subresource: "status",
            namespace: "",
            name,
            user: &self.user,
            options: &options,
            notices: &Notices::default(),
        };
        let change = |current: Option<&Object>| {
            let mut new = current.cloned().unwrap_or_default();
            let path = ["status", "conditions"];
            let mut conditions = cell::items(&new, &path).to_vec();
            if says(&conditions, &condition) {
                return Ok(new);
            }
            conditions.retain(|each| each["type"] != condition["type"]);
            conditions.push(condition.clone());
            new.set(&path, conditions.into());
            Ok(new)
        };
        self.registry
            .update(&write, &change, Missing::NotFound, Tracking::Update)
            .await
            .map(drop)
    }
}

/// Whether one of the conditions says the same, whenever it began to.
fn says(conditions: &[Value], wanted: &Value) -> bool {
    let fields = ["type", "status", "reason", "message"];
    conditions
        .iter()
        .any(|each| fields.iter().all(|field| each[*field] == wanted[*field]))
}

fn options() -> WriteOptions {
    WriteOptions {
        field_manager: "kube-apiserver".to_owned(),
        ..WriteOptions::default()
    }
}

fn tree(object: &impl Serialize) -> Result<Value, ApiError> {
    serde_json::to_value(object).map_err(ApiError::internal)
}
