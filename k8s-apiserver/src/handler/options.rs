//! Query parameters and option bodies, read into the registry's options.

use k8s_apimachinery::Value;

use super::Call;
use crate::{
    ApiError,
    registry::{DeleteOptions, FieldValidation, Preconditions, Propagation, WriteOptions},
};

/// The longest name that a field manager may have.
const LONGEST_MANAGER: usize = 128;

impl Call {
    /// The options of a create, update or patch.
    pub(super) fn write_options(&self) -> Result<WriteOptions, ApiError> {
        let field_validation = match self.info.param("fieldValidation") {
            None | Some("" | "Warn") => FieldValidation::Warn,
            Some("Strict") => FieldValidation::Strict,
            Some("Ignore") => FieldValidation::Ignore,
            Some(other) => {
                return Err(invalid(
                    "fieldValidation",
                    other,
                    r#"supported values: "Ignore", "Strict", "Warn""#,
                ));
            }
        };
        Ok(WriteOptions {
            dry_run: self.dry_run()?,
            field_manager: self.field_manager()?,
            field_validation,
            force: self.info.flag("force"),
        })
    }

    /// `dryRun=All` is the only one there is.
    fn dry_run(&self) -> Result<bool, ApiError> {
        let mut dry_run = false;
        for stage in self.info.params("dryRun") {
            match stage {
                "All" => dry_run = true,
                "" => {}
                other => return Err(invalid("dryRun", other, r#"supported values: "All""#)),
            }
        }
        Ok(dry_run)
    }

    /// The manager that the client names, or the first word of its user agent.
    fn field_manager(&self) -> Result<String, ApiError> {
        if let Some(manager) = self
            .info
            .param("fieldManager")
            .filter(|name| !name.is_empty())
        {
            return match manager.len() {
                ..=LONGEST_MANAGER => Ok(manager.to_owned()),
                _ => Err(invalid(
                    "fieldManager",
                    manager,
                    "may not be more than 128 bytes",
                )),
            };
        }
        let agent = self.parts.headers.get(http::header::USER_AGENT);
        let agent = agent
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let program = agent.split('/').next().unwrap_or_default();
        Ok(match program {
            "" => "unknown".to_owned(),
            program => program.chars().take(LONGEST_MANAGER).collect(),
        })
    }

    /// The options of a delete: from the body if there is one, else from the query.
    pub(super) fn delete_options(&self) -> Result<DeleteOptions, ApiError> {
        let mut options = DeleteOptions {
            dry_run: self.dry_run()?,
            ..DeleteOptions::default()
        };
        if let Some(seconds) = self.info.param("gracePeriodSeconds") {
            let seconds = seconds.parse().map_err(|_| {
                ApiError::BadRequest(format!("invalid gracePeriodSeconds: {seconds:?}"))
            })?;
            options.grace_period_seconds = Some(seconds);
        }
        let policy = self.info.param("propagationPolicy");
        options.propagation = policy.map(propagation).transpose()?;
        if let Some(orphan) = self.info.param("orphanDependents") {
            orphan_dependents(&mut options, orphan != "false" && orphan != "0");
        }
        if !self.body.is_empty() {
            let body = self.read_options()?;
            read_body(&mut options, &body)?;
        }
        Ok(options)
    }

    fn read_options(&self) -> Result<Value, ApiError> {
        let body = super::decode::tree(&self.body, self.content_type())?;
        match body["kind"].as_str() {
            None | Some("" | "DeleteOptions") => Ok(body),
            Some(kind) => Err(ApiError::BadRequest(format!(
                "decoded object cannot be converted to DeleteOptions: {kind}"
            ))),
        }
    }
}

/// Reads `meta/v1` `DeleteOptions`.
pub(super) fn read_body(options: &mut DeleteOptions, body: &Value) -> Result<(), ApiError> {
    if let Some(seconds) = body["gracePeriodSeconds"].as_i64() {
        options.grace_period_seconds = Some(seconds);
    }
    if let Some(policy) = body["propagationPolicy"].as_str() {
        options.propagation = Some(propagation(policy)?);
    }
    if let Some(orphan) = body["orphanDependents"].as_bool() {
        orphan_dependents(options, orphan);
    }
    if let Some(stages) = body["dryRun"].as_array()
        && !stages.is_empty()
    {
        if stages.iter().any(|stage| stage != "All") {
            return Err(invalid(
                "dryRun",
                &stages[0].to_string(),
                r#"supported values: "All""#,
            ));
        }
        options.dry_run = true;
    }
    let wanted = &body["preconditions"];
    options.preconditions = Preconditions {
        uid: wanted["uid"].as_str().map(str::to_owned),
        resource_version: wanted["resourceVersion"].as_str().map(str::to_owned),
    };
    Ok(())
}

fn propagation(policy: &str) -> Result<Propagation, ApiError> {
    match policy {
        "Orphan" => Ok(Propagation::Orphan),
        "Background" => Ok(Propagation::Background),
        "Foreground" => Ok(Propagation::Foreground),
        other => Err(invalid(
            "propagationPolicy",
            other,
            r#"supported values: "Foreground", "Background", "Orphan""#,
        )),
    }
}

/// The field that came before `propagationPolicy`.
fn orphan_dependents(options: &mut DeleteOptions, orphan: bool) {
    options.accepted = !orphan;
    options.propagation = Some(match orphan {
        true => Propagation::Orphan,
        false => Propagation::Background,
    });
}

fn invalid(field: &str, value: &str, detail: &str) -> ApiError {
    ApiError::BadRequest(format!("{field}: Unsupported value: {value:?}: {detail}"))
}
