//! An event as it is written: `Event` of `audit.k8s.io/v1`, field by field in Kubernetes' order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_apimachinery::Value;
use serde::{Serialize, Serializer};

use super::{Level, Stage};
use crate::{RequestInfo, User, registry::Annotations};

/// One stage of one request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    kind: &'static str,
    api_version: &'static str,
    /// How much is said.
    pub level: Level,
    /// The same for all stages of a request.
    #[serde(rename = "auditID")]
    pub audit_id: String,
    /// Which stage.
    pub stage: Stage,
    /// Path and query, as the client sent them.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// What for.
    pub verb: String,
    /// Who asks.
    pub user: UserInfo,
    /// As whom, if not as himself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub impersonated_user: Option<UserInfo>,
    /// From where: proxies first, by their own word.
    #[serde(rename = "sourceIPs", skip_serializing_if = "Vec::is_empty")]
    pub source_ips: Vec<String>,
    /// With which program, by its own word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub user_agent: String,
    /// What it is about, if it is about a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_ref: Option<ObjectReference>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_status: Option<ResponseStatus>,
    /// What was sent, from level `Request` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object: Option<Value>,
    /// What came back, at level `RequestResponse`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_object: Option<Value>,
    /// When it came.
    #[serde(serialize_with = "micro_time")]
    pub request_received_timestamp: Timestamp,
    /// When this stage was reached.
    #[serde(serialize_with = "micro_time")]
    pub stage_timestamp: Timestamp,
    /// What authorization and admission noted.
    #[serde(skip_serializing_if = "Annotations::is_empty")]
    pub annotations: Annotations,
}

/// `authentication.k8s.io/v1` `UserInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct UserInfo {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// Tells apart those who had the name at different times.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// What it is a member of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What else its authenticator knows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// `ObjectReference` of `audit.k8s.io/v1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectReference {
    /// The plural resource.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// Empty for what is in none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Empty for collections.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Of an object that was made.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uid: String,
    /// Empty for the core group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_group: String,
    /// Without the group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Of an object that was made.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource_version: String,
    /// Empty for the object itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

/// What a `metav1.Status` says, as far as events repeat it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ResponseStatus {
    metadata: Empty,
    /// `Failure`, if it failed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// For programs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// The HTTP status.
    pub code: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct Empty {}

impl Event {
    /// What is known of a request when it has come.
    pub(crate) fn new(level: Level, audit_id: &str, info: &RequestInfo, now: Timestamp) -> Self {
        let object_ref = info.resource_request.then(|| ObjectReference {
            resource: info.resource.clone(),
            namespace: info.namespace.clone(),
            name: info.name.clone(),
            api_group: info.group.clone(),
            api_version: info.version.clone(),
            subresource: info.subresource.clone(),
            ..ObjectReference::default()
        });
        Event {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level,
            audit_id: audit_id.to_owned(),
            stage: Stage::RequestReceived,
            request_uri: String::new(),
            verb: info.verb.to_string(),
            user: UserInfo::default(),
            impersonated_user: None,
            source_ips: Vec::new(),
            user_agent: String::new(),
            object_ref,
            response_status: None,
            request_object: None,
            response_object: None,
            request_received_timestamp: now,
            stage_timestamp: now,
            annotations: Annotations::new(),
        }
    }
}

impl From<&User> for UserInfo {
    fn from(user: &User) -> Self {
        UserInfo {
            username: user.name.clone(),
            uid: user.uid.clone(),
            groups: user.groups.clone(),
            extra: user.extra.clone(),
        }
    }
}

impl ResponseStatus {
    /// A bare code, as of what succeeds.
    pub(crate) fn of(code: u16) -> Self {
        ResponseStatus {
            code,
            ..ResponseStatus::default()
        }
    }

    /// A failure.
    pub(crate) fn failure(code: u16, reason: &str, message: &str) -> Self {
        ResponseStatus {
            status: "Failure".to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            ..ResponseStatus::of(code)
        }
    }

    /// What the Status in a response says; its code alone if that is none.
    pub(crate) fn read(code: u16, body: &[u8]) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match serde_json::from_slice::<Value>(body) {
            Ok(status) if status["kind"] == "Status" => ResponseStatus {
                metadata: Empty {},
                status: text(&status["status"]),
                message: text(&status["message"]),
                reason: text(&status["reason"]),
                details: Some(status["details"].clone()).filter(|it| !it.is_null()),
                code,
            },
            _ => ResponseStatus::of(code),
        }
    }
}

/// `metav1.MicroTime`: RFC 3339 in microseconds.
fn micro_time<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ"))
}
