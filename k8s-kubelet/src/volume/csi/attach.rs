//! Waiting until a device is attached to the node. Controllers attach; the object that says so has a name that both
//! sides can compute.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::storage::v1::VolumeAttachment;
use kube::Api;

use super::path;
use crate::volume::{Device, Host, VolumeError, claim::words};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Then it is the pod's turn to try again, and to say so.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the attacher tells the driver on the node.
pub(super) async fn wait(
    host: &Host,
    device: &Device,
) -> Result<BTreeMap<String, String>, VolumeError> {
    let name = path::attachment(device, &host.node);
    let api: Api<VolumeAttachment> = Api::all(host.client.clone());
    let waiting = async {
        let mut pause = FIRST_PAUSE;
        loop {
            // A node may not even ask for what doesn't exist yet.
            let last = match api.get(&name).await {
                Ok(attachment) => match verdict(&attachment)? {
                    Some(context) => return Ok(context),
                    None => None,
                },
                Err(error) => Some(words(&error)),
            };
            tracing::debug!(name, last, "a volume isn't attached yet");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| {
        Err(VolumeError::Invalid(format!(
            "timed out waiting for external-attacher of {} CSI driver to attach volume {}",
            device.driver, device.handle
        )))
    })
}

/// Whether it is attached, and with what words; or why it won't be.
fn verdict(attachment: &VolumeAttachment) -> Result<Option<BTreeMap<String, String>>, VolumeError> {
    if attachment.metadata.deletion_timestamp.is_some() {
        return Err(VolumeError::Invalid(
            "volume attachment is being deleted".into(),
        ));
    }
    let Some(status) = &attachment.status else {
        return Ok(None);
    };
    if status.attached {
        return Ok(Some(status.attachment_metadata.clone().unwrap_or_default()));
    }
    match &status.attach_error {
        Some(error) => {
            let message = error.message.clone().unwrap_or_default();
            Err(VolumeError::Invalid(message))
        }
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_attachment_is_waited_for_unless_it_failed_or_goes() {
        let verdict = |status: Value, deleted: Value| {
            let attachment = json!({
                "metadata": {"deletionTimestamp": deleted},
                "spec": {"attacher": "d", "nodeName": "n", "source": {}},
                "status": status,
            });
            verdict(&serde_json::from_value(attachment).unwrap()).map_err(|error| error.to_string())
        };
        let context = BTreeMap::from([("device".to_owned(), "sdb".to_owned())]);
        let attached = json!({"attached": true, "attachmentMetadata": {"device": "sdb"}});
        assert_eq!(verdict(attached.clone(), json!(null)), Ok(Some(context)));
        assert_eq!(verdict(json!({"attached": false}), json!(null)), Ok(None));
        let failed = json!({"attached": false, "attachError": {"message": "no such disk"}});
        assert_eq!(verdict(failed, json!(null)).unwrap_err(), "no such disk");
        let going = verdict(attached, json!("2030-01-01T00:00:00Z"));
        assert_eq!(going.unwrap_err(), "volume attachment is being deleted");
    }
}
