//! `Accept` headers: what is chosen was asked for.

use anyhow::{Result, ensure};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use k8s_apiserver::{RequestInfo, handler::Format};
use k8s_store::testing::Dice;

use super::Target;
use crate::mutate;

const WORDS: [&str; 28] = [
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "*/*",
    "application/*",
    "text/html",
    ";as=Table",
    ";as=PartialObjectMetadataList",
    ";v=v1",
    ";v=v1beta1",
    ";g=meta.k8s.io",
    ";q=0.9",
    ";q=NaN",
    ";q=-1",
    ";q=inf",
    ";q=",
    ";stream=watch",
    ";",
    ",",
    "=",
    " ",
    "\"",
    "/",
    "*",
    ", ",
    ";q=0",
    "json",
    ";as=Table;v=v1;g=meta.k8s.io",
];

pub(super) struct Accept;

impl Target for Accept {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        mutate::sentence(dice, &WORDS, 12)
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok(value) = HeaderValue::from_bytes(input) else {
            return Ok(());
        };
        let headers = HeaderMap::from_iter([(header::ACCEPT, value)]);
        let info = RequestInfo::parse(&Method::GET, &Uri::from_static("/api/v1/pods"))?;
        let Ok(format) = Format::negotiate(&headers, &info) else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(input);
        let is_plain = format == Format::JSON;
        let is_asked = ["json", "yaml", "protobuf", "*"]
            .iter()
            .any(|word| text.contains(word));
        ensure!(is_asked || is_plain, "{format:?} was not asked for");
        ensure!(
            text.contains("as=") || format.shape == Format::JSON.shape,
            "{format:?} was not asked for"
        );
        Ok(())
    }
}
