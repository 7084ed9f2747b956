//! The certificates of `clusterTrustBundle` sources: one bundle by its name, or all of a signer that a selector matches.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    certificates::v1::ClusterTrustBundle, core::v1::ClusterTrustBundleProjection,
};
use kube::{Api, Client, api::ListParams};

use super::{VolumeError, claim::words};

/// The certificates, each once, in PEM.
pub(super) async fn certificates(
    client: &Client,
    source: &ClusterTrustBundleProjection,
) -> Result<String, VolumeError> {
    let api: Api<ClusterTrustBundle> = Api::all(client.clone());
    let is_optional = source.optional == Some(true);
    let bundles = match (&source.name, &source.signer_name) {
        (Some(name), _) => match api.get(name).await {
            Ok(bundle) => vec![bundle],
            Err(kube::Error::Api(status)) if status.is_not_found() && is_optional => Vec::new(),
            Err(error) => return Err(failed(&error)),
        },
        (None, Some(signer)) => {
            // No selector selects nothing.
            let Some(selector) = &source.label_selector else {
                return found(Vec::new(), is_optional);
            };
            let selector: kube::core::Selector = selector.clone().try_into().map_err(
                |error: kube::core::ParseExpressionError| VolumeError::Invalid(error.to_string()),
            )?;
            let params = ListParams::default()
                .fields(&format!("spec.signerName={signer}"))
                .labels_from(&selector);
            let list = api.list(&params).await.map_err(|error| failed(&error))?;
            return found(list.items, is_optional);
        }
        (None, None) => Vec::new(),
    };
    found(bundles, is_optional)
}

fn found(bundles: Vec<ClusterTrustBundle>, is_optional: bool) -> Result<String, VolumeError> {
    if bundles.is_empty() && !is_optional {
        return Err(VolumeError::Invalid(
            "combination of signerName and labelSelector matched zero ClusterTrustBundles".into(),
        ));
    }
    let texts = bundles
        .iter()
        .map(|bundle| bundle.spec.trust_bundle.as_str());
    Ok(joined(texts))
}

fn failed(error: &kube::Error) -> VolumeError {
    VolumeError::Invalid(format!("failed to fetch trust bundle: {}", words(error)))
}

/// The PEM blocks of all texts, each once, in an order that doesn't depend on where they came from.
fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut blocks = BTreeSet::new();
    for text in texts {
        let mut block = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.starts_with("-----BEGIN ") {
                block.clear();
            }
            block += line;
            block.push('\n');
            if line.starts_with("-----END ") {
                blocks.insert(std::mem::take(&mut block));
            }
        }
    }
    blocks.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_of_two_bundles_is_shown_once() {
        let pem = |body: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        let texts = [
            pem("b") + "# a remark\n" + &pem("a"),
            format!("\n{}", pem("b")),
        ];
        let joined = joined(texts.iter().map(String::as_str));
        assert_eq!(joined, pem("a") + &pem("b"));
    }
}
