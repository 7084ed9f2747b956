//! Service: prepared here; its addresses and ports are allocated with the write.

mod row;
mod update;

use jiff::Timestamp;
use k8s_apimachinery::{Object, Value, table::ColumnDefinition};
use serde_json::json;

use crate::{
    ApiError,
    registry::{
        Change, Effects, KindRow, Strategy, SubresourceRow, View, WriteContext, allocation, cell,
        keep, keep_all_but_status,
    },
};

/// Strategy of `v1` `Service`.
pub(crate) struct Service;

impl Strategy for Service {
    fn kind(&self) -> KindRow {
        KindRow::new("", "v1", "Service", "services")
            .short_names(&["svc"])
            .categories(&["all"])
            .storage_prefix("services/specs")
            .create_on_update()
            .returns_deleted()
            .subresource(SubresourceRow::connect(
                "proxy",
                &["create", "delete", "get", "patch", "update"],
            ))
            .subresource(SubresourceRow::status())
    }

    fn prepare_create(&self, object: &mut Object, _ctx: &WriteContext<'_>) {
        object.set(&["status"], json!({"loadBalancer": {}}));
        prepare_addresses(object);
    }

    fn prepare_update(&self, new: &mut Object, old: &Object, ctx: &WriteContext<'_>) {
        if ctx.subresource == "status" {
            return keep_all_but_status(new, old);
        }
        keep(new, old, &["status"]);
        update::keep_allocated(new, old);
        update::drop_unused(new, old);
        prepare_addresses(new);
    }

    fn effects(&self, change: &mut Change<'_>, view: &View<'_>) -> Result<Effects, ApiError> {
        allocation::effects(change, view)
    }

    fn selectable(&self) -> &'static [&'static str] {
        &["spec.clusterIP", "spec.type"]
    }

    fn columns(&self) -> &'static [ColumnDefinition] {
        &row::COLUMNS
    }

    fn row(&self, object: &Object, now: Timestamp) -> Vec<Value> {
        row::cells(object, now)
    }
}

fn type_of(service: &Object) -> &str {
    service.str(&["spec", "type"]).unwrap_or_default()
}

/// `clusterIP` and `clusterIPs` say the same; families follow from them. One family is served; but headless services
/// without a selector have endpoints of any.
fn prepare_addresses(service: &mut Object) {
    if type_of(service) == "ExternalName" {
        return;
    }
    let ip = service
        .str(&["spec", "clusterIP"])
        .unwrap_or_default()
        .to_owned();
    let first = cell::items(service, &["spec", "clusterIPs"])
        .first()
        .cloned();
    match (ip.as_str(), first) {
        ("", Some(first)) => service.set(&["spec", "clusterIP"], first),
        ("", None) => {}
        (_, None) => service.set(&["spec", "clusterIPs"], json!([ip])),
        _ => {}
    }
    let family = if ip.contains(':') { "IPv6" } else { "IPv4" };
    let is_open = service.str(&["spec", "clusterIP"]) == Some("None")
        && cell::count(service, &["spec", "selector"]) == 0
        && service.get(&["spec", "ipFamilyPolicy"]).is_none();
    let defaults = match is_open {
        true => [
            ("ipFamilies", json!(["IPv4", "IPv6"])),
            ("ipFamilyPolicy", json!("RequireDualStack")),
        ],
        false => [
            ("ipFamilies", json!([family])),
            ("ipFamilyPolicy", json!("SingleStack")),
        ],
    };
    for (field, value) in defaults {
        if service.get(&["spec", field]).is_none() {
            service.set(&["spec", field], value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(spec: Value) -> Object {
        Object::from_value(json!({"metadata": {"name": "s"}, "spec": spec})).expect("an object")
    }

    #[test]
    fn one_family_is_served() {
        let families = |selector: Value| {
            let spec = json!({"type": "ClusterIP", "clusterIP": "None", "selector": selector});
            let mut object = service(spec);
            prepare_addresses(&mut object);
            assert_eq!(object.get(&["spec", "clusterIPs"]), Some(&json!(["None"])));
            let get = |field| object.get(&["spec", field]).cloned().unwrap_or_default();
            [get("ipFamilies"), get("ipFamilyPolicy")]
        };
        assert_eq!(
            families(json!({"app": "a"})),
            [json!(["IPv4"]), json!("SingleStack")]
        );
        assert_eq!(
            families(json!({})),
            [json!(["IPv4", "IPv6"]), json!("RequireDualStack")]
        );
    }
}
