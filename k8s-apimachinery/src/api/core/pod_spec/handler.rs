//! What a probe or a lifecycle hook does: run a command, ask over HTTP, TCP or gRPC, or sleep.

use serde_json::{Map, Value};

use super::port::check_number_or_name;
use crate::api::edit::Edit;
use crate::api::field::Field;

/// Hooks of a container's lifecycle.
pub(super) const HOOKS: [&str; 2] = ["postStart", "preStop"];
const PROBE_ACTIONS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const HOOK_ACTIONS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "sleep"];

/// Fills in the action of a probe or hook.
pub(super) fn default(handler: &mut Map<String, Value>) {
    if let Some(http) = handler.object("httpGet") {
        http.fill("path", "/");
        http.fill("scheme", "HTTP");
    }
    if let Some(grpc) = handler.object("grpc")
        && !grpc.contains_key("service")
    {
        grpc.insert("service".to_owned(), "".into());
    }
}

/// Checks a container's hooks.
pub(super) fn check_lifecycle(lifecycle: &Field) {
    for hook in HOOKS {
        let hook = lifecycle.get(hook);
        if hook.is_set() {
            check_action(&hook, &HOOK_ACTIONS);
        }
    }
}

/// Checks a probe's action.
pub(super) fn check_probe(probe: &Field) {
    check_action(probe, &PROBE_ACTIONS);
}

fn check_action(handler: &Field, actions: &[&str]) {
    let mut is_first = true;
    for action in actions {
        let action_field = handler.get(action);
        if !action_field.is_set() {
            continue;
        }
        if !is_first {
            action_field.forbidden("may not specify more than 1 handler type");
            continue;
        }
        is_first = false;
        match *action {
            "exec" => {
                action_field.get("command").must_be_set();
            }
            "httpGet" => check_http(&action_field),
            "tcpSocket" => check_number_or_name(&action_field.get("port")),
            "grpc" => action_field.get("port").must_be_port(),
            _ => action_field.get("seconds").must_not_be_negative(),
        }
    }
    if is_first {
        handler.required("must specify a handler type");
    }
}

fn check_http(http: &Field) {
    http.get("path").must_be_set();
    check_number_or_name(&http.get("port"));
    http.get("scheme").must_be_one_of(&["HTTP", "HTTPS"]);
    for header in http.get("httpHeaders").items() {
        let name = header.get("name");
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if name.is_empty() || !name.str().bytes().all(is_allowed) {
            name.invalid_value(
                name.str(),
                "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
            );
        }
    }
}
