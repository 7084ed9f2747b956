//! What the server knows about a kind beside its schema: one [`KindRow`] each.
//!
//! Routing, discovery, OpenAPI and storage keys are all derived from these rows, and rows are plain values, so a
//! custom resource that appears at run time walks the same way as a built-in kind.

use k8s_apimachinery::scheme::gvk::Gvk;

/// The verbs that an ordinary resource serves, in the order in which discovery lists them.
pub const ALL_VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// The facts about one kind that hold for every object of it.
///
/// ```
/// use k8s_apiserver::registry::{KindRow, SubresourceRow};
///
/// let row = KindRow::new("apps", "v1", "Deployment", "deployments")
///     .short_names(&["deploy"])
///     .categories(&["all"])
///     .subresource(SubresourceRow::status())
///     .subresource(SubresourceRow::scale());
/// assert_eq!(row.singular, "deployment");
/// assert_eq!(row.storage_prefix, "deployments");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindRow {
    /// The API group, empty for the core group.
    pub group: String,
    /// The versions served, the preferred one first.
    pub versions: Vec<String>,
    /// The version in which objects are stored.
    pub storage_version: String,
    /// The kind, in CamelCase.
    pub kind: String,
    /// The plural name, in paths and RBAC rules.
    pub plural: String,
    /// The singular name, for people.
    pub singular: String,
    /// What `kubectl get` accepts instead of the plural.
    pub short_names: Vec<String>,
    /// Groups of kinds such as `all`.
    pub categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// What may be done to the object itself.
    pub verbs: Vec<String>,
    /// What hangs below an object.
    pub subresources: Vec<SubresourceRow>,
    /// The part of the storage key after `/registry/`.
    pub storage_prefix: String,
    /// The kind as which objects are stored, if it isn't this one: both Event kinds are one stored object. The
    /// strategy converts.
    pub stored_as: Option<Gvk>,
    /// Whether `metadata.generation` counts changes of the desired state.
    pub generation: bool,
    /// Whether `PUT` and server-side apply create what isn't there. Apply always may; this is about `PUT`.
    pub create_on_update: bool,
    /// Whether an update without a `resourceVersion` is taken: it overwrites whatever is there.
    pub unconditional_update: bool,
    /// Whether a delete answers with the object that is gone, instead of a Status.
    pub returns_deleted: bool,
}

/// One subresource: `pods/status`, `deployments/scale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubresourceRow {
    /// `status`.
    pub name: String,
    /// The kind that it reads and writes, if it isn't the object's own: `autoscaling/v1` `Scale`.
    pub kind: Option<Gvk>,
    /// What may be done to it.
    pub verbs: Vec<String>,
    /// How the server answers it.
    pub serves: Serves,
}

/// How a subresource is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serves {
    /// Reads and writes the object itself; the strategy's `prepare_update` keeps all but this part as it was.
    Part,
    /// A `Scale` view of the object.
    Scale,
    /// Assigns a pod to a node.
    Binding,
    /// Deletes a pod, as far as its disruption budget allows.
    Eviction,
    /// Issues a token for a service account.
    Token,
    /// Handed to the configured [`Connector`](crate::registry::Connector): `log`, `exec`.
    Connect,
}

impl KindRow {
    /// A namespaced kind with all verbs, no subresources, and its plural as storage prefix.
    pub fn new(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        KindRow {
            group: group.to_owned(),
            versions: vec![version.to_owned()],
            storage_version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            singular: kind.to_lowercase(),
            short_names: Vec::new(),
            categories: Vec::new(),
            namespaced: true,
            verbs: owned(&ALL_VERBS),
            subresources: Vec::new(),
            storage_prefix: plural.to_owned(),
            stored_as: None,
            generation: false,
            create_on_update: false,
            unconditional_update: true,
            returns_deleted: false,
        }
    }

    /// Objects live outside namespaces.
    #[must_use]
    pub fn cluster_scoped(mut self) -> Self {
        self.namespaced = false;
        self
    }

    /// What `kubectl get` accepts instead of the plural.
    #[must_use]
    pub fn short_names(mut self, names: &[&str]) -> Self {
        self.short_names = owned(names);
        self
    }

    /// Groups of kinds such as `all`.
    #[must_use]
    pub fn categories(mut self, categories: &[&str]) -> Self {
        self.categories = owned(categories);
        self
    }

    /// Only these verbs.
    #[must_use]
    pub fn verbs(mut self, verbs: &[&str]) -> Self {
        self.verbs = owned(verbs);
        self
    }

    /// One more subresource.
    #[must_use]
    pub fn subresource(mut self, row: SubresourceRow) -> Self {
        self.subresources.push(row);
        self
    }

    /// The part of the storage key after `/registry/`, where Kubernetes' differs from the plural: `minions`.
    #[must_use]
    pub fn storage_prefix(mut self, prefix: &str) -> Self {
        self.storage_prefix = prefix.to_owned();
        self
    }

    /// `metadata.generation` starts at 1 and counts changes outside `metadata` and `status`.
    #[must_use]
    pub fn with_generation(mut self) -> Self {
        self.generation = true;
        self
    }

    /// `PUT` creates what isn't there.
    #[must_use]
    pub fn create_on_update(mut self) -> Self {
        self.create_on_update = true;
        self
    }

    /// An update must carry the `resourceVersion` that it was made from.
    #[must_use]
    pub fn conditional_update_only(mut self) -> Self {
        self.unconditional_update = false;
        self
    }

    /// A delete answers with the object that is gone.
    #[must_use]
    pub fn returns_deleted(mut self) -> Self {
        self.returns_deleted = true;
        self
    }

    /// Served in this version too, less preferred than those before. Which one is stored stays the first.
    #[must_use]
    pub fn also_served_as(mut self, version: &str) -> Self {
        self.versions.push(version.to_owned());
        self
    }

    /// Objects are stored as another kind, under that kind's prefix.
    #[must_use]
    pub fn stored_as(mut self, gvk: Gvk, prefix: &str) -> Self {
        self.stored_as = Some(gvk);
        self.storage_prefix = prefix.to_owned();
        self
    }

    /// The kind in the version preferred by clients.
    pub fn gvk(&self) -> Gvk {
        Gvk::new(&self.group, self.preferred_version(), &self.kind)
    }

    /// The kind and version in which objects are stored.
    pub fn storage_gvk(&self) -> Gvk {
        self.stored_as
            .clone()
            .unwrap_or_else(|| Gvk::new(&self.group, &self.storage_version, &self.kind))
    }

    /// The version that clients are told to use.
    pub fn preferred_version(&self) -> &str {
        self.versions.first().map_or("", String::as_str)
    }

    /// Whether the object itself serves a verb.
    pub fn serves(&self, verb: &str) -> bool {
        self.verbs.iter().any(|each| each == verb)
    }

    /// The subresource of that name.
    pub fn find_subresource(&self, name: &str) -> Option<&SubresourceRow> {
        self.subresources.iter().find(|row| row.name == name)
    }

    /// Whether there is a `status` subresource, and so plain updates leave the status alone.
    pub fn has_status(&self) -> bool {
        self.find_subresource("status").is_some()
    }
}

impl SubresourceRow {
    /// A part of the object itself: `status`, `ephemeralcontainers`, `finalize`.
    pub fn part(name: &str, verbs: &[&str]) -> Self {
        SubresourceRow {
            name: name.to_owned(),
            kind: None,
            verbs: owned(verbs),
            serves: Serves::Part,
        }
    }

    /// The observed state.
    pub fn status() -> Self {
        SubresourceRow::part("status", &["get", "patch", "update"])
    }

    /// The replica count as `autoscaling/v1` `Scale`, read from `spec.replicas`, `status.replicas`, `spec.selector`.
    pub fn scale() -> Self {
        SubresourceRow {
            name: "scale".to_owned(),
            kind: Some(Gvk::new("autoscaling", "v1", "Scale")),
            verbs: owned(&["get", "patch", "update"]),
            serves: Serves::Scale,
        }
    }

    /// `pods/binding`.
    pub fn binding() -> Self {
        SubresourceRow {
            name: "binding".to_owned(),
            kind: Some(Gvk::new("", "v1", "Binding")),
            verbs: owned(&["create"]),
            serves: Serves::Binding,
        }
    }

    /// `pods/eviction`.
    pub fn eviction() -> Self {
        SubresourceRow {
            name: "eviction".to_owned(),
            kind: Some(Gvk::new("policy", "v1", "Eviction")),
            verbs: owned(&["create"]),
            serves: Serves::Eviction,
        }
    }

    /// `serviceaccounts/token`.
    pub fn token() -> Self {
        SubresourceRow {
            name: "token".to_owned(),
            kind: Some(Gvk::new("authentication.k8s.io", "v1", "TokenRequest")),
            verbs: owned(&["create"]),
            serves: Serves::Token,
        }
    }

    /// A stream or a text that someone else produces: `log` with `&["get"]`, `exec` with `&["create", "get"]`.
    pub fn connect(name: &str, verbs: &[&str]) -> Self {
        SubresourceRow {
            serves: Serves::Connect,
            ..SubresourceRow::part(name, verbs)
        }
    }

    /// Whether the subresource serves a verb.
    pub fn serves_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|each| each == verb)
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}
