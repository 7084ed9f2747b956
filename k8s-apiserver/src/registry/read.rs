//! Lists: which state of which objects, in pages.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use k8s_apimachinery::selector::{field::FieldSelector, label::LabelSelector};
use k8s_store::{Revision, StoreError};
use serde::{Deserialize, Serialize};

use super::{Entry, Registry, Resource, Stored, key};
use crate::ApiError;

/// How `resourceVersion` of a list is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionMatch {
    /// This state, or a newer one.
    NotOlderThan,
    /// Exactly this state.
    Exact,
}

/// What objects to select.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// By labels.
    pub labels: Option<LabelSelector>,
    /// By fields.
    pub fields: Option<FieldSelector>,
}

/// A list, as it is asked for.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// In one namespace; empty for all, and for cluster-scoped objects.
    pub namespace: String,
    /// Which objects.
    pub selection: Selection,
    /// At most so many; 0 is all.
    pub limit: usize,
    /// Where the last page ended.
    pub continue_token: String,
    /// Which state; `None` is the newest.
    pub revision: Option<(Revision, RevisionMatch)>,
}

/// A page of objects.
#[derive(Debug)]
pub struct ListResult {
    /// The objects, in key order.
    pub items: Vec<Arc<Stored>>,
    /// The state that they are of.
    pub revision: Revision,
    /// Where the next page begins; empty on the last one.
    pub continue_token: String,
    /// How many follow, if that is known.
    pub remaining: Option<usize>,
}

/// What a continue token says. Opaque to clients, but the same as Kubernetes'.
#[derive(Serialize, Deserialize)]
struct Continue {
    v: String,
    /// The revision of the list, or [`NEWEST`].
    rv: i64,
    start: String,
}

/// What stands for a revision in the token of a list that has expired: go on with the state there is now.
const NEWEST: i64 = -1;

impl Selection {
    /// Whether everything is selected.
    pub fn is_all(&self) -> bool {
        self.labels
            .as_ref()
            .is_none_or(LabelSelector::is_everything)
            && self
                .fields
                .as_ref()
                .is_none_or(FieldSelector::is_everything)
    }

    /// Whether an object is selected.
    pub fn selects(&self, entry: &Entry) -> bool {
        let labels = self.labels.as_ref();
        let fields = self.fields.as_ref();
        labels.is_none_or(|selector| selector.matches(|key| entry.label(key)))
            && fields.is_none_or(|selector| selector.matches(|path| entry.field(path)))
    }
}

impl Registry {
    /// One object as a client asks for it: the newest state for no `resourceVersion`, any for 0, else one that is
    /// not older than it.
    pub async fn fetch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        revision: Option<&str>,
    ) -> Result<Option<Arc<Stored>>, ApiError> {
        let key = key::object(&resource.row, namespace, name);
        match self.refresh(revision).await? {
            true => Ok(self.cache.get(&key)),
            false => Ok(self.cache.get_stored(&key).await?),
        }
    }

    /// The newest state of what is under a prefix of keys, or for the revision 0 any.
    pub(crate) async fn select(
        &self,
        prefix: &[u8],
        revision: Option<&str>,
        filter: &(dyn Fn(&Stored) -> bool + Sync),
    ) -> Result<(Vec<Arc<Stored>>, Revision), ApiError> {
        let (items, revision, _) = match self.refresh(revision).await? {
            true => self.cache.list(prefix, None, None, filter),
            false => self.cache.list_stored(prefix, None, None, filter).await?,
        };
        Ok((items, revision))
    }

    /// Waits until the cache is as new as a client wants it: as everything committed before if it names no revision,
    /// as one that it has seen elsewhere if it names that, anyhow if it names 0. `false` if the store has to be read.
    pub(crate) async fn refresh(&self, revision: Option<&str>) -> Result<bool, ApiError> {
        match revision {
            None | Some("") => Ok(self.cache.catch_up().await?),
            Some("0") => Ok(true),
            Some(revision) => Ok(self.cache.reach(parse_revision(revision)?).await?),
        }
    }

    /// A page of the objects that a client asks for.
    pub async fn page(
        &self,
        resource: &Resource,
        request: &ListRequest,
    ) -> Result<ListResult, ApiError> {
        let prefix = key::collection(&resource.row, &request.namespace);
        let limit = (request.limit > 0).then_some(request.limit);
        let filter = |stored: &Stored| request.selection.selects(&stored.entry);
        let (at, after) = self.position(request, &prefix).await?;
        let after = after.as_deref();
        let (items, revision, more) = match at {
            At::Cached => self.cache.list(&prefix, after, limit, &filter),
            At::Newest => {
                self.cache
                    .list_fresh(&prefix, after, limit, &filter)
                    .await?
            }
            At::Stored => {
                self.cache
                    .list_stored(&prefix, after, limit, &filter)
                    .await?
            }
            At::Exactly(at) => self
                .cache
                .list_at(at, &prefix, after, limit, &filter)
                .await
                .map_err(|error| expired(error, after.map(|after| &after[prefix.len()..])))?,
        };
        let last = items.last().filter(|_| more).map(|last| last.key.clone());
        let continue_token = match &last {
            Some(last) => token(revision.0 as i64, &last[prefix.len()..]),
            None => String::new(),
        };
        // Counted only where no selector would make the number a lie, as in Kubernetes.
        let remaining = match last {
            Some(last) if request.selection.is_all() => {
                self.cache.count_at(revision, &prefix, &last).await.ok()
            }
            _ => None,
        };
        Ok(ListResult {
            items,
            revision,
            continue_token,
            remaining,
        })
    }

    /// The state to read and the key behind which to begin.
    async fn position(
        &self,
        request: &ListRequest,
        prefix: &Bytes,
    ) -> Result<(At, Option<Vec<u8>>), ApiError> {
        if !request.continue_token.is_empty() {
            let token = read_token(&request.continue_token)?;
            let after = [prefix, token.start.as_bytes()].concat();
            let at = match u64::try_from(token.rv) {
                Ok(revision) => At::Exactly(Revision(revision)),
                Err(_) => At::Newest,
            };
            return Ok((at, Some(after)));
        }
        let at = match request.revision {
            None => At::Newest,
            Some((Revision::ZERO, RevisionMatch::NotOlderThan)) => At::Cached,
            Some((revision, matching)) => match (matching, self.cache.reach(revision).await?) {
                (RevisionMatch::Exact, _) => At::Exactly(revision),
                (RevisionMatch::NotOlderThan, true) => At::Cached,
                (RevisionMatch::NotOlderThan, false) => At::Stored,
            },
        };
        Ok((at, None))
    }
}

/// Which state a list is of.
#[derive(Debug, Clone, Copy)]
enum At {
    /// The cache's.
    Cached,
    /// The newest, whoever wrote it.
    Newest,
    /// The store's: the cache is not known to have come so far.
    Stored,
    /// That of a revision.
    Exactly(Revision),
}

/// A revision as clients send it.
pub(crate) fn parse_revision(text: &str) -> Result<Revision, ApiError> {
    text.parse().map(Revision).map_err(|_| {
        ApiError::BadRequest(format!(
            "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
        ))
    })
}

fn token(rv: i64, start: &[u8]) -> String {
    let token = Continue {
        v: "meta.k8s.io/v1".to_owned(),
        rv,
        start: String::from_utf8_lossy(start).into_owned(),
    };
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(&token).expect("a token is strings and a number"))
}

fn read_token(token: &str) -> Result<Continue, ApiError> {
    let refuse = |why: &str| {
        ApiError::BadRequest(format!(
            "invalid continue token: continue key is not valid{why}"
        ))
    };
    let bytes = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok();
    let token: Continue = bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| refuse(""))?;
    match &token {
        token if token.v != "meta.k8s.io/v1" => {
            Err(refuse(": server does not recognize this encoded version"))
        }
        Continue { rv: 0, .. } => Err(refuse(
            ": incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        )),
        Continue { start, .. } if start.is_empty() => {
            Err(refuse(": encoded start key empty (version meta.k8s.io/v1)"))
        }
        _ => Ok(token),
    }
}

/// A state that is forgotten. Who is in the midst of a list can go on with the newest one, from where it stands.
fn expired(error: StoreError, rest: Option<&[u8]>) -> ApiError {
    match (error, rest) {
        (StoreError::Compacted { .. }, Some(rest)) => ApiError::ExpiredPage {
            continue_token: token(NEWEST, rest),
        },
        (StoreError::Compacted { .. }, None) => {
            ApiError::Expired("The resourceVersion for the provided list is too old.".to_owned())
        }
        (other, _) => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_they_went() {
        for rv in [9, NEWEST] {
            let read = read_token(&token(rv, b"a/p")).unwrap();
            assert_eq!((read.rv, read.start.as_str()), (rv, "a/p"));
        }
        assert!(parse_revision("x").is_err());
    }

    #[test]
    fn other_tokens_are_refused_with_the_reason() {
        for (json, why) in [
            ("nonsense", ""),
            (
                r#"{"v":"meta.k8s.io/v2","rv":1,"start":"a"}"#,
                ": server does not recognize this encoded version",
            ),
            (
                r#"{"v":"meta.k8s.io/v1","rv":0,"start":"a"}"#,
                ": incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
            ),
            (
                r#"{"v":"meta.k8s.io/v1","rv":1,"start":""}"#,
                ": encoded start key empty (version meta.k8s.io/v1)",
            ),
        ] {
            let refused = read_token(&URL_SAFE_NO_PAD.encode(json)).err().unwrap();
            let expected = format!("invalid continue token: continue key is not valid{why}");
            assert_eq!(refused.to_string(), expected, "{json}");
        }
    }
}
