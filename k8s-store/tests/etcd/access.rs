//! Proving who one is: certificates both ways, and etcd's users.

use std::{fs, path::Path};

use bytes::Bytes;
use etcd_client::{Client, Permission, PermissionType};
use k8s_store::{
    Op, Revision, Store, StoreError, Txn,
    etcd::{EtcdOptions, EtcdStore, Password, Tls},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::server::Server;

/// An authority, a server's certificate for loopback, and one for a client.
struct Certificates {
    ca: String,
    server: (String, String),
    client: (String, String),
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let issue = |name: &str| {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new([name.to_owned()]).expect("a name");
            let certificate = params.signed_by(&key, &ca).expect("a certificate");
            (certificate.pem(), key.serialize_pem())
        };
        Certificates {
            ca: ca.pem(),
            server: issue("127.0.0.1"),
            client: issue("client"),
        }
    }

    /// What a server needs to serve with them, and to ask for them.
    fn arguments(&self, dir: &Path) -> Vec<String> {
        let file = |name: &str, text: &str| {
            let path = dir.join(name);
            fs::write(&path, text).expect("writable");
            path.display().to_string()
        };
        let (certificate, key) = &self.server;
        vec![
            format!("--cert-file={}", file("cert", certificate)),
            format!("--key-file={}", file("key", key)),
            format!("--trusted-ca-file={}", file("ca", &self.ca)),
            "--client-cert-auth".to_owned(),
        ]
    }
}

fn put(key: &'static str) -> Txn {
    let (key, value) = (Bytes::from(key), Bytes::from("x"));
    let ops = vec![Op::Put { key, value }];
    Txn {
        ops,
        ..Txn::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_asked_for_both_ways() {
    let certificates = Certificates::new();
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::start_securely(&certificates.arguments(dir.path()));
    let mut options = EtcdOptions::new([server.url()]);
    options.patience = std::time::Duration::from_secs(5);
    options.compact_every = None;
    let mut tls = Tls {
        ca: Some(certificates.ca.clone()),
        identity: Some(certificates.client.clone()),
        server_name: None,
    };
    options.tls = Some(tls.clone());
    let store = EtcdStore::connect(options.clone())
        .await
        .expect("both are known");
    store.commit(put("/a")).await.expect("written");
    let watch = store.watch(Bytes::from("/"), Revision::ZERO).await;
    assert!(watch.is_ok());

    tls.identity = None;
    options.tls = Some(tls);
    let stranger = EtcdStore::connect(options.clone()).await;
    stranger.expect_err("no certificate was shown");
    let impostor = Certificates::new();
    options.tls = Some(Tls {
        ca: Some(impostor.ca),
        identity: Some(certificates.client),
        server_name: None,
    });
    EtcdStore::connect(options)
        .await
        .expect_err("another authority's server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_do_what_they_may() {
    let server = Server::start();
    server.store().await; // it serves
    let client = Client::connect([server.url()], None)
        .await
        .expect("a client");
    let mut auth = client.auth_client();
    for (user, role) in [("root", "root"), ("one", "registry")] {
        auth.user_add(user, "secret", None).await.expect("a user");
        auth.role_add(role).await.expect("a role");
        auth.user_grant_role(user, role).await.expect("a grant");
    }
    let registry = Permission::new(PermissionType::Readwrite, "/registry/").with_prefix();
    auth.role_grant_permission("registry", registry)
        .await
        .expect("a permission");
    auth.auth_enable().await.expect("enabled");

    let mut options = EtcdOptions::new([server.url()]);
    options.compact_every = None;
    let user = |password: &str| Password {
        user: "one".to_owned(),
        password: password.to_owned(),
    };
    options.user = Some(user("secret"));
    let store = EtcdStore::connect(options.clone())
        .await
        .expect("it knows the password");
    store.commit(put("/registry/a")).await.expect("permitted");
    let elsewhere = store.commit(put("/a")).await.expect_err("not permitted");
    assert!(
        matches!(elsewhere, StoreError::Refused { .. }),
        "{elsewhere}"
    );
    let everything = store.watch(Bytes::new(), Revision::ZERO).await;
    let refused = match everything {
        Ok(mut watch) => futures::StreamExt::next(&mut watch)
            .await
            .expect("a word")
            .err(),
        Err(error) => Some(error),
    };
    assert!(
        matches!(refused, Some(StoreError::Refused { .. })),
        "{refused:?}"
    );
    for wrong in [Some(user("guess")), None] {
        options.user = wrong;
        let error = EtcdStore::connect(options.clone())
            .await
            .expect_err("who is it?");
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    }
}
