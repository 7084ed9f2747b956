use k8s_pb::{
    api::{
        apps::v1 as apps, authorization::v1 as authorization, coordination::v1 as coordination,
        core::v1 as core, networking::v1 as networking, rbac::v1 as rbac,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1 as apiextensions,
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1 as meta,
        runtime::{RawExtension, TypeMeta, Unknown},
        util::intstr::IntOrString,
    },
};
use proptest::prelude::*;
use prost::Message;
use serde_json::json;

use super::*;
use crate::scheme::codec;

/// A body as a typed client sends it.
fn body(api_version: &str, kind: &str, message: &impl Message) -> Vec<u8> {
    let unknown = Unknown {
        type_meta: Some(TypeMeta {
            api_version: Some(api_version.to_owned()),
            kind: Some(kind.to_owned()),
        }),
        raw: Some(message.encode_to_vec()),
        content_encoding: Some(String::new()),
        content_type: Some(String::new()),
    };
    [MAGIC, &unknown.encode_to_vec()].concat()
}

/// Reads what a typed client sends, and lets it read what we write of that.
#[track_caller]
fn check<M: Message + Default>(api_version: &str, kind: &str, message: &M, mut expected: Value) {
    expected["apiVersion"] = api_version.into();
    expected["kind"] = kind.into();
    let (gvk, tree) = decode(&body(api_version, kind, message)).expect("it can be read");
    assert_eq!(gvk, Gvk::from_api_version(api_version, kind));
    assert_eq!(tree, expected, "{tree:#}");

    let written = encode(&tree).expect("it can be written");
    let unknown = Unknown::decode(&written[MAGIC.len()..]).expect("it has an envelope");
    let raw = unknown.raw.expect("it has a message");
    let theirs = M::decode(&*raw).expect("a client can read it");
    let (_, again) = decode(&body(api_version, kind, &theirs)).expect("it can be read again");
    assert_eq!(again, expected, "{again:#}");
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn named(name: &str) -> Option<meta::ObjectMeta> {
    Some(meta::ObjectMeta {
        name: some(name),
        generate_name: some(""),
        generation: Some(0),
        creation_timestamp: Some(meta::Time::default()),
        ..Default::default()
    })
}

fn amount(text: &str) -> Quantity {
    Quantity { string: some(text) }
}

fn int(value: i32) -> Option<IntOrString> {
    Some(IntOrString {
        r#type: Some(0),
        int_val: Some(value),
        str_val: some(""),
    })
}

fn text(value: &str) -> Option<IntOrString> {
    Some(IntOrString {
        r#type: Some(1),
        int_val: Some(0),
        str_val: some(value),
    })
}

#[test]
fn zeros_that_json_would_omit_are_dropped() {
    check(
        "v1",
        "Namespace",
        &core::Namespace {
            metadata: named("n"),
            spec: Some(core::NamespaceSpec::default()),
            status: Some(core::NamespaceStatus {
                phase: some(""),
                ..Default::default()
            }),
        },
        json!({"metadata": {"name": "n"}, "spec": {}, "status": {}}),
    );
}

#[test]
fn maps_bytes_and_times() {
    check(
        "v1",
        "ConfigMap",
        &core::ConfigMap {
            metadata: Some(meta::ObjectMeta {
                name: some("a"),
                deletion_timestamp: Some(meta::Time {
                    seconds: Some(1_767_323_045),
                    nanos: Some(0),
                }),
                managed_fields: vec![meta::ManagedFieldsEntry {
                    manager: some("m"),
                    fields_v1: Some(meta::FieldsV1 {
                        raw: Some(br#"{"f:data":{}}"#.to_vec()),
                    }),
                    ..Default::default()
                }],
                ..Default::default()
            }),
            data: [
                ("b".to_owned(), "c".to_owned()),
                ("e".to_owned(), String::new()),
            ]
            .into(),
            binary_data: [("y".to_owned(), vec![0, 255])].into(),
            immutable: Some(false),
        },
        json!({
            "metadata": {
                "name": "a",
                "deletionTimestamp": "2026-01-02T03:04:05Z",
                "managedFields": [{"manager": "m", "fieldsV1": {"f:data": {}}}],
            },
            "data": {"b": "c", "e": ""},
            "binaryData": {"y": "AP8="},
            "immutable": false,
        }),
    );
}

fn deployment() -> apps::Deployment {
    let probe = core::Probe {
        handler: Some(core::ProbeHandler {
            http_get: Some(core::HttpGetAction {
                path: some("/"),
                port: text("web"),
                ..Default::default()
            }),
            ..Default::default()
        }),
        period_seconds: Some(5),
        timeout_seconds: Some(0),
        ..Default::default()
    };
    let container = core::Container {
        name: some("x"),
        image: some("a:1"),
        ports: vec![core::ContainerPort {
            name: some("web"),
            host_port: Some(0),
            container_port: Some(80),
            ..Default::default()
        }],
        env: vec![core::EnvVar {
            name: some("K"),
            value: some(""),
            value_from: Some(core::EnvVarSource {
                config_map_key_ref: Some(core::ConfigMapKeySelector {
                    local_object_reference: Some(core::LocalObjectReference { name: some("c") }),
                    key: some("k"),
                    optional: None,
                }),
                ..Default::default()
            }),
        }],
        resources: Some(core::ResourceRequirements {
            limits: [("cpu".to_owned(), amount("500m"))].into(),
            ..Default::default()
        }),
        liveness_probe: Some(probe),
        volume_mounts: vec![core::VolumeMount {
            name: some("v"),
            mount_path: some("/v"),
            ..Default::default()
        }],
        ..Default::default()
    };
    let pod = core::PodSpec {
        volumes: vec![core::Volume {
            name: some("v"),
            volume_source: Some(core::VolumeSource {
                empty_dir: Some(core::EmptyDirVolumeSource {
                    medium: some(""),
                    size_limit: Some(amount("1Gi")),
                }),
                ..Default::default()
            }),
        }],
        containers: vec![container],
        security_context: Some(core::PodSecurityContext {
            supplemental_groups: vec![1, 2],
            ..Default::default()
        }),
        ..Default::default()
    };
    apps::Deployment {
        metadata: named("x"),
        spec: Some(apps::DeploymentSpec {
            replicas: Some(0),
            selector: Some(meta::LabelSelector {
                match_labels: [("app".to_owned(), "x".to_owned())].into(),
                ..Default::default()
            }),
            template: Some(core::PodTemplateSpec {
                spec: Some(pod),
                ..Default::default()
            }),
            strategy: Some(apps::DeploymentStrategy {
                rolling_update: Some(apps::RollingUpdateDeployment {
                    max_unavailable: int(-1),
                    max_surge: text("25%"),
                }),
                ..Default::default()
            }),
            ..Default::default()
        }),
        status: None,
    }
}

#[test]
fn inlined_messages_join_the_object_around_them() {
    check(
        "apps/v1",
        "Deployment",
        &deployment(),
        json!({
            "metadata": {"name": "x"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": "x"}},
                "strategy": {"rollingUpdate": {"maxUnavailable": -1, "maxSurge": "25%"}},
                "template": {"spec": {
                    "securityContext": {"supplementalGroups": [1, 2]},
                    "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
                    "containers": [{
                        "name": "x",
                        "image": "a:1",
                        "ports": [{"name": "web", "containerPort": 80}],
                        "env": [{
                            "name": "K",
                            "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}},
                        }],
                        "resources": {"limits": {"cpu": "500m"}},
                        "livenessProbe": {
                            "httpGet": {"path": "/", "port": "web"},
                            "periodSeconds": 5,
                        },
                        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                    }],
                }},
            },
        }),
    );
}

#[test]
fn acronyms_in_names_are_spelt_as_in_json() {
    check(
        "v1",
        "Service",
        &core::Service {
            metadata: named("s"),
            spec: Some(core::ServiceSpec {
                cluster_ip: some("10.0.0.1"),
                cluster_ips: vec!["10.0.0.1".to_owned()],
                ports: vec![core::ServicePort {
                    port: Some(80),
                    target_port: int(8080),
                    ..Default::default()
                }],
                ..Default::default()
            }),
            status: None,
        },
        json!({
            "metadata": {"name": "s"},
            "spec": {
                "clusterIP": "10.0.0.1",
                "clusterIPs": ["10.0.0.1"],
                "ports": [{"port": 80, "targetPort": 8080}],
            },
        }),
    );
}

#[test]
fn options_of_deletions_are_a_kind_of_every_group() {
    let options = meta::DeleteOptions {
        grace_period_seconds: Some(0),
        preconditions: Some(meta::Preconditions {
            uid: some("u"),
            ..Default::default()
        }),
        propagation_policy: some("Background"),
        ..Default::default()
    };
    for api_version in ["v1", "apps/v1", "meta.k8s.io/v1"] {
        check(
            api_version,
            "DeleteOptions",
            &options,
            json!({
                "gracePeriodSeconds": 0,
                "preconditions": {"uid": "u"},
                "propagationPolicy": "Background",
            }),
        );
    }
}

#[test]
fn lists_in_maps_are_messages() {
    check(
        "authorization.k8s.io/v1",
        "SubjectAccessReview",
        &authorization::SubjectAccessReview {
            spec: Some(authorization::SubjectAccessReviewSpec {
                user: some("jane"),
                groups: vec!["g".to_owned()],
                extra: [(
                    "scopes".to_owned(),
                    authorization::ExtraValue {
                        items: vec!["a".to_owned(), "b".to_owned()],
                    },
                )]
                .into(),
                resource_attributes: Some(authorization::ResourceAttributes {
                    verb: some("create"),
                    resource: some("pods"),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        },
        json!({"spec": {
            "user": "jane",
            "groups": ["g"],
            "extra": {"scopes": ["a", "b"]},
            "resourceAttributes": {"verb": "create", "resource": "pods"},
        }}),
    );
}

#[test]
fn every_group_is_found() {
    check(
        "rbac.authorization.k8s.io/v1",
        "Role",
        &rbac::Role {
            metadata: named("r"),
            rules: vec![rbac::PolicyRule {
                verbs: vec!["get".to_owned()],
                api_groups: vec![String::new()],
                resources: vec!["pods".to_owned()],
                ..Default::default()
            }],
        },
        json!({
            "metadata": {"name": "r"},
            "rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}],
        }),
    );
    check(
        "networking.k8s.io/v1",
        "IngressList",
        &networking::IngressList {
            metadata: Some(meta::ListMeta {
                resource_version: some("7"),
                ..Default::default()
            }),
            items: vec![networking::Ingress {
                spec: Some(networking::IngressSpec {
                    rules: vec![networking::IngressRule {
                        host: some("h"),
                        ingress_rule_value: Some(networking::IngressRuleValue {
                            http: Some(networking::HttpIngressRuleValue::default()),
                        }),
                    }],
                    ..Default::default()
                }),
                ..Default::default()
            }],
        },
        json!({
            "metadata": {"resourceVersion": "7"},
            "items": [{"spec": {"rules": [{"host": "h", "http": {}}]}}],
        }),
    );
}

#[test]
fn schemas_of_json_may_stand_for_something_simpler() {
    let string = apiextensions::JsonSchemaProps {
        r#type: some("string"),
        ..Default::default()
    };
    let schema = apiextensions::JsonSchemaProps {
        items: Some(Box::new(apiextensions::JsonSchemaPropsOrArray {
            schema: Some(Box::new(string.clone())),
            j_son_schemas: vec![],
        })),
        additional_properties: Some(Box::new(apiextensions::JsonSchemaPropsOrBool {
            allows: Some(true),
            schema: None,
        })),
        default: Some(apiextensions::Json {
            raw: Some(b"[1]".to_vec()),
        }),
        maximum: Some(1.5),
        x_kubernetes_int_or_string: Some(true),
        properties: [("p".to_owned(), string)].into(),
        ..Default::default()
    };
    check(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &apiextensions::CustomResourceDefinition {
            spec: Some(apiextensions::CustomResourceDefinitionSpec {
                versions: vec![apiextensions::CustomResourceDefinitionVersion {
                    schema: Some(apiextensions::CustomResourceValidation {
                        open_apiv3_schema: Some(schema),
                    }),
                    ..Default::default()
                }],
                ..Default::default()
            }),
            ..Default::default()
        },
        json!({"spec": {"versions": [{"schema": {"openAPIV3Schema": {
            "items": {"type": "string"},
            "additionalProperties": true,
            "default": [1],
            "maximum": 1.5,
            "x-kubernetes-int-or-string": true,
            "properties": {"p": {"type": "string"}},
        }}}]}}),
    );
}

#[test]
fn a_version_goes_into_the_gap_of_a_template() {
    let mut tree = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "uid": "u", "generation": 3, "labels": {"k": "v"}},
        "data": {"x": "y"},
    });
    let template = Template::new(&tree).expect("a kind that is known");
    for version in ["7", "18446744073709551615"] {
        tree["metadata"]["resourceVersion"] = version.into();
        let body = template.body(Part::Whole, "v1", "ConfigMap", version);
        assert_eq!(body, encode(&tree).expect("a kind that is known"));
    }
}

#[test]
fn the_metadata_alone_is_a_partial_object() {
    let metadata = json!({"name": "a", "labels": {"k": "v"}, "resourceVersion": "7"});
    let tree =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": "n"}});
    let template = Template::new(&tree).expect("a kind that is known");
    let (api_version, kind) = ("meta.k8s.io/v1", "PartialObjectMetadata");
    let partial = json!({"apiVersion": api_version, "kind": kind, "metadata": metadata});
    let body = template.body(Part::Metadata, api_version, kind, "7");
    assert_eq!(body, encode(&partial).expect("a kind that is known"));
}

#[test]
fn a_template_needs_no_metadata() {
    let tree = json!({"apiVersion": "v1", "kind": "Pod"});
    let template = Template::new(&tree).expect("a kind that is known");
    let (_, read) = decode(&template.body(Part::Whole, "v1", "Pod", "7")).expect("it can be read");
    assert_eq!(read["metadata"], json!({"resourceVersion": "7"}));
}

#[test]
fn a_list_is_the_same_whether_of_templates_or_of_a_tree() {
    let item = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}});
    let templates = ["a", "b"].map(|name| Template::new(&item(name)).expect("a known kind"));
    let metadata = json!({"resourceVersion": "9", "continue": "c", "remainingItemCount": 4});
    let items: Vec<_> = templates.iter().map(|it| (it, "7".to_owned())).collect();
    let list = list(Part::Whole, "v1", "PodList", &metadata, &items).expect("a known kind");
    let tree = json!({
        "apiVersion": "v1", "kind": "PodList", "metadata": metadata,
        "items": [
            {"metadata": {"name": "a", "resourceVersion": "7"}},
            {"metadata": {"name": "b", "resourceVersion": "7"}},
        ],
    });
    assert_eq!(list, encode(&tree).expect("a known kind"));
}

/// As client-go's framer and raw serializer read a watch.
#[test]
fn a_frame_is_a_length_and_an_event_without_an_envelope() {
    let object =
        encode(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a".repeat(300)}}))
            .expect("a known kind");
    let frame = watch_event("ADDED", &object);
    let (length, event) = frame.split_first_chunk().expect("four bytes");
    assert_eq!(u32::from_be_bytes(*length) as usize, event.len());
    let event = meta::WatchEvent::decode(event).expect("an event");
    assert_eq!(event.r#type.as_deref(), Some("ADDED"));
    assert_eq!(event.object.and_then(|object| object.raw), Some(object));
}

#[test]
fn times_before_1970_count_forwards_from_the_second_below() {
    let tree = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "spec": {"renewTime": "1969-12-31T23:59:58.750000Z"},
    });
    let body = encode(&tree).expect("a known kind");
    let (_, read) = decode(&body).expect("it can be read");
    assert_eq!(read, tree);
    let unknown = Unknown::decode(&body[MAGIC.len()..]).expect("an envelope");
    let lease = coordination::Lease::decode(&*unknown.raw.expect("a message")).expect("a lease");
    let time = lease.spec.and_then(|spec| spec.renew_time).expect("a time");
    assert_eq!((time.seconds, time.nanos), (Some(-2), Some(750_000_000)));
}

#[test]
fn what_does_not_fit_its_type_is_refused() {
    let tree = json!({"apiVersion": "v1", "kind": "Pod", "spec": {"hostNetwork": "yes"}});
    assert_eq!(
        encode(&tree).expect_err("a text is no flag").to_string(),
        "proto: field hostNetwork: does not fit its type"
    );
}

#[test]
fn unknown_kinds_are_named() {
    let error = decode(&body("v1", "Pot", &core::Pod::default())).expect_err("there is none");
    assert_eq!(
        error.to_string(),
        r#"no kind "Pot" is registered for version "v1""#
    );
}

#[test]
fn other_bytes_are_refused() {
    assert_eq!(decode(b"{}"), Err(ProtobufError::Prefix));
    assert_eq!(decode(b"k8s\0\x12\x05"), Err(ProtobufError::Truncated));
    assert_eq!(decode(b"k8s\0\x13"), Err(ProtobufError::IllegalWireType(3)));
    assert_eq!(decode(b"k8s\0\x00\x00"), Err(ProtobufError::Tag(0)));
    assert_eq!(
        decode(&[MAGIC, &[0xff; 11]].concat()),
        Err(ProtobufError::Overflow)
    );
}

#[test]
fn nesting_is_bounded() {
    let mut schema = apiextensions::JsonSchemaProps::default();
    for _ in 0..200 {
        schema = apiextensions::JsonSchemaProps {
            not: Some(Box::new(schema)),
            ..Default::default()
        };
    }
    let definition = apiextensions::CustomResourceDefinition {
        spec: Some(apiextensions::CustomResourceDefinitionSpec {
            versions: vec![apiextensions::CustomResourceDefinitionVersion {
                schema: Some(apiextensions::CustomResourceValidation {
                    open_apiv3_schema: Some(schema),
                }),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ..Default::default()
    };
    let body = body(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &definition,
    );
    assert_eq!(decode(&body), Err(ProtobufError::TooDeep));
}

#[test]
fn embedded_json_counts_towards_the_depth() {
    let revision = |levels: usize| {
        let raw = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let revision = apps::ControllerRevision {
            data: Some(RawExtension {
                raw: Some(raw.into_bytes()),
            }),
            ..Default::default()
        };
        decode(&body("apps/v1", "ControllerRevision", &revision))
    };
    let (_, tree) = revision(126).expect("it is as deep as JSON may be");
    codec::decode_json(&codec::encode_json(&tree)).expect("it can be read again");
    assert_eq!(revision(127), Err(ProtobufError::TooDeep));
}

#[test]
fn truncated_bodies_are_errors_or_shorter() {
    let whole = body("apps/v1", "Deployment", &deployment());
    for end in 0..whole.len() {
        let _ = decode(&whole[..end]);
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(raw: Vec<u8>, kind in 0..4usize) {
        let (api_version, kind) = [
            ("apps/v1", "Deployment"),
            ("v1", "Pod"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            ("meta.k8s.io/v1", "DeleteOptions"),
        ][kind];
        let unknown = Unknown {
            type_meta: Some(TypeMeta { api_version: some(api_version), kind: some(kind) }),
            raw: Some(raw),
            ..Default::default()
        };
        let _ = decode(&[MAGIC, &unknown.encode_to_vec()].concat());
    }

    #[test]
    fn damaged_bodies_never_panic(at in 0..10_000usize, byte: u8) {
        let mut damaged = body("apps/v1", "Deployment", &deployment());
        let at = at % damaged.len();
        damaged[at] = byte;
        let _ = decode(&damaged);
    }
}
