//! What the cluster's keys sign for controllers, which never see the keys themselves.

use std::sync::Arc;

use k8s_apiserver::{
    authn::service_account::{Reference, TokenIssuer},
    pki::Pki,
    registry::SystemEnvironment,
};
use k8s_controllers::{
    certificates::{Authority, Order},
    token::{TokenSource, Wanted},
};

/// Signs certificates that were approved.
pub(crate) fn certificates(pki: &Pki) -> Arc<dyn Authority> {
    let signer = pki.signer();
    Arc::new(move |order: &Order<'_>| {
        signer
            .sign(
                order.request,
                order.usages,
                order.not_before,
                order.not_after,
            )
            .map_err(|error| error.to_string())
    })
}

/// Makes the tokens of secrets.
pub(crate) fn tokens(pki: &Pki) -> Arc<dyn TokenSource> {
    // These tokens name no URL.
    let issuer = TokenIssuer::new(pki.token_key(), "", Arc::new(SystemEnvironment));
    Arc::new(move |wanted: &Wanted<'_>| {
        let account = Reference {
            name: wanted.account.to_owned(),
            uid: wanted.uid.to_owned(),
        };
        issuer.issue_legacy(wanted.namespace, &account, wanted.secret)
    })
}
