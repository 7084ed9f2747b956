use super::*;
use crate::api::testing::{check_create, check_defaults, check_update, named};
use expect_test::expect;

fn service(spec: Value) -> Object {
    named(json!({"spec": spec}))
}

#[test]
fn ports_and_policies_are_filled_in() {
    check_defaults(
        &Service,
        service(
            json!({"type": "NodePort", "ports": [{"port": 80}, {"port": 81, "targetPort": "web"}]}),
        ),
        &expect![[r#"
            {
              "metadata": {
                "name": "x",
                "namespace": "default"
              },
              "spec": {
                "externalTrafficPolicy": "Cluster",
                "internalTrafficPolicy": "Cluster",
                "ports": [
                  {
                    "port": 80,
                    "protocol": "TCP",
                    "targetPort": 80
                  },
                  {
                    "port": 81,
                    "protocol": "TCP",
                    "targetPort": "web"
                  }
                ],
                "sessionAffinity": "None",
                "type": "NodePort"
              }
            }"#]],
    );
}

#[test]
fn client_affinity_lasts_three_hours() {
    let mut object = service(json!({"sessionAffinity": "ClientIP", "ports": [{"port": 80}]}));
    Service.default(&mut object);
    let path = [
        "spec",
        "sessionAffinityConfig",
        "clientIP",
        "timeoutSeconds",
    ];
    assert_eq!(object.get(&path), Some(&json!(10_800)));
}

#[test]
fn several_ports_need_names() {
    check_create(
        &Service,
        service(json!({"ports": [{"port": 80}, {"port": 0, "name": "b"}]})),
        &[
            "spec.ports[0].name: Required value",
            "spec.ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ports[1].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
        ],
    );
    check_create(
        &Service,
        service(json!({})),
        &["spec.ports: Required value"],
    );
    check_create(&Service, service(json!({"clusterIP": "None"})), &[]);
}

#[test]
fn external_names_have_no_address() {
    check_create(
        &Service,
        service(json!({"type": "ExternalName", "externalName": "a.b"})),
        &[],
    );
    check_create(
        &Service,
        service(json!({"type": "ExternalName"})),
        &["spec.externalName: Required value"],
    );
}

#[test]
fn node_ports_belong_to_reachable_types() {
    check_create(
        &Service,
        service(json!({"ports": [{"port": 80, "nodePort": 30_000}]})),
        &["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    );
}

#[test]
fn the_cluster_ip_stays() {
    let with =
        |ip: &str| service(json!({"clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": 80}]}));
    check_update(&Service, with("10.96.0.7"), with("10.96.0.7"), &[]);
    check_update(
        &Service,
        with("10.96.0.7"),
        with("10.96.0.8"),
        &[r#"spec.clusterIPs[0]: Invalid value: ["10.96.0.8"]: may not change once set"#],
    );
}
