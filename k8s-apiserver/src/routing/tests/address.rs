//! Addresses of services: objects that go with the service, from networks that are objects too.

use super::*;

const SERVICES: &str = "/api/v1/namespaces/default/services";
const NETWORKING: &str = "/apis/networking.k8s.io/v1";

fn service(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "ports": [{ "port": 80 }] } })
}

/// A server whose network has so many addresses beside that of the `kubernetes` service.
async fn with_addresses_left(prefix: u8) -> Api {
    Api::start_with(|config| config.service_network.prefix = prefix).await
}

async fn addresses(api: &Api) -> Vec<String> {
    let list = api.get(&format!("{NETWORKING}/ipaddresses")).await.ok();
    let items = list["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn an_address_comes_and_goes_with_its_service() {
    let api = Api::start().await;
    assert_eq!(addresses(&api).await, ["10.96.0.1"]);
    let made = api.post(SERVICES, service("a")).await.ok();
    let ip = made["spec"]["clusterIP"].as_str().unwrap();
    let uri = format!("{NETWORKING}/ipaddresses/{ip}");
    let address = api.get(&uri).await.ok();
    assert_eq!(
        address["spec"]["parentRef"],
        json!({"group": "", "resource": "services", "namespace": "default", "name": "a"})
    );
    assert_eq!(
        address["metadata"]["labels"],
        json!({
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        })
    );
    api.delete(&format!("{SERVICES}/a")).await.ok();
    assert_eq!(addresses(&api).await, ["10.96.0.1"]);
}

#[tokio::test(start_paused = true)]
async fn of_two_that_race_for_the_last_address_one_gets_it() {
    let api = with_addresses_left(30).await;
    let (a, b) = tokio::join!(
        api.post(SERVICES, service("a")),
        api.post(SERVICES, service("b"))
    );
    let (won, lost) = match a.status.is_success() {
        true => (a, b),
        false => (b, a),
    };
    assert_eq!(won.ok()["spec"]["clusterIP"], "10.96.0.2");
    assert_eq!(
        lost.failure(),
        "500 InternalError: Internal error occurred: failed to allocate a serviceIP: range is full"
    );
    assert_eq!(addresses(&api).await, ["10.96.0.1", "10.96.0.2"]);
}

#[tokio::test(start_paused = true)]
async fn one_more_network_gives_more_addresses() {
    let api = with_addresses_left(30).await;
    let networks = format!("{NETWORKING}/servicecidrs");
    let default = api.get(&format!("{networks}/kubernetes")).await.ok();
    assert_eq!(default["spec"]["cidrs"], json!(["10.96.0.0/30"]));
    assert_eq!(default["status"]["conditions"][0]["status"], "True");
    api.post(SERVICES, service("a")).await.ok();
    let full = api.post(SERVICES, service("b")).await;
    assert_eq!(full.status, StatusCode::INTERNAL_SERVER_ERROR);

    let more = json!({ "metadata": { "name": "more" }, "spec": { "cidrs": ["10.97.0.0/24"] } });
    api.post(&networks, more).await.ok();
    let made = api.post(SERVICES, service("b")).await.ok();
    let ip = made["spec"]["clusterIP"].as_str().unwrap();
    assert!(ip.starts_with("10.97.0."), "{ip}");
    let mut wanted = service("c");
    wanted["spec"]["clusterIP"] = "10.97.0.0".into();
    let refused = api.post(SERVICES, wanted).await;
    assert!(
        refused
            .failure()
            .contains("The range of valid IPs is 10.97.0.0/24"),
        "{}",
        refused.failure()
    );
}

#[tokio::test(start_paused = true)]
async fn one_family_is_served() {
    let api = Api::start().await;
    let with = |field: &str, value: Value| {
        let mut service = service("a");
        service["spec"][field] = value;
        service
    };
    let dual = api
        .post(SERVICES, with("ipFamilyPolicy", json!("RequireDualStack")))
        .await;
    assert_eq!(
        dual.failure(),
        "422 Invalid: Service \"a\" is invalid: spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services"
    );
    let six = api
        .post(SERVICES, with("ipFamilies", json!(["IPv6"])))
        .await;
    assert_eq!(
        six.failure(),
        "422 Invalid: Service \"a\" is invalid: spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster"
    );
    let either = api
        .post(SERVICES, with("ipFamilyPolicy", json!("PreferDualStack")))
        .await
        .ok();
    assert_eq!(either["spec"]["ipFamilies"], json!(["IPv4"]));
}
