//! The table of controllers: one line each.

use futures::future::BoxFuture;
use k8s_runtime::Context;

/// A controller that can be started by name.
pub struct Builtin {
    /// Its name; it acts as `system:serviceaccount:kube-system:<name>-controller`.
    pub name: &'static str,
    /// Runs it until the context is cancelled.
    pub run: fn(Context) -> BoxFuture<'static, ()>,
}

impl Builtin {
    /// The user that the context's client should be.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:kube-system:{}-controller", self.name)
    }
}

/// All controllers of this crate that need nothing but a context.
pub fn builtins() -> &'static [Builtin] {
    const BUILTINS: &[Builtin] = &[
        Builtin {
            name: "deployment",
            run: |ctx| Box::pin(crate::deployment::run(ctx)),
        },
        Builtin {
            name: "replicaset",
            run: |ctx| Box::pin(crate::replica_set::run(ctx)),
        },
    ];
    BUILTINS
}
