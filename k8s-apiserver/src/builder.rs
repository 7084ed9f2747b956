//! Puts a server together: store, kinds, rules, layers. The one place that knows all the parts.

use std::{net::Ipv4Addr, sync::Arc};

use k8s_apimachinery::scheme::gvk::Gvk;
use k8s_store::Store;
use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;

use crate::{
    ApiError, ApiServer,
    admission::{self, Admission},
    audit::Auditor,
    authn::{
        Authentication,
        bootstrap_token::BootstrapTokens,
        review::TokenReviewer,
        service_account::{Checker, CoreObjects, Discovery, TokenIssuer},
        token::{BearerToken, TokenAuthenticator},
    },
    authz::{
        bootstrap_policy,
        chain::Chain,
        node::NodeAuthorizer,
        rbac::{CachedRules, Rbac, RuleSource, escalation::Guard},
        review::Reviewer,
        signer::Signers,
    },
    config::Config,
    flow::{FlowControl, Follower},
    handler::connect::Relay,
    health::Health,
    live::Live,
    metrics::{Metrics, admission::AdmissionTimes, objects},
    pki::{Pki, TokenKey},
    registry::{
        ComponentStatus, Environment, KindRow, Registry, RegistryConfig, Strategy, Virtual,
        bootstrap::{self, Authorities, Policy},
        builtin_strategies,
    },
    routing::Router,
    stack::Layers,
    task::Tasks,
};

/// The parts of a server that can be chosen; see [`ApiServer::builder`].
#[must_use]
pub struct Builder {
    store: Arc<dyn Store>,
    registry: RegistryConfig,
    config: Config,
    metrics: Metrics,
    auditor: Option<Auditor>,
    policy: Policy,
    nodes: Option<Arc<ClientConfig>>,
    authorities: Option<Authorities>,
    issuers: Vec<Arc<dyn TokenAuthenticator>>,
    token_key: Option<Arc<TokenKey>>,
    token_issuer: String,
    stopping: CancellationToken,
}

/// The issuer of tokens unless another is named: where pods find this server.
const TOKEN_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

impl ApiServer {
    /// A server over a store, with all built-in kinds, Kubernetes' default admission, and Node and
    /// RBAC authorization.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use std::sync::Arc;
    /// use k8s_apiserver::{ApiServer, User};
    /// use k8s_openapi::api::core::v1::Namespace;
    /// use kube::Api;
    ///
    /// let store = Arc::new(k8s_store::memory::MemoryStore::new());
    /// let server = ApiServer::builder(store).build().await.unwrap();
    /// let admin = User::new("admin").in_group("kubeadm:cluster-admins");
    /// let namespaces: Api<Namespace> = Api::all(server.client(admin));
    /// assert!(namespaces.get("kube-system").await.is_ok());
    /// # });
    /// ```
    pub fn builder(store: Arc<dyn Store>) -> Builder {
        Builder {
            store,
            registry: RegistryConfig {
                strategies: builtin_strategies(),
                admission: admission::default_plugins(),
                ..RegistryConfig::default()
            },
            config: Config::default(),
            metrics: Metrics::default(),
            auditor: None,
            policy: Policy {
                roles: bootstrap_policy::cluster_roles(),
                bindings: bootstrap_policy::cluster_role_bindings(),
                local_roles: bootstrap_policy::roles(),
                local_bindings: bootstrap_policy::role_bindings(),
                authorities: None,
            },
            nodes: None,
            authorities: None,
            issuers: Vec::new(),
            token_key: None,
            token_issuer: TOKEN_ISSUER.to_owned(),
            stopping: CancellationToken::new(),
        }
    }
}

impl Builder {
    /// Serves one more kind.
    pub fn kind(mut self, strategy: Arc<dyn Strategy>) -> Self {
        self.registry.strategies.push(strategy);
        self
    }

    /// Answers one more kind without storage.
    pub fn virtual_kind(mut self, row: KindRow, service: Arc<dyn Virtual>) -> Self {
        self.registry.virtual_resources.push((row, service));
        self
    }

    /// Asks one more admission plugin, after the default ones.
    pub fn admission(mut self, plugin: Arc<dyn Admission>) -> Self {
        self.registry.admission.push(plugin);
        self
    }

    /// Creates pods in namespaces that have no service account `default`, as where no controller
    /// makes one. Usually they are refused.
    pub fn without_service_accounts(mut self) -> Self {
        self.registry
            .admission
            .retain(|plugin| plugin.name() != admission::ServiceAccount.name());
        self
    }

    /// Where pods reach this server: what the `kubernetes` service leads to.
    pub fn advertise(mut self, address: Ipv4Addr, port: u16) -> Self {
        self.registry.advertise = (address, port);
        self
    }

    /// The certificate with which nodes are called, for logs and streams; see
    /// [`Pki::client_tls`](crate::pki::Pki::client_tls). Without one these are unavailable.
    pub fn call_nodes_with(mut self, tls: Arc<ClientConfig>) -> Self {
        self.nodes = Some(tls);
        self
    }

    /// Tells aggregated servers whose certificates to believe, in
    /// `kube-system/extension-apiserver-authentication`.
    pub fn publish_authorities(mut self, pki: &Pki) -> Self {
        self.authorities = Some(Authorities {
            client: pki.ca_pem().to_owned(),
            front_proxy: pki.front_proxy_ca_pem().to_owned(),
        });
        self
    }

    /// The key that signs service-account tokens. Without one the server makes its own, and tokens
    /// end with it.
    pub fn sign_tokens_with(mut self, key: Arc<TokenKey>) -> Self {
        self.token_key = Some(key);
        self
    }

    /// The URL that service-account tokens name as their issuer, and as their audience where none is
    /// asked for.
    pub fn token_issuer(mut self, url: impl Into<String>) -> Self {
        self.token_issuer = url.into();
        self
    }

    /// Believes the tokens of one more issuer: an identity provider of the embedder's own.
    pub fn believe_tokens_of(mut self, issuer: Arc<dyn TokenAuthenticator>) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Limits and timeouts.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Time and randomness, for simulations.
    pub fn environment(mut self, environment: Arc<dyn Environment>) -> Self {
        self.registry.environment = environment;
        self
    }

    /// Shows more under `/metrics`.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Keeps an audit log.
    pub fn audit(mut self, auditor: Auditor) -> Self {
        self.auditor = Some(auditor);
        self
    }

    /// Roles and bindings made at start, instead of Kubernetes' own.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// A token whose cancelling stops the server and everything that it runs.
    pub fn stop_with(mut self, token: CancellationToken) -> Self {
        self.stopping = token;
        self
    }

    /// Reads the store, makes what every cluster has from the start, and is ready.
    pub async fn build(mut self) -> Result<ApiServer, ApiError> {
        // The parts below read from the registry, which is made of them: they get it afterwards.
        let live = Live::default();
        let rules: Arc<dyn RuleSource> = Arc::new(CachedRules::new(live.clone()));
        let nodes = NodeAuthorizer::new(Arc::new(live.clone()), bootstrap_policy::node_rules());
        let authorizer = Arc::new(Chain(vec![
            Arc::new(nodes),
            Arc::new(Rbac::new(rules.clone())),
        ]));
        let tasks = Tasks::new(self.stopping.clone());
        let guard = Guard {
            authorizer: authorizer.clone(),
            rules: rules.clone(),
        };
        let signers = Signers(authorizer.clone());
        self.registry.admission.extend([
            Arc::new(admission::CertificateApproval(signers.clone())) as Arc<dyn Admission>,
            Arc::new(admission::CertificateSigning(signers.clone())),
            Arc::new(admission::ClusterTrustBundleAttest(signers)),
            Arc::new(admission::CertificateSubjectRestriction),
            Arc::new(admission::Escalation(guard)),
        ]);

        let times = Arc::new(AdmissionTimes::default());
        let plugins = self.registry.admission.into_iter();
        self.registry.admission = plugins.map(|plugin| times.of(plugin)).collect();

        let reviewer = Arc::new(Reviewer {
            authorizer: authorizer.clone(),
            rules,
        });
        for row in review_kinds() {
            self.registry
                .virtual_resources
                .push((row, reviewer.clone()));
        }
        let key = match self.token_key {
            Some(key) => key,
            None => Arc::new(TokenKey::generate().map_err(ApiError::internal)?),
        };
        let environment = self.registry.environment.clone();
        let issuer = Arc::new(TokenIssuer::new(
            key,
            self.token_issuer,
            environment.clone(),
        ));
        self.registry.tokens = Some(issuer.clone());
        let objects: Arc<dyn CoreObjects> = Arc::new(live.clone());
        let bearer = BearerToken::new(issuer.audiences())
            .with(Checker::new(issuer.clone(), objects.clone()))
            .with(BootstrapTokens::new(objects, environment.clone()));
        let bearer = self.issuers.into_iter().fold(bearer, BearerToken::with);
        self.registry.virtual_resources.extend([
            (
                token_review_kind(),
                Arc::new(TokenReviewer(bearer.clone())) as Arc<dyn Virtual>,
            ),
            (
                ComponentStatus::kind(),
                Arc::new(ComponentStatus(self.store.clone())),
            ),
        ]);
        let (host, port) = self.registry.advertise;
        let discovery = Discovery::new(&issuer, &format!("{host}:{port}"));
        if let Some(tls) = self.nodes {
            let relay = Relay::new(Arc::new(live.clone()), tls, tasks.clone());
            self.registry.connector = Some(Arc::new(relay));
        }
        let health = Health::new().over(self.store.clone());
        let registry = Registry::start(self.store, self.registry, self.stopping).await?;
        live.set(&registry);
        self.policy.authorities = self.authorities.or(self.policy.authorities);
        bootstrap::run(&registry, &self.policy).await?;
        let flow = FlowControl::new(&self.config.limits);
        flow.weigh_with(Arc::new(live));
        Follower::start(&registry, flow.clone(), &tasks).await?;

        let counted = Arc::downgrade(&registry);
        let metrics = self
            .metrics
            .source(move |out| times.expose(out))
            .source(move |out| {
                if let Some(registry) = counted.upgrade() {
                    objects::expose(&registry, out);
                }
            });
        let layers = Layers {
            config: self.config,
            auditor: self.auditor,
            environment,
            flow: Some(flow),
            metrics,
            health,
            tasks: tasks.clone(),
            authentication: Authentication::new().with(bearer),
            discovery,
            ..Layers::new(authorizer)
        };
        Ok(ApiServer::new(layers, Router::running(registry, tasks)))
    }
}

/// The question that [`TokenReviewer`] answers.
pub(crate) fn token_review_kind() -> KindRow {
    KindRow::new("authentication.k8s.io", "v1", "TokenReview", "tokenreviews")
        .verbs(&["create"])
        .cluster_scoped()
}

/// The questions that [`Reviewer`] answers.
pub(crate) fn review_kinds() -> Vec<KindRow> {
    let row = |gvk: Gvk| {
        let plural = format!("{}s", gvk.kind.to_lowercase());
        KindRow::new(&gvk.group, &gvk.version, &gvk.kind, &plural).verbs(&["create"])
    };
    let authorization = |kind: &str| row(Gvk::new("authorization.k8s.io", "v1", kind));
    vec![
        authorization("LocalSubjectAccessReview"),
        authorization("SelfSubjectAccessReview").cluster_scoped(),
        authorization("SelfSubjectRulesReview").cluster_scoped(),
        authorization("SubjectAccessReview").cluster_scoped(),
        row(Gvk::new("authentication.k8s.io", "v1", "SelfSubjectReview")).cluster_scoped(),
    ]
}
