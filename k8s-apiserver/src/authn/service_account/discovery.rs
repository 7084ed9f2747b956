//! How others verify our tokens: `/.well-known/openid-configuration` and `/openid/v1/jwks`, as
//! OpenID Connect Discovery 1.0 has them. Who may read them is a matter of roles.

use std::sync::Arc;

use http::{HeaderValue, Method, header};
use serde_json::{Value, json};

use super::TokenIssuer;
use crate::{
    ApiError, Request, RequestInfo, Response, body,
    layer::{Handler, Step},
};

/// Where the keys are.
const KEYS: &str = "/openid/v1/jwks";
/// Where the description of the issuer is.
const CONFIGURATION: &str = "/.well-known/openid-configuration";

/// Answers both paths, if there is an issuer.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    documents: Option<Documents>,
}

#[derive(Debug, Clone)]
struct Documents {
    configuration: Arc<str>,
    keys: Arc<str>,
}

impl Discovery {
    /// Publishes an issuer's keys, to be fetched from the server at `address` (`host:port`).
    pub fn new(issuer: &TokenIssuer, address: &str) -> Self {
        let configuration = json!({
            "issuer": issuer.url,
            "jwks_uri": format!("https://{address}{KEYS}"),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        });
        let keys = json!({ "keys": [issuer.key.jwk()] });
        let text = |document: Value| document.to_string().into();
        Discovery {
            documents: Some(Documents {
                configuration: text(configuration),
                keys: text(keys),
            }),
        }
    }
}

impl Step for Discovery {
    async fn handle<N: Handler>(&self, request: Request, next: N) -> Result<Response, ApiError> {
        let info = RequestInfo::of(&request);
        let (document, content_type) = match (&self.documents, info.path.as_str()) {
            (Some(of), CONFIGURATION) => (&of.configuration, "application/json"),
            (Some(of), KEYS) => (&of.keys, "application/jwk-set+json"),
            _ => return Ok(next.run(request).await),
        };
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(ApiError::MethodNotAllowed);
        }
        let mut response = Response::new(body::full(document.to_string()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=3600"),
        );
        Ok(response)
    }
}
