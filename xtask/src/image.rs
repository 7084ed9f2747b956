//! Packs a static program into an OCI image archive, with no network and no container engine.
//!
//! The archive is an OCI layout (image-spec 1.0) in a tar; the annotation
//! `io.containerd.image.name` on the manifest's descriptor is the name under which containerd
//! imports it. The same input makes the same bytes, so an unchanged image keeps its digest.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What goes into an image.
pub(crate) struct Image<'a> {
    /// Full reference, such as `localhost/kuard:blue`.
    pub(crate) name: &'a str,
    /// The one program, which becomes `/NAME` and the entry point.
    pub(crate) program: &'a Path,
    /// Its environment.
    pub(crate) env: &'a [&'a str],
}

struct Blob {
    media_type: &'static str,
    digest: String,
    content: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, content: Vec<u8>) -> Self {
        let digest = format!("{:x}", Sha256::digest(&content));
        Blob {
            media_type,
            digest,
            content,
        }
    }

    fn descriptor(&self) -> Value {
        json!({
            "mediaType": self.media_type,
            "digest": format!("sha256:{}", self.digest),
            "size": self.content.len(),
        })
    }
}

/// Writes the archive, replacing an older one atomically.
pub(crate) fn pack(image: &Image<'_>, archive: &Path) -> Result<()> {
    let program = image
        .program
        .file_name()
        .context("the program has a name")?;
    let program = program.to_str().context("the program's name is UTF-8")?;
    let layer = Blob::new(
        "application/vnd.oci.image.layer.v1.tar",
        layer(image.program, program)?,
    );
    let env = [&["PATH=/"], image.env].concat();
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": {
            "Entrypoint": [format!("/{program}")],
            "Env": env,
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", layer.digest)] },
        "history": [{ "created_by": program }],
    });
    let config = Blob::new(
        "application/vnd.oci.image.config.v1+json",
        serde_json::to_vec(&config)?,
    );
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    });
    let manifest = Blob::new(
        "application/vnd.oci.image.manifest.v1+json",
        serde_json::to_vec(&manifest)?,
    );
    let mut descriptor = manifest.descriptor();
    descriptor["annotations"] = json!({ "io.containerd.image.name": image.name });
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor] });

    let unfinished = archive.with_extension("tmp");
    let mut tar = tar::Builder::new(File::create(&unfinished)?);
    append(
        &mut tar,
        "oci-layout",
        br#"{"imageLayoutVersion":"1.0.0"}"#,
        0o644,
    )?;
    append(&mut tar, "index.json", &serde_json::to_vec(&index)?, 0o644)?;
    for blob in [&layer, &config, &manifest] {
        append(
            &mut tar,
            &format!("blobs/sha256/{}", blob.digest),
            &blob.content,
            0o644,
        )?;
    }
    tar.into_inner()?.sync_all()?;
    fs::rename(&unfinished, archive)?;
    Ok(())
}

/// The root file system: the program, and the directories that programs expect.
fn layer(path: &Path, name: &str) -> Result<Vec<u8>> {
    let content = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut tar = tar::Builder::new(Vec::new());
    for (directory, mode) in [("etc/", 0o755), ("tmp/", 0o1777), ("var/", 0o755)] {
        let mut header = header(0, mode);
        header.set_entry_type(tar::EntryType::Directory);
        tar.append_data(&mut header, directory, [].as_slice())?;
    }
    append(
        &mut tar,
        "etc/passwd",
        b"root:x:0:0:root:/:/\nnobody:x:65534:65534:nobody:/:/\n",
        0o644,
    )?;
    append(
        &mut tar,
        "etc/group",
        b"root:x:0:\nnogroup:x:65534:\n",
        0o644,
    )?;
    append(&mut tar, name, &content, 0o755)?;
    Ok(tar.into_inner()?)
}

fn append<W: std::io::Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    content: &[u8],
    mode: u32,
) -> Result<()> {
    tar.append_data(&mut header(content.len() as u64, mode), path, content)?;
    Ok(())
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_descriptor_points_at_a_blob_of_its_size_and_digest() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("demo");
        fs::write(&program, b"not really a program").unwrap();
        let archive = directory.path().join("demo.tar");
        pack(
            &Image {
                name: "localhost/demo:1",
                program: &program,
                env: &["A=b"],
            },
            &archive,
        )
        .unwrap();

        let mut blobs = std::collections::BTreeMap::new();
        let mut tar = tar::Archive::new(File::open(&archive).unwrap());
        for entry in tar.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            blobs.insert(path, content);
        }
        let follow = |descriptor: &Value| -> Vec<u8> {
            let digest = descriptor["digest"]
                .as_str()
                .unwrap()
                .strip_prefix("sha256:")
                .unwrap();
            let content = blobs[&format!("blobs/sha256/{digest}")].clone();
            assert_eq!(format!("{:x}", Sha256::digest(&content)), digest);
            assert_eq!(descriptor["size"], content.len());
            content
        };
        let index: Value = serde_json::from_slice(&blobs["index.json"]).unwrap();
        let descriptor = &index["manifests"][0];
        assert_eq!(
            descriptor["annotations"]["io.containerd.image.name"],
            "localhost/demo:1"
        );
        let manifest: Value = serde_json::from_slice(&follow(descriptor)).unwrap();
        let config: Value = serde_json::from_slice(&follow(&manifest["config"])).unwrap();
        follow(&manifest["layers"][0]);
        assert_eq!(config["config"]["Entrypoint"][0], "/demo");
        assert_eq!(
            config["rootfs"]["diff_ids"][0],
            manifest["layers"][0]["digest"]
        );
    }
}
