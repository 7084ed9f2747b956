//! Compiles the storage driver's side of the node agent's interface to such drivers.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto = "../k8s-kubelet/proto";
    let files = ["csi.proto", "pluginregistration.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={proto}/{file}");
    }
    tonic_prost_build::configure()
        .build_client(false)
        .btree_map(".")
        .compile_fds(protox::compile(files, [proto])?)?;
    Ok(())
}
