use std::{net::Ipv4Addr, str::FromStr, sync::Arc};

use hickory_proto::op::Query;
use k8s_openapi::api::{core::v1::Service, discovery::v1::EndpointSlice};
use serde_json::json;

use super::*;

/// One service `web`, and one headless service `many` with 200 endpoints.
struct Two;

impl Directory for Two {
    fn has_namespace(&self, name: &str) -> bool {
        name == "default"
    }

    fn service(&self, _: &str, name: &str) -> Option<Arc<Service>> {
        let cluster_ip = match name {
            "web" => "10.96.0.7",
            "many" => "None",
            _ => return None,
        };
        let service = json!({ "metadata": { "name": name }, "spec": { "clusterIP": cluster_ip } });
        Some(Arc::new(serde_json::from_value(service).unwrap()))
    }

    fn slices(&self, _: &str, _: &str) -> Vec<Arc<EndpointSlice>> {
        let endpoints: Vec<_> = (0..200)
            .map(|n| json!({ "addresses": [format!("10.244.0.{n}")] }))
            .collect();
        let slice = json!({ "metadata": {}, "addressType": "IPv4", "endpoints": endpoints });
        vec![Arc::new(serde_json::from_value(slice).unwrap())]
    }

    fn service_at(&self, _: Ipv4Addr) -> Option<Arc<Service>> {
        None
    }

    fn slices_at(&self, _: Ipv4Addr) -> Vec<Arc<EndpointSlice>> {
        Vec::new()
    }
}

fn server() -> Arc<Server<Two>> {
    Server::new(
        Zone::try_new("cluster.local", Two).unwrap(),
        Upstreams::default(),
    )
}

fn question(name: &str, kind: RecordType) -> Message {
    let mut query = Message::query();
    query.add_query(Query::query(Name::from_str(name).unwrap(), kind));
    query
}

async fn ask(query: &Message, over_tcp: bool) -> Message {
    let wire = server()
        .respond(&query.to_vec().unwrap(), over_tcp)
        .await
        .unwrap();
    let answer = Message::from_vec(&wire).unwrap();
    assert_eq!(answer.metadata.id, query.metadata.id);
    answer
}

#[tokio::test]
async fn known_names_are_answered_with_authority() {
    let answer = ask(
        &question("web.default.svc.cluster.local.", RecordType::A),
        false,
    )
    .await;
    assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
    assert!(answer.metadata.authoritative);
    assert_eq!(answer.answers[0].data.to_string(), "10.96.0.7");
}

#[tokio::test]
async fn negative_answers_say_for_how_long_they_hold() {
    let missing = ask(
        &question("gone.default.svc.cluster.local.", RecordType::A),
        false,
    )
    .await;
    assert_eq!(missing.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(missing.authorities[0].record_type(), RecordType::SOA);
    let empty = ask(
        &question("web.default.svc.cluster.local.", RecordType::AAAA),
        false,
    )
    .await;
    assert_eq!(empty.metadata.response_code, ResponseCode::NoError);
    assert!(empty.answers.is_empty());
    assert_eq!(empty.authorities[0].record_type(), RecordType::SOA);
}

#[tokio::test]
async fn what_does_not_fit_a_datagram_is_cut_and_comes_whole_over_tcp() {
    let mut query = question("many.default.svc.cluster.local.", RecordType::A);
    let cut = ask(&query, false).await;
    assert!(cut.metadata.truncation);
    assert!(cut.to_vec().unwrap().len() <= usize::from(UDP_SIZE));
    let whole = ask(&query, true).await;
    assert!(!whole.metadata.truncation);
    assert_eq!(whole.answers.len(), 200);
    query.set_edns({
        let mut edns = Edns::new();
        edns.set_max_payload(65_535);
        edns
    });
    assert!(
        ask(&query, false).await.metadata.truncation,
        "a client's wish has a limit"
    );
}

#[tokio::test]
async fn names_outside_fail_without_resolvers() {
    let answer = ask(&question("example.com.", RecordType::A), false).await;
    assert_eq!(answer.metadata.response_code, ResponseCode::ServFail);
}

#[tokio::test]
async fn nonsense_is_answered_as_such_or_not_at_all() {
    let server = server();
    assert_eq!(server.respond(&[], false).await, None);
    assert_eq!(server.respond(&[1, 2, 3], false).await, None);
    let mut header_only = [0; 12];
    header_only[..2].copy_from_slice(&[7, 7]);
    let answer = server.respond(&header_only, false).await.unwrap();
    assert_eq!(
        Message::from_vec(&answer).unwrap().metadata.response_code,
        ResponseCode::FormErr
    );
    // An answer is no question: two servers must not talk to each other for ever.
    let response = Message::response(7, OpCode::Query).to_vec().unwrap();
    assert_eq!(server.respond(&response, false).await, None);
}

#[tokio::test]
async fn both_protocols_answer_on_one_port() {
    let bound = server().bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let address = bound.address;
    let cancel = CancellationToken::new();
    let running = tokio::spawn(bound.run(cancel.clone()));
    let query = question("web.default.svc.cluster.local.", RecordType::A)
        .to_vec()
        .unwrap();
    let upstreams = Upstreams::new(vec![address]);
    for over_tcp in [false, true] {
        let answer = Message::from_vec(&upstreams.ask(&query, over_tcp).await.unwrap()).unwrap();
        assert_eq!(answer.answers.len(), 1);
    }
    cancel.cancel();
    running.await.unwrap();
}
