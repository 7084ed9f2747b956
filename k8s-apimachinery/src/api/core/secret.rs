//! Secret: data that only some may read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::config_map::{MAX_DATA, check_frozen, check_key, decoded_len};
use crate::api::{Edit, Field, NameRule, Rules};
use crate::object::Object;

/// Stands in faults where the data would.
const REDACTED: &str = "<secret contents redacted>";
/// Annotation that names the account of a token.
const ACCOUNT: &str = "kubernetes.io/service-account.name";

/// Rules of `v1` `Secret`.
pub struct Secret;

impl Rules for Secret {
    fn name_rule(&self) -> NameRule {
        NameRule::Subdomain
    }

    fn is_namespaced(&self) -> bool {
        true
    }

    /// `stringData` is write-only: it is encoded into `data`, over what stands there.
    fn default(&self, object: &mut Object) {
        let secret = object.as_map_mut();
        if let Some(Value::Object(texts)) = secret.remove("stringData") {
            let data = secret.ensure("data");
            for (key, text) in texts {
                let encoded = BASE64.encode(text.as_str().unwrap_or_default());
                data.insert(key, encoded.into());
            }
        }
        secret.fill("type", "Opaque");
    }

    fn check(&self, object: &Field) {
        let data = object.get("data");
        let mut size = 0;
        for (key, value) in data.entries() {
            check_key(&value, key);
            size += decoded_len(value.str());
        }
        if size > MAX_DATA {
            data.too_long(MAX_DATA);
        }
        check_type(object, &data);
    }

    fn check_update(&self, new: &Field, old: &Field) {
        new.get("type").must_not_change(&old.get("type"));
        check_frozen(new, old, &["data"]);
    }
}

fn check_type(object: &Field, data: &Field) {
    match object.get("type").str() {
        "kubernetes.io/service-account-token" => {
            let metadata = object.get("metadata");
            let annotations = metadata.get("annotations");
            annotations.key(ACCOUNT).must_be_set();
        }
        "kubernetes.io/dockercfg" => check_json(&data.key(".dockercfg")),
        "kubernetes.io/dockerconfigjson" => check_json(&data.key(".dockerconfigjson")),
        "kubernetes.io/basic-auth" => {
            let (username, password) = (data.key("username"), data.key("password"));
            if !username.is_set() && !password.is_set() {
                username.required("");
                password.required("");
            }
        }
        "kubernetes.io/ssh-auth" => {
            data.key("ssh-privatekey").must_be_set();
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                let value = data.key(key);
                if !value.is_set() {
                    value.required("");
                }
            }
        }
        _ => {}
    }
}

/// Checks that the value holds a JSON object, without ever showing it.
fn check_json(value: &Field) {
    if !value.must_be_there() {
        return;
    }
    let json = BASE64.decode(value.str()).unwrap_or_default();
    let sort = match serde_json::from_slice::<Value>(&json) {
        Ok(Value::Object(_) | Value::Null) => return,
        Ok(Value::Array(_)) => "array",
        Ok(Value::String(_)) => "string",
        Ok(Value::Number(_)) => "number",
        Ok(Value::Bool(_)) => "bool",
        Err(fault) => {
            let why = match json.is_empty() {
                true => "unexpected end of JSON input".to_owned(),
                false => fault.to_string(),
            };
            return value.invalid_value(REDACTED, why);
        }
    };
    value.invalid_value(
        REDACTED,
        format!("json: cannot unmarshal {sort} into Go value of type map[string]interface {{}}"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{check_create, check_defaults, check_update, named};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn string_data_moves_into_data() {
        check_defaults(
            &Secret,
            named(json!({"data": {"a": "eA=="}, "stringData": {"a": "y", "b": "z"}})),
            &expect![[r#"
                {
                  "data": {
                    "a": "eQ==",
                    "b": "eg=="
                  },
                  "metadata": {
                    "name": "x",
                    "namespace": "default"
                  },
                  "type": "Opaque"
                }"#]],
        );
    }

    #[test]
    fn types_need_their_keys() {
        check_create(
            &Secret,
            named(json!({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}})),
            &["data[tls.key]: Required value"],
        );
        check_create(
            &Secret,
            named(json!({"type": "kubernetes.io/service-account-token"})),
            &["metadata.annotations[kubernetes.io/service-account.name]: Required value"],
        );
        let docker = |text: &str| {
            let data = json!({".dockerconfigjson": BASE64.encode(text)});
            named(json!({"type": "kubernetes.io/dockerconfigjson", "data": data}))
        };
        check_create(&Secret, docker("{}"), &[]);
        let refused = r#"data[.dockerconfigjson]: Invalid value: "<secret contents redacted>":"#;
        check_create(
            &Secret,
            docker("[]"),
            &[&format!(
                "{refused} json: cannot unmarshal array into Go value of type map[string]interface {{}}"
            )],
        );
        check_create(
            &Secret,
            docker(""),
            &[&format!("{refused} unexpected end of JSON input")],
        );
    }

    #[test]
    fn the_type_never_changes() {
        check_update(
            &Secret,
            named(json!({"type": "a"})),
            named(json!({"type": "b"})),
            &[r#"type: Invalid value: "b": field is immutable"#],
        );
    }

    #[test]
    fn immutable_ones_keep_their_data() {
        let secret = |immutable: bool, data: &str| {
            named(json!({"immutable": immutable, "data": {"a": BASE64.encode(data)}}))
        };
        check_update(&Secret, secret(false, "x"), secret(true, "y"), &[]);
        check_update(
            &Secret,
            secret(true, "x"),
            secret(false, "y"),
            &[
                "immutable: Forbidden: field is immutable when `immutable` is set",
                "data: Forbidden: field is immutable when `immutable` is set",
            ],
        );
    }
}
