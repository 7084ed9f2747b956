//! A short run of the crash harness. `cargo xtask crash` runs it for longer.

use std::process::Command;

#[test]
fn the_embedded_store_keeps_its_word() {
    let harness = env!("CARGO_BIN_EXE_crash");
    let counts = ["--kills", "20", "--cuts", "200", "--faults", "200"];
    let output = Command::new(harness)
        .args(counts)
        .output()
        .expect("it runs");
    let (said, violation) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{violation}");
    assert_eq!(said.lines().count(), 4, "{said}");
}
