//! Figures of the process, as every Prometheus client library has them; from `/proc/self`.

use std::fs;

use rustix::{
    param,
    process::{Resource, getrlimit},
};

use super::Exposition;

/// Writes what can be read. What can't is left out.
pub fn expose(out: &mut Exposition) {
    if let Some(stat) = fs::read_to_string("/proc/self/stat")
        .ok()
        .as_deref()
        .and_then(Stat::parse)
    {
        expose_stat(&stat, out);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the directory itself.
        let help = "Number of open file descriptors.";
        out.family("process_open_fds", "gauge", help)
            .sample(&[], open.count().saturating_sub(1));
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        let help = "Maximum number of open file descriptors.";
        out.family("process_max_fds", "gauge", help)
            .sample(&[], most);
    }
}

fn expose_stat(stat: &Stat, out: &mut Exposition) {
    let ticks = param::clock_ticks_per_second() as f64;
    let help = "Total user and system CPU time spent in seconds.";
    out.family("process_cpu_seconds_total", "counter", help)
        .sample(&[], stat.cpu_ticks as f64 / ticks);
    let help = "Resident memory size in bytes.";
    out.family("process_resident_memory_bytes", "gauge", help)
        .sample(&[], stat.resident_pages * param::page_size() as u64);
    let help = "Virtual memory size in bytes.";
    out.family("process_virtual_memory_bytes", "gauge", help)
        .sample(&[], stat.virtual_bytes);
    if let Some(boot) = boot_time() {
        let help = "Start time of the process since unix epoch in seconds.";
        out.family("process_start_time_seconds", "gauge", help)
            .sample(&[], boot as f64 + stat.start_ticks as f64 / ticks);
    }
}

/// What `/proc/self/stat` says (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name is in parentheses and may hold anything, parentheses and spaces as well.
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // Fields are numbered from one, and the state, the first of the rest, is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            cpu_ticks: field(14)? + field(15)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the machine started, in seconds since the epoch.
fn boot_time() -> Option<u64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    line?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_confuses_nobody() {
        let text =
            "7 (a) b (c) R 1 1 1 0 -1 4194304 90 0 0 0 12 3 0 0 20 0 4 0 555 1048576 25 1844";
        let expected = Stat {
            cpu_ticks: 15,
            start_ticks: 555,
            virtual_bytes: 1_048_576,
            resident_pages: 25,
        };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("7 (a) R 1 2"), None);
    }

    #[test]
    fn this_process_started_in_the_past() {
        let mut out = Exposition::default();
        expose(&mut out);
        let text = out.into_text();
        let value = |name: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{name} ")))?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        };
        let now = jiff::Timestamp::now().as_second() as f64;
        let started = value("process_start_time_seconds").expect("it is shown");
        assert!(started > 1e9 && started <= now + 1.0, "{started} {now}");
        assert!(value("process_resident_memory_bytes").is_some_and(|bytes| bytes > 1e6));
        assert!(value("process_open_fds").is_some_and(|count| count >= 3.0));
    }
}
