//! `TokenReview`: somebody else's server asks whom a token stands for.

use async_trait::async_trait;
use k8s_apimachinery::Object;
use serde_json::{Value, json};

use super::{completed, token::BearerToken};
use crate::{
    ApiError, RequestInfo, User,
    registry::{Registry, Virtual},
};

/// Answers by the tokens that this server believes itself.
#[derive(Clone)]
pub struct TokenReviewer(pub BearerToken);

impl TokenReviewer {
    /// The status of a review.
    async fn status(&self, token: &str, audiences: &[String]) -> Value {
        match self.0.identify(token, audiences).await {
            Ok(found) => {
                let user = completed(found.user);
                let mut info = json!({ "username": user.name, "groups": user.groups });
                if !user.uid.is_empty() {
                    info["uid"] = user.uid.into();
                }
                if !user.extra.is_empty() {
                    info["extra"] = json!(user.extra);
                }
                json!({ "authenticated": true, "user": info, "audiences": found.audiences })
            }
            Err(refusals) => {
                let refusals = refusals.into_iter().map(|refusal| refusal.0);
                let all: Vec<_> = ["invalid bearer token".to_owned()]
                    .into_iter()
                    .chain(refusals)
                    .collect();
                let error = match all.as_slice() {
                    [one] => one.clone(),
                    several => format!("[{}]", several.join(", ")),
                };
                json!({ "user": {}, "error": error })
            }
        }
    }
}

#[async_trait]
impl Virtual for TokenReviewer {
    async fn create(
        &self,
        _registry: &Registry,
        _user: &User,
        _info: &RequestInfo,
        mut review: Object,
    ) -> Result<Object, ApiError> {
        let token = review.str(&["spec", "token"]).unwrap_or_default();
        if token.is_empty() {
            return Err(ApiError::BadRequest(
                "token is required for TokenReview in authentication".to_owned(),
            ));
        }
        let asked = review.get(&["spec", "audiences"]).and_then(Value::as_array);
        let asked = asked.into_iter().flatten().filter_map(Value::as_str);
        let mut audiences: Vec<String> = asked.map(str::to_owned).collect();
        if audiences.is_empty() {
            audiences = self.0.audiences().to_vec();
        }
        let status = self.status(token, &audiences).await;
        review.set(&["status"], status);
        Ok(review)
    }
}
