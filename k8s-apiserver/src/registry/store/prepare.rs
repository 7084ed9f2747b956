//! What every new state of an object goes through before it is committed: defaults, mutating admission, the kind's own
//! edits, managed fields, validation, validating admission, allocations. In this order.

use k8s_apimachinery::{
    Object,
    apply::{self, Manager},
};

use super::{Tracking, Write};
use crate::{
    ApiError,
    admission::Operation,
    registry::{Change, Effects, Registry, WriteContext, fault, meta, rfc3339},
};

impl Registry {
    /// Completes and checks a new state; what must commit with it is returned.
    pub(super) async fn prepare(
        &self,
        write: &Write<'_>,
        old: Option<&Object>,
        new: &mut Object,
        tracking: Tracking,
    ) -> Result<Effects, ApiError> {
        let resource = write.resource;
        let rules = resource.rules();
        if let Some(rules) = rules {
            rules.default(new);
        }

        let name = new.name().to_owned();
        let operation = match old {
            None => Operation::Create,
            Some(_) => Operation::Update,
        };
        let review = write.review(self, operation, &name, old);
        // What is posted to `binding` was admitted by itself, and not the pod that it changes.
        let plugins = match write.subresource {
            "binding" => &[],
            _ => self.admission(),
        };
        for plugin in plugins {
            plugin.mutate(&review, new).await?;
        }

        let now = self.config().environment.now();
        let context = WriteContext {
            user: write.user,
            now,
            subresource: write.subresource,
            notices: write.notices,
        };
        match old {
            None => {
                resource.strategy.prepare_create(new, &context);
                meta::first_generation(new, resource);
            }
            Some(old) => {
                resource.strategy.prepare_update(new, old, &context);
                meta::continue_from(new, old);
                meta::next_generation(new, old, resource);
            }
        }
        if tracking == Tracking::Update {
            self.track(write, old, new, &rfc3339(now));
        }

        if let Some(rules) = rules {
            let errors = match old {
                None => rules.validate(new),
                Some(old) if write.subresource == "status" => {
                    rules.validate_status_update(new, old)
                }
                // A binding sets what no update may change, and was checked by itself.
                Some(_) if write.subresource == "binding" => Vec::new(),
                Some(old) if write.subresource.is_empty() => rules.validate_update(new, old),
                Some(old) => rules.validate_part_update(write.subresource, new, old),
            };
            fault::invalid(resource.group_kind(), &name, errors)?;
        }

        let mut effects = Effects::default();
        for plugin in plugins {
            effects.extend(plugin.validate(&review, Some(new)).await?);
        }
        let mut change = Change {
            old,
            new: Some(new),
        };
        effects.extend(resource.strategy.effects(&mut change, &self.view())?);
        Ok(effects)
    }

    /// Shows what is posted to a subresource, and stored nowhere, to admission, which may complete or refuse it.
    pub(crate) async fn admit(
        &self,
        write: &Write<'_>,
        object: &mut Object,
    ) -> Result<(), ApiError> {
        let review = write.review(self, Operation::Create, write.name, None);
        for plugin in self.admission() {
            plugin.mutate(&review, object).await?;
        }
        for plugin in self.admission() {
            plugin.validate(&review, Some(object)).await?;
        }
        Ok(())
    }

    /// What must commit with the removal of an object.
    pub(super) fn removal(&self, write: &Write<'_>, old: &Object) -> Result<Effects, ApiError> {
        let mut change = Change {
            old: Some(old),
            new: None,
        };
        let mut effects = write.resource.strategy.effects(&mut change, &self.view())?;
        let review = write.review(self, Operation::Delete, write.name, Some(old));
        for plugin in self.admission() {
            effects.extend(plugin.remove(&review, old));
        }
        Ok(effects)
    }

    /// Notes who owns which fields.
    fn track(&self, write: &Write<'_>, old: Option<&Object>, new: &mut Object, time: &str) {
        let Some(schema) = write.resource.schema() else {
            return;
        };
        let api_version = write.resource.gvk(write.version).api_version();
        let manager = Manager {
            name: &write.options.field_manager,
            operation: apply::Operation::Update,
            api_version: &api_version,
            subresource: write.subresource,
            time,
        };
        apply::track_update(old, new, schema, &manager);
    }
}
