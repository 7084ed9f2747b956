//! The example counts on where it was.

use std::process::Command;

#[test]
fn each_run_counts_on() {
    let dir = std::env::temp_dir().join(format!("embedded-store-{}", std::process::id()));
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_embedded-store"));
        let output = command.arg(&dir).output().expect("it runs");
        String::from_utf8(output.stdout).expect("text")
    };
    for number in 1..=3 {
        let expected = format!(
            "count {number} is on disk at revision {number}\nrevision {number} changed 1 key\n"
        );
        assert_eq!(run(), expected);
    }
    std::fs::remove_dir_all(dir).expect("it was made");
}
