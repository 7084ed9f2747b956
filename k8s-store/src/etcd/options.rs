//! Where the servers are, and how to prove who we are.

use std::{fmt, time::Duration};

use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};

/// How to reach an etcd cluster, and what to do for it.
#[derive(Clone, Debug)]
pub struct EtcdOptions {
    /// The members' client URLs, such as `https://10.0.0.1:2379`.
    pub endpoints: Vec<String>,
    /// For `https`: whom to trust, and who we are.
    pub tls: Option<Tls>,
    /// A user of etcd's own authentication.
    pub user: Option<Password>,
    /// How long one server may take to answer before the next one is asked.
    pub attempt_timeout: Duration,
    /// How long to go on asking before giving up. A watch never gives up.
    pub patience: Duration,
    /// How long history is kept: of all processes that use the cluster with such an interval, one
    /// compacts it. `None` leaves that to etcd or to others.
    pub compact_every: Option<Duration>,
}

/// Certificates in PEM.
#[derive(Clone, Default)]
pub struct Tls {
    /// Who signs the servers' certificates.
    pub ca: Option<String>,
    /// Our certificate and its key.
    pub identity: Option<(String, String)>,
    /// The name in the servers' certificates, if it is not the host of their URL.
    pub server_name: Option<String>,
}

/// A user and how it proves itself.
#[derive(Clone)]
pub struct Password {
    /// The user's name.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl EtcdOptions {
    /// Servers without TLS or users; history is kept for five minutes, as Kubernetes does.
    pub fn new(endpoints: impl IntoIterator<Item = impl Into<String>>) -> Self {
        EtcdOptions {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            tls: None,
            user: None,
            attempt_timeout: Duration::from_secs(5),
            patience: Duration::from_secs(15),
            compact_every: Some(Duration::from_secs(300)),
        }
    }

    pub(super) fn connect(&self) -> ConnectOptions {
        let mut connect = ConnectOptions::new()
            .with_connect_timeout(self.attempt_timeout)
            // Not more often than servers allow by default; finds out what was cut off silently.
            .with_keep_alive(Duration::from_secs(6), Duration::from_secs(4))
            .with_keep_alive_while_idle(true)
            // Else a watch on a member without a majority would wait in silence.
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some(tls) = &self.tls {
            connect = connect.with_tls(tls.options());
        }
        if let Some(Password { user, password }) = &self.user {
            connect = connect.with_user(user, password);
        }
        connect
    }
}

impl Tls {
    fn options(&self) -> TlsOptions {
        let mut options = TlsOptions::new();
        if let Some(ca) = &self.ca {
            options = options.ca_certificate(Certificate::from_pem(ca));
        }
        if let Some((certificate, key)) = &self.identity {
            options = options.identity(Identity::from_pem(certificate, key));
        }
        if let Some(name) = &self.server_name {
            options = options.domain_name(name);
        }
        options
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Password")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
