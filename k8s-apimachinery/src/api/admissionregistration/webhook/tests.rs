use super::super::validating_webhook_configuration::ValidatingWebhookConfiguration;
use crate::api::testing::{check_create, check_defaults, cluster_wide};
use crate::object::Object;
use expect_test::expect;
use serde_json::{Value, json};

fn hook(fields: Value) -> Value {
    let mut hook = json!({
        "name": "a.example.com",
        "clientConfig": {"url": "https://example.com/hook"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    });
    for (field, value) in fields.as_object().expect("an object") {
        hook[field] = value.clone();
    }
    hook
}

#[track_caller]
fn check(fields: Value, want: &[&str]) {
    check_create(&ValidatingWebhookConfiguration, with(&[hook(fields)]), want);
}

fn with(hooks: &[Value]) -> Object {
    cluster_wide(json!({"webhooks": hooks}))
}

#[test]
fn policies_are_filled_in() {
    let client = json!({"service": {"namespace": "a", "name": "b"}});
    let rules = json!([{"operations": ["*"]}]);
    check_defaults(
        &ValidatingWebhookConfiguration,
        with(&[json!({"clientConfig": client, "rules": rules})]),
        &expect![[r#"
            {
              "metadata": {
                "name": "x"
              },
              "webhooks": [
                {
                  "clientConfig": {
                    "service": {
                      "name": "b",
                      "namespace": "a",
                      "port": 443
                    }
                  },
                  "failurePolicy": "Fail",
                  "matchPolicy": "Equivalent",
                  "namespaceSelector": {},
                  "objectSelector": {},
                  "rules": [
                    {
                      "operations": [
                        "*"
                      ],
                      "scope": "*"
                    }
                  ],
                  "timeoutSeconds": 10
                }
              ]
            }"#]],
    );
}

#[test]
fn names_are_domains_of_three_parts_and_differ() {
    check(json!({}), &[]);
    check(
        json!({"name": "example.com"}),
        &[
            r#"webhooks[0].name: Invalid value: "example.com": should be a domain with at least three segments separated by dots"#,
        ],
    );
    check_create(
        &ValidatingWebhookConfiguration,
        with(&[hook(json!({})), hook(json!({}))]),
        &[r#"webhooks[1].name: Duplicate value: "a.example.com""#],
    );
}

#[test]
fn a_webhook_is_called_by_address_or_as_a_service() {
    let at = "webhooks[0].clientConfig";
    check(
        json!({"clientConfig": {}}),
        &[&format!(
            "{at}: Required value: exactly one of url or service is required"
        )],
    );
    check(
        json!({"clientConfig": {"url": "http://a@b/c?d#e"}}),
        &[&format!(
            r#"{at}.url: Invalid value: "http": 'https' is the only allowed URL scheme; desired format: https://host[/path]"#
        )],
    );
    check(
        json!({"clientConfig": {"url": "https://a@b/c?d#e"}}),
        &[
            &format!(
                r#"{at}.url: Invalid value: "a": user information is not permitted in the URL"#
            ),
            &format!(r#"{at}.url: Invalid value: "e": fragments are not permitted in the URL"#),
            &format!(
                r#"{at}.url: Invalid value: "d": query parameters are not permitted in the URL"#
            ),
        ],
    );
    check(
        json!({"clientConfig": {"service": {"name": "a", "port": 0, "path": "b"}}}),
        &[
            &format!("{at}.service.namespace: Required value: service namespace is required"),
            &format!(
                "{at}.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive"
            ),
            &format!(r#"{at}.service.path: Invalid value: "b": must start with a '/'"#),
        ],
    );
}

#[test]
fn webhooks_say_what_they_do_and_understand() {
    check(
        json!({"sideEffects": "Some", "admissionReviewVersions": ["v2", "v2"], "timeoutSeconds": 31}),
        &[
            r#"webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun""#,
            "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
            r#"webhooks[0].admissionReviewVersions[1]: Invalid value: "v2": duplicate version"#,
            r#"webhooks[0].admissionReviewVersions: Invalid value: ["v2","v2"]: must include at least one of v1, v1beta1"#,
        ],
    );
}
