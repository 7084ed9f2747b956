//! `grpc`: well if the health service says that it serves.

use std::time::Duration;

use tonic::transport::Endpoint;

use super::Outcome;

mod health {
    // Generated code.
    #![allow(missing_docs, unreachable_pub, clippy::all)]
    tonic::include_proto!("grpc.health.v1");
}

use health::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

pub(super) async fn check(host: &str, port: u16, service: &str, timeout: Duration) -> Outcome {
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let Ok(endpoint) = Endpoint::from_shared(format!("http://{host}:{port}")) else {
        return Outcome::Error(format!("invalid address {host}:{port}"));
    };
    let call = async {
        let channel = endpoint.connect().await.map_err(|error| {
            format!("error: failed to connect service at {host}:{port}: {error}")
        })?;
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = HealthClient::new(channel).check(request).await;
        answer.map_err(|status| format!("error: health rpc failed: {}", status.message()))
    };
    match tokio::time::timeout(timeout, call).await {
        Err(_) => Outcome::Failure(format!(
            "timeout: health rpc did not complete within {timeout:?}"
        )),
        Ok(Err(message)) => Outcome::Failure(message),
        Ok(Ok(answer)) => match answer.into_inner().status() {
            ServingStatus::Serving => Outcome::Success,
            other => Outcome::Failure(format!(
                "service unhealthy (responded with {:?})",
                other.as_str_name()
            )),
        },
    }
}
