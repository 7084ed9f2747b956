//! The maximal objects, and what a server makes of one that a client sends.

use std::{fs, path::PathBuf};

use k8s_apimachinery::{
    Object, Value, api,
    api::Rules,
    scheme::{Gvk, Schema, codec, normalise, prune},
};

/// A file of maximal objects of one kind.
pub(crate) struct Sample {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    pub(crate) gvk: Gvk,
    pub(crate) documents: Vec<Value>,
}

/// All files, in order.
pub(crate) fn samples() -> impl Iterator<Item = Sample> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/kinds");
    let mut files: Vec<PathBuf> = entries(root).into_iter().flat_map(entries).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    assert!(!files.is_empty(), "there are maximal objects");
    files.into_iter().map(Sample::load)
}

fn entries(directory: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(&directory).expect("testdata can be read");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

impl Sample {
    fn load(file: PathBuf) -> Self {
        let text = fs::read_to_string(&file).expect("an object can be read");
        let documents = text.split("\n---\n").map(|document| {
            let (value, duplicates) = codec::decode_yaml(document.as_bytes())
                .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(duplicates.is_empty(), "{}: {duplicates:?}", file.display());
            value
        });
        let documents: Vec<Value> = documents.collect();
        let gvk = Object::from_value(documents[0].clone())
            .expect("an object")
            .gvk();
        Sample {
            name: gvk.to_string(),
            file,
            gvk,
            documents,
        }
    }

    pub(crate) fn rules(&self) -> &'static dyn Rules {
        api::rules(&self.gvk).unwrap_or_else(|| panic!("{} has rules", self.name))
    }

    pub(crate) fn schema(&self) -> std::sync::Arc<Schema> {
        Schema::builtin(&self.gvk).unwrap_or_else(|| panic!("{} has a schema", self.name))
    }

    /// The object in the form that would be stored, with its defaults; or why it can't be read.
    pub(crate) fn read(&self, mut value: Value) -> Result<Object, String> {
        let schema = self.schema();
        normalise(&schema, &mut value).map_err(|error| error.to_string())?;
        let unknown = prune(&schema, &mut value);
        if !unknown.is_empty() {
            return Err(format!("unknown fields: {}", unknown.join(", ")));
        }
        let mut object = Object::from_value(value).map_err(|error| error.to_string())?;
        self.rules().default(&mut object);
        Ok(object)
    }
}
