use super::*;

fn builtin(api_version: &str, kind: &str) -> Arc<Schema> {
    let gvk = Gvk::from_api_version(api_version, kind);
    Schema::builtin(&gvk).unwrap_or_else(|| panic!("{gvk} is built in"))
}

/// The node at a dotted path; `[]` steps into the items of a list.
fn at(schema: &Arc<Schema>, path: &str) -> Arc<Schema> {
    path.split('.')
        .fold(schema.clone(), |node, name| match name {
            "[]" => node.items().unwrap().clone(),
            name => node
                .child(name)
                .unwrap_or_else(|| panic!("{name} in {path}"))
                .clone(),
        })
}

/// Walks everything that is reachable, to a depth that unrolls recursive types once.
fn walk(schema: &Schema, depth: usize) -> usize {
    if depth == 0 {
        return 1;
    }
    let below = match schema.shape() {
        Shape::Object { fields, .. } => fields
            .iter()
            .map(|field| walk(field.schema(), depth - 1))
            .sum(),
        Shape::Map { values, .. } => walk(values.get(), depth - 1),
        Shape::List { items, .. } => walk(items.get(), depth - 1),
        _ => 0,
    };
    below + 1
}

#[test]
fn every_type_that_the_tables_name_is_defined() {
    let mut count = 0;
    for gvk in Schema::builtin_kinds() {
        let schema = Schema::builtin(&gvk).unwrap();
        assert!(walk(&schema, 4) > 3, "{gvk}");
        let list = Gvk {
            kind: format!("{}List", gvk.kind),
            ..gvk
        };
        assert_eq!(
            Schema::builtin(&list)
                .unwrap()
                .field("items")
                .unwrap()
                .schema()
                .list_type(),
            &ListType::Atomic
        );
        count += 1;
    }
    assert!(count > 90, "{count} kinds");
    assert!(walk(&builtin("v1", "Pod"), 20) > 1000);
}

#[test]
fn unknown_kinds_have_no_schema() {
    for (api_version, kind) in [
        ("v1", "Nonsense"),
        ("nonsense/v1", "Pod"),
        ("apps/v1", "DeploymentSpec"),
    ] {
        assert!(
            Schema::builtin(&Gvk::from_api_version(api_version, kind)).is_none(),
            "{kind}"
        );
    }
}

#[test]
fn options_are_kinds_in_every_group() {
    for api_version in ["v1", "meta.k8s.io/v1", "apps/v1"] {
        assert!(
            builtin(api_version, "DeleteOptions")
                .field("propagationPolicy")
                .is_some()
        );
    }
}

#[test]
fn list_types_map_keys_and_patch_strategies_are_told_apart() {
    let container = at(
        &builtin("apps/v1", "Deployment"),
        "spec.template.spec.containers.[]",
    );
    let ports = container.field("ports").unwrap();
    assert_eq!(
        ports.schema().list_type(),
        &ListType::Map(vec!["containerPort".into(), "protocol".into()])
    );
    assert_eq!(ports.patch.merge_key.as_deref(), Some("containerPort"));
    assert_eq!(
        container.field("args").unwrap().schema().list_type(),
        &ListType::Atomic
    );
    let protocol = at(&container, "ports.[]");
    assert_eq!(
        protocol.field("protocol").unwrap().key_default.as_deref(),
        Some("TCP")
    );

    let pod = builtin("v1", "Pod");
    let volumes = at(&pod, "spec");
    let volumes = volumes.field("volumes").unwrap();
    assert!(volumes.patch.merges && volumes.patch.retains_keys);
    let deployment = at(&builtin("apps/v1", "Deployment"), "spec");
    let strategy = &deployment.field("strategy").unwrap().patch;
    assert!(strategy.retains_keys && !strategy.merges);
    assert_eq!(at(&pod, "metadata.finalizers").list_type(), &ListType::Set);
}

#[test]
fn atomic_maps_and_types_are_marked() {
    assert!(at(&builtin("v1", "Service"), "spec.selector").is_atomic());
    assert!(at(&builtin("apps/v1", "Deployment"), "spec.selector").is_atomic());
    assert!(!at(&builtin("v1", "ConfigMap"), "data").is_atomic());
    let volume = builtin("v1", "PersistentVolume");
    assert!(!at(&volume, "spec.claimRef").is_atomic());
    assert!(at(&builtin("v1", "Event"), "involvedObject").is_atomic());
}

#[test]
fn recursive_types_are_finite() {
    let schema = at(
        &builtin("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        "spec.versions.[].schema.openAPIV3Schema",
    );
    let inner = at(&schema, "properties.anything.properties.deeper");
    assert!(Arc::ptr_eq(&schema, &inner));
}

#[test]
fn types_have_go_names() {
    let spec = at(&builtin("apps/v1", "Deployment"), "spec.template.spec");
    assert_eq!(spec.go_type(), "v1.PodSpec");
    assert_eq!(at(&spec, "containers").go_type(), "[]v1.Container");
    assert_eq!(at(&spec, "nodeSelector").go_type(), "map[string]string");
    assert_eq!(at(&spec, "priority").go_type(), "int32");
}
