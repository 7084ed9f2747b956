//! Compiles the runtime interface's .proto files without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "proto/cri.proto",
        "proto/containerd_events.proto",
        "proto/health.proto",
    ];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    tonic_prost_build::configure()
        .build_server(false)
        .btree_map(".")
        .compile_fds(protox::compile(files, ["proto"])?)?;
    Ok(())
}
