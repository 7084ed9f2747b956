//! Compiles the .proto files of the interfaces to runtimes and drivers without protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "proto/cri.proto",
        "proto/containerd_events.proto",
        "proto/csi.proto",
        "proto/health.proto",
        "proto/pluginregistration.proto",
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
