//! Requests to a whole server: whatever is asked of any resource, the answer is never 500.

use anyhow::{Result, ensure};
use http::Method;
use k8s_apimachinery::scheme::codec;
use k8s_store::testing::Dice;
use serde_json::{Value, json};

use super::Target;
use crate::{corpus::Corpus, mutate, server::Server, tree};

const TYPES: [&str; 8] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
    "",
];
const ACCEPTS: [&str; 6] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf,application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
];
const PARAMETERS: [&str; 14] = [
    "labelSelector=a%3Db",
    "labelSelector=a+in+(",
    "fieldSelector=metadata.name!=a",
    "fieldSelector=x%3Dy",
    "limit=1",
    "limit=-1",
    "resourceVersion=0",
    "resourceVersion=99999999999",
    "resourceVersionMatch=Exact",
    "fieldManager=f",
    "force=true",
    "fieldValidation=Strict",
    "pretty=1",
    "sendInitialEvents=true",
];

pub(super) struct Requests {
    server: Server,
    corpus: Corpus,
    /// The path of each sample's collection, and its name.
    places: Vec<(String, String)>,
}

impl Requests {
    /// A server that has every sample that it takes.
    pub(super) fn new() -> Self {
        let (server, corpus) = (Server::start(), Corpus::read());
        let mut places = Vec::new();
        for sample in corpus.samples() {
            let path = server.collection(&sample.gvk).unwrap_or_default();
            let name = sample.object["metadata"]["name"]
                .as_str()
                .unwrap_or_default();
            let body = codec::encode_json(&sample.object);
            // Those that refer to others are refused.
            let _ = server.ask(Method::POST, &path, TYPES[0], &body);
            places.push((path, name.to_owned()));
        }
        Requests {
            server,
            corpus,
            places,
        }
    }
}

impl Target for Requests {
    /// A line with method and path, one with the types of body and answer, and the body.
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let index = dice.below(self.places.len());
        let (path, name) = &self.places[index];
        let sample = &self.corpus.samples()[index];
        let (mut method, mut path) = ("POST", path.clone());
        let mut body = sample.mutated(dice);
        let mut content_type = TYPES[0];
        if !dice.one_in(3) {
            path += &format!("/{name}");
            method = mutate::pick(dice, &["PUT", "PATCH", "PATCH", "PATCH", "DELETE", "GET"]);
        }
        if dice.one_in(4) {
            path += mutate::pick(
                dice,
                &[
                    "/status",
                    "/scale",
                    "/eviction",
                    "/binding",
                    "/token",
                    "/approval",
                    "/x",
                ],
            );
        }
        if method == "PATCH" {
            content_type = TYPES[3 + dice.below(4)];
            if content_type == TYPES[3] {
                let operation = |dice: &mut Dice| {
                    let op = mutate::pick(dice, &["add", "remove", "replace", "test"]);
                    let path = mutate::pick(
                        dice,
                        &[
                            "/spec",
                            "/metadata",
                            "/metadata/labels",
                            "/status",
                            "/data/a",
                        ],
                    );
                    json!({"op": op, "path": path, "value": tree::any(dice, 2)})
                };
                body = (0..=dice.below(3)).map(|_| operation(dice)).collect();
            }
        }
        let mut parameters = Vec::new();
        if !matches!(method, "GET") && !dice.one_in(3) {
            parameters.push("dryRun=All");
        }
        for _ in 0..dice.below(3) {
            parameters.push(mutate::pick(dice, &PARAMETERS));
        }
        if dice.one_in(20) {
            content_type = mutate::pick(dice, &TYPES);
        }
        let accept = mutate::pick(dice, &ACCEPTS);
        let parameters = parameters.join("&");
        let mut text =
            format!("{method} {path}?{parameters}\n{content_type} {accept}\n").into_bytes();
        let mut body = if body == Value::Null {
            Vec::new()
        } else {
            codec::encode_json(&body)
        };
        if dice.one_in(20) {
            mutate::mutate(dice, &mut body, &[]);
        }
        text.extend(body);
        text
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let mut lines = input.splitn(3, |byte| *byte == b'\n');
        let mut line = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let (first, types) = (line(), line());
        let body = lines.next().unwrap_or_default();
        let Some((method, path)) = first.split_once(' ') else {
            return Ok(());
        };
        let Ok(method) = method.parse::<Method>() else {
            return Ok(());
        };
        let is_relayed = ["proxy", "exec", "attach", "log"]
            .iter()
            .any(|word| path.contains(word));
        if is_relayed
            || path.contains("watch")
            || path.contains("sendInitialEvents") && method == Method::GET
        {
            return Ok(());
        }
        let Ok((status, answer)) = self.server.ask(method, path, &types, body) else {
            return Ok(());
        };
        let answer = String::from_utf8_lossy(&answer);
        // Some ask for a state that is yet to come.
        let is_early = answer.contains("Too large resource version");
        ensure!(is_early || !status.is_server_error(), "{status}: {answer}");
        Ok(())
    }
}
