//! The certificates of a cluster: made once, kept in a directory as kubeadm keeps them, reissued
//! when they must be.
//!
//! One authority signs everything: the server's certificate, the administrator's, the one with
//! which the server calls nodes, and whatever components need. A second one, the front-proxy
//! authority, is for aggregated servers, which must never mistake a cluster user for the server.
//! Service-account tokens are signed by a key of their own, `sa.key`. Keys are ECDSA P-256; files with keys are readable by their owner alone.

mod authority;
mod credential;
mod directory;
mod kubeconfig;
mod leaf;
mod signing_request;
mod token_key;

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;

use crate::tls::{self, ServerTls, TlsError};

pub use credential::Credential;
pub use signing_request::SigningRequest;
pub use token_key::TokenKey;

use authority::Authority;
use credential::{Profile, Usage};
use directory::Directory;

/// The group whose members administer the cluster, through RBAC.
const ADMINISTRATORS: &str = "kubeadm:cluster-admins";

/// What the server's certificate must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PkiOptions {
    /// Where clients and pods reach the server.
    pub advertise_address: IpAddr,
    /// The address of the service `kubernetes`.
    pub service_address: IpAddr,
    /// The domain of service names.
    pub cluster_domain: String,
    /// Further names and addresses: the host's own, a load balancer's.
    pub names: Vec<String>,
}

impl Default for PkiOptions {
    fn default() -> Self {
        PkiOptions {
            advertise_address: Ipv4Addr::LOCALHOST.into(),
            service_address: Ipv4Addr::new(10, 96, 0, 1).into(),
            cluster_domain: "cluster.local".to_owned(),
            names: Vec::new(),
        }
    }
}

/// Why certificates couldn't be had.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file couldn't be read or written.
    #[error("cannot {action} {path}")]
    Io {
        /// `read`, `write`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An authority's key is gone: nothing new can be signed, and a new authority would be a
    /// stranger to everyone.
    #[error(
        "{certificate} has no key beside it; restore the key, or remove the directory to begin anew"
    )]
    KeyMissing {
        /// The authority's certificate.
        certificate: PathBuf,
    },
    /// A certificate couldn't be made or understood.
    #[error("cannot make or read a certificate")]
    Certificate(#[from] rcgen::Error),
    /// A file doesn't hold what its name says.
    #[error("not a PEM certificate and key: {0}")]
    Pem(String),
    /// The certificates don't work for TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Signs what others ask for, in the cluster's name. Cheap to clone; what it signs is for its holder
/// to decide.
#[derive(Debug, Clone)]
pub struct Signer(Arc<Authority>);

impl Signer {
    /// A certificate for a request in PEM, as PEM, with usages in the words of
    /// CertificateSigningRequests. It ends with the authority at the latest.
    pub fn sign(
        &self,
        request: &str,
        usages: &[String],
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<String, PkiError> {
        let request = SigningRequest::from_pem(request.as_bytes()).map_err(PkiError::Pem)?;
        self.0.sign(&request, usages, not_before, not_after)
    }
}

/// A cluster's authorities and the certificates that the server itself needs.
#[derive(Debug)]
pub struct Pki {
    authority: Arc<Authority>,
    front_proxy: Authority,
    server: Credential,
    kubelet_client: Credential,
    admin: Credential,
    token_key: Arc<TokenKey>,
}

impl Pki {
    /// Reads what is in `dir/pki`, makes what is missing, and reissues what expires soon or names
    /// the wrong things.
    ///
    /// The authorities are never replaced.
    pub fn load_or_create(dir: &Path, options: &PkiOptions) -> Result<Self, PkiError> {
        let directory = Directory::open(&dir.join("pki"))?;
        Pki::build(
            options,
            |file, name| match directory.load_authority(file)? {
                Some(authority) => Ok(authority),
                None => directory.keep(file, Authority::create(name)?),
            },
            |file, profile, authority| match directory.load(file)? {
                Some(kept) if kept.still_serves(profile, authority) => Ok(kept),
                _ => directory.keep(file, authority.issue(profile)?),
            },
            |file| match directory.load_token_key(file)? {
                Some(kept) => Ok(kept),
                None => directory.keep_token_key(file, TokenKey::generate()?),
            },
        )
    }

    /// Certificates that live and die with this value, for tests.
    pub fn ephemeral(options: &PkiOptions) -> Result<Self, PkiError> {
        Pki::build(
            options,
            |_, name| Authority::create(name),
            |_, profile, authority| authority.issue(profile),
            |_| TokenKey::generate(),
        )
    }

    /// The one list of what there is: file, subject, usage.
    fn build(
        options: &PkiOptions,
        authority: impl Fn(&str, &str) -> Result<Authority, PkiError>,
        issued: impl Fn(&str, &Profile, &Authority) -> Result<Credential, PkiError>,
        token_key: impl Fn(&str) -> Result<TokenKey, PkiError>,
    ) -> Result<Self, PkiError> {
        let ca = authority("ca", "kubernetes")?;
        let front_proxy = authority("front-proxy-ca", "front-proxy-ca")?;
        let server = issued(
            "apiserver",
            &Profile::server("kube-apiserver", options.server_names()),
            &ca,
        )?;
        let kubelet_client = issued(
            "apiserver-kubelet-client",
            &Profile::client("kube-apiserver-kubelet-client", None),
            &ca,
        )?;
        let admin = issued(
            "admin",
            &Profile::client("kubernetes-admin", Some(ADMINISTRATORS)),
            &ca,
        )?;
        Ok(Pki {
            authority: Arc::new(ca),
            front_proxy,
            server,
            kubelet_client,
            admin,
            token_key: Arc::new(token_key("sa")?),
        })
    }

    /// A client certificate: the user's name, and the group it is in.
    pub fn issue_client(&self, name: &str, group: Option<&str>) -> Result<Credential, PkiError> {
        self.authority.issue(&Profile::client(name, group))
    }

    /// The certificate that a node's agent serves with, for these names and addresses.
    pub fn issue_kubelet_serving(
        &self,
        node: &str,
        names: &[String],
    ) -> Result<Credential, PkiError> {
        let profile = Profile {
            common_name: format!("system:node:{node}"),
            organization: Some("system:nodes".to_owned()),
            usage: Usage::Server,
            names: names.to_vec(),
        };
        self.authority.issue(&profile)
    }

    /// What signs approved CertificateSigningRequests.
    pub fn signer(&self) -> Signer {
        Signer(Arc::clone(&self.authority))
    }

    /// The administrator's credential: `kubernetes-admin` in `kubeadm:cluster-admins`.
    pub fn admin(&self) -> &Credential {
        &self.admin
    }

    /// The credential with which the server calls nodes.
    pub fn kubelet_client(&self) -> &Credential {
        &self.kubelet_client
    }

    /// What signs service-account tokens; see
    /// [`Builder::sign_tokens_with`](crate::Builder::sign_tokens_with).
    pub fn token_key(&self) -> Arc<TokenKey> {
        Arc::clone(&self.token_key)
    }

    /// The cluster authority's certificate, as PEM: what clients must believe.
    pub fn ca_pem(&self) -> &str {
        self.authority.certificate_pem()
    }

    /// The front-proxy authority's certificate, as PEM.
    pub fn front_proxy_ca_pem(&self) -> &str {
        self.front_proxy.certificate_pem()
    }

    /// The cluster authority's certificate.
    pub fn ca(&self) -> Result<CertificateDer<'static>, PkiError> {
        credential::certificate(self.ca_pem())
    }

    /// What [`crate::ApiServer::serve`] needs.
    pub fn server_tls(&self) -> Result<ServerTls, PkiError> {
        Ok(ServerTls::new(self.server.identity()?, &[self.ca()?])?)
    }

    /// For calling servers of this cluster (nodes, or the API server) as some credential.
    pub fn client_tls(
        &self,
        credential: &Credential,
    ) -> Result<Arc<rustls::ClientConfig>, PkiError> {
        Ok(tls::client_config(credential.identity()?, &[self.ca()?])?)
    }

    /// A kubeconfig for the administrator. It holds a key: write it with mode 0600.
    pub fn kubeconfig(&self, server_url: &str) -> String {
        self.kubeconfig_for("kubernetes-admin", &self.admin, server_url)
    }

    /// A kubeconfig that tells whom to trust, and lets nobody in: what `kube-public/cluster-info` holds.
    pub fn cluster_info(&self, server_url: &str) -> String {
        kubeconfig::cluster_info(server_url, self.ca_pem())
    }

    /// A kubeconfig for any user with a credential of this cluster.
    pub fn kubeconfig_for(&self, user: &str, credential: &Credential, server_url: &str) -> String {
        kubeconfig::kubeconfig(server_url, self.ca_pem(), user, credential)
    }
}

impl PkiOptions {
    /// All names and addresses by which clients reach the server.
    fn server_names(&self) -> Vec<String> {
        let mut names: Vec<String> = [
            "localhost",
            "127.0.0.1",
            "::1",
            "kubernetes",
            "kubernetes.default",
        ]
        .map(str::to_owned)
        .into();
        names.push("kubernetes.default.svc".to_owned());
        names.push(format!("kubernetes.default.svc.{}", self.cluster_domain));
        names.push(self.service_address.to_string());
        names.push(self.advertise_address.to_string());
        names.extend(self.names.iter().cloned());
        names.sort();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests;
