//! Controllers and scheduler, as clients of the API.
//!
//! A store of its own has one process. On a store that others may share, each process stands for the leases that
//! Kubernetes' own components hold, and runs the parts while it leads.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use k8s_apiserver::ApiServer;
use k8s_controllers::{certificates::Authority, token::TokenSource};
use k8s_runtime::{Context, LeaderElector, LeaseConfig, Manager};
use k8s_scheduler::Scheduler;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    args::{Args, Part, StoreKind},
    control_plane::ControlPlane,
    identity::{self, Identity},
    keys,
    layout::Layout,
    network,
};

/// Between a failure of the parts and their next start.
const PAUSE: Duration = Duration::from_secs(1);

/// What controllers sign with, and whom they vouch for.
#[derive(Clone)]
struct Trust {
    certificates: Arc<dyn Authority>,
    tokens: Arc<dyn TokenSource>,
    ca: String,
}

/// Starts controllers and scheduler, as far as they are wanted.
pub(crate) fn run(
    plane: &ControlPlane,
    args: &Args,
    layout: &Layout,
    tasks: &mut JoinSet<()>,
) -> Result<()> {
    let candidate = match args.store {
        StoreKind::Etcd(_) => Some(candidate(&layout.candidate())?),
        StoreKind::Embedded | StoreKind::Memory => None,
    };
    let mut start = |component: Identity, lease: Option<LeaseConfig>, parts: Parts| {
        tasks.spawn(keep_running(plane.context(component), lease, parts));
    };
    let lease = |name: &str| {
        let candidate = candidate.clone();
        candidate.map(|identity| LeaseConfig::new("kube-system", name, identity))
    };
    if args.with(Part::Controllers) {
        let server = plane.server.clone();
        let trust = Trust {
            certificates: keys::certificates(&plane.pki),
            tokens: keys::tokens(&plane.pki),
            ca: plane.pki.ca_pem().to_owned(),
        };
        start(
            identity::controller_manager(),
            lease("kube-controller-manager"),
            Box::new(move |manager| controllers(manager, &server, &trust)),
        );
    }
    if args.with(Part::Scheduler) {
        start(
            identity::scheduler(),
            lease("kube-scheduler"),
            Box::new(|manager| {
                manager.with("scheduler", |ctx| async {
                    Scheduler::builder(ctx).build().run().await;
                })
            }),
        );
    }
    Ok(())
}

/// Adds components to a manager, anew for each start.
type Parts = Box<dyn Fn(Manager) -> Manager + Send + Sync>;

/// Runs the parts until cancelled; those of a lease whenever this process holds it.
async fn keep_running(ctx: Context, lease: Option<LeaseConfig>, parts: Parts) {
    loop {
        let mut manager = parts(Manager::new(ctx.clone()));
        if let Some(lease) = &lease {
            manager = manager.leading(LeaderElector::new(ctx.client.clone(), lease.clone()));
        }
        match manager.run().await {
            Ok(()) => return,
            Err(error) => tracing::error!(%error, "starting again"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Each controller under an account of its own.
fn controllers(mut manager: Manager, server: &ApiServer, trust: &Trust) -> Manager {
    let as_account = |account: &str| {
        let client = identity::controller(account).client(server);
        move |ctx: Context| ctx.with_client(client)
    };
    for controller in k8s_controllers::builtins() {
        let context = as_account(controller.account);
        manager = manager.with(controller.name, |ctx| (controller.run)(context(ctx)));
    }
    let context = as_account(k8s_controllers::root_ca::ACCOUNT);
    let ca = trust.ca.clone();
    manager = manager.with("root-ca", |ctx| {
        k8s_controllers::root_ca::run(context(ctx), ca)
    });
    let context = as_account(k8s_controllers::certificates::ACCOUNT);
    let authority = trust.certificates.clone();
    manager = manager.with("csrsigning", |ctx| {
        k8s_controllers::certificates::sign::run(context(ctx), authority)
    });
    let context = as_account(k8s_controllers::certificates::approve_serving::ACCOUNT);
    manager = manager.with("csrapproving-serving", |ctx| {
        k8s_controllers::certificates::approve_serving::run(context(ctx))
    });
    // As in Kubernetes, this one is no account, but the controller manager itself.
    let (tokens, ca) = (trust.tokens.clone(), trust.ca.clone());
    manager.with("token", |ctx| k8s_controllers::token::run(ctx, tokens, ca))
}

/// Who this process is among those that stand for a lease. It stays the same, so that a process that was killed takes
/// its own lease up again at once.
fn candidate(file: &Path) -> Result<String> {
    match fs::read_to_string(file) {
        Ok(known) if !known.is_empty() => return Ok(known),
        _ => {}
    }
    let new = format!("{}_{}", network::host_name(), Uuid::new_v4());
    fs::write(file, &new).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(new)
}
