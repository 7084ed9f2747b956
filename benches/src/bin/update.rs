//! ConfigMaps of 1 KiB replaced by 16 clients over TLS, durable when acknowledged.
//!
//! Aim: as for a create, a tenth of 2,900 us of CPU.

use anyhow::Result;
use hyper::Method;
use k8s_benches::load;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    load::measure("update", async |load, client, turn| {
        let object = load.config_map(&turn.name(), turn);
        client
            .call(Method::PUT, &turn.path(), object.to_string())
            .await
            .map(drop)
    })
    .await
}
