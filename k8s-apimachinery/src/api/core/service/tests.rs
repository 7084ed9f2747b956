use super::*;
use crate::api::testing::{check_create, check_defaults, check_status, check_update, named};
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

#[test]
fn what_load_balancers_have_is_theirs() {
    let only = "may only be used when `type` is 'LoadBalancer'";
    let fields = json!({
        "ports": [{"port": 80}],
        "allocateLoadBalancerNodePorts": true,
        "loadBalancerClass": "example.com/a",
        "loadBalancerSourceRanges": ["10.0.0.0/33"],
    });
    check_create(
        &Service,
        service(fields.clone()),
        &[
            &format!("spec.LoadBalancerSourceRanges: Forbidden: {only}"),
            r#"spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0/33": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"#,
            &format!("spec.allocateLoadBalancerNodePorts: Forbidden: {only}"),
            &format!("spec.loadBalancerClass: Forbidden: {only}"),
        ],
    );
    let mut balanced = fields;
    balanced["type"] = "LoadBalancer".into();
    balanced["loadBalancerSourceRanges"] = json!(["10.0.0.0/8"]);
    check_create(&Service, service(balanced.clone()), &[]);
    balanced["ports"] = json!([{"port": 10250}]);
    check_create(
        &Service,
        service(balanced),
        &[
            "spec.ports[0]: Invalid value: 10250: may not expose port 10250 externally since it is used by kubelet",
        ],
    );
}

#[test]
fn the_port_for_health_checks_stays_while_there_are_any() {
    let with = |port: i64, policy: &str| {
        service(json!({
            "type": "LoadBalancer", "ports": [{"port": 80}], "externalTrafficPolicy": policy,
            "healthCheckNodePort": port,
        }))
    };
    check_update(
        &Service,
        with(30_001, "Local"),
        with(30_000, "Local"),
        &["spec.healthCheckNodePort: Forbidden: field is immutable"],
    );
    check_update(&Service, with(30_001, "Local"), with(0, "Cluster"), &[]);
}

#[test]
fn addresses_are_of_their_families() {
    let with = |ips: Value, families: Value, policy: &str| {
        service(json!({
            "clusterIP": ips[0], "clusterIPs": ips, "ipFamilies": families,
            "ipFamilyPolicy": policy, "ports": [{"port": 80}],
        }))
    };
    check_create(
        &Service,
        with(
            json!(["10.96.0.7", "2001:db8::7"]),
            json!(["IPv4", "IPv6"]),
            "PreferDualStack",
        ),
        &[],
    );
    check_create(
        &Service,
        with(json!(["10.96.0.7"]), json!(["IPv6"]), "SingleStack"),
        &[
            r#"spec.clusterIPs[0]: Invalid value: "10.96.0.7": expected an IPv6 value as indicated by `ipFamilies[0]`"#,
        ],
    );
    check_create(
        &Service,
        with(
            json!(["10.96.0.7", "10.96.0.8"]),
            json!(["IPv4"]),
            "SingleStack",
        ),
        &[
            r#"spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified"#,
            r#"spec.clusterIPs: Invalid value: ["10.96.0.7","10.96.0.8"]: may specify no more than one IP for each IP family"#,
        ],
    );
    check_create(
        &Service,
        with(
            json!(["None", "10.96.0.8"]),
            json!(["IPv4"]),
            "PreferDualStack",
        ),
        &[
            r#"spec.clusterIPs: Invalid value: ["None","10.96.0.8"]: 'None' must be the first and only value"#,
        ],
    );
}

#[test]
fn the_first_family_stays() {
    let of = |families: Value| service(json!({"ipFamilies": families, "ports": [{"port": 80}]}));
    check_update(
        &Service,
        of(json!(["IPv4"])),
        of(json!(["IPv4", "IPv6"])),
        &[],
    );
    check_update(
        &Service,
        of(json!(["IPv4"])),
        of(json!(["IPv6"])),
        &[r#"spec.ipFamilies[0]: Invalid value: ["IPv6"]: may not change once set"#],
    );
}

#[test]
fn traffic_comes_from_ordinary_addresses() {
    check_create(
        &Service,
        service(json!({"ports": [{"port": 80}], "externalIPs": ["127.0.0.1", "169.254.0.1"]})),
        &[
            r#"spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)"#,
            r#"spec.externalIPs[1]: Invalid value: "169.254.0.1": may not be in the link-local range (169.254.0.0/16, fe80::/10)"#,
        ],
    );
}

#[test]
fn the_status_tells_how_a_balancer_is_reached() {
    let with = |type_: &str, point: Value| {
        let mut object = service(json!({"type": type_, "ports": [{"port": 80}]}));
        object.set(&["status", "loadBalancer", "ingress"], json!([point]));
        object
    };
    let mut object = with("LoadBalancer", json!({"ip": "192.0.2.1"}));
    check_status(
        &Service,
        object.clone(),
        &[
            "status.loadBalancer.ingress[0].ipMode: Required value: must be specified when `ip` is set",
        ],
    );
    Service.default(&mut object);
    check_status(&Service, object, &[]);
    let point = || json!({"hostname": "10.0.0.1", "ipMode": "VIP"});
    check_status(
        &Service,
        with("ClusterIP", point()),
        &[
            "status.loadBalancer.ingress: Forbidden: may only be used when `spec.type` is 'LoadBalancer'",
        ],
    );
    check_status(
        &Service,
        with("LoadBalancer", point()),
        &[
            "status.loadBalancer.ingress[0].ipMode: Forbidden: may not be specified when `ip` is not set",
            r#"status.loadBalancer.ingress[0].hostname: Invalid value: "10.0.0.1": must be a DNS name, not an IP address"#,
        ],
    );
}
