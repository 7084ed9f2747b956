//! Where objects are kept: what `--store` says.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use k8s_apiserver::metrics::Metrics;
use k8s_store::{Store, StoreError, embedded::EmbeddedStore, memory::MemoryStore};

use crate::{
    args::{Args, StoreKind},
    layout::Layout,
};

/// Opens the store, and makes its figures visible under `/metrics`.
pub(crate) async fn open(args: &Args, layout: &Layout) -> Result<(Arc<dyn Store>, Metrics)> {
    match &args.store {
        StoreKind::Memory => Ok((Arc::new(MemoryStore::new()), Metrics::default())),
        StoreKind::Embedded => {
            let store = match EmbeddedStore::open(layout.store()).await {
                Ok(store) => Arc::new(store),
                Err(error @ StoreError::Locked { .. }) => return Err(error.into()),
                Err(error) => return Err(error).context("cannot open the store"),
            };
            let watched = store.clone();
            let metrics = Metrics::default().counter(
                "store_fsyncs_total",
                "Calls of fsync by the embedded store.",
                move || watched.stats().fsyncs,
            );
            Ok((store, metrics))
        }
        StoreKind::Etcd(urls) => Ok((etcd(args, urls).await?, Metrics::default())),
    }
}

#[cfg(feature = "etcd")]
async fn etcd(args: &Args, urls: &[String]) -> Result<Arc<dyn Store>> {
    use std::{fs, path::PathBuf};

    use k8s_store::etcd::{EtcdOptions, EtcdStore, Tls};

    let read = |path: &PathBuf| {
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let identity = match (&args.etcd_certfile, &args.etcd_keyfile) {
        (Some(certificate), Some(key)) => Some((read(certificate)?, read(key)?)),
        _ => None,
    };
    let tls = Tls {
        ca: args.etcd_cafile.as_ref().map(read).transpose()?,
        identity,
        server_name: None,
    };
    let mut options = EtcdOptions::new(urls);
    let secure = tls.ca.is_some() || tls.identity.is_some();
    options.tls = secure.then_some(tls);
    let store = EtcdStore::connect(options).await;
    let store = store.with_context(|| format!("cannot use etcd at {}", urls.join(",")))?;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "etcd"))]
async fn etcd(_: &Args, urls: &[String]) -> Result<Arc<dyn Store>> {
    anyhow::bail!(
        "--store etcd={}: this program was built without the feature `etcd`",
        urls.join(",")
    )
}
