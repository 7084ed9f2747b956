//! ConfigMaps of 1 KiB changed by strategic merge patches of 16 clients over TLS, durable when acknowledged.

use anyhow::Result;
use hyper::Method;
use k8s_benches::load;
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    load::measure("patch", async |_, client, turn| {
        client.content_type = "application/strategic-merge-patch+json";
        let patch = json!({ "data": { "turn": turn.index.to_string() } });
        client
            .call(Method::PATCH, &turn.path(), patch.to_string())
            .await
            .map(drop)
    })
    .await
}
