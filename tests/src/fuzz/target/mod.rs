//! What is tried, one target a file.

mod accept;
mod apply;
mod continue_token;
mod cri_log;
mod dns;
mod field_selector;
mod field_set;
mod int_or_string;
mod json;
mod json_patch;
mod kind;
mod label_selector;
mod merge_patch;
mod network;
mod path;
mod protobuf;
mod quantity;
mod request;
mod schedule;
mod spdy;
mod store_log;
mod strategic_patch;
mod time;
mod websocket;
mod yaml;

use anyhow::Result;
use k8s_store::testing::Dice;

/// Something that reads what strangers write.
pub(crate) trait Target {
    /// An input, valid or nearly.
    fn generate(&mut self, dice: &mut Dice) -> Vec<u8>;

    /// Tells which law the input breaks, if any. What it refuses is fine.
    fn check(&mut self, input: &[u8]) -> Result<()>;
}

/// Makes a target in its first state.
pub(crate) type Make = fn() -> Box<dyn Target>;

/// All targets by their names.
pub(crate) const TARGETS: &[(&str, Make)] = &[
    ("accept", || Box::new(accept::Accept)),
    ("apply", || Box::new(apply::Apply::new())),
    ("continue-token", || {
        Box::new(continue_token::ContinueToken::new())
    }),
    ("cri-log", || Box::new(cri_log::CriLog)),
    ("dns", || Box::new(dns::Dns::new())),
    ("field-selector", || {
        Box::new(field_selector::FieldSelectors)
    }),
    ("field-set", || Box::new(field_set::FieldSets::new())),
    ("int-or-string", || Box::new(int_or_string::IntOrStrings)),
    ("json", || Box::new(json::Json::new())),
    ("json-patch", || Box::new(json_patch::JsonPatch)),
    ("kind", || Box::new(kind::Kinds::new())),
    ("label-selector", || {
        Box::new(label_selector::LabelSelectors)
    }),
    ("merge-patch", || Box::new(merge_patch::MergePatch)),
    ("network", || Box::new(network::Networks)),
    ("path", || Box::new(path::Paths)),
    ("protobuf", || Box::new(protobuf::Protobuf)),
    ("quantity", || Box::new(quantity::Quantities)),
    ("request", || Box::new(request::Requests::new())),
    ("schedule", || Box::new(schedule::Schedules)),
    ("spdy", || Box::new(spdy::Spdy::new())),
    ("store-log", || Box::new(store_log::StoreLog::new())),
    ("strategic-patch", || {
        Box::new(strategic_patch::StrategicPatch::new())
    }),
    ("time", || Box::new(time::Times)),
    ("websocket", || Box::new(websocket::WebSockets)),
    ("yaml", || Box::new(yaml::Yaml::new())),
];

/// The text that an input is, if it is one.
fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}
