//! What Windows alone knows: a group-managed service account, a user of a domain, and containers that are processes of
//! their host (KEP-1981).

use super::Stage;
use crate::api::field::Field;
use crate::name;

const MAX_SPEC: usize = 64 * 1024;
const MAX_DOMAIN: usize = 256;
const MAX_USER: usize = 104;

/// Checks the options of a security context.
pub(super) fn check(options: &Field) {
    let name = options.get("gmsaCredentialSpecName");
    if name.is_set() {
        for message in name::dns1123_subdomain(name.str()) {
            name.invalid_value(name.str(), message);
        }
    }
    let spec = options.get("gmsaCredentialSpec");
    if spec.is_set() {
        if spec.is_empty() {
            spec.invalid("gmsaCredentialSpec cannot be an empty string");
        } else if spec.str().len() > MAX_SPEC {
            spec.invalid("gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    let user = options.get("runAsUserName");
    if user.is_set() {
        check_user_name(&user);
    }
}

/// Checks the name of a user, with or without a domain in front.
fn check_user_name(name: &Field) {
    let text = name.str();
    if text.is_empty() {
        return name.invalid("runAsUserName cannot be an empty string");
    }
    if text.contains(|c: char| c.is_ascii_control()) {
        return name.invalid("runAsUserName cannot contain control characters");
    }
    if text.matches('\\').count() > 1 {
        return name.invalid("runAsUserName cannot contain more than one backslash");
    }
    let (domain, user) = match text.split_once('\\') {
        Some((domain, user)) => (Some(domain), user),
        None => (None, text),
    };
    if let Some(domain) = domain {
        if domain.len() >= MAX_DOMAIN {
            name.invalid(format!(
                "runAsUserName's Domain length must be under {MAX_DOMAIN} characters"
            ));
        }
        if !is_net_bios(domain) && !is_dns(domain) {
            name.invalid("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
        }
    }
    check_user(name, user);
}

fn check_user(name: &Field, user: &str) {
    const BANNED: &str = "\"/\\:;|=,+*?<>@[]";
    if user.is_empty() {
        name.invalid("runAsUserName's User cannot be empty");
    } else if user.len() > MAX_USER {
        name.invalid(format!(
            "runAsUserName's User length must not be longer than {MAX_USER} characters"
        ));
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        name.invalid("runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains(|c| BANNED.contains(c)) {
        name.invalid(format!(
            "runAsUserName's User cannot contain the following characters: {BANNED}"
        ));
    }
}

fn is_net_bios(domain: &str) -> bool {
    let is_allowed = |c: char| !"\\/:*?\"<>|".contains(c);
    !domain.starts_with('.')
        && (1..=15).contains(&domain.chars().count())
        && domain.chars().all(is_allowed)
}

fn is_dns(domain: &str) -> bool {
    let is_label = |label: &str| {
        let is_allowed = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.split('.').all(is_label)
}

/// All containers of a pod are processes of their host, in its network, or none is.
pub(super) fn check_host_process(spec: &Field) {
    let own = |holder: &Field| {
        let context = holder.get("securityContext");
        let options = context.get("windowsOptions");
        let field = options.get("hostProcess");
        field.is_set().then(|| field.is_true())
    };
    let of_pod = own(spec);
    let (mut all, mut of_host) = (0, 0);
    for stage in [Stage::Init, Stage::Main, Stage::Ephemeral] {
        for container in spec.get(stage.field()).items() {
            all += 1;
            let of_container = own(&container);
            if let (Some(pod), Some(container_says)) = (of_pod, of_container)
                && pod != container_says
            {
                let context = container.get("securityContext");
                let options = context.get("windowsOptions");
                options.get("hostProcess").invalid(format!(
                    "pod hostProcess value must be identical if both are specified, was {pod}"
                ));
            }
            of_host += usize::from(of_container.or(of_pod) == Some(true));
        }
    }
    if of_host == 0 {
        return;
    }
    if of_host != all {
        spec.invalid_value(
            "",
            "If pod contains any hostProcess containers then all containers must be HostProcess containers",
        );
    }
    if !spec.get("hostNetwork").is_true() {
        let network = spec.get("hostNetwork");
        network.invalid_value(
            false,
            "hostNetwork must be true if pod contains any hostProcess containers",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{collect, testing::object};
    use serde_json::{Value, json};

    #[track_caller]
    fn check_name(name: &str, want: &[&str]) {
        let options = object(json!({"o": {"runAsUserName": name}}));
        let faults = collect(&options, |root| check(&root.get("o")));
        let texts: Vec<_> = faults.iter().map(|fault| fault.detail.as_str()).collect();
        assert_eq!(texts, want, "{name}");
    }

    #[test]
    fn users_may_be_of_a_domain() {
        for good in [
            "Administrator",
            "NT AUTHORITY\\SYSTEM",
            "a.example.com\\user",
        ] {
            check_name(good, &[]);
        }
        check_name("", &["runAsUserName cannot be an empty string"]);
        check_name("a\tb", &["runAsUserName cannot contain control characters"]);
        check_name(
            "a\\b\\c",
            &["runAsUserName cannot contain more than one backslash"],
        );
        check_name(
            ".a_domain_that_is_long\\u",
            &["runAsUserName's Domain doesn't match the NetBios nor the DNS format"],
        );
        check_name("d\\", &["runAsUserName's User cannot be empty"]);
        check_name(
            ". .",
            &["runAsUserName's User cannot contain only periods or spaces"],
        );
        check_name(
            "a@b",
            &[r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#],
        );
    }

    #[test]
    fn all_containers_are_processes_of_the_host_or_none_is() {
        let options =
            |host_process: Value| json!({"windowsOptions": {"hostProcess": host_process}});
        let check = |pod: Value, containers: &[Value], network: bool, want: &[&str]| {
            let containers: Vec<_> = containers
                .iter()
                .map(|own| json!({"securityContext": options(own.clone())}))
                .collect();
            let spec = object(json!({
                "hostNetwork": network, "securityContext": options(pod), "containers": containers,
            }));
            let faults = collect(&spec, check_host_process);
            let texts: Vec<_> = faults.iter().map(ToString::to_string).collect();
            assert_eq!(texts, want);
        };
        check(json!(true), &[json!(null), json!(true)], true, &[]);
        check(json!(null), &[json!(null), json!(false)], false, &[]);
        check(
            json!(null),
            &[json!(null), json!(true)],
            false,
            &[
                r#": Invalid value: "": If pod contains any hostProcess containers then all containers must be HostProcess containers"#,
                "hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers",
            ],
        );
        check(
            json!(true),
            &[json!(false)],
            true,
            &[
                "containers[0].securityContext.windowsOptions.hostProcess: Invalid value: false: pod hostProcess value must be identical if both are specified, was true",
            ],
        );
    }
}
