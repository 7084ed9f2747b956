//! The way between nodes: pods reach the pods of another node by a route to it, with their own address.
//!
//! Each node keeps the routes of its own machine. They are told apart from others' by their protocol number.

use std::{collections::BTreeMap, net::IpAddr, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use k8s_runtime::{Context, Key};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::{cni, masquerade};
use crate::layout::Layout;

/// Who made a route, in the kernel's table: a number that nobody is known to use.
const PROTOCOL: &str = "75";
/// How often the machine is looked at although no node changed.
const LOOK: Duration = Duration::from_secs(60);

/// Pod ranges and the nodes behind which they lie.
type Routes = BTreeMap<String, IpAddr>;

/// Keeps the pod network of the node up until the context is cancelled.
pub(crate) async fn run(ctx: Context, layout: Layout, name: String) {
    let nodes = ctx.hub.informer::<Node>();
    let mut changes = nodes.subscribe();
    let work = async {
        nodes.synced().await;
        let own = Key::cluster(&name);
        let mut done = None;
        loop {
            let store = nodes.store();
            let wanted = (
                store.get(&own).as_deref().and_then(pod_cidr),
                wanted(&name, store.list().iter().map(|node| &**node)),
            );
            if done.as_ref() != Some(&wanted) {
                let (layout, (cidr, routes)) = (layout.clone(), wanted.clone());
                let acted = spawn_blocking(move || act(&layout, cidr.as_deref(), &routes));
                match acted.await.map_err(anyhow::Error::from).flatten() {
                    Ok(()) => done = Some(wanted),
                    Err(error) => tracing::warn!(error = format!("{error:#}"), "routes"),
                }
            }
            tokio::select! {
                change = changes.next() => if change.is_none() { return },
                // Somebody may have removed them.
                () = tokio::time::sleep(LOOK) => done = None,
            }
        }
    };
    ctx.cancel.run_until_cancelled(work).await;
}

/// Removes what was made for this machine.
pub(crate) fn remove() -> Result<()> {
    ip(&["route", "flush", "proto", PROTOCOL]).map(drop)
}

fn pod_cidr(node: &Node) -> Option<String> {
    node.spec.as_ref()?.pod_cidr.clone()
}

/// The routes to all nodes but this one, and those that share its address.
fn wanted<'a>(own: &str, nodes: impl Iterator<Item = &'a Node>) -> Routes {
    let mut found = Routes::new();
    let mut here = None;
    for node in nodes {
        let addresses = node
            .status
            .iter()
            .flat_map(|status| status.addresses.iter());
        let mut addresses = addresses.flatten();
        let address = addresses.find(|address| address.type_ == "InternalIP");
        let address = address.and_then(|address| address.address.parse::<IpAddr>().ok());
        if node.metadata.name.as_deref() == Some(own) {
            here = address;
        } else if let (Some(cidr), Some(address)) = (pod_cidr(node), address) {
            found.insert(cidr, address);
        }
    }
    found.retain(|_, address| Some(*address) != here);
    found
}

/// What is there and shouldn't be.
fn excess<'a>(wanted: &Routes, present: &'a [Route]) -> Vec<&'a str> {
    let is_wanted = |route: &&Route| wanted.contains_key(&route.dst);
    let excess = present.iter().filter(|route| !is_wanted(route));
    excess.map(|route| route.dst.as_str()).collect()
}

fn act(layout: &Layout, own: Option<&str>, wanted: &Routes) -> Result<()> {
    if let Some(cidr) = own {
        cni::configure(layout, cidr)?;
        masquerade::ensure()?;
    }
    let listing = ip(&["-json", "route", "show", "proto", PROTOCOL])?;
    let present: Vec<Route> = match listing.trim() {
        "" => Vec::new(),
        listing => serde_json::from_str(listing).context("the kernel's routes")?,
    };
    for cidr in excess(wanted, &present) {
        ip(&["route", "delete", cidr, "proto", PROTOCOL])?;
    }
    for (cidr, node) in wanted {
        let via = node.to_string();
        ip(&["route", "replace", cidr, "via", &via, "proto", PROTOCOL])?;
    }
    Ok(())
}

/// A line of `ip -json route`.
#[derive(Deserialize)]
struct Route {
    dst: String,
}

fn ip(words: &[&str]) -> Result<String> {
    let output = Command::new("ip").args(words).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "ip {}: {}",
        words.join(" "),
        said.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, cidr: Option<&str>, address: &str) -> Node {
        serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": { "podCIDR": cidr },
            "status": { "addresses": [
                { "type": "Hostname", "address": name },
                { "type": "InternalIP", "address": address },
            ] },
        }))
        .unwrap()
    }

    #[test]
    fn each_other_machine_is_the_way_to_its_pods() {
        let nodes = [
            node("a", Some("10.244.0.0/24"), "192.0.2.1"),
            node("b", Some("10.244.1.0/24"), "192.0.2.2"),
            node("new", None, "192.0.2.3"),
            node("simulated", Some("10.244.9.0/24"), "192.0.2.1"),
        ];
        let wanted = wanted("a", nodes.iter());
        assert_eq!(
            wanted,
            Routes::from([("10.244.1.0/24".into(), [192, 0, 2, 2].into())])
        );
        let route = |dst: &str| Route { dst: dst.into() };
        let present = [route("10.244.1.0/24"), route("10.244.7.0/24")];
        assert_eq!(excess(&wanted, &present), ["10.244.7.0/24"]);
    }
}
