//! Group, version, resource and verb lead to a handler.

use std::sync::Arc;

use super::Shared;
use crate::{
    ApiError, Request, RequestInfo, Response, User, Verb, body,
    handler::{self, Call},
    registry::{
        Endpoint, KindRow, Notices, Registry, Resource, Serves, SubresourceRow, VirtualResource,
    },
};

/// Answers a request for a resource.
pub(super) async fn dispatch(
    shared: &Shared,
    info: Arc<RequestInfo>,
    user: Arc<User>,
    request: Request,
) -> Result<Response, ApiError> {
    let registry = &shared.registry;
    let endpoint = registry
        .resources()
        .find(&info.group, &info.resource)
        .filter(|endpoint| endpoint.row().versions.contains(&info.version))
        .ok_or(ApiError::NoSuchResource)?;
    check_scope(endpoint.row(), &info)?;
    match endpoint {
        Endpoint::Virtual(resource) => compute(registry, &resource, &info, &user, request).await,
        Endpoint::Stored(resource) => {
            let subresource = find_subresource(&resource.row, &info)?;
            if let Some(row) = &subresource
                && row.serves == Serves::Connect
            {
                return connect(registry, &resource, row, &info, request).await;
            }
            let (parts, request_body) = request.into_parts();
            let body = match super::has_body(&info.verb) {
                true => body::read(request_body).await?,
                false => Default::default(),
            };
            let registry = registry.clone();
            let notices = Arc::<Notices>::default();
            let call = Call {
                registry,
                resource,
                subresource,
                info,
                user,
                parts,
                body,
                notices: notices.clone(),
                frames: shared.frames.clone(),
                tasks: shared.tasks.clone(),
            };
            let mut response = stored(call).await.unwrap_or_else(ApiError::into_response);
            handler::notify(&mut response, &notices);
            Ok(response)
        }
    }
}

/// The handler of a verb. Collections have no name, objects have one.
async fn stored(call: Call) -> Result<Response, ApiError> {
    if let Some(row) = &call.subresource {
        return match (&call.info.verb, row.serves) {
            (Verb::Create, Serves::Binding) => handler::bind(&call).await,
            (Verb::Create, Serves::Eviction) => handler::evict(&call).await,
            (Verb::Create, Serves::Token) => handler::token(&call).await,
            (Verb::Get, _) => handler::get(&call).await,
            (Verb::Update, _) => handler::update(&call).await,
            (Verb::Patch, _) => handler::patch(&call).await,
            _ => Err(ApiError::MethodNotAllowed),
        };
    }
    let is_named = !call.info.name.is_empty();
    match &call.info.verb {
        Verb::Get => handler::get(&call).await,
        Verb::List => handler::list(&call).await,
        Verb::Watch => handler::watch(call).await,
        Verb::Create if !is_named => handler::create(&call).await,
        Verb::Update if is_named => handler::update(&call).await,
        Verb::Patch if is_named => handler::patch(&call).await,
        Verb::Delete => handler::delete(&call).await,
        Verb::DeleteCollection => handler::delete_collection(&call).await,
        _ => Err(ApiError::MethodNotAllowed),
    }
}

/// Namespaced objects are reached through their namespace, others never are.
fn check_scope(row: &KindRow, info: &RequestInfo) -> Result<(), ApiError> {
    let is_namespace = row.group.is_empty() && row.plural == "namespaces";
    match (row.namespaced, info.namespace.is_empty()) {
        (false, false) if !is_namespace => Err(ApiError::NoSuchResource),
        (true, true) => match info.verb {
            Verb::List | Verb::Watch => Ok(()),
            Verb::Create | Verb::DeleteCollection => Err(ApiError::MethodNotAllowed),
            _ => Err(ApiError::NoSuchResource),
        },
        _ => Ok(()),
    }
}

/// The subresource that the path names, if its verb is served; without one, the verb of the object itself must be.
fn find_subresource(row: &KindRow, info: &RequestInfo) -> Result<Option<SubresourceRow>, ApiError> {
    let verb = info.verb.as_str();
    if info.subresource.is_empty() {
        return match row.serves(verb) {
            true => Ok(None),
            false => Err(ApiError::MethodNotAllowed),
        };
    }
    let subresource = row
        .find_subresource(&info.subresource)
        .ok_or(ApiError::NoSuchResource)?;
    match subresource.serves_verb(verb) || subresource.serves == Serves::Connect {
        true => Ok(Some(subresource.clone())),
        false => Err(ApiError::MethodNotAllowed),
    }
}

/// Answers for a kind that is kept nowhere.
async fn compute(
    registry: &Registry,
    resource: &VirtualResource,
    info: &RequestInfo,
    user: &Arc<User>,
    request: Request,
) -> Result<Response, ApiError> {
    find_subresource(&resource.row, info)?;
    let (parts, request_body) = request.into_parts();
    if info.verb == Verb::Create {
        let body = body::read(request_body).await?;
        return handler::create_virtual(registry, resource, info, user, &parts, &body).await;
    }
    let notices = Notices::default();
    if resource.row.kind == "ComponentStatus" {
        notices.warn("v1 ComponentStatus is deprecated in v1.19+");
    }
    let mut response = handler::read_virtual(registry, resource, info, &parts).await?;
    handler::notify(&mut response, &notices);
    Ok(response)
}

/// Hands the request on to whoever can open a stream to the object.
async fn connect(
    registry: &Registry,
    resource: &Resource,
    subresource: &SubresourceRow,
    info: &RequestInfo,
    request: Request,
) -> Result<Response, ApiError> {
    // Proxies are asked for as `scheme:name:port`.
    let name = match subresource.name.as_str() {
        "proxy" => handler::connect::reference(info)?.name,
        _ => &info.name,
    };
    let stored = registry
        .fetch(resource, &info.namespace, name, None)
        .await?
        .ok_or_else(|| ApiError::not_found(resource.name(), name))?;
    let connector = registry.config().connector.as_ref().ok_or_else(|| {
        ApiError::ServiceUnavailable("this server is not connected to any node".to_owned())
    })?;
    let object = stored.entry.object();
    Ok(connector.connect(request, &object, &subresource.name).await)
}
