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
///
/// `grace` is how many seconds the pod has to end, `os` the system that it says it needs.
pub(super) fn check_lifecycle(lifecycle: &Field, grace: Option<i64>, os: &str) {
    for hook in HOOKS {
        let hook = lifecycle.get(hook);
        if hook.is_set() {
            check_action(&hook, &HOOK_ACTIONS, grace);
        }
    }
    let signal = lifecycle.get("stopSignal");
    if signal.is_set() {
        match os {
            "" => signal.forbidden("may not be set for containers with empty `spec.os.name`"),
            "windows" if matches!(signal.str(), "SIGKILL" | "SIGTERM") => {}
            "windows" => signal.unsupported(&["SIGKILL", "SIGTERM"]),
            _ if is_signal(signal.str()) => {}
            _ => refuse_signal(&signal),
        }
    }
}

/// The signals of Linux, but for the real-time ones.
#[rustfmt::skip]
const SIGNALS: [&str; 34] = [
    "SIGABRT", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCLD", "SIGCONT", "SIGFPE", "SIGHUP", "SIGILL", "SIGINT", "SIGIO",
    "SIGIOT", "SIGKILL", "SIGPIPE", "SIGPOLL", "SIGPROF", "SIGPWR", "SIGQUIT", "SIGSEGV", "SIGSTKFLT", "SIGSTOP",
    "SIGSYS", "SIGTERM", "SIGTRAP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGVTALRM",
    "SIGWINCH", "SIGXCPU", "SIGXFSZ",
];
/// How many real-time signals are called after the lowest, and how many after the highest one.
const REAL_TIME: [(&str, u8); 2] = [("SIGRTMIN+", 15), ("SIGRTMAX-", 14)];

/// Whether Linux has a signal of this name.
fn is_signal(name: &str) -> bool {
    let is_of = |(prefix, most): (&str, u8)| {
        let number = name.strip_prefix(prefix);
        number.is_some_and(|n| n.parse::<u8>().is_ok_and(|n| (1..=most).contains(&n)))
    };
    SIGNALS.contains(&name)
        || matches!(name, "SIGRTMIN" | "SIGRTMAX")
        || REAL_TIME.into_iter().any(is_of)
}

fn refuse_signal(signal: &Field) {
    let real_time = REAL_TIME
        .iter()
        .flat_map(|(prefix, most)| (1..=*most).map(move |number| format!("{prefix}{number}")));
    let named = SIGNALS.iter().chain(&["SIGRTMIN", "SIGRTMAX"]);
    let mut all: Vec<String> = named
        .map(|name| (*name).to_owned())
        .chain(real_time)
        .collect();
    all.sort_unstable();
    signal.unsupported(&Vec::from_iter(all.iter().map(String::as_str)));
}

/// Checks a probe's action.
pub(super) fn check_probe(probe: &Field) {
    check_action(probe, &PROBE_ACTIONS, None);
}

fn check_action(handler: &Field, actions: &[&str], grace: Option<i64>) {
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
            _ => check_sleep(&action_field, grace),
        }
    }
    if is_first {
        handler.required("must specify a handler type");
    }
}

fn check_sleep(sleep: &Field, grace: Option<i64>) {
    let seconds = sleep.get("seconds").int().unwrap_or(0);
    if let Some(grace) = grace.filter(|grace| !(0..=*grace).contains(&seconds)) {
        sleep.invalid_value(
            seconds,
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})"),
        );
    }
}

fn check_http(http: &Field) {
    http.get("path").must_be_set();
    check_number_or_name(&http.get("port"));
    http.get("scheme").must_be_one_of(&["HTTP", "HTTPS"]);
    let headers = http.get("httpHeaders");
    for header in headers.items() {
        let name = header.get("name");
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        if name.is_empty() || !name.str().bytes().all(is_allowed) {
            // Kubernetes reports these for the list as a whole.
            headers.invalid_value(
                name.str(),
                "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
            );
        }
    }
}
