//! From a token to the cluster's authority: read without knowing who answers, believed for its signature.

use anyhow::{Context, Result, bail, ensure};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, Config, config::Kubeconfig};
use ring::hmac;
use serde_json::Value;

use crate::token::Token;

/// The authority's certificate, as PEM, of the cluster that knows this token.
pub(super) async fn authority(server: &str, token: &Token) -> Result<String> {
    let mut config = config(server)?;
    config.accept_invalid_certs = true;
    let maps: Api<ConfigMap> = Api::namespaced(Client::try_from(config)?, "kube-public");
    let map = maps
        .get("cluster-info")
        .await
        .with_context(|| format!("{server} doesn't tell whom to trust"))?;
    let data = map.data.unwrap_or_default();
    let content = data.get("kubeconfig").context("cluster-info is empty")?;
    let signature = data
        .get(&format!("jws-kubeconfig-{}", token.id))
        .with_context(|| {
            format!(
                "the cluster at {server} doesn't know the token {}",
                token.id
            )
        })?;
    verify(content, signature, token)?;
    let kubeconfig = Kubeconfig::from_yaml(content)?;
    let cluster = kubeconfig
        .clusters
        .into_iter()
        .find_map(|named| named.cluster);
    let encoded = cluster.and_then(|cluster| cluster.certificate_authority_data);
    let pem = STANDARD.decode(encoded.context("cluster-info names no authority")?)?;
    Ok(String::from_utf8(pem)?)
}

/// A client that shows the token, and trusts the authority.
pub(super) fn client(server: &str, authority: &str, token: &Token) -> Result<Client> {
    let mut config = config(server)?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(authority.as_bytes())?;
    config.root_cert = Some(vec![pem.contents]);
    config.auth_info.token = Some(token.to_string().into());
    Ok(Client::try_from(config)?)
}

fn config(server: &str) -> Result<Config> {
    let server = server
        .parse()
        .with_context(|| format!("{server} is no address of a server"))?;
    Ok(Config::new(server))
}

/// Holds the content against the signature: a JSON Web Signature without its payload, `HS256` with the token's secret.
fn verify(content: &str, signature: &str, token: &Token) -> Result<()> {
    let Some((header, tag)) = signature.split_once("..") else {
        bail!("the signature of cluster-info is malformed");
    };
    let said: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?)?;
    ensure!(
        said["alg"] == "HS256" && said["kid"] == token.id.as_str(),
        "the signature of cluster-info is of another kind"
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.secret.as_bytes());
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
    let Ok(()) = hmac::verify(&key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(tag)?) else {
        bail!("cluster-info was not signed with this token: somebody else answers");
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tokens_holder_can_have_signed() {
        // Computed with another implementation of RFC 7515.
        let signature =
            "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..psz1NayrXM3IaFzKZGsb5n_mBl7MjtlsZ1xE8MRmF_4";
        let token: Token = "abcdef.0123456789abcdef".parse().unwrap();
        verify("content", signature, &token).unwrap();
        let other: Token = "abcdef.0123456789abcdee".parse().unwrap();
        for (content, signature, token) in [
            ("contents", signature, &token),
            ("content", signature, &other),
            ("content", "", &token),
        ] {
            assert!(verify(content, signature, token).is_err());
        }
    }
}
