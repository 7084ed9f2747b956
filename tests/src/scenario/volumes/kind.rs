//! The kinds of volumes that a pod's spec describes itself.

use std::{fs, process::Command};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{PATIENCE, Scene, pod};
use crate::{cluster::Cluster, shell::eventually};

pub(super) fn run(cluster: &Cluster, scene: &Scene) -> Result<()> {
    scratch(cluster)?;
    files(cluster)?;
    groups(cluster, scene)?;
    node_paths(cluster, scene)?;
    propagation(cluster, scene)?;
    images(cluster)
}

/// `emptyDir`: shared by containers, in memory with a limit.
fn scratch(cluster: &Cluster) -> Result<()> {
    let mut pod = pod(
        "scratch",
        &[
            (
                "disk",
                json!({"emptyDir": {}}),
                json!({"mountPath": "/disk"}),
            ),
            (
                "memory",
                json!({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}),
                json!({"mountPath": "/memory"}),
            ),
            (
                "free",
                json!({"emptyDir": {"medium": "Memory"}}),
                json!({"mountPath": "/free"}),
            ),
        ],
    );
    let mut second = pod["spec"]["containers"][0].clone();
    second["name"] = json!("second");
    let main = &mut pod["spec"]["containers"][0];
    main["resources"] = json!({"limits": {"memory": "64Mi"}});
    second["resources"] = main["resources"].clone();
    if let Some(all) = pod["spec"]["containers"].as_array_mut() {
        all.push(second);
    }
    cluster.start_pod(&pod)?;
    cluster.inside("scratch", "echo shared > /disk/note")?;
    let seen = cluster.sh("kubectl exec scratch -c second -- /kuard cat /disk/note")?;
    ensure!(seen == "shared\n", "{seen}");
    let size = |dir: &str| cluster.inside("scratch", &format!("stat -f -c '%b %S' {dir}"));
    ensure!(size("/memory")? == "256 4096", "{}", size("/memory")?);
    // The pod's limit where there is no other.
    ensure!(size("/free")? == "32768 4096", "{}", size("/free")?);
    let says = cluster.refused_inside("scratch", "head -c 2000000 /dev/zero > /memory/much")?;
    ensure!(says.contains("No space left on device"), "{says}");
    cluster.end_pod("scratch")
}

/// Files of API objects: keys, paths, modes, optional ones, and edits.
fn files(cluster: &Cluster) -> Result<()> {
    cluster.sh(
        "kubectl create configmap settings --from-literal=a=one --from-literal=b=two; \
         kubectl create secret generic keys --from-literal=key=s3cret",
    )?;
    cluster.apply(&json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "ClusterTrustBundle",
        "metadata": {"name": "roots"},
        "spec": {"trustBundle": certificate(cluster)?},
    }))?;
    let bundle = json!({"clusterTrustBundle": {"name": "roots", "path": "roots.pem"}});
    let token = json!({"serviceAccountToken": {"path": "token", "audience": "shop", "expirationSeconds": 600}});
    let labels = json!({"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}});
    let all = json!({"projected": {"defaultMode": 0o440, "sources": [
        {"configMap": {"name": "settings", "items": [{"key": "a", "path": "deep/a", "mode": 0o400}]}},
        {"secret": {"name": "keys"}},
        {"secret": {"name": "none", "optional": true}},
        {"downwardAPI": {"items": [labels]}},
        token,
        bundle,
    ]}});
    let items = json!([{"key": "b", "path": "beta", "mode": 0o640}]);
    let pod = pod(
        "files",
        &[
            (
                "config",
                json!({"configMap": {"name": "settings", "items": items, "defaultMode": 0o400}}),
                json!({"mountPath": "/config"}),
            ),
            (
                "secret",
                json!({"secret": {"secretName": "keys", "defaultMode": 0o400}}),
                json!({"mountPath": "/secret"}),
            ),
            (
                "absent",
                json!({"configMap": {"name": "none", "optional": true}}),
                json!({"mountPath": "/absent"}),
            ),
            (
                "facts",
                json!({"downwardAPI": {"items": [labels]}}),
                json!({"mountPath": "/facts"}),
            ),
            ("all", all, json!({"mountPath": "/all"})),
        ],
    );
    cluster.start_pod(&pod)?;
    for (line, expected) in [
        (
            "cat /config/beta; stat -Lc ' %a' /config/beta; ls /config",
            "two 640\nbeta",
        ),
        ("cat /secret/key; stat -Lc ' %a' /secret/key", "s3cret 400"),
        ("stat -f -c %T /secret", "tmpfs"),
        ("ls /absent", ""),
        ("cat /facts/labels", "app=\"files\""),
        ("cat /all/deep/a; stat -Lc ' %a' /all/deep/a", "one 400"),
        ("cat /all/key; stat -Lc ' %a' /all/key", "s3cret 440"),
        ("grep -c BEGIN /all/roots.pem", "1"),
        (
            "cut -d. -f2 /all/token | base64 -d 2>/dev/null | grep -o '\"shop\"'",
            "\"shop\"",
        ),
    ] {
        let printed = cluster.inside("files", line)?;
        ensure!(printed == expected, "{line}: {printed:?}");
    }
    cluster.sh(
        "kubectl label pod files tier=web; kubectl create configmap none --from-literal=late=here; \
         kubectl patch configmap settings --type=merge -p '{\"data\":{\"a\":\"three\",\"b\":\"four\"}}'",
    )?;
    eventually("edits are seen", PATIENCE, || {
        let line = "cat /config/beta /all/deep/a /absent/late; echo; cat /facts/labels /all/labels";
        let now = cluster.inside("files", line)?;
        let labels = "app=\"files\"\ntier=\"web\"";
        ensure!(now == format!("fourthreehere\n{labels}{labels}"), "{now}");
        Ok(())
    })?;
    cluster.end_pod("files")?;
    cluster
        .sh("kubectl delete configmap settings none; kubectl delete secret keys")
        .map(drop)
}

/// Any certificate: the cluster's own.
fn certificate(cluster: &Cluster) -> Result<String> {
    cluster.sh(
        "kubectl config view --raw -o jsonpath='{.clusters[0].cluster.certificate-authority-data}' | base64 -d",
    )
}

/// `fsGroup`: files are the group's, whatever the user.
fn groups(cluster: &Cluster, scene: &Scene) -> Result<()> {
    cluster.sh("kubectl create configmap settings --from-literal=a=one")?;
    let host = scene.dir("grouped")?;
    let mut pod = pod(
        "groups",
        &[
            (
                "scratch",
                json!({"emptyDir": {}}),
                json!({"mountPath": "/scratch"}),
            ),
            (
                "config",
                json!({"configMap": {"name": "settings", "defaultMode": 0o440}}),
                json!({"mountPath": "/config"}),
            ),
            (
                "host",
                json!({"hostPath": {"path": host}}),
                json!({"mountPath": "/host"}),
            ),
        ],
    );
    pod["spec"]["securityContext"] =
        json!({"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 2000});
    cluster.start_pod(&pod)?;
    for (line, expected) in [
        ("stat -c '%g %a' /scratch", "2000 2777"),
        (
            "echo x > /scratch/made; stat -c '%u %g' /scratch/made",
            "1000 2000",
        ),
        ("cat /config/a; stat -Lc ' %g %a' /config/a", "one 2000 440"),
        ("stat -c %g /host", "0"),
    ] {
        let printed = cluster.inside("groups", line)?;
        ensure!(printed == expected, "{line}: {printed:?}");
    }
    cluster.end_pod("groups")?;
    cluster.sh("kubectl delete configmap settings").map(drop)
}

/// `hostPath`: what each type wants and makes.
fn node_paths(cluster: &Cluster, scene: &Scene) -> Result<()> {
    let dir = scene.dir("host")?;
    fs::write(format!("{dir}/file"), "of the node")?;
    let _socket = std::os::unix::net::UnixListener::bind(format!("{dir}/socket"))?;
    let source = |name: &str, kind: &str| json!({"hostPath": {"path": format!("{dir}/{name}"), "type": kind}});
    let pod_with = pod(
        "paths",
        &[
            (
                "dir",
                json!({"hostPath": {"path": dir, "type": "Directory"}}),
                json!({"mountPath": "/dir", "readOnly": true}),
            ),
            (
                "file",
                source("file", "File"),
                json!({"mountPath": "/file"}),
            ),
            (
                "made",
                source("made/deep", "DirectoryOrCreate"),
                json!({"mountPath": "/made"}),
            ),
            (
                "new",
                source("new", "FileOrCreate"),
                json!({"mountPath": "/new"}),
            ),
            (
                "socket",
                source("socket", "Socket"),
                json!({"mountPath": "/socket"}),
            ),
            (
                "null",
                json!({"hostPath": {"path": "/dev/null", "type": "CharDevice"}}),
                json!({"mountPath": "/null"}),
            ),
        ],
    );
    cluster.start_pod(&pod_with)?;
    let printed = cluster.inside("paths", "cat /file; echo y > /made/x; echo z > /new; test -S /socket && test -c /null && echo ' ok'")?;
    ensure!(printed == "of the node ok", "{printed}");
    ensure!(fs::read_to_string(format!("{dir}/made/deep/x"))? == "y\n");
    ensure!(fs::read_to_string(format!("{dir}/new"))? == "z\n");
    let says = cluster.refused_inside("paths", "echo no > /dir/new")?;
    ensure!(says.contains("Read-only file system"), "{says}");
    cluster.end_pod("paths")?;
    for (kind, name, what) in [
        ("Directory", "file", "a directory"),
        ("File", "made", "a file"),
        ("Socket", "file", "a socket file"),
        ("CharDevice", "file", "a character device"),
        ("BlockDevice", "none", "a block device"),
    ] {
        cluster.apply(&pod(
            "wrong",
            &[("v", source(name, kind), json!({"mountPath": "/v"}))],
        ))?;
        let message = format!(
            "MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: {dir}/{name} is not {what}"
        );
        cluster.event("wrong", "FailedMount", &message)?;
        cluster.end_pod("wrong")?;
    }
    Ok(())
}

/// What is mounted later on one side is seen on the other, or not.
fn propagation(cluster: &Cluster, scene: &Scene) -> Result<()> {
    // Below the agent's root, which shares its mounts.
    let shared = scene.kubelet.join("shared");
    for name in ["in", "out"] {
        fs::create_dir_all(shared.join(name))?;
    }
    let source = json!({"hostPath": {"path": shared}});
    let mut pod = pod(
        "propagation",
        &[
            ("one", source.clone(), json!({"mountPath": "/none"})),
            (
                "two",
                source.clone(),
                json!({"mountPath": "/slave", "mountPropagation": "HostToContainer"}),
            ),
            (
                "three",
                source,
                json!({"mountPath": "/shared", "mountPropagation": "Bidirectional"}),
            ),
        ],
    );
    pod["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    cluster.start_pod(&pod)?;
    let inner = shared.join("in");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "lane"])
        .arg(&inner)
        .status()?;
    ensure!(mounted.success(), "mount on the node");
    let outcome = (|| {
        fs::write(inner.join("late"), "x")?;
        let seen = cluster.inside(
            "propagation",
            "for d in none slave shared; do ls /$d/in; done",
        )?;
        ensure!(seen == "late\nlate", "{seen:?}");
        cluster.inside(
            "propagation",
            "mount -t tmpfs lane /shared/out && touch /shared/out/back",
        )?;
        ensure!(
            shared.join("out/back").exists(),
            "what a container mounts is seen on the node"
        );
        cluster
            .inside("propagation", "umount /shared/out")
            .map(drop)
    })();
    Command::new("umount").arg(&inner).status()?;
    outcome?;
    cluster.end_pod("propagation")?;
    Ok(fs::remove_dir_all(shared)?)
}

/// This runtime can't mount images, nor forbid writing deeply; both are said.
fn images(cluster: &Cluster) -> Result<()> {
    let image =
        json!({"image": {"reference": "localhost/kuard:green", "pullPolicy": "IfNotPresent"}});
    cluster.apply(&pod(
        "image",
        &[("v", image, json!({"mountPath": "/image"}))],
    ))?;
    let waiting = |pod: &str| {
        cluster.sh(&format!(
            "kubectl get pod {pod} -o jsonpath='{{.status.containerStatuses[0].state.waiting.reason}}: \
             {{.status.containerStatuses[0].state.waiting.message}}'"
        ))
    };
    eventually("an image volume is refused", PATIENCE, || {
        let says = waiting("image")?;
        ensure!(
            says.starts_with("CreateContainerError: ImageVolumeMountFailed"),
            "{says}"
        );
        Ok(())
    })?;
    cluster.end_pod("image")?;
    let with = |mode: &str| {
        let mount = json!({"mountPath": "/v", "readOnly": true, "recursiveReadOnly": mode});
        pod("deep", &[("v", json!({"emptyDir": {}}), mount)])
    };
    cluster.start_pod(&with("IfPossible"))?;
    let status = cluster.sh("kubectl get pod deep -o jsonpath='{.status.containerStatuses[0].volumeMounts[4].recursiveReadOnly}'")?;
    ensure!(status == "Disabled", "{status}");
    cluster.end_pod("deep")?;
    cluster.apply(&with("Enabled"))?;
    eventually("deep protection is refused", PATIENCE, || {
        let says = waiting("deep")?;
        ensure!(says.contains("not supported by the runtime"), "{says}");
        Ok(())
    })?;
    cluster.end_pod("deep")
}
