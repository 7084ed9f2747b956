//! `serviceaccounts/token`: a token for an account, bound to what the request names.

use http::StatusCode;
use k8s_apimachinery::{Object, Value, scheme::gvk::Gvk};

use super::{Call, decode};
use crate::{
    ApiError, Response,
    authn::service_account::{Bound, Grant, Reference, TokenIssuer},
    error::{Cause, GroupKind, GroupResource},
    registry::{Registry, rfc3339},
};

/// Issues the token that the body asks for.
pub(crate) async fn token(call: &Call) -> Result<Response, ApiError> {
    let format = call.format()?;
    let options = call.write_options()?;
    let gvk = Gvk::new("authentication.k8s.io", "v1", "TokenRequest");
    let mut request = call.decode_as(&gvk, options.field_validation)?;
    let issuer = call.registry.config().tokens.clone();
    let issuer = issuer.ok_or_else(|| {
        ApiError::ServiceUnavailable("this server issues no service account tokens".to_owned())
    })?;
    let (namespace, name) = (call.namespace(), call.info.name.as_str());
    let account = call
        .registry
        .get("", "serviceaccounts", namespace, name)
        .ok_or_else(|| ApiError::not_found(call.resource.name(), name))?;
    let account = account.entry.object();
    complete(&mut request, &account, &issuer)?;
    decode::complete(&mut request, &gvk, "")?;
    call.registry
        .admit(&call.write(&options), &mut request)
        .await?;
    issue(&call.registry, &issuer, &account, &mut request)?;
    call.respond_tree(StatusCode::CREATED, &request.into_value(), format)
}

/// Puts the account's metadata in, or says that the request is about another one.
fn complete(request: &mut Object, account: &Object, issuer: &TokenIssuer) -> Result<(), ApiError> {
    let mut causes = Vec::new();
    for field in ["name", "namespace"] {
        let path = ["metadata", field];
        let ours = account.str(&path).unwrap_or_default().to_owned();
        match request.str(&path).unwrap_or_default() {
            "" => request.set(&path, ours.into()),
            asked if asked != ours => causes.push(Cause::new(
                "FieldValueInvalid",
                format!(
                    "Invalid value: {asked:?}: must match the service account {field} if specified"
                ),
                path.join("."),
            )),
            _ => {}
        }
    }
    if !causes.is_empty() {
        return Err(ApiError::Invalid {
            kind: GroupKind::new("authentication.k8s.io", "TokenRequest"),
            name: String::new(),
            causes,
        });
    }
    match request.uid() {
        "" => request.set(&["metadata", "uid"], account.uid().into()),
        asked if asked != account.uid() => {
            return Err(ApiError::Conflict {
                resource: GroupResource::new("authentication.k8s.io", "TokenRequest"),
                name: account.name().to_owned(),
                detail: format!(
                    "the UID in the token request ({asked}) does not match the UID of the service account ({})",
                    account.uid()
                ),
            });
        }
        _ => {}
    }
    request.remove(&["status"]);
    request.set(
        &["metadata", "creationTimestamp"],
        rfc3339(issuer.now()).into(),
    );
    let audiences = request
        .get(&["spec", "audiences"])
        .and_then(Value::as_array);
    if audiences.is_none_or(Vec::is_empty) {
        request.set(&["spec", "audiences"], issuer.audiences().into());
    }
    Ok(())
}

/// Signs the token, and puts it into the request's status.
fn issue(
    registry: &Registry,
    issuer: &TokenIssuer,
    account: &Object,
    request: &mut Object,
) -> Result<(), ApiError> {
    let audiences = request
        .get(&["spec", "audiences"])
        .and_then(Value::as_array);
    let audiences = audiences.into_iter().flatten().filter_map(Value::as_str);
    let audiences: Vec<String> = audiences.map(str::to_owned).collect();
    let expiration = request.get(&["spec", "expirationSeconds"]);
    let expiration = expiration.and_then(Value::as_i64).unwrap_or_default();
    let until = issuer.now() + jiff::SignedDuration::from_secs(expiration);
    let token = issuer.issue(&Grant {
        namespace: account.namespace(),
        account: Reference::to(account),
        bound: bound(registry, account, request)?,
        audiences: &audiences,
        expiration,
    });
    let token = token.map_err(ApiError::internal)?;
    request.set(&["status", "token"], token.into());
    request.set(&["status", "expirationTimestamp"], rfc3339(until).into());
    Ok(())
}

/// The object that the token is to die with. It must be there, and be the one that is meant.
fn bound(registry: &Registry, account: &Object, request: &Object) -> Result<Bound, ApiError> {
    let path = ["spec", "boundObjectRef"];
    if request.get(&path).is_none() {
        return Ok(Bound::Nothing);
    }
    let text = |field: &str| {
        let value = request.str(&[path[0], path[1], field]);
        value.unwrap_or_default()
    };
    let (api_version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    let found = |resource: &str, namespace: &str| {
        let found = registry.get("", resource, namespace, name);
        let missing = || ApiError::not_found(GroupResource::new("", resource), name);
        found.map(|found| found.entry.object()).ok_or_else(missing)
    };
    let namespace = account.namespace();
    let (object, bound) = match (api_version.contains('/'), kind) {
        (false, "Pod") => {
            let pod = found("pods", namespace)?;
            let runs_as = pod.str(&["spec", "serviceAccountName"]);
            if runs_as.unwrap_or_default() != account.name() {
                return Err(ApiError::BadRequest(format!(
                    "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                    account.name()
                )));
            }
            let node = pod
                .str(&["spec", "nodeName"])
                .filter(|node| !node.is_empty());
            let node = node.map(|node| match registry.get("", "nodes", "", node) {
                Some(found) => Reference::to(&found.entry.object()),
                // The name still tells where the pod is.
                None => Reference {
                    name: node.to_owned(),
                    uid: String::new(),
                },
            });
            let bound = Bound::Pod(Reference::to(&pod), node);
            (pod, bound)
        }
        (false, "Secret") => {
            let secret = found("secrets", namespace)?;
            let bound = Bound::Secret(Reference::to(&secret));
            (secret, bound)
        }
        (false, "Node") => {
            let node = found("nodes", "")?;
            let bound = Bound::Node(Reference::to(&node));
            (node, bound)
        }
        _ => {
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            return Err(ApiError::BadRequest(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let uid = text("uid");
    if !uid.is_empty() && uid != object.uid() {
        return Err(ApiError::Conflict {
            resource: GroupResource::new("", kind),
            name: name.to_owned(),
            detail: format!(
                "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have \
                 been deleted and then recreated"
            ),
        });
    }
    Ok(bound)
}
