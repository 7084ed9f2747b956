//! Writes an answer in the form that the client accepts.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use k8s_apimachinery::{
    Object, Value,
    scheme::{
        codec,
        protobuf::{self, Part},
    },
};

use super::{Call, Encoding, Format, Offer, Shape, compress, table};
use crate::{
    ApiError, RequestInfo, Response, body,
    registry::{Answer, Entry, Notices},
    status::Status,
};

impl Call {
    /// The answer with one object.
    pub(super) fn respond(
        &self,
        status: StatusCode,
        answer: &Answer,
    ) -> Result<Response, ApiError> {
        let format = self.format()?;
        let bytes = match (format.encoding, format.shape, answer.entry()) {
            _ if !self.is_as_asked_for(answer) => None,
            (Encoding::Json { pretty: false }, Shape::Whole, _) => Some(answer.to_bytes()),
            (Encoding::Protobuf, Shape::Whole, Some(entry)) => {
                Some(self.message(entry).map_err(ApiError::internal)?)
            }
            _ => None,
        };
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => encode(&self.shaped(answer, format), format.encoding)?,
        };
        Ok(self.send(status, bytes, format.encoding))
    }

    /// The answer with a tree of this path's kind.
    pub(super) fn respond_tree(
        &self,
        status: StatusCode,
        tree: &Value,
        format: Format,
    ) -> Result<Response, ApiError> {
        let bytes = encode(tree, format.encoding)?;
        Ok(self.send(status, bytes, format.encoding))
    }

    /// The answer with these bytes, compressed if they are many and the client takes them so.
    pub(super) fn send(&self, status: StatusCode, bytes: Bytes, encoding: Encoding) -> Response {
        match compress::is_worth_it(&bytes, &self.parts.headers) {
            true => compress::gzipped(respond(status, Bytes::new(), encoding), bytes),
            false => respond(status, bytes, encoding),
        }
    }

    /// A stored object in protobuf.
    fn message(&self, entry: &Entry) -> Result<Bytes, protobuf::ProtobufError> {
        let gvk = self.resource.gvk(&self.info.version);
        let version = entry.revision().to_string();
        let template = entry.protobuf()?;
        let body = template.body(Part::Whole, &gvk.api_version(), &gvk.kind, &version);
        Ok(body.into())
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
            Shape::Metadata(version) => table::metadata_only(&object, version),
            Shape::Table(include, meta) => {
                let now = self.registry.config().environment.now();
                let rows = vec![table::row(&self.resource, &object, include, meta, now)];
                let version = object.resource_version().to_owned();
                table::table(&self.resource, meta, &version, rows, true)
            }
        }
    }
}

/// A response of these bytes.
pub(super) fn respond(status: StatusCode, bytes: Bytes, encoding: Encoding) -> Response {
    let mut response = Response::new(body::full(bytes));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(encoding.media_type());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// A tree as it goes over the wire.
pub(super) fn encode(value: &Value, encoding: Encoding) -> Result<Bytes, ApiError> {
    let text = match encoding {
        Encoding::Json { pretty: false } => serde_json::to_vec(value),
        Encoding::Json { pretty: true } => serde_json::to_vec_pretty(value).map(|mut text| {
            text.push(b'\n');
            text
        }),
        Encoding::Yaml => return Ok(Bytes::from(codec::encode_yaml(value))),
        Encoding::Protobuf => {
            let message = protobuf::encode(value).map_err(ApiError::internal)?;
            return Ok(Bytes::from(message));
        }
    };
    Ok(Bytes::from(text.map_err(ApiError::internal)?))
}

/// A document without metadata, of a kind that everybody knows, in the form that the client accepts.
pub(crate) fn document(
    status: StatusCode,
    tree: &Value,
    headers: &HeaderMap,
    info: &RequestInfo,
) -> Result<Response, ApiError> {
    let encoding = Format::negotiate(headers, info, Offer::DOCUMENT)?.encoding;
    Ok(respond(status, encode(tree, encoding)?, encoding))
}

/// Writes a `Status` anew if the client accepts another form than JSON before it. A client that accepts neither gets
/// JSON, as in Kubernetes.
pub(crate) fn translate_status(
    response: Response,
    headers: &HeaderMap,
    info: &RequestInfo,
) -> Response {
    let Some(status) = response.extensions().get::<Status>() else {
        return response;
    };
    let encoding = Format::negotiate(headers, info, Offer::DOCUMENT).map(|it| it.encoding);
    let encoded = match encoding {
        Ok(encoding) if encoding != Format::JSON.encoding => {
            serde_json::to_value(status).ok().and_then(|tree| {
                let bytes = encode(&tree, encoding).ok()?;
                Some((bytes, encoding))
            })
        }
        _ => None,
    };
    let Some((bytes, encoding)) = encoded else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    let media_type = HeaderValue::from_static(encoding.media_type());
    parts.headers.insert(header::CONTENT_TYPE, media_type);
    Response::from_parts(parts, body::full(bytes))
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
    Status::created().into_response()
}

/// Adds a `Warning` header, which `kubectl` prints.
fn warn(response: &mut Response, warning: &str) {
    let quoted = warning.replace('\\', r"\\").replace('"', r#"\""#);
    if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
        response.headers_mut().append(header::WARNING, value);
    }
}
