//! Server-side apply to objects of every kind: the second time changes nothing, and forcing makes
//! conflicts go.

use anyhow::{Context, Result, ensure};
use k8s_apimachinery::{
    Object, Value,
    apply::{self, ApplyError, Manager, Operation},
    scheme::{codec, normalise, prune},
};
use k8s_store::testing::Dice;
use serde_json::json;

use super::Target;
use crate::corpus::{Corpus, Sample};

pub(super) struct Apply(Corpus);

impl Apply {
    pub(super) fn new() -> Self {
        Apply(Corpus::read())
    }
}

impl Target for Apply {
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8> {
        let sample = self.0.pick(dice);
        let configs = [0, 1, 2].map(|_| sample.mutated(dice));
        codec::encode_json(&json!(configs))
    }

    fn check(&mut self, input: &[u8]) -> Result<()> {
        let Ok((Value::Array(configs), _)) = codec::decode_json(input) else {
            return Ok(());
        };
        let [first, second, third] = configs.as_slice() else {
            return Ok(());
        };
        let gvk = Object::from_value(first.clone()).unwrap_or_default().gvk();
        let Some(sample) = self.0.of(&gvk) else {
            return Ok(());
        };
        let mut live = None;
        for (name, config) in [("a", first), ("b", second), ("a", third)] {
            let Some(config) = stored_form(sample, config) else {
                return Ok(());
            };
            let api_version = gvk.api_version();
            let manager = Manager {
                name,
                operation: Operation::Apply,
                api_version: &api_version,
                subresource: "",
                time: "2026-01-02T03:04:05Z",
            };
            let once = match apply::apply(live.as_ref(), &config, &sample.schema, &manager, true) {
                Ok(once) => once,
                Err(ApplyError::Conflicts(conflicts)) => anyhow::bail!("forced, but {conflicts}"),
                Err(_) => return Ok(()),
            };
            let twice = apply::apply(Some(&once), &config, &sample.schema, &manager, false)
                .context("the second time")?;
            // Who owns no field is not entered, so the next to apply finds an object without managers, and enters those
            // of old. Kubernetes does the same.
            if managers(&once).is_empty() {
                return Ok(());
            }
            let [once_text, twice_text] = [&once, &twice].map(|object| json!(object));
            ensure!(once == twice, "once makes {once_text}, twice {twice_text}");
            live = Some(once);
        }
        Ok(())
    }
}

fn managers(object: &Object) -> &[Value] {
    let managers = object.get(&["metadata", "managedFields"]);
    managers
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// A configuration as the server hands it on, if it is one of the kind.
fn stored_form(sample: &Sample, config: &Value) -> Option<Object> {
    let mut config = config.clone();
    normalise(&sample.schema, &mut config).ok()?;
    prune(&sample.schema, &mut config);
    let config = Object::from_value(config).ok()?;
    (config.gvk() == sample.gvk).then_some(config)
}
