use http::{HeaderValue, Method};

use super::*;

const WHOLE_JSON: (Encoding, Shape) = (Encoding::Json { pretty: false }, Shape::Whole);
const WHOLE_PROTOBUF: (Encoding, Shape) = (Encoding::Protobuf, Shape::Whole);
const PODS: &str = "/api/v1/pods";

fn negotiate(accept: &str, uri: &str, kind: &str, answer: AnswerKind) -> Result<Format, ApiError> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
    let info = RequestInfo::parse(&Method::GET, &uri.parse().unwrap()).unwrap();
    let gvk = Gvk::new("", "v1", kind);
    Format::negotiate(&headers, &info, Offer::new(&gvk, answer))
}

#[track_caller]
fn check(accept: &str, uri: &str, answer: AnswerKind, expected: Option<(Encoding, Shape)>) {
    let found = negotiate(accept, uri, "Pod", answer).ok();
    let found = found.map(|format| (format.encoding, format.shape));
    assert_eq!(found, expected, "{accept}");
}

/// A media type with a kind of `meta.k8s.io`.
fn transformed(media_type: &str, kind: &str, version: &str) -> String {
    format!("{media_type};as={kind};g=meta.k8s.io;v={version}")
}

#[test]
fn the_first_form_that_exists_is_taken() {
    for (accept, expected) in [
        ("application/json", WHOLE_JSON),
        ("*/*", WHOLE_JSON),
        (
            "application/vnd.kubernetes.protobuf,application/json",
            WHOLE_PROTOBUF,
        ),
        (
            "application/json,application/vnd.kubernetes.protobuf",
            WHOLE_JSON,
        ),
        ("application/cbor, application/json", WHOLE_JSON),
        ("application/yaml", (Encoding::Yaml, Shape::Whole)),
    ] {
        check(accept, PODS, AnswerKind::List, Some(expected));
    }
}

#[test]
fn quality_comes_before_order_and_order_before_nothing_but_wildcards() {
    for (accept, expected) in [
        (
            "application/json;q=0.1, application/vnd.kubernetes.protobuf;q=0.9",
            WHOLE_PROTOBUF,
        ),
        ("*/*, application/vnd.kubernetes.protobuf", WHOLE_PROTOBUF),
        ("*/*, application/vnd.kubernetes.protobuf;q=0.5", WHOLE_JSON),
        ("application/json;q=0", WHOLE_JSON),
    ] {
        check(accept, PODS, AnswerKind::One, Some(expected));
    }
}

#[test]
fn tables_are_text_and_metadata_is_either() {
    let json = Encoding::Json { pretty: false };
    for (name, version) in [("v1", MetaVersion::V1), ("v1beta1", MetaVersion::V1beta1)] {
        let table = Some((json, Shape::Table(RowObject::Metadata, version)));
        check(
            &transformed(JSON, "Table", name),
            PODS,
            AnswerKind::List,
            table,
        );
        let either = format!("{},{JSON}", transformed(PROTOBUF, "Table", name));
        check(&either, PODS, AnswerKind::List, Some(WHOLE_JSON));
        let metadata = Some((Encoding::Protobuf, Shape::Metadata(version)));
        let one = transformed(PROTOBUF, "PartialObjectMetadata", name);
        check(&one, PODS, AnswerKind::One, metadata);
        check(&one, PODS, AnswerKind::Events, metadata);
        let list = transformed(PROTOBUF, "PartialObjectMetadataList", name);
        check(&list, PODS, AnswerKind::List, metadata);
        check(&list, PODS, AnswerKind::One, None);
    }
}

#[test]
fn kinds_without_messages_have_metadata_with_them() {
    let both = format!("{PROTOBUF},{JSON}");
    let found = negotiate(&both, PODS, "Gadget", AnswerKind::One).unwrap();
    assert_eq!(found.encoding, Encoding::Json { pretty: false });
    let metadata = transformed(PROTOBUF, "PartialObjectMetadata", "v1");
    let found = negotiate(&metadata, PODS, "Gadget", AnswerKind::One).unwrap();
    assert_eq!(found.encoding, Encoding::Protobuf);
}

#[test]
fn queries_refine_the_form() {
    let pretty = Encoding::Json { pretty: true };
    let whole = Some((pretty, Shape::Whole));
    check(JSON, "/api/v1/pods?pretty=true", AnswerKind::List, whole);
    check("application/json;pretty=1", PODS, AnswerKind::List, whole);
    let json = Encoding::Json { pretty: false };
    let table = transformed(JSON, "Table", "v1");
    let object = Shape::Table(RowObject::Object, MetaVersion::V1);
    check(
        &table,
        "/api/v1/pods?includeObject=Object",
        AnswerKind::List,
        Some((json, object)),
    );
    let refused = negotiate(
        &table,
        "/api/v1/pods?includeObject=Half",
        "Pod",
        AnswerKind::List,
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "Unable to convert to Table as requested: includeObject: Invalid value: \"Half\": must be 'Metadata', \
         'Object', 'None', or empty"
    );
    // Nobody asked for a table, so nobody reads the parameter.
    check(
        JSON,
        "/api/v1/pods?includeObject=Half",
        AnswerKind::List,
        Some(WHOLE_JSON),
    );
}

#[test]
fn what_does_not_exist_is_not_acceptable() {
    for (accept, kind, answer, offered) in [
        (
            "text/html",
            "Pod",
            AnswerKind::One,
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ),
        (
            "application/vnd.kubernetes.protobuf",
            "Gadget",
            AnswerKind::One,
            "application/json, application/yaml",
        ),
        (
            "application/yaml",
            "Pod",
            AnswerKind::Events,
            "application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch",
        ),
        (
            "application/json;stream=other",
            "Gadget",
            AnswerKind::Events,
            "application/json;stream=watch",
        ),
        (
            "application/json;as=Chart;v=v1;g=meta.k8s.io",
            "Gadget",
            AnswerKind::List,
            "application/json, application/yaml",
        ),
    ] {
        let refused = negotiate(accept, PODS, kind, answer).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("only the following media types are accepted: {offered}"),
            "{accept}"
        );
    }
}
