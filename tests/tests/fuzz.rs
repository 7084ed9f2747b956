//! A short run of all fuzz targets. `cargo xtask fuzz` runs them for longer.

use std::process::Command;

#[test]
fn nothing_that_reads_panics_or_breaks_its_laws() {
    let harness = env!("CARGO_BIN_EXE_fuzz");
    let limits = ["--seconds", "0.5", "--inputs", "2000"];
    let output = Command::new(harness)
        .args(limits)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.lines().count() > 20, "{said}");
}
