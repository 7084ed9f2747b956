//! A server whose flow control follows its own objects.

use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use k8s_store::memory::MemoryStore;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
    runtime::wait::await_condition,
};
use serde_json::{Value, json};

use crate::{ApiServer, User, authn::in_process::InProcess, body, flow::testing::everybody};

async fn server() -> ApiServer {
    let server = ApiServer::builder(std::sync::Arc::new(MemoryStore::new()));
    server.build().await.unwrap()
}

fn admin() -> User {
    User::new("root").in_group("kubeadm:cluster-admins")
}

/// `status reason message` of the condition `Dangling`.
fn dangling(schema: &FlowSchema) -> Option<String> {
    let conditions = schema.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|each| each.type_ == "Dangling")?;
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    Some(format!(
        "{} {} {}",
        part(&found.status),
        part(&found.reason),
        part(&found.message)
    ))
}

async fn until_dangling_is(schemas: &Api<FlowSchema>, name: &str, expected: &str) {
    let is_so =
        |schema: Option<&FlowSchema>| schema.and_then(dangling).as_deref() == Some(expected);
    await_condition(schemas.clone(), name, is_so).await.unwrap();
}

#[tokio::test]
async fn schemas_say_whether_their_level_exists() {
    let server = server().await;
    let schemas: Api<FlowSchema> = Api::all(server.client(admin()));
    let levels: Api<PriorityLevelConfiguration> = Api::all(server.client(admin()));
    let suggested = schemas.get("service-accounts").await.unwrap();
    let about = |level: &str| {
        format!(
            "This FlowSchema references the PriorityLevelConfiguration object named \"{level}\""
        )
    };
    assert_eq!(
        dangling(&suggested),
        Some(format!(
            "False Found {} and it exists",
            about("workload-low")
        ))
    );

    let mut schema = everybody("mine", "mine").into_value();
    schema["metadata"] = json!({"name": "mine"});
    let schema: FlowSchema = serde_json::from_value(schema).unwrap();
    schemas
        .create(&PostParams::default(), &schema)
        .await
        .unwrap();
    let (missing, found) = (
        format!(
            "True NotFound {} but there is no such object",
            about("mine")
        ),
        format!("False Found {} and it exists", about("mine")),
    );
    until_dangling_is(&schemas, "mine", &missing).await;
    levels
        .create(&PostParams::default(), &mine())
        .await
        .unwrap();
    until_dangling_is(&schemas, "mine", &found).await;
    levels
        .delete("mine", &DeleteParams::default())
        .await
        .unwrap();
    until_dangling_is(&schemas, "mine", &missing).await;
    server.stop().await;
}

fn mine() -> PriorityLevelConfiguration {
    let limited = json!({"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}});
    let value =
        json!({"metadata": {"name": "mine"}, "spec": {"type": "Limited", "limited": limited}});
    serde_json::from_value(value).unwrap()
}

#[tokio::test]
async fn requests_go_by_the_objects_from_the_moment_on() {
    let server = server().await;
    let schemas: Api<FlowSchema> = Api::all(server.client(admin()));
    let levels: Api<PriorityLevelConfiguration> = Api::all(server.client(admin()));
    let matched = async || {
        let request =
            http::Request::get("/api/v1/namespaces").extension(InProcess::new(User::new("jane")));
        let response = server
            .service()
            .answer(request.body(body::empty()).unwrap())
            .await;
        let uid = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        (
            uid("x-kubernetes-pf-flowschema-uid"),
            uid("x-kubernetes-pf-prioritylevel-uid"),
        )
    };
    let uids = async |schema: &str, level: &str| {
        let schema = schemas.get(schema).await.unwrap().uid().unwrap();
        (schema, levels.get(level).await.unwrap().uid().unwrap())
    };
    assert_eq!(
        matched().await,
        uids("global-default", "global-default").await
    );

    levels
        .create(&PostParams::default(), &mine())
        .await
        .unwrap();
    let mut schema = everybody("mine", "mine").into_value();
    schema["metadata"] = json!({"name": "mine"});
    schema["spec"]["rules"][0]["subjects"] = json!([{"kind": "User", "user": {"name": "jane"}}]);
    let schema: FlowSchema = serde_json::from_value(schema).unwrap();
    schemas
        .create(&PostParams::default(), &schema)
        .await
        .unwrap();
    let said = |schema: Option<&FlowSchema>| schema.and_then(dangling).is_some();
    await_condition(schemas.clone(), "mine", said)
        .await
        .unwrap();
    assert_eq!(matched().await, uids("mine", "mine").await);

    let dump = http::Request::get("/debug/api_priority_and_fairness/dump_priority_levels");
    let dump: http::Request<Vec<u8>> = dump.body(Vec::new()).unwrap();
    let table = server.client(admin()).request_text(dump).await.unwrap();
    let row = table
        .lines()
        .find(|line| line.starts_with("mine,"))
        .unwrap();
    let cells: Vec<Value> = row
        .split(", ")
        .map(|cell| cell.trim().trim_end_matches(',').into())
        .collect();
    // Refused is only what found no seat; jane's request was let through, and denied later.
    assert_eq!(
        cells[2..8],
        [
            json!("true"),
            json!("false"),
            json!("0"),
            json!("0"),
            json!("1"),
            json!("0")
        ]
    );
    server.stop().await;
}
