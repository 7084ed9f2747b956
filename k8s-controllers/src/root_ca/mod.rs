//! The cluster's CA certificate in every namespace, as the ConfigMap `kube-root-ca.crt`, which the
//! token volume of every pod mounts.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_runtime::{Action, Context, Controller, Key, Store, WatchConfig};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};

use crate::namespace;

const NAME: &str = "kube-root-ca.crt";
const FIELD: &str = "ca.crt";
const DESCRIPTION: &str = "kubernetes.io/description";
const DESCRIPTION_TEXT: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// The service account in `kube-system` that the controller acts as.
pub const ACCOUNT: &str = "root-ca-cert-publisher";

/// Publishes `ca` (certificates in PEM form) until the context is cancelled. It isn't one of the
/// [`builtins`](crate::builtins), since it needs to be told the certificate.
pub async fn run(ctx: Context, ca: String) {
    let namespaces = ctx.hub.informer::<Namespace>();
    // Of all ConfigMaps only these: the others are nobody's business here.
    let only_ours = WatchConfig::default().fields(format!("metadata.name={NAME}"));
    let configs = ctx.hub.informer_with::<ConfigMap>(only_ours);
    let publisher = Arc::new(Publisher {
        namespaces: namespaces.store(),
        configs: configs.store(),
        ca,
        ctx: ctx.clone(),
    });
    Controller::new("root-ca-cert-publisher", ctx)
        .owns_keys(&namespaces)
        .on(&configs, |event| {
            let namespace = event.object().metadata.namespace.clone();
            vec![Key::cluster(namespace.unwrap_or_default())]
        })
        .run(4, move |key| {
            let round = publisher.clone();
            async move { round.reconcile(key).await }
        })
        .await;
}

struct Publisher {
    ctx: Context,
    namespaces: Store<Namespace>,
    configs: Store<ConfigMap>,
    ca: String,
}

impl Publisher {
    async fn reconcile(&self, key: Key) -> Result<Action, kube::Error> {
        let namespace = self.namespaces.get(&key);
        if !namespace.is_some_and(|found| namespace::is_active(&found)) {
            return Ok(Action::Done);
        }
        let api: Api<ConfigMap> = Api::namespaced(self.ctx.client.clone(), &key.name);
        let params = PostParams::default();
        let data = BTreeMap::from([(FIELD.to_owned(), self.ca.clone())]);
        let description = (DESCRIPTION.to_owned(), DESCRIPTION_TEXT.to_owned());
        let written = match self.configs.get(&Key::new(&key.name, NAME)) {
            None => {
                let config = ConfigMap {
                    metadata: ObjectMeta {
                        name: Some(NAME.into()),
                        namespace: Some(key.name.clone()),
                        annotations: Some(BTreeMap::from([description])),
                        ..ObjectMeta::default()
                    },
                    data: Some(data),
                    ..ConfigMap::default()
                };
                api.create(&params, &config).await
            }
            Some(known) if known.data.as_ref() == Some(&data) => return Ok(Action::Done),
            Some(known) => {
                let mut config = ConfigMap::clone(&known);
                config.data = Some(data);
                let annotations = config.metadata.annotations.get_or_insert_default();
                annotations.extend([description]);
                api.replace(NAME, &params, &config).await
            }
        };
        match written {
            Err(error) if namespace::refuses_content(&error) => Ok(Action::Done),
            other => other.map(|_| Action::Done),
        }
    }
}
