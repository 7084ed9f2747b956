//! What a request asks for, and whether that is what the agent of a node may have.

use std::net::IpAddr;

use x509_parser::{
    certification_request::X509CertificationRequest,
    extensions::{GeneralName, ParsedExtension},
    pem::Pem,
    prelude::FromDer,
};

/// A request, as far as decisions look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) common_name: String,
    pub(super) organizations: Vec<String>,
    pub(super) dns: Vec<String>,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) emails: usize,
    pub(super) uris: usize,
}

impl Request {
    /// Reads the first block of a PEM text.
    pub(super) fn parse(pem: &[u8]) -> Result<Self, String> {
        let pem = Pem::iter_from_buffer(pem)
            .next()
            .and_then(Result::ok)
            .filter(|pem| pem.label == "CERTIFICATE REQUEST")
            .ok_or("PEM block type must be CERTIFICATE REQUEST")?;
        let (_, request) =
            X509CertificationRequest::from_der(&pem.contents).map_err(|error| error.to_string())?;
        let subject = &request.certification_request_info.subject;
        let name = subject.iter_common_name().next();
        let organizations = subject.iter_organization();
        let organizations = organizations.filter_map(|each| each.as_str().ok());
        let mut found = Request {
            common_name: name
                .and_then(|name| name.as_str().ok())
                .unwrap_or_default()
                .to_owned(),
            organizations: organizations.map(str::to_owned).collect(),
            ..Request::default()
        };
        for extension in request.requested_extensions().into_iter().flatten() {
            let ParsedExtension::SubjectAlternativeName(names) = extension else {
                continue;
            };
            for name in &names.general_names {
                match name {
                    GeneralName::DNSName(name) => found.dns.push((*name).to_owned()),
                    GeneralName::IPAddress(bytes) => found.addresses.extend(address(bytes)),
                    GeneralName::RFC822Name(_) => found.emails += 1,
                    GeneralName::URI(_) => found.uris += 1,
                    _ => {}
                }
            }
        }
        Ok(found)
    }

    /// Whether it is for the certificate with which a node's agent calls the API.
    pub(super) fn check_kubelet_client(&self, usages: &[String]) -> Result<(), String> {
        self.check_organization()?;
        if !self.dns.is_empty() {
            return no("DNS subjectAltNames are not allowed");
        }
        if self.emails > 0 {
            return no("Email subjectAltNames are not allowed");
        }
        if !self.addresses.is_empty() {
            return no("IP subjectAltNames are not allowed");
        }
        if self.uris > 0 {
            return no("URI subjectAltNames are not allowed");
        }
        self.check_name()?;
        check_usages(usages, "client auth")
    }

    /// Whether it is for the certificate with which a node's agent serves.
    pub(super) fn check_kubelet_serving(&self, usages: &[String]) -> Result<(), String> {
        self.check_organization()?;
        if self.dns.is_empty() && self.addresses.is_empty() {
            return no("DNS or IP subjectAltName is required");
        }
        if self.emails > 0 {
            return no("Email subjectAltNames are not allowed");
        }
        if self.uris > 0 {
            return no("URI subjectAltNames are not allowed");
        }
        check_usages(usages, "server auth")?;
        self.check_name()
    }

    fn check_organization(&self) -> Result<(), String> {
        match self.organizations.as_slice() {
            [one] if one == "system:nodes" => Ok(()),
            _ => no("subject organization is not system:nodes"),
        }
    }

    fn check_name(&self) -> Result<(), String> {
        match self.common_name.starts_with("system:node:") {
            true => Ok(()),
            false => no("subject common name does not begin with system:node: "),
        }
    }
}

/// Whether the usages are fit for a client of the API.
pub(super) fn check_client_usages(usages: &[String]) -> Result<(), String> {
    let optional = ["digital signature", "key encipherment", "client auth"];
    if let Some(other) = usages
        .iter()
        .find(|usage| !optional.contains(&usage.as_str()))
    {
        return Err(format!("invalid usage for client certificate: {other}"));
    }
    match usages.iter().any(|usage| usage == "client auth") {
        true => Ok(()),
        false => no("missing required usage for client certificate: client auth"),
    }
}

/// Exactly a signature, this purpose, and with keys that can encipher also that.
fn check_usages(usages: &[String], purpose: &str) -> Result<(), String> {
    let mut found: Vec<&str> = usages.iter().map(String::as_str).collect();
    found.sort_unstable();
    found.dedup();
    let mut with = ["digital signature", "key encipherment", purpose];
    with.sort_unstable();
    let mut without = ["digital signature", purpose];
    without.sort_unstable();
    match found == with || found == without {
        true => Ok(()),
        false => Err(format!("usages did not match [{}]", with.join(" "))),
    }
}

/// Four or sixteen bytes.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn no(why: &str) -> Result<(), String> {
    Err(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(", ").map(str::to_owned).collect()
    }

    fn node() -> Request {
        Request {
            common_name: "system:node:n1".into(),
            organizations: vec!["system:nodes".into()],
            ..Request::default()
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Request), usages: &str, client: &str, serving: &str) {
        let mut request = node();
        change(&mut request);
        let usages = words(usages);
        let said = |outcome: Result<(), String>| outcome.err().unwrap_or_default();
        assert_eq!(said(request.check_kubelet_client(&usages)), client);
        assert_eq!(said(request.check_kubelet_serving(&usages)), serving);
    }

    #[test]
    fn agents_get_what_their_node_needs_and_no_more() {
        let (client, serving) = (
            "digital signature, client auth",
            "digital signature, key encipherment, server auth",
        );
        let unnamed = "DNS or IP subjectAltName is required";
        check(|_| {}, client, "", unnamed);
        check(
            |request| request.dns.push("n1".into()),
            serving,
            "DNS subjectAltNames are not allowed",
            "",
        );
        check(
            |request| request.uris = 1,
            client,
            "URI subjectAltNames are not allowed",
            unnamed,
        );
        check(
            |request| request.organizations.push("system:masters".into()),
            client,
            "subject organization is not system:nodes",
            "subject organization is not system:nodes",
        );
        check(
            |request| {
                request.common_name = "jane".into();
                request.addresses.push([192, 0, 2, 1].into());
            },
            serving,
            "IP subjectAltNames are not allowed",
            "subject common name does not begin with system:node: ",
        );
        check(
            |_| {},
            "client auth",
            "usages did not match [client auth digital signature key encipherment]",
            unnamed,
        );
    }

    #[test]
    fn a_client_may_not_sign_for_others() {
        assert_eq!(check_client_usages(&words("client auth")), Ok(()));
        assert_eq!(
            check_client_usages(&words("client auth, cert sign")),
            Err("invalid usage for client certificate: cert sign".into())
        );
        assert_eq!(
            check_client_usages(&words("digital signature")),
            Err("missing required usage for client certificate: client auth".into())
        );
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let names = vec!["a.example".to_owned(), "192.0.2.1".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let mut push = |type_, text: &str| params.distinguished_name.push(type_, text);
        push(rcgen::DnType::OrganizationName, "system:nodes");
        push(rcgen::DnType::CommonName, "system:node:n1");
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.serialize_request(&key).unwrap().pem().unwrap();
        let want = Request {
            dns: vec!["a.example".into()],
            addresses: vec![[192, 0, 2, 1].into()],
            ..node()
        };
        assert_eq!(Request::parse(pem.as_bytes()), Ok(want));
        assert!(Request::parse(b"text").is_err());
    }
}
