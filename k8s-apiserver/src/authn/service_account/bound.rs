//! Whether what a token names still exists. Refusals are for logs and token reviews.

use jiff::{SignedDuration, Timestamp};
use k8s_apimachinery::Object;

use super::{
    CoreObjects,
    claims::{Private, Reference},
};

/// What was deleted within this time, and is not gone yet, still counts: clocks differ.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// The sentence for whatever a token is bound to and that is gone.
const INVALIDATED: &str = "service account token has been invalidated";

/// Refuses claims whose account, secret, pod or node is gone or another one.
pub(super) fn check(
    objects: &dyn CoreObjects,
    claims: &Private,
    now: Timestamp,
) -> Result<(), String> {
    let namespace = claims.namespace.as_str();
    let account = &claims.serviceaccount;
    check_account(objects, namespace, &account.name, &account.uid, now)?;
    let exists = |what: &str, resource: &str, namespace: &str, reference: &Reference| {
        let found = objects.object(resource, namespace, &reference.name);
        let found = found.filter(|found| !is_deleted(found, now));
        let found = found.ok_or_else(|| INVALIDATED.to_owned())?;
        if found.uid() != reference.uid {
            return Err(format!(
                "{what} UID ({}) does not match service account {what} ref claim ({})",
                found.uid(),
                reference.uid
            ));
        }
        Ok(())
    };
    if let Some(secret) = &claims.secret {
        exists("secret", "secrets", namespace, secret)?;
    }
    if let Some(pod) = &claims.pod {
        exists("pod", "pods", namespace, pod)?;
    }
    // Beside a pod the node is only told; it may be gone before the pod is.
    if let (Some(node), None, None) = (&claims.node, &claims.pod, &claims.secret) {
        exists("node", "nodes", "", node)?;
    }
    Ok(())
}

/// Refuses an account that is gone, or that is another one of the same name.
pub(super) fn check_account(
    objects: &dyn CoreObjects,
    namespace: &str,
    name: &str,
    uid: &str,
    now: Timestamp,
) -> Result<(), String> {
    let account = objects.object("serviceaccounts", namespace, name);
    let account = account.ok_or_else(|| format!("serviceaccounts {name:?} not found"))?;
    if is_deleted(&account, now) {
        return Err(format!(
            "service account {namespace}/{name} has been deleted"
        ));
    }
    if account.uid() != uid {
        return Err(format!(
            "service account UID ({}) does not match claim ({uid})",
            account.uid()
        ));
    }
    Ok(())
}

/// Whether an object's deletion is overdue.
pub(super) fn is_deleted(object: &Object, now: Timestamp) -> bool {
    let since = object.deletion_timestamp();
    let since = since.and_then(|since| since.parse::<Timestamp>().ok());
    since.is_some_and(|since| since < now - LEEWAY)
}
