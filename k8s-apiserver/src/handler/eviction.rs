//! `pods/eviction`: deletes a pod, as far as its disruption budget allows.

use k8s_apimachinery::{Value, scheme::gvk::Gvk};

use super::{Call, decode, options, respond};
use crate::{
    ApiError, Response,
    registry::{DeleteOptions, WriteOptions},
};

/// Evicts the pod of the path with the options in the body.
pub(crate) async fn evict(call: &Call) -> Result<Response, ApiError> {
    let write_options = call.write_options()?;
    let gvk = Gvk::new("policy", "v1", "Eviction");
    let sent = decode::tree(&call.body, call.content_type())?;
    let sent_as = match sent["apiVersion"].as_str() {
        // The same under an older name, which nothing else has any more.
        Some("policy/v1beta1") => Gvk::new("policy", "v1beta1", "Eviction"),
        _ => gvk.clone(),
    };
    let mut eviction = call.decode_as(&sent_as, write_options.field_validation)?;
    eviction.set_gvk(&gvk);
    if eviction.name() != call.info.name {
        return Err(ApiError::BadRequest(
            "name in URL does not match name in Eviction object".to_owned(),
        ));
    }
    if eviction.namespace().is_empty() {
        eviction.set(&["metadata", "namespace"], call.namespace().into());
    }
    decode::complete(&mut eviction, &gvk, &call.info.name)?;
    let delete_options = delete_options(eviction.get(&["deleteOptions"]), &write_options)?;
    let write_options = WriteOptions {
        dry_run: delete_options.dry_run,
        ..write_options
    };
    let write = call.write(&write_options);
    call.registry.admit(&write, &mut eviction).await?;
    call.registry.evict(&write, &delete_options).await?;
    Ok(respond::created())
}

/// The options of the pod's deletion. Request and body may both ask for a dry run.
fn delete_options(
    body: Option<&Value>,
    write_options: &WriteOptions,
) -> Result<DeleteOptions, ApiError> {
    let mut delete_options = DeleteOptions {
        dry_run: write_options.dry_run,
        ..DeleteOptions::default()
    };
    if let Some(body) = body {
        options::read_body(&mut delete_options, body)?;
    }
    Ok(delete_options)
}
