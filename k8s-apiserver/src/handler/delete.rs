//! `DELETE` of one object.

use http::StatusCode;

use super::Call;
use crate::{
    ApiError, Response,
    registry::{Answer, Deleted, WriteOptions},
    status::{Details, Status},
};

/// Deletes the object, or begins to. Answers with a Status when it is gone, else with the object.
pub(crate) async fn delete(call: &Call) -> Result<Response, ApiError> {
    let options = call.delete_options()?;
    let write_options = WriteOptions {
        dry_run: options.dry_run,
        ..WriteOptions::default()
    };
    let write = call.write(&write_options);
    match call.registry.delete(&write, &options).await? {
        Deleted::Gone(object) if call.resource.row.returns_deleted => {
            call.respond(StatusCode::OK, &Answer::Tree(call.wire_object(object)))
        }
        Deleted::Gone(object) => {
            let details = Details {
                name: object.name().to_owned(),
                group: call.resource.row.group.clone(),
                kind: call.resource.row.plural.clone(),
                uid: object.uid().to_owned(),
                ..Details::default()
            };
            Ok(Status::success(details).into_response())
        }
        Deleted::Going(answer) => {
            let status = match options.accepted {
                true => StatusCode::ACCEPTED,
                false => StatusCode::OK,
            };
            call.respond(status, &answer)
        }
    }
}
