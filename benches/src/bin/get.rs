//! ConfigMaps of 1 KiB read by 16 clients over TLS.

use anyhow::Result;
use hyper::Method;
use k8s_benches::load;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    load::measure("get", async |_, client, turn| {
        client.call(Method::GET, &turn.path(), "").await.map(drop)
    })
    .await
}
