//! From a request to a certificate: asked for, waited for, kept.

use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use kube::{Api, Client, ResourceExt, api::PostParams, runtime::wait::await_condition};
use rcgen::KeyPair;

use super::{Certificate, CertificateError, bundle::Bundle, request};

impl Certificate {
    /// Asks for a new one, waits until it is issued or refused, however long that takes, and uses it from then on.
    pub async fn order(&self, client: &Client) -> Result<(), CertificateError> {
        let key =
            KeyPair::generate().map_err(|error| CertificateError::Malformed(error.to_string()))?;
        let request = request::request(&self.0.node, &self.0.purpose, &key)?;
        let requests: Api<CertificateSigningRequest> = Api::all(client.clone());
        let made = requests.create(&PostParams::default(), &request).await?;
        let name = made.name_any();
        let is_decided = |request: Option<&CertificateSigningRequest>| {
            request.is_none_or(|request| decision(request).is_some())
        };
        let decided = await_condition(requests, &name, is_decided).await?;
        let refused = |what, message: &str| CertificateError::Refused {
            name: name.clone(),
            what,
            message: message.to_owned(),
        };
        let Some(decided) = decided else {
            return Err(refused("removed", "somebody deleted it"));
        };
        match decision(&decided) {
            Some(Decision::Issued(certificate)) => {
                let certificate = String::from_utf8_lossy(certificate);
                let bundle = Bundle::parse(format!("{certificate}\n{}", key.serialize_pem()))?;
                self.replace(bundle)
            }
            Some(Decision::Refused(what, message)) => Err(refused(what, message)),
            None => Err(refused("forgotten", "it was not decided")),
        }
    }
}

/// What became of a request.
enum Decision<'a> {
    Issued(&'a [u8]),
    Refused(&'static str, &'a str),
}

fn decision(request: &CertificateSigningRequest) -> Option<Decision<'_>> {
    let status = request.status.as_ref()?;
    let mut conditions = status.conditions.iter().flatten();
    let refusal = conditions.find_map(|condition| match condition.type_.as_str() {
        "Denied" => Some(("denied", condition)),
        "Failed" => Some(("failed", condition)),
        _ => None,
    });
    if let Some((what, condition)) = refusal {
        let message = condition.message.as_deref().unwrap_or_default();
        return Some(Decision::Refused(what, message));
    }
    let certificate = status.certificate.as_ref()?.0.as_slice();
    (!certificate.is_empty()).then_some(Decision::Issued(certificate))
}
