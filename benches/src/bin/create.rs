//! ConfigMaps of 1 KiB created by 16 clients over TLS, durable when acknowledged.
//!
//! Aim: a tenth of the stock server's and etcd's 2,900 us of CPU per create.

use anyhow::Result;
use hyper::Method;
use k8s_benches::load::{self, CONFIG_MAPS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    load::measure("create", async |load, client, turn| {
        let name = format!("new-{}-{}", turn.client, turn.index);
        let object = load.config_map(&name, turn);
        client
            .call(Method::POST, CONFIG_MAPS, object.to_string())
            .await
            .map(drop)
    })
    .await
}
