//! Writes one object in the form that the client accepts.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use k8s_apimachinery::{Object, Value, scheme::codec};
use serde_json::json;

use super::{Call, Encoding, Format, Shape, table};
use crate::{
    ApiError, Response, body,
    registry::{Answer, Notices},
};

impl Call {
    /// The answer with one object.
    pub(super) fn respond(
        &self,
        status: StatusCode,
        answer: &Answer,
    ) -> Result<Response, ApiError> {
        let format = self.format()?;
        let is_plain = format == Format::JSON && self.is_as_asked_for(answer);
        let bytes = match is_plain {
            true => answer.to_bytes(),
            false => encode(&self.shaped(answer, format), format.encoding),
        };
        Ok(respond(status, bytes, format.encoding))
    }

    /// Whether an answer is in the form of this path: another kind than the stored one (a `Scale`) always is.
    fn is_as_asked_for(&self, answer: &Answer) -> bool {
        let stored = || self.resource.row.storage_gvk();
        self.is_stored_form() || matches!(answer, Answer::Tree(tree) if tree.gvk() != stored())
    }

    /// Whether stored bytes are what a reader of this path is to get.
    pub(super) fn is_stored_form(&self) -> bool {
        self.resource.is_stored_as(&self.info.version)
    }

    /// The object as readers of this path see it.
    pub(super) fn wire_object(&self, stored: Object) -> Object {
        self.resource
            .convert(stored, &self.resource.gvk(&self.info.version))
    }

    fn shaped(&self, answer: &Answer, format: Format) -> Value {
        let object = match answer {
            Answer::Tree(object) if self.is_as_asked_for(answer) => object.clone(),
            stored => self.wire_object(stored.object()),
        };
        match format.shape {
            Shape::Whole => object.into_value(),
            Shape::Metadata => table::metadata_only(&object),
            Shape::Table(include) => {
                let now = self.registry.config().environment.now();
                let rows = vec![table::row(&self.resource, &object, include, now)];
                let version = object.resource_version().to_owned();
                table::table(&self.resource, &version, rows, true)
            }
        }
    }
}

/// A response of these bytes.
pub(super) fn respond(status: StatusCode, bytes: Bytes, encoding: Encoding) -> Response {
    let mut response = Response::new(body::full(bytes));
    *response.status_mut() = status;
    let media_type = match encoding {
        Encoding::Json { .. } => "application/json",
        Encoding::Yaml => "application/yaml",
    };
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A tree as text.
pub(super) fn encode(value: &Value, encoding: Encoding) -> Bytes {
    let text = match encoding {
        Encoding::Json { pretty: false } => serde_json::to_vec(value),
        Encoding::Json { pretty: true } => serde_json::to_vec_pretty(value).map(|mut text| {
            text.push(b'\n');
            text
        }),
        Encoding::Yaml => return Bytes::from(codec::encode_yaml(value)),
    };
    Bytes::from(text.expect("a tree of JSON values is JSON"))
}

/// Puts what was noticed on the way into the response: `Warning` headers, and the annotations as an extension.
pub(crate) fn notify(response: &mut Response, notices: &Notices) {
    let (warnings, annotations) = notices.take();
    for warning in warnings {
        warn(response, &warning);
    }
    if !annotations.is_empty() {
        response.extensions_mut().insert(annotations);
    }
}

/// The answer to what was posted to a subresource and leaves nothing to show.
pub(super) fn created() -> Response {
    let success = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    });
    let encoding = Format::JSON.encoding;
    respond(StatusCode::CREATED, encode(&success, encoding), encoding)
}

/// Adds a `Warning` header, which `kubectl` prints.
fn warn(response: &mut Response, warning: &str) {
    let quoted = warning.replace('\\', r"\\").replace('"', r#"\""#);
    if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
        response.headers_mut().append(header::WARNING, value);
    }
}
