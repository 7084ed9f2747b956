//! The maximal objects, and what a server makes of one that a client sends.

use std::{fs, path::PathBuf};

use k8s_apimachinery::{
    Object, Value,
    api::{self, FieldError, Rules},
    scheme::{Gvk, Schema, codec, normalise, prune},
};

/// What opens a line at the head of a file that says why no document can set a field.
const NEVER_SET: &str = "# never set: ";
/// Kinds that are stored as another version: what is checked is that.
const STORED_AS: [(&str, &str, &str, &str); 1] =
    [("autoscaling", "v1", "HorizontalPodAutoscaler", "v2")];

/// A file of maximal objects of one kind.
pub(crate) struct Sample {
    pub(crate) file: PathBuf,
    pub(crate) name: String,
    pub(crate) gvk: Gvk,
    pub(crate) documents: Vec<Value>,
    /// Fields that no document sets, each with the reason.
    pub(crate) excused: Vec<(String, String)>,
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
        let excuses = text.lines().filter_map(|line| line.strip_prefix(NEVER_SET));
        let excused = excuses.map(|line| {
            let (path, why) = line.split_once(": ").expect("a path and a reason");
            (path.to_owned(), why.to_owned())
        });
        Sample {
            name: gvk.to_string(),
            excused: excused.collect(),
            file,
            gvk,
            documents,
        }
    }

    /// The version whose rules count.
    fn stored(&self) -> Gvk {
        let Gvk { group, kind, .. } = &self.gvk;
        let is_this = |(g, v, k, _): &&(&str, &str, &str, &str)| {
            (*g, *v, *k) == (group.as_str(), self.gvk.version.as_str(), kind.as_str())
        };
        let other = STORED_AS.iter().find(is_this);
        other.map_or_else(
            || self.gvk.clone(),
            |(_, _, _, version)| Gvk::new(group.as_str(), *version, kind.as_str()),
        )
    }

    /// Some reviews have none: what they lack is for the server to say, in words of its own.
    pub(crate) fn rules(&self) -> Option<&'static dyn Rules> {
        api::rules(&self.stored())
    }

    /// A review is answered, not stored: it has neither a name nor updates.
    pub(crate) fn is_review(&self) -> bool {
        self.gvk.kind.ends_with("Review")
    }

    /// All faults of a new object.
    pub(crate) fn validate(&self, object: &Object) -> Vec<FieldError> {
        match self.rules() {
            None => Vec::new(),
            Some(rules) if self.is_review() => api::collect(object, |root| rules.check(root)),
            Some(rules) => rules.validate(object),
        }
    }

    /// All faults of a new state, written through `status` or not.
    pub(crate) fn validate_update(
        &self,
        new: &Object,
        old: &Object,
        status: bool,
    ) -> Vec<FieldError> {
        match self.rules().filter(|_| !self.is_review()) {
            None => Vec::new(),
            Some(rules) if status => rules.validate_status_update(new, old),
            Some(rules) => rules.validate_update(new, old),
        }
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
        let object = Object::from_value(value).map_err(|error| error.to_string())?;
        let mut object = api::convert(object, &self.stored());
        if let Some(rules) = self.rules() {
            rules.default(&mut object);
        }
        Ok(object)
    }
}
