//! The maximal objects of all kinds, which the tests of `k8s-apimachinery` keep.

use std::{fs, path::Path, sync::Arc};

use k8s_apimachinery::{
    Object, Value,
    scheme::{Gvk, Schema, codec, normalise},
};
use k8s_store::testing::Dice;

use crate::tree;

/// A valid object and what is known of its kind.
pub(crate) struct Sample {
    pub(crate) gvk: Gvk,
    pub(crate) schema: Arc<Schema>,
    pub(crate) object: Value,
}

/// Valid objects of every kind.
pub(crate) struct Corpus(Vec<Sample>);

impl Corpus {
    /// Reads them, each in the form in which objects are stored.
    pub(crate) fn read() -> Corpus {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let kinds = tests.join("../k8s-apimachinery/testdata/kinds");
        let groups = fs::read_dir(kinds).expect("samples of kinds are kept");
        let mut files: Vec<_> = groups
            .flatten()
            .flat_map(|group| fs::read_dir(group.path()))
            .flat_map(|files| files.flatten().map(|file| file.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
            .collect();
        files.sort();
        let texts = files.iter().map(fs::read_to_string);
        let texts = texts.map(|text| text.expect("a sample can be read"));
        let samples = texts.flat_map(|text| {
            let documents = text.split("\n---\n").map(|text| sample(text.as_bytes()));
            documents.collect::<Vec<_>>()
        });
        Corpus(samples.collect())
    }

    pub(crate) fn samples(&self) -> &[Sample] {
        &self.0
    }

    /// One of them.
    pub(crate) fn pick(&self, dice: &mut Dice) -> &Sample {
        &self.0[dice.below(self.0.len())]
    }

    /// The sample of a kind.
    pub(crate) fn of(&self, gvk: &Gvk) -> Option<&Sample> {
        self.0.iter().find(|sample| sample.gvk == *gvk)
    }
}

impl Sample {
    /// The object with edits.
    pub(crate) fn mutated(&self, dice: &mut Dice) -> Value {
        let mut object = self.object.clone();
        tree::mutate(dice, &mut object);
        object
    }
}

fn sample(yaml: &[u8]) -> Sample {
    let (mut object, _) = codec::decode_yaml(yaml).expect("a sample is YAML");
    let gvk = Object::from_value(object.clone())
        .expect("a sample is an object")
        .gvk();
    let schema = Schema::builtin(&gvk).expect("a sample is of a built-in kind");
    normalise(&schema, &mut object).expect("a sample is valid");
    Sample {
        gvk,
        schema,
        object,
    }
}
