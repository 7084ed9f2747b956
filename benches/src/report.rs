//! One line of JSON, with what a reader needs to judge it.

use std::{fs, path::Path, time::Duration};

use serde_json::{Map, Value, json};

/// A benchmark's result.
pub struct Report(Map<String, Value>);

impl Report {
    pub fn new(bench: &str, data: &Path) -> Report {
        let mut fields = Map::new();
        fields.insert("bench".into(), json!(bench));
        fields.insert(
            "profile".into(),
            json!(if cfg!(debug_assertions) {
                "dev"
            } else {
                "release"
            }),
        );
        fields.insert("file_system".into(), json!(file_system(data)));
        Report(fields)
    }

    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// `p50_ms` and `p99_ms` of what each operation took.
    pub fn latencies(&mut self, mut latencies: Vec<Duration>) -> &mut Self {
        latencies.sort();
        let at = |share: f64| {
            let index = ((latencies.len() as f64 - 1.0) * share).round() as usize;
            latencies
                .get(index)
                .map_or(0.0, |latency| round(latency.as_secs_f64() * 1e3))
        };
        let (p50, p99) = (at(0.5), at(0.99));
        self.set("p50_ms", p50).set("p99_ms", p99)
    }

    pub fn print(&self) {
        println!("{}", Value::Object(self.0.clone()));
    }
}

/// Three digits behind the point.
pub fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// The type of the file system that holds `path`, as the mount table names it.
fn file_system(path: &Path) -> String {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = table.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let holding = mounts.filter(|(point, _)| path.starts_with(point));
    holding
        .max_by_key(|(point, _)| point.len())
        .map_or_else(String::new, |(_, kind)| kind.to_owned())
}
