//! Credentials for pulls, from the pod's `imagePullSecrets`.

use base64::{Engine, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::{Pod, Secret};
use serde_json::Value;

use crate::{cri::api::AuthConfig, source::Objects};

/// The credentials that may fit an image, in the order of the pod's secrets. Secrets that are missing
/// or malformed are passed over: the pull then says what is wrong.
pub(super) async fn of_pod(pod: &Pod, image: &str, objects: &Objects) -> Vec<AuthConfig> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let secrets = pod
        .spec
        .iter()
        .flat_map(|spec| spec.image_pull_secrets.iter().flatten());
    let mut found = Vec::new();
    for reference in secrets {
        if let Ok(secret) = objects.secret(namespace, &reference.name).await {
            found.extend(of_secret(&secret, registry(image)));
        }
    }
    found
}

/// The registry of an image; names without one are Docker Hub's.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

fn of_secret(secret: &Secret, registry: &str) -> Vec<AuthConfig> {
    let data = secret.data.as_ref();
    let get = |key: &str| data.and_then(|data| data.get(key));
    let modern =
        get(".dockerconfigjson").and_then(|text| serde_json::from_slice::<Value>(&text.0).ok());
    let legacy = get(".dockercfg").and_then(|text| serde_json::from_slice::<Value>(&text.0).ok());
    let auths = modern
        .and_then(|config| config.get("auths").cloned())
        .or(legacy);
    let auths = auths.as_ref().and_then(Value::as_object);
    auths
        .into_iter()
        .flatten()
        .filter(|(server, _)| {
            host(server) == registry || host(server) == "index.docker.io" && registry == "docker.io"
        })
        .map(|(_, entry)| credential(entry))
        .collect()
}

fn host(server: &str) -> &str {
    let server = server.split_once("://").map_or(server, |(_, rest)| rest);
    server.split('/').next().unwrap_or(server)
}

fn credential(entry: &Value) -> AuthConfig {
    let text = |key: &str| {
        entry
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let decoded = STANDARD
        .decode(text("auth"))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (username, password) = decoded
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .map(|(user, password)| (user.to_owned(), password.to_owned()))
        .unwrap_or_else(|| (text("username"), text("password")));
    AuthConfig {
        username,
        password,
        identity_token: text("identitytoken"),
        ..AuthConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    #[test]
    fn a_secret_serves_the_registry_that_it_names() {
        let config = r#"{"auths": {"https://reg.example:5000/v1/": {"auth": "bWU6cHc="}}}"#;
        let secret = Secret {
            data: Some([(".dockerconfigjson".to_owned(), ByteString(config.into()))].into()),
            ..Secret::default()
        };
        let found = of_secret(&secret, registry("reg.example:5000/app:1"));
        assert_eq!(
            (found[0].username.as_str(), found[0].password.as_str()),
            ("me", "pw")
        );
        assert!(of_secret(&secret, registry("nginx")).is_empty());
    }
}
