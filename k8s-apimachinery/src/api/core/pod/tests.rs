use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::api::testing::{check_create, check_defaults, check_update, named};

fn pod(spec: Value) -> Object {
    named(json!({"spec": spec}))
}

fn container(fields: Value) -> Value {
    let mut container = fields;
    container["name"] = json!("a");
    container["image"] = json!("nginx");
    container
}

/// A pod with one container that has these fields beside name and image.
fn with(fields: Value) -> Object {
    pod(json!({"containers": [container(fields)]}))
}

#[test]
fn a_bare_pod_gets_its_defaults() {
    check_defaults(
        &Pod,
        with(json!({})),
        &expect![[r#"
        {
          "metadata": {
            "name": "x",
            "namespace": "default"
          },
          "spec": {
            "containers": [
              {
                "image": "nginx",
                "imagePullPolicy": "Always",
                "name": "a",
                "resources": {},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File"
              }
            ],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": true,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30
          }
        }"#]],
    );
}

#[test]
fn probes_hooks_ports_and_env_get_their_defaults() {
    check_defaults(
        &Pod,
        with(json!({
            "livenessProbe": {"httpGet": {"port": 80}, "timeoutSeconds": 0},
            "lifecycle": {"preStop": {"httpGet": {"port": "web"}}},
            "ports": [{"containerPort": 80}],
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "resources": {"limits": {"cpu": "1"}},
        })),
        &expect![[r#"
            {
              "metadata": {
                "name": "x",
                "namespace": "default"
              },
              "spec": {
                "containers": [
                  {
                    "env": [
                      {
                        "name": "A",
                        "valueFrom": {
                          "fieldRef": {
                            "apiVersion": "v1",
                            "fieldPath": "metadata.name"
                          }
                        }
                      }
                    ],
                    "image": "nginx",
                    "imagePullPolicy": "Always",
                    "lifecycle": {
                      "preStop": {
                        "httpGet": {
                          "path": "/",
                          "port": "web",
                          "scheme": "HTTP"
                        }
                      }
                    },
                    "livenessProbe": {
                      "failureThreshold": 3,
                      "httpGet": {
                        "path": "/",
                        "port": 80,
                        "scheme": "HTTP"
                      },
                      "periodSeconds": 10,
                      "successThreshold": 1,
                      "timeoutSeconds": 1
                    },
                    "name": "a",
                    "ports": [
                      {
                        "containerPort": 80,
                        "protocol": "TCP"
                      }
                    ],
                    "resources": {
                      "limits": {
                        "cpu": "1"
                      },
                      "requests": {
                        "cpu": "1"
                      }
                    },
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File"
                  }
                ],
                "dnsPolicy": "ClusterFirst",
                "enableServiceLinks": true,
                "restartPolicy": "Always",
                "schedulerName": "default-scheduler",
                "securityContext": {},
                "terminationGracePeriodSeconds": 30
              }
            }"#]],
    );
}

#[test]
fn volumes_get_their_defaults() {
    let mut object = pod(json!({
        "containers": [container(json!({}))],
        "volumes": [
            {"name": "nothing"},
            {"name": "secret", "secret": {"secretName": "s"}},
            {"name": "host", "hostPath": {"path": "/"}},
            {"name": "token", "projected": {"sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"downwardAPI": {"items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
            ]}},
        ],
    }));
    Pod.default(&mut object);
    let volumes = serde_json::to_string_pretty(object.get(&["spec", "volumes"]).expect("volumes"));
    expect![[r#"
        [
          {
            "emptyDir": {},
            "name": "nothing"
          },
          {
            "name": "secret",
            "secret": {
              "defaultMode": 420,
              "secretName": "s"
            }
          },
          {
            "hostPath": {
              "path": "/",
              "type": ""
            },
            "name": "host"
          },
          {
            "name": "token",
            "projected": {
              "defaultMode": 420,
              "sources": [
                {
                  "serviceAccountToken": {
                    "expirationSeconds": 3600,
                    "path": "token"
                  }
                },
                {
                  "downwardAPI": {
                    "items": [
                      {
                        "fieldRef": {
                          "apiVersion": "v1",
                          "fieldPath": "metadata.namespace"
                        },
                        "path": "ns"
                      }
                    ]
                  }
                }
              ]
            }
          }
        ]"#]]
    .assert_eq(&volumes.expect("a tree serialises"));
}

#[test]
fn host_network_publishes_all_ports() {
    let mut object = pod(json!({
        "hostNetwork": true,
        "containers": [container(json!({"ports": [{"containerPort": 80}]}))],
    }));
    Pod.default(&mut object);
    let containers = object.get(&["spec", "containers"]).expect("containers");
    assert_eq!(containers[0]["ports"][0]["hostPort"], 80);
}

#[test]
fn both_names_of_the_account_agree() {
    let mut object = pod(json!({"containers": [], "serviceAccount": "s"}));
    Pod.default(&mut object);
    assert_eq!(object.str(&["spec", "serviceAccountName"]), Some("s"));
}

#[test]
fn pod_level_limits_bring_pod_level_requests() {
    let mut object = pod(json!({
        "containers": [container(json!({"resources": {"requests": {"cpu": "250m"}}}))],
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
    }));
    Pod.default(&mut object);
    let requests = object.get(&["spec", "resources", "requests"]);
    assert_eq!(requests, Some(&json!({"cpu": "250m", "memory": "1Gi"})));
}

#[test]
fn all_faults_are_reported_at_once() {
    check_create(
        &Pod,
        pod(json!({
            "containers": [
                {"name": "A", "ports": [{"containerPort": 0, "protocol": "X"}]},
                {"name": "b", "image": "i", "imagePullPolicy": "Later"},
                {"name": "b", "image": "i"},
            ],
            "restartPolicy": "Sometimes",
            "dnsPolicy": "None",
        })),
        &[
            r#"spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"#,
            "spec.containers[0].image: Required value",
            "spec.containers[0].ports[0].containerPort: Required value",
            r#"spec.containers[0].ports[0].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP""#,
            r#"spec.containers[1].imagePullPolicy: Unsupported value: "Later": supported values: "Always", "IfNotPresent", "Never""#,
            r#"spec.containers[2].name: Duplicate value: "b""#,
            r#"spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never""#,
            "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
        ],
    );
}

#[test]
fn a_pod_needs_containers() {
    check_create(&Pod, pod(json!({})), &["spec.containers: Required value"]);
}

#[test]
fn resources_are_quantities_within_their_limits() {
    let resources = |requests: Value, limits: Value| {
        with(json!({"resources": {"requests": requests, "limits": limits}}))
    };
    check_create(
        &Pod,
        resources(json!({"cpu": "500m"}), json!({"cpu": "1"})),
        &[],
    );
    check_create(
        &Pod,
        resources(json!({"cpu": "2", "gpu": "1"}), json!({"cpu": "1"})),
        &[
            r#"spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1"#,
            r#"spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers"#,
        ],
    );
    check_create(
        &Pod,
        resources(json!({"example.com/gpu": "1"}), json!({})),
        &[
            "spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources",
        ],
    );
}

#[test]
fn variables_have_names_and_one_source() {
    check_create(
        &Pod,
        with(json!({"env": [
            {"name": "", "value": "x"},
            {"name": "a=b"},
            {"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "spec.other"}}},
            {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}},
        ]})),
        &[
            "spec.containers[0].env[0].name: Required value",
            r#"spec.containers[0].env[1].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than '='"#,
            r#"spec.containers[0].env[2].valueFrom: Invalid value: "": may not be specified when `value` is not empty"#,
            r#"spec.containers[0].env[3].valueFrom.fieldRef.fieldPath: Invalid value: "spec.other": error converting fieldPath: field label not supported: spec.other"#,
        ],
    );
}

#[test]
fn mounts_refer_to_volumes() {
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
    let mounts = json!([mount("v", "/a"), mount("w", "/b"), mount("v", "/a")]);
    check_create(
        &Pod,
        pod(json!({
            "containers": [container(json!({"volumeMounts": mounts}))],
            "volumes": [{"name": "v"}, {"name": "v", "emptyDir": {}, "hostPath": {"path": "/.."}}],
        })),
        &[
            r#"spec.volumes[1].name: Duplicate value: "v""#,
            "spec.volumes[1].hostPath: Forbidden: may not specify more than 1 volume type",
            r#"spec.containers[0].volumeMounts[1].name: Not found: "w""#,
            r#"spec.containers[0].volumeMounts[2].mountPath: Invalid value: "/a": must be unique"#,
        ],
    );
}

#[test]
fn probes_have_one_handler_and_sane_numbers() {
    let two = json!({"exec": {"command": ["a"]}, "httpGet": {"port": 80}});
    check_create(
        &Pod,
        with(json!({
            "livenessProbe": {"tcpSocket": {"port": 80}, "successThreshold": 2},
            "readinessProbe": two,
            "startupProbe": {"periodSeconds": -1},
        })),
        &[
            "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
            "spec.containers[0].readinessProbe.httpGet: Forbidden: may not specify more than 1 handler type",
            "spec.containers[0].startupProbe: Required value: must specify a handler type",
            "spec.containers[0].startupProbe.periodSeconds: Invalid value: -1: must be greater than or equal to 0",
        ],
    );
}

#[test]
fn tolerations_match_all_keys_only_with_exists() {
    let tolerating = |toleration: Value| {
        pod(json!({"containers": [container(json!({}))], "tolerations": [toleration]}))
    };
    check_create(&Pod, tolerating(json!({"operator": "Exists"})), &[]);
    check_create(
        &Pod,
        tolerating(json!({"operator": "Equal", "effect": "NoSchedule", "tolerationSeconds": 1})),
        &[
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means \\\"match all values and all keys\\\""
                .replace("\\\"", "\"")
                .as_str(),
            r#"spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be 'NoExecute' when `tolerationSeconds` is set"#,
        ],
    );
}

#[test]
fn init_containers_have_no_probes_unless_they_stay() {
    let init = |restart: &str| {
        let mut init =
            json!({"name": "i", "image": "x", "livenessProbe": {"tcpSocket": {"port": 80}}});
        if !restart.is_empty() {
            init["restartPolicy"] = json!(restart);
        }
        pod(json!({"containers": [container(json!({}))], "initContainers": [init]}))
    };
    check_create(&Pod, init("Always"), &[]);
    check_create(
        &Pod,
        init(""),
        &[
            "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
        ],
    );
}

#[test]
fn host_ports_are_taken_once() {
    let port = json!([{"containerPort": 80, "hostPort": 8080}]);
    let mut other = container(json!({"ports": port}));
    other["name"] = json!("b");
    check_create(
        &Pod,
        pod(json!({"containers": [container(json!({"ports": port})), other]})),
        &[r#"spec.containers[1].ports[0].hostPort: Duplicate value: "TCP//8080""#],
    );
}

#[test]
fn only_images_deadlines_and_tolerations_change() {
    let old = || {
        pod(
            json!({"containers": [{"name": "a", "image": "x:1"}], "tolerations": [{"key": "k", "operator": "Exists"}]}),
        )
    };
    let mut new = old();
    new.as_map_mut()
        .ensure("spec")
        .objects("containers")
        .for_each(|c| {
            c.insert("image".to_owned(), json!("x:2"));
        });
    check_update(&Pod, old(), new, &[]);

    let mut new = old();
    new.as_map_mut()
        .ensure("spec")
        .insert("nodeName".to_owned(), json!("n"));
    let want = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n+ spec.nodeName: \"n\"\n";
    check_update(&Pod, old(), new, &[want]);

    let mut new = old();
    new.as_map_mut().ensure("spec").remove("tolerations");
    check_update(
        &Pod,
        old(),
        new,
        &[
            "spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds",
        ],
    );
}

#[test]
fn search_paths_may_have_underscores_or_be_the_root() {
    let searching = |searches: Value| {
        let config = json!({"nameservers": ["10.96.0.10"], "searches": searches});
        pod(json!({"containers": [container(json!({}))], "dnsPolicy": "None", "dnsConfig": config}))
    };
    check_create(
        &Pod,
        searching(json!(["_tcp.example.com", ".", "example.com."])),
        &[],
    );
    let mut bad = searching(json!(["a..b"]));
    Pod.default(&mut bad);
    assert_eq!(Pod.validate(&bad)[0].field, "spec.dnsConfig.searches[0]");
}

#[test]
fn profiles_and_ids_are_within_bounds() {
    let context = json!({
        "runAsUser": -1,
        "privileged": true,
        "allowPrivilegeEscalation": false,
        "seccompProfile": {"type": "Localhost"},
    });
    let mut object = with(json!({"securityContext": context}));
    Pod.default(&mut object);
    let faults: Vec<_> = Pod
        .validate(&object)
        .into_iter()
        .map(|f| (f.field, f.detail))
        .collect();
    let path = "spec.containers[0].securityContext";
    let want = [
        (".runAsUser", "must be between 0 and 2147483647, inclusive"),
        (
            "",
            "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        ),
        (
            ".seccompProfile.localhostProfile",
            "must be set when seccomp type is Localhost",
        ),
    ];
    assert_eq!(
        faults,
        want.map(|(field, detail)| (format!("{path}{field}"), detail.to_owned()))
    );
}

#[test]
fn affinity_and_spread_name_their_topology() {
    let spread = json!([{"maxSkew": 0, "topologyKey": "zone", "whenUnsatisfiable": "Later"}]);
    let anti = json!({"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": {}}]});
    let node = json!({"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 101, "preference": {}}]});
    check_create(
        &Pod,
        pod(json!({
            "containers": [container(json!({}))],
            "affinity": {"nodeAffinity": node, "podAntiAffinity": anti},
            "topologySpreadConstraints": spread,
        })),
        &[
            "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100",
            "spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey: Required value: can not be empty",
            "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
            r#"spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: "Later": supported values: "DoNotSchedule", "ScheduleAnyway""#,
        ],
    );
}

#[test]
fn gated_pods_have_no_node_and_gates_are_only_lifted() {
    let gated =
        |gates: Value| pod(json!({"containers": [container(json!({}))], "schedulingGates": gates}));
    let mut bound = gated(json!([{"name": "a"}]));
    bound.set(&["spec", "nodeName"], "n1".into());
    check_create(
        &Pod,
        bound,
        &["spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"],
    );
    check_update(&Pod, gated(json!([{"name": "a"}])), gated(json!([])), &[]);
    check_update(
        &Pod,
        gated(json!([])),
        gated(json!([{"name": "a"}])),
        &[
            "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a'",
        ],
    );
}

#[test]
fn ephemeral_containers_are_only_added_later() {
    let with_debugger = |image: &str| {
        let mut object = with(json!({}));
        let debugger = json!([{"name": "d", "image": image}]);
        object.set(&["spec", "ephemeralContainers"], debugger);
        object
    };
    check_create(
        &Pod,
        with_debugger("x"),
        &["spec.ephemeralContainers: Forbidden: cannot be set on create"],
    );
    check_update(&Pod, with(json!({})), with_debugger("x"), &[]);
    check_update(
        &Pod,
        with_debugger("x:1"),
        with_debugger("x:2"),
        &[
            "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"d\" may not be changed\n",
        ],
    );
    check_update(
        &Pod,
        with_debugger("x"),
        with(json!({})),
        &[
            "spec.ephemeralContainers: Forbidden: existing ephemeral containers \"d\" may not be removed\n",
        ],
    );
}

#[test]
fn ended_containers_do_not_come_back() {
    let with_state = |state: Value| {
        let mut object =
            pod(json!({"restartPolicy": "Never", "containers": [container(json!({}))]}));
        let status = json!({"containerStatuses": [{"name": "a", "state": state}]});
        object.as_map_mut().insert("status".to_owned(), status);
        object
    };
    let ended = with_state(json!({"terminated": {"exitCode": 0}}));
    let faults = Pod.validate_status_update(&with_state(json!({"running": {}})), &ended);
    assert_eq!(
        faults[0].to_string(),
        "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    );
    assert_eq!(
        Pod.validate_status_update(&ended, &with_state(json!({"running": {}}))),
        []
    );
}

/// A guard against accidental slowness, far above what a release build needs (about 10 us).
#[test]
fn a_typical_pod_is_checked_quickly() {
    let mut object = with(json!({
        "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "value": "b"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"port": 80}},
    }));
    Pod.default(&mut object);
    let started = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(Pod.validate(&object), []);
    }
    let each = started.elapsed() / 100;
    assert!(each.as_millis() < 5, "{each:?} each");
}
