//! Who calls, and what they may: certificates are checked here, tokens and permissions by the API
//! server (`TokenReview`, `SubjectAccessReview`), whose answers hold for a while.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, Method, StatusCode, header};
use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec},
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use kube::{Api, api::PostParams};
use tokio::time::Instant;
use x509_parser::prelude::X509Certificate;

/// How long a yes holds, and how long a no: Kubernetes' defaults for node agents.
const YES: Duration = Duration::from_secs(5 * 60);
const NO: Duration = Duration::from_secs(30);
/// How long a token's identity holds.
const TOKEN: Duration = Duration::from_secs(2 * 60);
/// Answers that are remembered, of each kind.
const MEMORY: usize = 1024;

/// Somebody known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) name: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
}

impl Identity {
    /// The subject of a certificate: its common name, with its organizations as groups.
    pub(super) fn of_certificate(certificate: &X509Certificate<'_>) -> Option<Self> {
        let subject = certificate.subject();
        let name = subject.iter_common_name().next()?.as_str().ok()?;
        let groups = subject.iter_organization();
        let groups = groups.filter_map(|group| group.as_str().ok());
        Some(Self {
            name: name.to_owned(),
            groups: groups
                .chain(["system:authenticated"])
                .map(str::to_owned)
                .collect(),
            ..Self::default()
        })
    }
}

/// A refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) StatusCode, pub(super) String);

/// Who may call a server: whoever RBAC allows to use the node's subresources.
pub struct Access {
    client: kube::Client,
    node: String,
    tokens: Memory<String, Option<Identity>>,
    answers: Memory<(Identity, &'static str, &'static str), bool>,
}

impl Access {
    /// Asks the API server about calls to a node; an empty name stands for all nodes. The client must
    /// be allowed to create reviews, as nodes are.
    pub fn new(client: kube::Client, node: impl Into<String>) -> Self {
        Self {
            client,
            node: node.into(),
            tokens: Memory::default(),
            answers: Memory::default(),
        }
    }

    /// Who calls: by the certificate if there is one, else by a bearer token.
    pub(super) async fn authenticate(
        &self,
        certificate: Option<&Identity>,
        headers: &HeaderMap,
    ) -> Result<Identity, Refusal> {
        if let Some(identity) = certificate {
            return Ok(identity.clone());
        }
        let value = headers.get(header::AUTHORIZATION);
        let value = value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let token = value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let token = token.map_or("", |(_, token)| token.trim());
        let known = match token {
            "" => None,
            token => match self.tokens.recall(&token.to_owned()) {
                Some(known) => known,
                None => self.review(token).await,
            },
        };
        known.ok_or_else(|| Refusal(StatusCode::UNAUTHORIZED, "Unauthorized".into()))
    }

    async fn review(&self, token: &str) -> Option<Identity> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.to_owned(),
                ..TokenReviewSpec::default()
            },
            ..TokenReview::default()
        };
        let api = Api::<TokenReview>::all(self.client.clone());
        let answer = match api.create(&PostParams::default(), &review).await {
            Ok(review) => review.status.unwrap_or_default(),
            Err(error) => {
                tracing::debug!(%error, "a token can't be reviewed");
                return None;
            }
        };
        let is_known = answer.authenticated == Some(true);
        let user = answer.user.filter(|_| is_known);
        let identity = user.map(|user| Identity {
            name: user.username.unwrap_or_default(),
            uid: user.uid.unwrap_or_default(),
            groups: user.groups.unwrap_or_default(),
            extra: user.extra.unwrap_or_default(),
        });
        self.tokens.keep(token.to_owned(), identity.clone(), TOKEN);
        identity
    }

    /// Whether somebody may send such a request.
    pub(super) async fn authorize(
        &self,
        identity: &Identity,
        method: &Method,
        path: &str,
    ) -> Result<(), Refusal> {
        let verb = verb(method);
        let subresources = subresources(path);
        for subresource in subresources {
            if self.may(identity, verb, subresource).await? {
                return Ok(());
            }
        }
        let (name, subresources) = (&identity.name, subresources.join(" "));
        let message = format!(
            "Forbidden (user={name}, verb={verb}, resource=nodes, subresource(s)=[{subresources}])\n"
        );
        Err(Refusal(StatusCode::FORBIDDEN, message))
    }

    async fn may(
        &self,
        identity: &Identity,
        verb: &'static str,
        subresource: &'static str,
    ) -> Result<bool, Refusal> {
        let question = (identity.clone(), verb, subresource);
        if let Some(answer) = self.answers.recall(&question) {
            return Ok(answer);
        }
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(identity.name.clone()),
                uid: Some(identity.uid.clone()),
                groups: Some(identity.groups.clone()),
                extra: Some(identity.extra.clone()),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(verb.into()),
                    version: Some("v1".into()),
                    resource: Some("nodes".into()),
                    subresource: Some(subresource.into()),
                    name: Some(self.node.clone()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let api = Api::<SubjectAccessReview>::all(self.client.clone());
        let answer = api.create(&PostParams::default(), &review).await;
        let allowed = answer.map(|review| review.status.is_some_and(|status| status.allowed));
        let allowed = allowed.map_err(|error| {
            tracing::warn!(%error, "a call can't be authorized");
            let name = &identity.name;
            let message = format!(
                "Authorization error (user={name}, verb={verb}, resource=nodes, subresource={subresource})"
            );
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, message)
        })?;
        self.answers
            .keep(question, allowed, if allowed { YES } else { NO });
        Ok(allowed)
    }
}

/// Answers that hold for a while. What is remembered is bounded: the oldest question of all is as good
/// as any to be asked again.
struct Memory<Q, A>(Mutex<HashMap<Q, (Instant, A)>>);

impl<Q, A> Default for Memory<Q, A> {
    fn default() -> Self {
        Memory(Mutex::default())
    }
}

impl<Q: Eq + Hash, A: Clone> Memory<Q, A> {
    fn recall(&self, question: &Q) -> Option<A> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, answer) = answers.get(question)?;
        (Instant::now() < *until).then(|| answer.clone())
    }

    fn keep(&self, question: Q, answer: A, held: Duration) {
        let now = Instant::now();
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MEMORY {
            answers.retain(|_, (until, _)| now < *until);
        }
        if answers.len() >= MEMORY {
            answers.clear();
        }
        answers.insert(question, (now + held, answer));
    }
}

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::GET => "get",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "",
    }
}

/// The node's subresources that a path belongs to: any of them will do.
fn subresources(path: &str) -> &'static [&'static str] {
    match path
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default()
    {
        "stats" => &["stats"],
        "metrics" => &["metrics"],
        "logs" => &["log"],
        "checkpoint" => &["checkpoint"],
        // Finer than `proxy`, which allows to run commands (KEP-2862).
        "healthz" => &["healthz", "proxy"],
        "pods" | "runningpods" => &["pods", "proxy"],
        "configz" => &["configz", "proxy"],
        _ => &["proxy"],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_apiserver::{ApiServer, User};
    use k8s_store::memory::MemoryStore;

    use super::*;

    async fn access() -> (ApiServer, Access) {
        let server = ApiServer::builder(Arc::new(MemoryStore::new()))
            .advertise([192, 0, 2, 1].into(), 6443)
            .without_service_accounts()
            .build()
            .await
            .unwrap();
        let node = User::new("system:node:n1").in_group("system:nodes");
        let access = Access::new(server.client(node), "n1");
        (server, access)
    }

    fn named(name: &str) -> Identity {
        Identity {
            name: name.into(),
            ..Identity::default()
        }
    }

    #[tokio::test]
    async fn rbac_decides_who_may_call() {
        let (_server, access) = access().await;
        for (name, method, path, expected) in [
            (
                "kube-apiserver-kubelet-client",
                Method::POST,
                "/exec/a/p/c",
                Ok(()),
            ),
            (
                "kube-apiserver-kubelet-client",
                Method::GET,
                "/metrics",
                Ok(()),
            ),
            (
                "mallory",
                Method::GET,
                "/containerLogs/a/p/c",
                Err("Forbidden (user=mallory, verb=get, resource=nodes, subresource(s)=[proxy])\n"),
            ),
            (
                "mallory",
                Method::GET,
                "/pods",
                Err(
                    "Forbidden (user=mallory, verb=get, resource=nodes, subresource(s)=[pods proxy])\n",
                ),
            ),
        ] {
            // The second time, from memory.
            for _ in 0..2 {
                let answer = access.authorize(&named(name), &method, path).await;
                let expected = expected.map_err(|text| Refusal(StatusCode::FORBIDDEN, text.into()));
                assert_eq!(answer, expected, "{name} {path}");
            }
        }
    }

    #[tokio::test]
    async fn who_shows_nothing_is_nobody() {
        let (_server, access) = access().await;
        let unauthorized = Err(Refusal(StatusCode::UNAUTHORIZED, "Unauthorized".into()));
        for value in ["", "Bearer", "Basic YTpi", "Bearer forged"] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            assert_eq!(
                access.authenticate(None, &headers).await,
                unauthorized,
                "{value:?}"
            );
        }
        let known = named("alice");
        let answer = access.authenticate(Some(&known), &HeaderMap::new()).await;
        assert_eq!(answer, Ok(known));
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_forgotten_in_time_and_bounded() {
        let memory = Memory::default();
        memory.keep(0, true, YES);
        assert_eq!(memory.recall(&0), Some(true));
        tokio::time::advance(YES).await;
        assert_eq!(memory.recall(&0), None);
        for question in 0..3 * MEMORY {
            memory.keep(question, true, YES);
        }
        assert!(memory.0.lock().unwrap().len() <= MEMORY);
    }
}
