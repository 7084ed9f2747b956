//! A kubeconfig with everything in it: where the server is, whom to believe, and who to be.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::credential::Credential;

/// Without a user.
pub(super) fn cluster_info(server: &str, ca: &str) -> String {
    let ca = STANDARD.encode(ca);
    format!(
        "\
apiVersion: v1
kind: Config
clusters:
- name: \"\"
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users: []
contexts: []
current-context: \"\"
preferences: {{}}
"
    )
}

pub(super) fn kubeconfig(server: &str, ca: &str, user: &str, credential: &Credential) -> String {
    let ca = STANDARD.encode(ca);
    let certificate = STANDARD.encode(&credential.certificate);
    let key = STANDARD.encode(&credential.key);
    format!(
        "\
apiVersion: v1
kind: Config
clusters:
- name: kubernetes
  cluster:
    server: {server}
    certificate-authority-data: {ca}
users:
- name: {user}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: {user}@kubernetes
  context:
    cluster: kubernetes
    user: {user}
current-context: {user}@kubernetes
preferences: {{}}
"
    )
}
