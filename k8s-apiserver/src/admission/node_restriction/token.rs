//! Tokens that a node asks for on behalf of its pods: bound to one that runs there, for whom that pod wants them.

use k8s_apimachinery::{Object, Value};

use super::Refusal;
use crate::{
    ApiError,
    admission::{Operation, Review},
    error::GroupResource,
};

pub(super) fn check(
    node: &str,
    review: &Review<'_>,
    object: Option<&Object>,
) -> Result<Result<(), Refusal>, ApiError> {
    let Some(request) = object else {
        return Ok(Ok(()));
    };
    if review.operation != Operation::Create || review.subresource != "token" {
        return Ok(Ok(()));
    }
    let refuse = |why: &str| Ok(Err(why.to_owned()));
    let bound = |field| request.str(&["spec", "boundObjectRef", field]);
    let bound = |field| bound(field).unwrap_or_default();
    let (name, uid) = (bound("name"), bound("uid"));
    if (bound("apiVersion"), bound("kind")) != ("v1", "Pod") || name.is_empty() {
        return refuse("node requested token not bound to a pod");
    }
    if uid.is_empty() {
        return refuse("node requested token with a pod binding without a uid");
    }
    let pods = || ApiError::not_found(GroupResource::new("", "pods"), name);
    let pod = review.view.get("", "pods", review.namespace, name);
    let pod = pod.ok_or_else(pods)?;
    if uid != pod.uid() {
        return Ok(Err(format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been \
             deleted and then recreated"
        )));
    }
    if pod.str(&["spec", "nodeName"]) != Some(node) {
        return refuse("node requested token bound to a pod scheduled on a different node");
    }
    Ok(check_audience(node, review, request, &pod))
}

/// A pod names the audiences of its tokens in volumes, or the driver of a volume does.
fn check_audience(
    node: &str,
    review: &Review<'_>,
    request: &Object,
    pod: &Object,
) -> Result<(), Refusal> {
    let asked = request.get(&["spec", "audiences"]);
    let asked: Vec<&str> = items(asked).filter_map(Value::as_str).collect();
    let tokens = review.view.config().tokens.as_ref();
    let own = tokens.map(|issuer| issuer.audiences()).unwrap_or_default();
    // Those who ask for nothing have been given the server's own by now.
    let asked_for_nothing = asked == own;
    let audience = match asked.as_slice() {
        [] => "",
        [audience] => audience,
        _ if asked_for_nothing => "",
        _ => return Err("node may only request 0 or 1 audiences".to_owned()),
    };
    let is_wanted = |wanted: &str| wanted == audience || wanted.is_empty() && asked_for_nothing;
    let is_found = items(pod.get(&["spec", "volumes"])).any(|volume| {
        let projected = items(volume["projected"].get("sources"));
        let mut tokens = projected.filter_map(|source| source.get("serviceAccountToken"));
        tokens.any(|token| is_wanted(token["audience"].as_str().unwrap_or_default()))
            || driver_of(review, pod, volume).is_some_and(|driver| {
                let driver = review.view.get("storage.k8s.io", "csidrivers", "", &driver);
                driver.is_some_and(|driver| {
                    items(driver.get(&["spec", "tokenRequests"]))
                        .any(|it| is_wanted(it["audience"].as_str().unwrap_or_default()))
                })
            })
    });
    match is_found {
        true => Ok(()),
        false => Err(format!(
            "audience {audience:?} not found in pod spec volume, system:node:{node} is not authorized to request tokens \
             for this audience"
        )),
    }
}

/// The CSI driver behind a volume of the pod.
fn driver_of(review: &Review<'_>, pod: &Object, volume: &Value) -> Option<String> {
    if let Some(driver) = volume["csi"]["driver"].as_str() {
        return Some(driver.to_owned());
    }
    let claim = match volume["persistentVolumeClaim"]["claimName"].as_str() {
        Some(claim) => claim.to_owned(),
        None if volume["ephemeral"].is_object() => {
            format!("{}-{}", pod.name(), volume["name"].as_str()?)
        }
        None => return None,
    };
    let view = review.view;
    let claim = view.get("", "persistentvolumeclaims", review.namespace, &claim)?;
    let volume = claim.str(&["spec", "volumeName"])?;
    let volume = view.get("", "persistentvolumes", "", volume)?;
    volume.str(&["spec", "csi", "driver"]).map(str::to_owned)
}

fn items(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}
