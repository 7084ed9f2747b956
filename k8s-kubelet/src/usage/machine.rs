//! What the machine itself counts, out of `/proc`.

use std::{fs, path::Path};

use jiff::Timestamp;

use super::figure::{Cpu, Disk, Interface, Memory, Network, Processes};

/// Ticks of `/proc/stat` a second; Linux fixes it for user space.
const TICK_NANOS: u64 = 10_000_000;

/// Processor time of all cores since the start.
pub(super) fn cpu(now: Timestamp) -> Cpu {
    Cpu {
        time: now,
        usage_nano_cores: None,
        usage_core_nano_seconds: busy(&read("/proc/stat")),
    }
}

/// Memory: what is available is the rest of what the node has.
pub(super) fn memory(now: Timestamp, capacity: i64) -> Memory {
    memory_of(&read("/proc/meminfo"), &read("/proc/vmstat"), now, capacity)
}

/// Traffic in the agent's own network namespace.
pub(super) fn network(now: Timestamp) -> Option<Network> {
    network_of(&read("/proc/net/dev"), &read("/proc/net/route"), now)
}

/// The number of tasks, and how far their ids go.
pub(super) fn processes(now: Timestamp) -> Processes {
    let load = read("/proc/loadavg");
    let tasks = load
        .split_whitespace()
        .nth(3)
        .and_then(|tasks| tasks.split_once('/'));
    Processes {
        time: now,
        max_pid: read("/proc/sys/kernel/pid_max").trim().parse().ok(),
        running: tasks.and_then(|(_, all)| all.parse().ok()),
    }
}

/// The file system that holds a path; taken is all that isn't free.
pub(super) fn disk(path: &Path, now: Timestamp) -> Option<Disk> {
    let fs = rustix::fs::statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(fs.f_frsize);
    Some(Disk {
        time: now,
        available_bytes: Some(bytes(fs.f_bavail)),
        capacity_bytes: Some(bytes(fs.f_blocks)),
        used_bytes: Some(bytes(fs.f_blocks.saturating_sub(fs.f_bfree))),
        inodes_free: Some(fs.f_ffree),
        inodes: Some(fs.f_files),
        inodes_used: Some(fs.f_files.saturating_sub(fs.f_ffree)),
    })
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Nanoseconds that some core worked: user, nice, system, irq, softirq, steal.
fn busy(stat: &str) -> u64 {
    let total = stat.lines().find_map(|line| line.strip_prefix("cpu "));
    let ticks = total.unwrap_or_default().split_whitespace();
    let ticks: Vec<u64> = ticks.map(|tick| tick.parse().unwrap_or_default()).collect();
    let busy = [0, 1, 2, 5, 6, 7].map(|column| ticks.get(column).copied().unwrap_or_default());
    busy.iter().sum::<u64>() * TICK_NANOS
}

/// As cAdvisor reckons for a machine: what is used is all that isn't free, the working set is that without inactive
/// caches of files.
fn memory_of(meminfo: &str, vmstat: &str, now: Timestamp, capacity: i64) -> Memory {
    let kib = |name: &str| number_after(meminfo, name, ':').map(|kib| kib * 1024);
    let usage = kib("MemTotal").zip(kib("MemFree"));
    let usage = usage.map(|(total, free)| total.saturating_sub(free));
    let inactive = kib("Inactive(file)").unwrap_or_default();
    let working_set = usage.map(|usage| usage.saturating_sub(inactive));
    let capacity = u64::try_from(capacity).unwrap_or_default();
    let faults = number_after(vmstat, "pgfault", ' ');
    let major = number_after(vmstat, "pgmajfault", ' ');
    Memory {
        time: now,
        available_bytes: working_set.map(|used| capacity.saturating_sub(used)),
        usage_bytes: usage,
        working_set_bytes: working_set,
        rss_bytes: kib("AnonPages"),
        page_faults: faults
            .zip(major)
            .map(|(all, major)| all.saturating_sub(major)),
        major_page_faults: major,
    }
}

/// The number in the line `name<separator> number ...`.
fn number_after(text: &str, name: &str, separator: char) -> Option<u64> {
    let line = text.lines().find_map(|line| {
        let (found, rest) = line.split_once(separator)?;
        (found == name).then_some(rest)
    })?;
    line.split_whitespace().next()?.parse().ok()
}

fn network_of(dev: &str, route: &str, now: Timestamp) -> Option<Network> {
    let default = route.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let (name, destination) = (fields.next()?, fields.next()?);
        (destination == "00000000").then_some(name)
    });
    let all = dev.lines().filter_map(interface);
    let (mut first, rest): (Vec<_>, Vec<_>) = all
        .filter(|interface| interface.name != "lo")
        .partition(|interface| Some(interface.name.as_str()) == default);
    (!first.is_empty() || !rest.is_empty()).then(|| Network {
        time: now,
        default: first.pop(),
        interfaces: rest,
    })
}

/// `eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs ...`
fn interface(line: &str) -> Option<Interface> {
    let (name, figures) = line.split_once(':')?;
    let figures: Vec<u64> = figures
        .split_whitespace()
        .map(|figure| figure.parse().unwrap_or_default())
        .collect();
    Some(Interface {
        name: name.trim().to_owned(),
        rx_bytes: *figures.first()?,
        rx_errors: *figures.get(2)?,
        tx_bytes: *figures.get(8)?,
        tx_errors: *figures.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_cores_use_nothing_and_guests_count_once() {
        let stat = "cpu  100 10 40 99999 888 3 2 1 50 5\ncpu0 1 1 1 1\n";
        assert_eq!(busy(stat), 156 * TICK_NANOS);
        assert_eq!(busy(""), 0);
    }

    #[test]
    fn the_working_set_leaves_inactive_files_out() {
        let meminfo = "MemTotal: 1000 kB\nMemFree: 300 kB\nInactive: 500 kB\nInactive(file): 200 kB\n\
                       AnonPages: 100 kB\n";
        let vmstat = "pgfault 12\npgmajfault 2\n";
        let memory = memory_of(meminfo, vmstat, Timestamp::UNIX_EPOCH, 800 * 1024);
        let expected = Memory {
            time: Timestamp::UNIX_EPOCH,
            available_bytes: Some(300 * 1024),
            usage_bytes: Some(700 * 1024),
            working_set_bytes: Some(500 * 1024),
            rss_bytes: Some(100 * 1024),
            page_faults: Some(10),
            major_page_faults: Some(2),
        };
        assert_eq!(memory, expected);
    }

    #[test]
    fn the_interface_of_the_default_route_comes_first_and_loopback_never() {
        let dev = "Inter-| Receive | Transmit\n face |bytes\n    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  \
                   veth1: 1 0 2 0 0 0 0 0 3 0 4 0 0 0 0 0\n  eth0: 5 0 6 0 0 0 0 0 7 0 8 0 0 0 0 0\n";
        let route = "Iface Destination Gateway\nveth1 0000A8C0 0\neth0 00000000 0101A8C0\n";
        let network = network_of(dev, route, Timestamp::UNIX_EPOCH).unwrap();
        let eth0 = network.default.unwrap();
        assert_eq!(
            (
                eth0.name.as_str(),
                eth0.rx_bytes,
                eth0.rx_errors,
                eth0.tx_bytes,
                eth0.tx_errors
            ),
            ("eth0", 5, 6, 7, 8)
        );
        let rest: Vec<_> = network.interfaces.iter().map(|each| &each.name).collect();
        assert_eq!(rest, ["veth1"]);
        assert_eq!(network_of("", "", Timestamp::UNIX_EPOCH), None);
    }
}
