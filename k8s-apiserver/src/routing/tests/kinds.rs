//! Every kind's maximal object, written and read over HTTP.

use std::{fs, path::PathBuf};

use k8s_apimachinery::{Object, scheme::codec};

use super::*;
use crate::registry::KindRow;

/// Kinds that admission and allocation complete from what else is in the cluster.
const COMPLETED: [&str; 2] = ["Pod", "Service"];

/// The documents in the directory that validation is tested with.
fn maximal_objects() -> Vec<Object> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../k8s-apimachinery/testdata/kinds");
    let entries = |directory: PathBuf| {
        let entries = fs::read_dir(directory).expect("testdata can be read");
        entries.map(|entry| entry.expect("an entry").path())
    };
    let files = entries(root).flat_map(entries);
    let manifests = files.filter(|file| file.extension().is_some_and(|end| end == "yaml"));
    let texts = manifests.map(|file| fs::read_to_string(file).expect("a manifest can be read"));
    let mut objects = Vec::new();
    for text in texts {
        for document in text.split("\n---\n") {
            let (value, _) = codec::decode_yaml(document.as_bytes()).expect("YAML");
            objects.push(Object::from_value(value).expect("an object"));
        }
    }
    objects
}

#[tokio::test(start_paused = true)]
async fn maximal_objects_come_back_as_they_were_sent() {
    let kinds: Vec<_> = builtin_strategies()
        .iter()
        .map(|strategy| strategy.kind())
        .collect();
    let mut written = 0;
    for object in maximal_objects() {
        let api = Api::start().await;
        let gvk = object.gvk();
        let is_kind = |row: &&KindRow| {
            row.group == gvk.group
                && row.kind == gvk.kind
                && !COMPLETED.contains(&row.kind.as_str())
        };
        let Some(row) = kinds.iter().find(is_kind) else {
            continue;
        };
        let root = match gvk.group.as_str() {
            "" => format!("/api/{}", gvk.version),
            group => format!("/apis/{group}/{}", gvk.version),
        };
        let uri = match row.namespaced {
            true => format!("{root}/namespaces/{}/{}", object.namespace(), row.plural),
            false => format!("{root}/{}", row.plural),
        };
        let sent = object.clone().into_value();
        api.post(&uri, sent.clone()).await.ok();
        let uri = format!("{uri}/{}", object.name());
        if row.has_status() {
            let mut current = api.get(&uri).await.ok();
            current["status"] = sent["status"].clone();
            api.put(&format!("{uri}/status"), current).await.ok();
        }
        let got = api.get(&uri).await.ok();
        let own = |value: &Value| {
            let mut value = value.clone();
            value.as_object_mut().unwrap().remove("metadata");
            value
        };
        assert_eq!(own(&got), own(&sent), "{gvk}");
        written += 1;
    }
    assert!(written > 20, "{written} objects were written");
}
