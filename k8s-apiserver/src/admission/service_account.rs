//! Every pod runs as a service account, and finds that account's token in a volume.

mod reference;
mod volume;

use std::time::Duration;

use async_trait::async_trait;
use k8s_apimachinery::{Object, Value};

use super::{Admission, Operation, Review};
use crate::{ApiError, registry::Effects};

/// The annotation of pods that a node made from a file and only mirrors here: they have no account.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// The annotation of accounts whose pods may refer to no secrets but those of the account.
const ENFORCE: &str = "kubernetes.io/enforce-mountable-secrets";

/// A controller makes this account some moments after its namespace, and who makes both a namespace and pods in it should
/// not have to know: so it is waited for, ten times as long as this.
const DEFAULT: &str = "default";
const INTERVAL: Duration = Duration::from_millis(150);

/// Names the namespace's `default` account where a pod names none, mounts a token of the account, adds
/// its pull secrets, and refuses accounts that don't exist.
#[derive(Debug, Clone, Copy)]
pub struct ServiceAccount;

#[async_trait]
impl Admission for ServiceAccount {
    fn name(&self) -> &'static str {
        "ServiceAccount"
    }

    async fn mutate(&self, review: &Review<'_>, pod: &mut Object) -> Result<(), ApiError> {
        if !review.creates("", "pods") {
            return Ok(());
        }
        if pod.annotation(MIRROR).is_some() {
            // It stays as it is, and is refused before its fields are checked.
            return refuse_mirror(review, pod);
        }
        let path = ["spec", "serviceAccountName"];
        // The field's old name is read, and kept in step, for old clients.
        let old_path = ["spec", "serviceAccount"];
        let said = |path| pod.str(path).filter(|name| !name.is_empty());
        let name = said(&path).or_else(|| said(&old_path));
        let name = name.unwrap_or(DEFAULT).to_owned();
        pod.set(&path, name.as_str().into());
        pod.set(&old_path, name.as_str().into());
        let account = awaited(review, &name).await?;
        if automounts(&account, pod) {
            volume::mount(pod, &*review.view.config().environment);
        }
        let pulls = account
            .get(&["imagePullSecrets"])
            .filter(|them| is_filled(them));
        let has_own = pod
            .get(&["spec", "imagePullSecrets"])
            .is_some_and(is_filled);
        if let Some(pulls) = pulls
            && !has_own
        {
            pod.set(&["spec", "imagePullSecrets"], pulls.clone());
        }
        Ok(())
    }

    async fn validate(
        &self,
        review: &Review<'_>,
        pod: Option<&Object>,
    ) -> Result<Effects, ApiError> {
        let Some(pod) = pod else {
            return Ok(Effects::default());
        };
        let row = &review.resource.row;
        let is_pods = row.group.is_empty() && row.plural == "pods";
        match (review.operation, review.subresource) {
            (Operation::Create, "") if is_pods && pod.annotation(MIRROR).is_some() => {
                refuse_mirror(review, pod)?;
            }
            (Operation::Create, "") if is_pods => {
                let name = pod.str(&["spec", "serviceAccountName"]).unwrap_or_default();
                let account = account(review, name)?;
                if enforces(&account) {
                    reference::check(pod, &account, reference::Which::All)
                        .map_err(|refusal| review.forbidden(refusal))?;
                }
            }
            (Operation::Update, "ephemeralcontainers") if is_pods => {
                let name = pod.str(&["spec", "serviceAccountName"]).unwrap_or_default();
                if name.is_empty() {
                    return Ok(Effects::default());
                }
                let account = account(review, name)?;
                if enforces(&account) {
                    reference::check(pod, &account, reference::Which::Ephemeral)
                        .map_err(|refusal| review.forbidden(refusal))?;
                }
            }
            _ => {}
        }
        Ok(Effects::default())
    }
}

/// A mirror pod exists already, on its node: it can't be given what the API would hand out.
fn refuse_mirror(review: &Review<'_>, pod: &Object) -> Result<(), ApiError> {
    let named = pod.str(&["spec", "serviceAccountName"]);
    if named.is_some_and(|name| !name.is_empty()) {
        return Err(review.forbidden("a mirror pod may not reference service accounts"));
    }
    if reference::has_secrets(pod) {
        return Err(review.forbidden("a mirror pod may not reference secrets"));
    }
    if reference::projects_token(pod) {
        return Err(
            review.forbidden("a mirror pod may not use ServiceAccountToken volume projections")
        );
    }
    Ok(())
}

/// The account, if need be after a while.
async fn awaited(review: &Review<'_>, name: &str) -> Result<Object, ApiError> {
    let mut found = account(review, name);
    for _ in 0..10 {
        if found.is_ok() || name != DEFAULT {
            break;
        }
        tokio::time::sleep(INTERVAL).await;
        found = account(review, name);
    }
    found
}

fn account(review: &Review<'_>, name: &str) -> Result<Object, ApiError> {
    let namespace = review.namespace;
    let found = review.view.get("", "serviceaccounts", namespace, name);
    found.ok_or_else(|| {
        review.forbidden(format!(
            "error looking up service account {namespace}/{name}: serviceaccount {name:?} not found"
        ))
    })
}

/// What the pod says about it counts, else what the account says; both silent means yes.
fn automounts(account: &Object, pod: &Object) -> bool {
    let said = pod.get(&["spec", "automountServiceAccountToken"]);
    let said = said.or_else(|| account.get(&["automountServiceAccountToken"]));
    said.and_then(Value::as_bool).unwrap_or(true)
}

fn enforces(account: &Object) -> bool {
    let words = ["1", "t", "T", "true", "TRUE", "True"];
    account
        .annotation(ENFORCE)
        .is_some_and(|value| words.contains(&value))
}

fn is_filled(list: &Value) -> bool {
    list.as_array().is_some_and(|list| !list.is_empty())
}

#[cfg(test)]
mod tests;
