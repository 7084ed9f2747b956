//! `Accept` headers: what is chosen was asked for.

use anyhow::{Result, ensure};
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use k8s_apimachinery::scheme::Gvk;
use k8s_apiserver::{
    RequestInfo,
    handler::{AnswerKind, Encoding, Format, Offer, Shape},
};
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
        // What isn't text says nothing.
        let text = value.to_str().unwrap_or_default().to_owned();
        let headers = HeaderMap::from_iter([(header::ACCEPT, value)]);
        let info = RequestInfo::parse(&Method::GET, &Uri::from_static("/api/v1/pods"))?;
        let pod = Gvk::new("", "v1", "Pod");
        for answer in [AnswerKind::One, AnswerKind::List, AnswerKind::Events] {
            if let Ok(format) = Format::negotiate(&headers, &info, Offer::new(&pod, answer)) {
                was_asked_for(format, &text)?;
            }
        }
        Ok(())
    }
}

fn was_asked_for(format: Format, text: &str) -> Result<()> {
    let names: &[&str] = match format.encoding {
        // Who asks for nothing gets JSON.
        Encoding::Json { .. } if text.trim().is_empty() => return Ok(()),
        Encoding::Json { .. } => &["json", "*"],
        Encoding::Yaml => &["yaml", "*"],
        Encoding::Protobuf => &["protobuf", "*"],
    };
    let is_asked = names.iter().any(|name| text.contains(name));
    ensure!(is_asked, "{format:?} was not asked for");
    let is_shaped = format.shape == Shape::Whole || text.contains("as=");
    ensure!(is_shaped, "{format:?} was not asked for");
    Ok(())
}
