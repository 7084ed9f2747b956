use std::{fs, os::unix::fs::PermissionsExt};

use super::*;

fn options(address: [u8; 4]) -> PkiOptions {
    PkiOptions {
        advertise_address: address.into(),
        names: vec!["host-a".into()],
        ..PkiOptions::default()
    }
}

#[test]
fn a_restart_finds_the_same_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let first = Pki::load_or_create(dir.path(), &options([192, 0, 2, 1])).unwrap();
    let again = Pki::load_or_create(dir.path(), &options([192, 0, 2, 1])).unwrap();
    assert_eq!(first.ca_pem(), again.ca_pem());
    assert_eq!(first.front_proxy_ca_pem(), again.front_proxy_ca_pem());
    assert_eq!(first.token_key().id(), again.token_key().id());
    for (one, other) in [
        (&first.server, &again.server),
        (&first.admin, &again.admin),
        (&first.kubelet_client, &again.kubelet_client),
    ] {
        assert_eq!(one.certificate, other.certificate);
        assert_eq!(one.key, other.key);
    }
}

#[test]
fn a_new_address_reissues_the_servers_certificate_alone() {
    let dir = tempfile::tempdir().unwrap();
    let first = Pki::load_or_create(dir.path(), &options([192, 0, 2, 1])).unwrap();
    let moved = Pki::load_or_create(dir.path(), &options([192, 0, 2, 2])).unwrap();
    assert_ne!(first.server.certificate, moved.server.certificate);
    assert_eq!(first.admin.certificate, moved.admin.certificate);
    assert_eq!(first.ca_pem(), moved.ca_pem());
}

#[test]
fn certificates_of_another_authority_are_reissued() {
    let dir = tempfile::tempdir().unwrap();
    let first = Pki::load_or_create(dir.path(), &options([192, 0, 2, 1])).unwrap();
    for file in ["ca.crt", "ca.key"] {
        fs::remove_file(dir.path().join("pki").join(file)).unwrap();
    }
    let second = Pki::load_or_create(dir.path(), &options([192, 0, 2, 1])).unwrap();
    assert_ne!(first.admin.certificate, second.admin.certificate);
    second.server_tls().unwrap();
}

#[test]
fn an_authority_without_its_key_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    Pki::load_or_create(dir.path(), &PkiOptions::default()).unwrap();
    fs::remove_file(dir.path().join("pki/ca.key")).unwrap();
    let error = Pki::load_or_create(dir.path(), &PkiOptions::default()).unwrap_err();
    assert!(
        error.to_string().contains("ca.crt has no key beside it"),
        "{error}"
    );
}

#[test]
fn keys_are_their_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    Pki::load_or_create(dir.path(), &PkiOptions::default()).unwrap();
    for entry in fs::read_dir(dir.path().join("pki")).unwrap() {
        let path = entry.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let expected = if path.extension().unwrap() == "key" {
            0o600
        } else {
            0o644
        };
        assert_eq!(mode, expected, "{}", path.display());
    }
}

#[test]
fn debug_output_shows_no_key() {
    let pki = Pki::ephemeral(&PkiOptions::default()).unwrap();
    assert!(!format!("{:?}", pki.admin()).contains("PRIVATE"));
}

#[test]
fn a_kubeconfig_is_understood_by_kube() {
    let pki = Pki::ephemeral(&PkiOptions::default()).unwrap();
    let text = pki.kubeconfig("https://192.0.2.1:6443");
    let config = kube::config::Kubeconfig::from_yaml(&text).unwrap();
    assert_eq!(
        config.current_context.as_deref(),
        Some("kubernetes-admin@kubernetes")
    );
    let cluster = config.clusters[0].cluster.as_ref().unwrap();
    assert_eq!(cluster.server.as_deref(), Some("https://192.0.2.1:6443"));
}
