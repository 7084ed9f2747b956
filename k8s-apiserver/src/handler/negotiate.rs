//! Which form of an object a client wants, by its `Accept` header and query.

use http::{HeaderMap, header};

use crate::{ApiError, RequestInfo};

/// The text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON, on many lines if a person reads it.
    Json {
        /// With line breaks and indentation.
        pretty: bool,
    },
    /// YAML.
    Yaml,
}

/// What is made of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Itself.
    Whole,
    /// Its metadata alone: `PartialObjectMetadata`.
    Metadata,
    /// A row of a `Table`.
    Table(RowObject),
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
    /// The text form.
    pub encoding: Encoding,
    /// What is made of the object.
    pub shape: Shape,
}

/// One element of an `Accept` header.
struct Accepted<'a> {
    media_type: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

/// What is produced, as `406` names it.
pub(super) const OFFERED: [&str; 2] = ["application/json", "application/yaml"];

impl Format {
    /// JSON as it is stored.
    pub const JSON: Format = Format {
        encoding: Encoding::Json { pretty: false },
        shape: Shape::Whole,
    };

    /// The first form that the client accepts and the server has; `406` if there is none.
    pub fn negotiate(headers: &HeaderMap, info: &RequestInfo) -> Result<Self, ApiError> {
        let pretty = is_pretty(headers, info);
        let include = match info.param("includeObject") {
            Some("None") => RowObject::None,
            Some("Object") => RowObject::Object,
            None | Some("" | "Metadata") => RowObject::Metadata,
            Some(other) => {
                return Err(ApiError::BadRequest(format!(
                    "unrecognized includeObject value: {other:?}"
                )));
            }
        };
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
        accepted.sort_by(|a, b| b.quality.total_cmp(&a.quality));
        accepted
            .iter()
            .find_map(|each| each.format(pretty, include))
            .ok_or(ApiError::NotAcceptable {
                offered: OFFERED.to_vec(),
            })
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

    /// The form that this element asks for, if the server has it.
    fn format(&self, pretty: bool, include: RowObject) -> Option<Format> {
        let encoding = match self.media_type {
            "application/json" | "application/*" | "*/*" => Encoding::Json { pretty },
            "application/yaml" => Encoding::Yaml,
            _ => return None,
        };
        let shape = match (
            self.parameter("as"),
            self.parameter("g"),
            self.parameter("v"),
        ) {
            ("", _, _) => Shape::Whole,
            ("Table", "meta.k8s.io", "v1") => Shape::Table(include),
            ("PartialObjectMetadata" | "PartialObjectMetadataList", "meta.k8s.io", "v1") => {
                Shape::Metadata
            }
            _ => return None,
        };
        Some(Format { encoding, shape })
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
mod tests {
    use http::{HeaderValue, Method};

    use super::*;

    const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io";
    const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

    #[track_caller]
    fn check(accept: &str, uri: &str, expected: Option<(Encoding, Shape)>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        let info = RequestInfo::parse(&Method::GET, &uri.parse().unwrap()).unwrap();
        let found = Format::negotiate(&headers, &info).ok();
        assert_eq!(
            found.map(|format| (format.encoding, format.shape)),
            expected,
            "{accept}"
        );
    }

    #[test]
    fn the_first_form_that_exists_is_taken() {
        let json = Encoding::Json { pretty: false };
        let table = Shape::Table(RowObject::Metadata);
        check(
            "application/json",
            "/api/v1/pods",
            Some((json, Shape::Whole)),
        );
        check("*/*", "/api/v1/pods", Some((json, Shape::Whole)));
        check(
            &format!("{PROTOBUF},application/json"),
            "/api/v1/pods",
            Some((json, Shape::Whole)),
        );
        check(
            &format!("{TABLE},application/json"),
            "/api/v1/pods",
            Some((json, table)),
        );
        check(
            "application/yaml",
            "/api/v1/pods",
            Some((Encoding::Yaml, Shape::Whole)),
        );
        check(
            "application/json;q=0.1, application/yaml;q=0.9",
            "/api/v1/pods",
            Some((Encoding::Yaml, Shape::Whole)),
        );
        check(
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
            "/api/v1/pods",
            Some((json, Shape::Metadata)),
        );
    }

    #[test]
    fn queries_refine_the_form() {
        let json = Encoding::Json { pretty: true };
        check(
            "application/json",
            "/api/v1/pods?pretty=true",
            Some((json, Shape::Whole)),
        );
        let json = Encoding::Json { pretty: false };
        check(
            TABLE,
            "/api/v1/pods?includeObject=Object",
            Some((json, Shape::Table(RowObject::Object))),
        );
        check(TABLE, "/api/v1/pods?includeObject=Half", None);
    }

    #[test]
    fn what_does_not_exist_is_not_acceptable() {
        check(PROTOBUF, "/api/v1/pods", None);
        check(
            "application/json;as=Chart;v=v1;g=meta.k8s.io",
            "/api/v1/pods",
            None,
        );
        check("text/html", "/api/v1/pods", None);
    }
}
