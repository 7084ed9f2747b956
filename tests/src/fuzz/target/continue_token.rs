//! Continue tokens: lists go on, begin again or are refused, and never fail.

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{Method, StatusCode};
use k8s_store::testing::Dice;
use serde_json::Value;

use super::Target;
use crate::{mutate, server::Server};

const PATH: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const WORDS: [&str; 10] = [
    "\"v\":",
    "\"rv\":",
    "\"start\":",
    "18446744073709551615",
    "-1",
    "0",
    "\"\"",
    "meta.k8s.io/v1",
    "../",
    "{",
];

pub(super) struct ContinueToken {
    server: Server,
    /// One as the server gives it.
    token: Vec<u8>,
}

impl ContinueToken {
    pub(super) fn new() -> Self {
        let server = Server::start();
        let path = format!("{PATH}?limit=2");
        let (_, page) = server.ask(Method::GET, &path, "", b"").expect("a list");
        let page: Value = serde_json::from_slice(&page).expect("a list is JSON");
        let token = page["metadata"]["continue"]
            .as_str()
            .expect("more than two roles");
        let token = BASE64_URL_SAFE_NO_PAD
            .decode(token)
            .expect("a token is base64");
        ContinueToken { server, token }
    }
}

impl Target for ContinueToken {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let mut token = self.token.clone();
        mutate::mutate(dice, &mut token, &WORDS);
        token
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let token = BASE64_URL_SAFE_NO_PAD.encode(input);
        let path = format!("{PATH}?limit=2&continue={token}");
        let (status, body) = self.server.ask(Method::GET, &path, "", b"")?;
        // The last is for a state that is yet to come.
        let refused = [
            StatusCode::BAD_REQUEST,
            StatusCode::GONE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        let text = String::from_utf8_lossy(&body);
        ensure!(
            status == StatusCode::OK || refused.contains(&status),
            "{status}: {text}"
        );
        if status == StatusCode::OK {
            let page: Value = serde_json::from_slice(&body)?;
            let items = page["items"].as_array().context("a list has items")?;
            ensure!(items.len() <= 2, "a page of {}", items.len());
        }
        Ok(())
    }
}
