//! Which of a log's rotated files go, and which are compressed. Pure: from names to names.

/// The ending of a compressed file.
pub(super) const COMPRESSED: &str = ".gz";
/// The ending of a file that is being compressed into.
pub(super) const UNFINISHED: &str = ".tmp";

/// What happens to a log's rotated files before its current one joins them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    /// Removed: leftovers of an interrupted compression, and the oldest beyond the bound.
    pub(super) remove: Vec<&'a str>,
    /// Compressed, and then removed.
    pub(super) compress: Vec<&'a str>,
}

/// Looks at the files beside `log`. At most `max_files` shall be left, the current one and the one
/// that it becomes among them. Their names end in the time of their rotation, so they sort by age.
pub(super) fn plan<'a>(log: &str, files: &'a [String], max_files: usize) -> Plan<'a> {
    let is_rotated = |name: &&str| {
        let rest = name.strip_prefix(log);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    let mut rotated: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(is_rotated)
        .collect();
    rotated.sort_unstable();
    let is_leftover =
        |name: &str| name.ends_with(UNFINISHED) || files.contains(&format!("{name}{COMPRESSED}"));
    let (mut remove, mut kept): (Vec<&str>, Vec<&str>) =
        rotated.into_iter().partition(|name| is_leftover(name));
    let excess = kept.len().saturating_sub(max_files.saturating_sub(2));
    remove.extend(kept.drain(..excess));
    kept.retain(|name| !name.ends_with(COMPRESSED));
    Plan {
        remove,
        compress: kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(files: &[&str], max_files: usize, remove: &[&str], compress: &[&str]) {
        let files: Vec<String> = files.iter().map(|&name| name.to_owned()).collect();
        let plan = plan("0.log", &files, max_files);
        assert_eq!((&*plan.remove, &*plan.compress), (remove, compress));
    }

    #[test]
    fn a_rotated_file_is_compressed_when_the_next_comes() {
        check(&["0.log"], 5, &[], &[]);
        check(&["0.log", "0.log.1"], 5, &[], &["0.log.1"]);
        check(&["0.log", "0.log.1.gz", "0.log.2"], 5, &[], &["0.log.2"]);
    }

    #[test]
    fn the_oldest_go_first() {
        let files = ["0.log.2.gz", "0.log.1.gz", "0.log.4", "0.log.3.gz", "0.log"];
        check(&files, 5, &["0.log.1.gz"], &["0.log.4"]);
        let all = ["0.log.1.gz", "0.log.2.gz", "0.log.3.gz", "0.log.4"];
        check(&files, 2, &all, &[]);
    }

    #[test]
    fn what_an_interruption_left_is_removed() {
        check(
            &["0.log.1", "0.log.1.gz", "0.log.2", "0.log.2.tmp"],
            5,
            &["0.log.1", "0.log.2.tmp"],
            &["0.log.2"],
        );
    }

    #[test]
    fn other_runs_are_left_alone() {
        check(&["1.log", "1.log.1", "10.log.1"], 2, &[], &[]);
    }
}
