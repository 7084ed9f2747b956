//! Which form of an object a client wants, by its `Accept` header and query.

use http::{HeaderMap, header};
use k8s_apimachinery::scheme::{Gvk, protobuf};

use crate::{ApiError, RequestInfo};

/// How a tree is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON, on many lines if a person reads it.
    Json {
        /// With line breaks and indentation.
        pretty: bool,
    },
    /// YAML.
    Yaml,
    /// Kubernetes' protobuf.
    Protobuf,
}

/// What is made of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Itself.
    Whole,
    /// Its metadata alone: `PartialObjectMetadata`.
    Metadata(MetaVersion),
    /// A row of a `Table`.
    Table(RowObject, MetaVersion),
}

/// The version of `meta.k8s.io` that a client wants tables and metadata in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaVersion {
    /// `v1`.
    V1,
    /// `v1beta1`, for clients older than 1.16.
    V1beta1,
}

/// What of the object goes with its row of a table: `includeObject`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowObject {
    /// Nothing.
    None,
    /// Its metadata.
    Metadata,
    /// All of it.
    Object,
}

/// The outcome of negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// How it is written.
    pub encoding: Encoding,
    /// What is made of the object.
    pub shape: Shape,
}

/// What an answer can be.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Whether the kind has a protobuf form.
    has_protobuf: bool,
    answer: AnswerKind,
}

/// What sort of answer it is, by which forms differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerKind {
    /// An object.
    One,
    /// A list of them.
    List,
    /// The frames of a watch.
    Events,
    /// Something that has neither rows nor metadata.
    Document,
}

/// One element of an `Accept` header.
struct Accepted<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
/// What typed clients send and ask for: an envelope round a message.
pub(super) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

impl MetaVersion {
    /// The `apiVersion` of the answer.
    pub fn api_version(self) -> &'static str {
        match self {
            MetaVersion::V1 => "meta.k8s.io/v1",
            MetaVersion::V1beta1 => "meta.k8s.io/v1beta1",
        }
    }
}

impl Encoding {
    /// The media type of an answer.
    pub fn media_type(self) -> &'static str {
        match self {
            Encoding::Json { .. } => JSON,
            Encoding::Yaml => YAML,
            Encoding::Protobuf => PROTOBUF,
        }
    }
}

impl Offer {
    /// The forms of an answer that is of this kind.
    pub fn new(gvk: &Gvk, answer: AnswerKind) -> Self {
        Offer {
            has_protobuf: protobuf::has_kind(gvk),
            answer,
        }
    }

    /// The forms of an answer that has neither rows nor metadata, and a message of its own.
    pub const DOCUMENT: Offer = Offer {
        has_protobuf: true,
        answer: AnswerKind::Document,
    };

    /// The media types that there are, in the order in which Kubernetes prefers and names them.
    fn media_types(self) -> Vec<&'static str> {
        match (self.answer, self.has_protobuf) {
            (AnswerKind::Events, true) => vec![
                "application/json;stream=watch",
                "application/vnd.kubernetes.protobuf;stream=watch",
            ],
            (AnswerKind::Events, false) => vec!["application/json;stream=watch"],
            (_, true) => vec![JSON, YAML, PROTOBUF],
            (_, false) => vec![JSON, YAML],
        }
    }

    /// Whether the answer can be written so. Metadata has a protobuf form even if the rest of the object has none,
    /// tables have none, and a watch is never YAML.
    fn has(self, encoding: Encoding, shape: Shape) -> bool {
        match (encoding, shape) {
            (Encoding::Protobuf, Shape::Whole) => self.has_protobuf,
            (Encoding::Protobuf, Shape::Table(..)) => false,
            (Encoding::Yaml, _) => self.answer != AnswerKind::Events,
            _ => true,
        }
    }
}

impl Format {
    /// JSON as it is stored.
    pub const JSON: Format = Format {
        encoding: Encoding::Json { pretty: false },
        shape: Shape::Whole,
    };

    /// The first form that the client accepts and the server has; `406` if there is none.
    pub fn negotiate(
        headers: &HeaderMap,
        info: &RequestInfo,
        offer: Offer,
    ) -> Result<Self, ApiError> {
        let pretty = is_pretty(headers, info);
        let accept: Vec<&str> = headers
            .get_all(header::ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        let accept = accept.join(",");
        if accept.trim().is_empty() {
            return Ok(Format {
                encoding: Encoding::Json { pretty },
                ..Format::JSON
            });
        }
        let mut accepted: Vec<Accepted<'_>> = accept.split(',').map(Accepted::parse).collect();
        accepted.sort_by(|a, b| {
            let wildcards = a.wildcards().cmp(&b.wildcards());
            b.quality.total_cmp(&a.quality).then(wildcards)
        });
        let found = accepted
            .iter()
            .find_map(|each| each.format(pretty, offer))
            .ok_or_else(|| ApiError::NotAcceptable {
                offered: offer.media_types(),
            })?;
        match found.shape {
            Shape::Table(_, version) => Ok(Format {
                shape: Shape::Table(row_object(info)?, version),
                ..found
            }),
            _ => Ok(found),
        }
    }
}

impl<'a> Accepted<'a> {
    fn parse(element: &'a str) -> Self {
        let mut parts = element.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let quality = parameters.iter().find(|(name, _)| *name == "q");
        let quality = quality
            .and_then(|(_, value)| value.parse().ok())
            .unwrap_or(1.0);
        Accepted {
            media_type,
            parameters,
            quality,
        }
    }

    fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(each, _)| *each == name);
        found.map_or("", |(_, value)| value)
    }

    /// Of two elements of the same quality the more specific one counts.
    fn wildcards(&self) -> usize {
        self.media_type.matches('*').count()
    }

    /// The form that this element asks for, if the server has it.
    fn format(&self, pretty: bool, offer: Offer) -> Option<Format> {
        let json = Encoding::Json {
            pretty: pretty || self.parameter("pretty") == "1",
        };
        if !matches!(self.parameter("stream"), "" | "watch") {
            return None;
        }
        let shape = self.shape(offer.answer)?;
        let mut encodings = [json, Encoding::Yaml, Encoding::Protobuf].into_iter();
        let encoding = encodings.find(|encoding| {
            let media_type = self.media_type;
            let fits = matches!(media_type, "*/*" | "application/*");
            (fits || media_type == encoding.media_type()) && offer.has(*encoding, shape)
        })?;
        Some(Format { encoding, shape })
    }

    fn shape(&self, answer: AnswerKind) -> Option<Shape> {
        let kind = self.parameter("as");
        if kind.is_empty() {
            return Some(Shape::Whole);
        }
        let version = match (self.parameter("g"), self.parameter("v")) {
            ("meta.k8s.io", "v1") => MetaVersion::V1,
            ("meta.k8s.io", "v1beta1") => MetaVersion::V1beta1,
            _ => return None,
        };
        match (kind, answer) {
            (_, AnswerKind::Document) => None,
            ("Table", _) => Some(Shape::Table(RowObject::Metadata, version)),
            ("PartialObjectMetadata", AnswerKind::One | AnswerKind::Events)
            | ("PartialObjectMetadataList", AnswerKind::List) => Some(Shape::Metadata(version)),
            _ => None,
        }
    }
}

fn row_object(info: &RequestInfo) -> Result<RowObject, ApiError> {
    match info.param("includeObject") {
        Some("None") => Ok(RowObject::None),
        Some("Object") => Ok(RowObject::Object),
        None | Some("" | "Metadata") => Ok(RowObject::Metadata),
        Some(other) => Err(ApiError::BadRequest(format!(
            "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: must be 'Metadata', \
             'Object', 'None', or empty"
        ))),
    }
}

/// People who ask with a browser or on the command line get line breaks, as in Kubernetes.
fn is_pretty(headers: &HeaderMap, info: &RequestInfo) -> bool {
    if info.param("pretty").is_some() {
        return info.flag("pretty");
    }
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    agent.is_some_and(|agent| {
        ["curl", "Wget", "Mozilla/5.0"]
            .iter()
            .any(|person| agent.starts_with(person))
    })
}

#[cfg(test)]
mod tests;
