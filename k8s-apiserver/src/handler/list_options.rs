//! The query of a list or a watch: which state of which objects.

use k8s_apimachinery::{
    Object,
    api::{self, Field, FieldError},
    selector::{field::FieldSelector, label::LabelSelector},
};
use k8s_store::Revision;

use super::Call;
use crate::{
    ApiError, RequestInfo,
    error::{Cause, GroupKind},
    registry::{ListRequest, RevisionMatch, Selection, parse_revision},
};

/// The options that depend on one another, as `metav1.ListOptions` names them.
const DEPENDENT: [&str; 4] = [
    "continue",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
];

/// Refuses options that contradict each other, as Kubernetes does: with 422, about a `ListOptions`.
pub(super) fn validate(info: &RequestInfo, is_watch: bool) -> Result<(), ApiError> {
    let mut options = Object::default();
    for name in DEPENDENT {
        if let Some(value) = info.param(name).filter(|value| !value.is_empty()) {
            options.set(&[name], value.into());
        }
    }
    let faults = match is_watch {
        true => api::collect(&options, check_watch),
        false => api::collect(&options, check_list),
    };
    if faults.is_empty() {
        return Ok(());
    }
    let cause = |fault: &FieldError| Cause::new(fault.reason(), fault.message(), &fault.field);
    Err(ApiError::Invalid {
        kind: GroupKind::new("meta.k8s.io", "ListOptions"),
        name: String::new(),
        causes: faults.iter().map(cause).collect(),
    })
}

fn check_list(options: &Field) {
    let matching = options.get("resourceVersionMatch");
    if matching.is_set() {
        let version = options.get("resourceVersion");
        if !version.is_set() {
            matching
                .forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided");
        }
        if options.get("continue").is_set() {
            matching.forbidden("resourceVersionMatch is forbidden when continue is provided");
        }
        match matching.str() {
            "NotOlderThan" => {}
            "Exact" if version.str() == "0" => matching
                .forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""),
            "Exact" => {}
            _ => matching.unsupported(&["Exact", "NotOlderThan", ""]),
        }
    }
    let initial = options.get("sendInitialEvents");
    if initial.is_set() {
        initial.forbidden("sendInitialEvents is forbidden for list");
    }
}

fn check_watch(options: &Field) {
    let matching = options.get("resourceVersionMatch");
    let wants_initial = options.get("sendInitialEvents").is_set();
    if wants_initial && matching.str() != "NotOlderThan" {
        matching
            .forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    if matching.is_set() {
        if !wants_initial {
            matching.forbidden(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
        if matching.str() != "NotOlderThan" {
            matching.unsupported(&["NotOlderThan"]);
        }
        if options.get("continue").is_set() {
            matching.forbidden("resourceVersionMatch is forbidden when continue is provided");
        }
    }
}

impl Call {
    /// The query of a list.
    pub(super) fn list_request(&self) -> Result<ListRequest, ApiError> {
        validate(&self.info, false)?;
        let revision = self.list_revision()?;
        // Whoever takes any state takes it whole, as from Kubernetes' watch cache.
        let is_any = matches!(revision, Some((Revision::ZERO, _)));
        let continue_token = self.info.param("continue").unwrap_or_default();
        if !continue_token.is_empty() && revision.is_some() && !is_any {
            return Err(ApiError::BadRequest(
                "specifying resource version is not allowed when using continue".to_owned(),
            ));
        }
        Ok(ListRequest {
            namespace: self.namespace().to_owned(),
            selection: self.selection()?,
            limit: match is_any && continue_token.is_empty() {
                true => 0,
                false => self.limit()?,
            },
            continue_token: continue_token.to_owned(),
            revision,
        })
    }

    fn limit(&self) -> Result<usize, ApiError> {
        let limit = number(&self.info, "limit")?.unwrap_or_default();
        Ok(usize::try_from(limit).unwrap_or_default())
    }

    fn list_revision(&self) -> Result<Option<(Revision, RevisionMatch)>, ApiError> {
        let revision = match self.info.param("resourceVersion") {
            None | Some("") => return Ok(None),
            Some(version) => parse_revision(version)?,
        };
        let matching = match self.info.param("resourceVersionMatch") {
            Some("Exact") => RevisionMatch::Exact,
            // With a limit and no word on the match, the version is exact: so pages fit together.
            None | Some("") if revision != Revision::ZERO && self.limit()? > 0 => {
                RevisionMatch::Exact
            }
            _ => RevisionMatch::NotOlderThan,
        };
        Ok(Some((revision, matching)))
    }

    /// The selectors of a list or a watch.
    pub(super) fn selection(&self) -> Result<Selection, ApiError> {
        let labels = match self.info.param("labelSelector") {
            None | Some("") => None,
            Some(text) => Some(text.parse::<LabelSelector>().map_err(|error| {
                ApiError::BadRequest(format!("unable to parse requirement: {error}"))
            })?),
        };
        let fields = match self.info.param("fieldSelector") {
            None | Some("") => None,
            Some(text) => Some(self.field_selector(text)?),
        };
        Ok(Selection { labels, fields })
    }

    fn field_selector(&self, text: &str) -> Result<FieldSelector, ApiError> {
        let selector: FieldSelector = text
            .parse()
            .map_err(|error| ApiError::BadRequest(format!("invalid field selector: {error}")))?;
        let offered = self.resource.strategy.selectable();
        for path in selector.terms().iter().map(|term| term.field.as_str()) {
            if !matches!(path, "metadata.name" | "metadata.namespace") && !offered.contains(&path) {
                return Err(ApiError::BadRequest(format!(
                    "Unable to find {:?} that match label selector \"\", field selector {text:?}: field label not \
                     supported: {path}",
                    self.resource.gvk(&self.info.version).api_version()
                        + ", Kind="
                        + &self.resource.row.kind,
                )));
            }
        }
        Ok(selector)
    }
}

/// An option that is a number, refused as Go's parser refuses it.
pub(super) fn number(info: &RequestInfo, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = info.param(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    text.parse().map(Some).map_err(|_| {
        ApiError::BadRequest(format!(
            "strconv.ParseInt: parsing {text:?}: invalid syntax"
        ))
    })
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[track_caller]
    fn check(query: &str, is_watch: bool, expected: &str) {
        let uri = format!("/api/v1/pods?{query}").parse().unwrap();
        let info = RequestInfo::parse(&Method::GET, &uri).unwrap();
        let found = validate(&info, is_watch).err();
        let found = found.map(|error| error.to_string()).unwrap_or_default();
        let found = found.replace("ListOptions.meta.k8s.io \"\" is invalid: ", "");
        assert_eq!(found, expected, "{query}");
    }

    #[test]
    fn options_of_a_list_that_contradict_each_other_are_refused() {
        for (query, expected) in [
            ("", ""),
            ("resourceVersion=0", ""),
            ("resourceVersion=5&resourceVersionMatch=Exact", ""),
            ("resourceVersion=0&resourceVersionMatch=NotOlderThan", ""),
            ("resourceVersionMatch=&sendInitialEvents=", ""),
            (
                "resourceVersionMatch=Exact",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (
                "resourceVersion=0&resourceVersionMatch=Exact",
                "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
            (
                "resourceVersion=5&resourceVersionMatch=NotOlderThan&continue=x",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
            ),
            (
                "resourceVersion=5&resourceVersionMatch=Near",
                "resourceVersionMatch: Unsupported value: \"Near\": supported values: \"Exact\", \"NotOlderThan\", \"\"",
            ),
            (
                "sendInitialEvents=true",
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
            ),
        ] {
            check(query, false, expected);
        }
    }

    #[test]
    fn options_of_a_watch_that_contradict_each_other_are_refused() {
        for (query, expected) in [
            ("", ""),
            (
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
                "",
            ),
            (
                "sendInitialEvents=false",
                "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
            (
                "resourceVersionMatch=NotOlderThan",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ),
            (
                "sendInitialEvents=true&resourceVersionMatch=Exact",
                "[resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, \
                 resourceVersionMatch: Unsupported value: \"Exact\": supported values: \"NotOlderThan\"]",
            ),
            (
                "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&continue=x",
                "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
            ),
        ] {
            check(query, true, expected);
        }
    }
}
