//! A container's environment, and `$(NAME)` in it, its command and its arguments. Pure, once the
//! objects it refers to have been fetched.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Container, EnvVar, Pod, Secret, Service},
};

use super::field;

/// What the environment is made from. A name that is absent from the maps doesn't exist.
pub(crate) struct Sources<'a> {
    /// The pod, its addresses filled in.
    pub(crate) pod: &'a Pod,
    pub(crate) config_maps: &'a BTreeMap<String, Arc<ConfigMap>>,
    pub(crate) secrets: &'a BTreeMap<String, Arc<Secret>>,
    /// Services to announce, in order of increasing precedence.
    pub(crate) services: &'a [&'a Service],
    pub(crate) allocatable: (i64, i64),
}

/// The variables in the order in which they are set.
pub(crate) fn resolve(
    container: &Container,
    sources: &Sources<'_>,
) -> Result<Vec<(String, String)>, String> {
    let mut env = Environment::default();
    for service in sources.services {
        service_variables(service, &mut env);
    }
    // Services only fill in: what the container sets itself wins, and comes in its own order.
    let services = std::mem::take(&mut env);
    let mut env = Environment::default();
    imports(container, sources, &mut env)?;
    for var in container.env.iter().flatten() {
        if let Some(value) = value(var, container, sources, &env, &services)? {
            env.set(&var.name, value);
        }
    }
    for (name, value) in services.0 {
        if env.get(&name).is_none() {
            env.0.push((name, value));
        }
    }
    Ok(env.0)
}

#[derive(Clone, Debug, Default)]
struct Environment(Vec<(String, String)>);

impl Environment {
    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

fn imports(
    container: &Container,
    sources: &Sources<'_>,
    env: &mut Environment,
) -> Result<(), String> {
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        if let Some(from) = &source.config_map_ref {
            match sources.config_maps.get(&from.name) {
                Some(map) => {
                    for (key, value) in map.data.iter().flatten() {
                        env.set(&format!("{prefix}{key}"), value.clone());
                    }
                }
                None if from.optional == Some(true) => {}
                None => return Err(format!("configmap \"{}\" not found", from.name)),
            }
        }
        if let Some(from) = &source.secret_ref {
            match sources.secrets.get(&from.name) {
                Some(secret) => {
                    for (key, ByteString(value)) in secret.data.iter().flatten() {
                        env.set(
                            &format!("{prefix}{key}"),
                            String::from_utf8_lossy(value).into(),
                        );
                    }
                }
                None if from.optional == Some(true) => {}
                None => return Err(format!("secret \"{}\" not found", from.name)),
            }
        }
    }
    Ok(())
}

/// A variable's value; `None` leaves it out.
fn value(
    var: &EnvVar,
    container: &Container,
    sources: &Sources<'_>,
    env: &Environment,
    services: &Environment,
) -> Result<Option<String>, String> {
    let Some(from) = &var.value_from else {
        let text = var.value.as_deref().unwrap_or_default();
        let lookup = |name: &str| {
            env.get(name)
                .or_else(|| services.get(name))
                .map(str::to_owned)
        };
        return Ok(Some(expand(text, lookup)));
    };
    if let Some(field) = &from.field_ref {
        return field::of_pod(sources.pod, &field.field_path).map(Some);
    }
    if let Some(resource) = &from.resource_field_ref {
        let text = field::of_resources(sources.pod, resource, Some(container), sources.allocatable);
        return text.map(Some);
    }
    let namespace = sources
        .pod
        .metadata
        .namespace
        .as_deref()
        .unwrap_or_default();
    if let Some(from) = &from.config_map_key_ref {
        let is_optional = from.optional == Some(true);
        return match sources.config_maps.get(&from.name) {
            None if is_optional => Ok(None),
            None => Err(format!("configmap \"{}\" not found", from.name)),
            Some(map) => match map.data.as_ref().and_then(|data| data.get(&from.key)) {
                None if is_optional => Ok(None),
                None => Err(format!(
                    "couldn't find key {} in ConfigMap {namespace}/{}",
                    from.key, from.name
                )),
                value => Ok(value.cloned()),
            },
        };
    }
    if let Some(from) = &from.secret_key_ref {
        let is_optional = from.optional == Some(true);
        return match sources.secrets.get(&from.name) {
            None if is_optional => Ok(None),
            None => Err(format!("secret \"{}\" not found", from.name)),
            Some(secret) => match secret.data.as_ref().and_then(|data| data.get(&from.key)) {
                None if is_optional => Ok(None),
                None => Err(format!(
                    "couldn't find key {} in Secret {namespace}/{}",
                    from.key, from.name
                )),
                Some(ByteString(value)) => Ok(Some(String::from_utf8_lossy(value).into())),
            },
        };
    }
    Ok(None)
}

/// Replaces `$(NAME)` by the variable, if there is one; `$$` stands for `$`.
pub(crate) fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if let Some(after) = tail.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) =
            tail.strip_prefix('(').and_then(|tail| tail.split_once(')'))
        {
            match lookup(name) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
            rest = tail;
        }
    }
    out + rest
}

/// The variables that announce a service: its host and ports, and the older link form.
fn service_variables(service: &Service, env: &mut Environment) {
    let Some(spec) = &service.spec else { return };
    let host = spec.cluster_ip.as_deref().unwrap_or_default();
    let ports = spec.ports.as_deref().unwrap_or_default();
    let (Some(first), false) = (ports.first(), matches!(host, "" | "None")) else {
        return;
    };
    let shout = |name: &str| name.to_uppercase().replace('-', "_");
    let name = shout(service.metadata.name.as_deref().unwrap_or_default());
    let address = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    env.set(&format!("{name}_SERVICE_HOST"), host.to_owned());
    env.set(&format!("{name}_SERVICE_PORT"), first.port.to_string());
    for port in ports
        .iter()
        .filter(|port| port.name.as_deref().is_some_and(|name| !name.is_empty()))
    {
        let port_name = shout(port.name.as_deref().unwrap_or_default());
        env.set(
            &format!("{name}_SERVICE_PORT_{port_name}"),
            port.port.to_string(),
        );
    }
    for (i, port) in ports.iter().enumerate() {
        let protocol = port.protocol.as_deref().unwrap_or("TCP");
        let lower = protocol.to_lowercase();
        let url = format!("{lower}://{address}:{}", port.port);
        let prefix = format!("{name}_PORT_{}_{}", port.port, protocol.to_uppercase());
        if i == 0 {
            env.set(&format!("{name}_PORT"), url.clone());
        }
        env.set(&prefix, url);
        env.set(&format!("{prefix}_PROTO"), lower);
        env.set(&format!("{prefix}_PORT"), port.port.to_string());
        env.set(&format!("{prefix}_ADDR"), host.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_expand_and_unknown_ones_stay() {
        let lookup = |name: &str| (name == "A").then(|| "1".to_owned());
        for (text, expected) in [
            ("$(A)-$(B)", "1-$(B)"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$A $", "$A $"),
            ("$(A", "$(A"),
        ] {
            assert_eq!(expand(text, lookup), expected, "{text}");
        }
    }

    #[track_caller]
    fn check(container: serde_json::Value, expected: Result<&[(&str, &str)], &str>) {
        let container: Container = serde_json::from_value(container).unwrap();
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "ns"}, "status": {"podIP": "10.0.0.9"}
        }))
        .unwrap();
        let map: ConfigMap = serde_json::from_value(json!({"data": {"k": "v", "w": "x"}})).unwrap();
        let secret: Secret = serde_json::from_value(json!({"data": {"pw": "aHVzaA=="}})).unwrap();
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": "my-db"},
            "spec": {"clusterIP": "10.96.0.7", "ports": [{"name": "sql", "port": 5432}]}
        }))
        .unwrap();
        let sources = Sources {
            pod: &pod,
            config_maps: &BTreeMap::from([("cm".to_owned(), Arc::new(map))]),
            secrets: &BTreeMap::from([("s".to_owned(), Arc::new(secret))]),
            services: &[&service],
            allocatable: (1000, 1000),
        };
        let env = resolve(&container, &sources);
        let own = env.as_deref().map(|env| {
            let own = env.iter().filter(|(name, _)| !name.starts_with("MY_DB"));
            own.map(|(name, value)| (name.as_str(), value.as_str()))
                .collect::<Vec<_>>()
        });
        assert_eq!(own.as_deref().map_err(|error| error.as_str()), expected);
    }

    #[test]
    fn variables_come_from_values_fields_maps_and_secrets() {
        check(
            json!({"name": "c",
            "envFrom": [{"prefix": "P_", "configMapRef": {"name": "cm"}}],
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": "$(A)/$(P_k)/$(MY_DB_SERVICE_HOST)"},
                {"name": "P_w", "value": "mine"},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "s", "key": "pw"}}},
                {"name": "NO", "valueFrom": {"secretKeyRef": {"name": "t", "key": "x", "optional": true}}},
            ]}),
            Ok(&[
                ("P_k", "v"),
                ("P_w", "mine"),
                ("A", "1"),
                ("B", "1/v/10.96.0.7"),
                ("IP", "10.0.0.9"),
                ("PW", "hush"),
            ]),
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let var = |from: serde_json::Value| json!({"name": "c", "env": [{"name": "A", "valueFrom": from}]});
        check(
            var(json!({"configMapKeyRef": {"name": "none", "key": "k"}})),
            Err("configmap \"none\" not found"),
        );
        check(
            var(json!({"configMapKeyRef": {"name": "cm", "key": "none"}})),
            Err("couldn't find key none in ConfigMap ns/cm"),
        );
    }

    #[test]
    fn a_service_is_announced_in_both_forms() {
        let service: Service = serde_json::from_value(json!({
            "metadata": {"name": "my-db"},
            "spec": {"clusterIP": "10.96.0.7", "ports": [{"name": "sql", "port": 5432, "protocol": "TCP"}]}
        }))
        .unwrap();
        let mut env = Environment::default();
        service_variables(&service, &mut env);
        let lines: Vec<_> = env
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        expect_test::expect![[r#"
            MY_DB_SERVICE_HOST=10.96.0.7
            MY_DB_SERVICE_PORT=5432
            MY_DB_SERVICE_PORT_SQL=5432
            MY_DB_PORT=tcp://10.96.0.7:5432
            MY_DB_PORT_5432_TCP=tcp://10.96.0.7:5432
            MY_DB_PORT_5432_TCP_PROTO=tcp
            MY_DB_PORT_5432_TCP_PORT=5432
            MY_DB_PORT_5432_TCP_ADDR=10.96.0.7"#]]
        .assert_eq(&lines.join("\n"));
    }
}
