//! The table of controllers: one line each.

use futures::future::BoxFuture;
use k8s_runtime::Context;

/// A controller that can be started by name.
pub struct Builtin {
    /// Its name: what `--controllers` lists.
    pub name: &'static str,
    /// The service account in `kube-system` that it acts as, with Kubernetes' own name, so that
    /// Kubernetes' own roles (`system:controller:<account>`) fit.
    pub account: &'static str,
    /// Runs it until the context is cancelled.
    pub run: fn(Context) -> BoxFuture<'static, ()>,
}

impl Builtin {
    /// The user that the context's client should be.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:kube-system:{}", self.account)
    }
}

/// All controllers of this crate that need nothing but a context.
pub fn builtins() -> &'static [Builtin] {
    macro_rules! table {
        ($($name:literal as $account:literal: $($module:ident)::+,)*) => {
            &[$(Builtin {
                name: $name,
                account: $account,
                run: |ctx| Box::pin(crate::$($module)::+::run(ctx)),
            }),*]
        };
    }
    const BUILTINS: &[Builtin] = table! {
        "deployment" as "deployment-controller": deployment,
        "replicaset" as "replicaset-controller": replica_set,
        "statefulset" as "statefulset-controller": stateful_set,
        "endpointslice" as "endpointslice-controller": endpoint_slice,
        "endpoint" as "endpoint-controller": endpoints,
        "namespace" as "namespace-controller": namespace,
        "garbage-collector" as "generic-garbage-collector": garbage_collector,
        "service-account" as "service-account-controller": service_account,
        "disruption" as "disruption-controller": disruption,
        "node-lifecycle" as "node-controller": node_lifecycle,
        "node-ipam" as "node-controller": node_ipam,
        "csrapproving" as "certificate-controller": certificates::approve,
        "csrcleaner" as "certificate-controller": certificates::clean,
        "bootstrap-signer" as "bootstrap-signer": bootstrap::sign,
        "token-cleaner" as "token-cleaner": bootstrap::clean,
        "pod-garbage-collector" as "pod-garbage-collector": pod_gc,
        "persistentvolume-binder" as "persistent-volume-binder": persistent_volume,
        "persistentvolume-attach-detach" as "attachdetach-controller": attach_detach,
        "persistentvolume-expander" as "expand-controller": expand,
        "ephemeral-volume" as "ephemeral-volume-controller": ephemeral_volume,
        "persistentvolumeclaim-protection" as "pvc-protection-controller": pvc_protection,
        "persistentvolume-protection" as "pv-protection-controller": pv_protection,
        "volumeattributesclass-protection" as "volumeattributesclass-protection-controller": vac_protection,
        "resourcequota" as "resourcequota-controller": resource_quota,
    };
    BUILTINS
}
