//! Names of kinds and of resources: group, version, kind or resource.

use std::fmt;

/// A kind in a version of a group: `apps/v1, Kind=Deployment`. The core group is `""`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Gvk {
    /// `apps`; `""` for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// `Deployment`.
    pub kind: String,
}

/// A resource in a version of a group: `apps/v1, Resource=deployments`. The core group is `""`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Gvr {
    /// `apps`; `""` for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// `deployments`: plural, lower case.
    pub resource: String,
}

impl Gvk {
    /// From its parts.
    pub fn new(
        group: impl Into<String>,
        version: impl Into<String>,
        kind: impl Into<String>,
    ) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
        }
    }

    /// From an object's `apiVersion` and `kind`. What isn't of the form `version` or `group/version` becomes a version,
    /// which no scheme knows.
    pub fn from_api_version(api_version: &str, kind: &str) -> Self {
        let (group, version) = split_api_version(api_version);
        Self::new(group, version, kind)
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        join_api_version(&self.group, &self.version)
    }

    /// The same as [`Gvk::api_version`], under the name that discovery uses.
    pub fn group_version(&self) -> String {
        self.api_version()
    }
}

impl Gvr {
    /// From its parts.
    pub fn new(
        group: impl Into<String>,
        version: impl Into<String>,
        resource: impl Into<String>,
    ) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            resource: resource.into(),
        }
    }

    /// `apps/v1`, or `v1` for the core group.
    pub fn api_version(&self) -> String {
        join_api_version(&self.group, &self.version)
    }

    /// The same as [`Gvr::api_version`], under the name that discovery uses.
    pub fn group_version(&self) -> String {
        self.api_version()
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

impl fmt::Display for Gvr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}, Resource={}",
            self.group, self.version, self.resource
        )
    }
}

/// Group and version of an `apiVersion`: `("apps", "v1")`, `("", "v1")`.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

fn join_api_version(group: &str, version: &str) -> String {
    match group {
        "" => version.to_owned(),
        group => format!("{group}/{version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_version_round_trips() {
        for api_version in ["v1", "apps/v1", "networking.k8s.io/v1"] {
            assert_eq!(
                Gvk::from_api_version(api_version, "X").api_version(),
                api_version
            );
        }
    }

    #[test]
    fn displays_as_kubernetes_prints_it() {
        assert_eq!(
            Gvk::new("apps", "v1", "Deployment").to_string(),
            "apps/v1, Kind=Deployment"
        );
        assert_eq!(Gvr::new("", "v1", "pods").to_string(), "/v1, Resource=pods");
    }
}
