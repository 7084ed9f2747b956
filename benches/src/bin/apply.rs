//! ConfigMaps of 1 KiB applied from the server's side by 16 clients over TLS, each time with another value.

use anyhow::Result;
use hyper::Method;
use k8s_benches::load;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    load::measure("apply", async |load, client, turn| {
        client.content_type = "application/apply-patch+yaml";
        let object = load.config_map(&turn.name(), turn);
        let path = turn.path() + "?fieldManager=bench&force=true";
        client
            .call(Method::PATCH, &path, object.to_string())
            .await
            .map(drop)
    })
    .await
}
