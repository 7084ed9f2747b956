//! Every kind through kubectl, an older one and the newest: made from its maximal object, listed, explained.
//!
//! What `kubectl get` and `get -o wide` print is in `tests/testdata/kinds/`, a file for each resource; `UPDATE_EXPECT=1`
//! writes them anew. What `kubectl explain --recursive` tells must have every field that the maximal objects set.

mod explained;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use anyhow::{Context, Result, bail, ensure};
use k8s_apimachinery::{Value, scheme::codec};

use self::explained::Explained;
use crate::{cluster::Cluster, shell::setting};

/// How many kubectls run at a time.
const WORKERS: usize = 4;

/// Parts that would act on the objects.
const WITHOUT: &str = "controllers,scheduler,proxy,dns";

/// A resource as `kubectl api-resources` lists it, and the maximal objects of its kind.
struct Kind {
    /// `deployments.apps`; `events` if the group is the core's.
    resource: String,
    api_version: String,
    objects: Vec<Value>,
    verbs: Vec<String>,
}

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("cluster");
    let options = ["--node", "none", "--store", "memory", "--without", WITHOUT];
    // The address is shown, so it must be the same in every lane.
    let options = [&options[..], &["--advertise-address", "192.0.2.10"]].concat();
    let mut cluster = Cluster::start(&data, &options)?;
    let clients = [setting("KUBECTL_32")?, setting("KUBECTL")?];
    let kinds = kinds(&cluster)?;
    make(&cluster, &kinds, directory.path())?;
    let differing = Mutex::new(Vec::new());
    let queue = Mutex::new(kinds.iter());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().expect("no panic").next();
                    let Some(kind) = next else { return };
                    for kubectl in &clients {
                        if let Err(error) = check(&cluster, kind, kubectl) {
                            differing
                                .lock()
                                .expect("no panic")
                                .push(format!("{error:#}"));
                        }
                    }
                }
            });
        }
    });
    let differing = differing.into_inner()?;
    ensure!(differing.is_empty(), "{}", differing.join("\n"));
    cluster.stop()
}

/// What is served, with the maximal objects of each kind.
fn kinds(cluster: &Cluster) -> Result<Vec<Kind>> {
    let listing = cluster.sh("kubectl api-resources --no-headers -o wide")?;
    let mut objects = maximal()?;
    let mut kinds = Vec::new();
    for line in listing.lines() {
        // NAME [SHORTNAMES] APIVERSION NAMESPACED KIND VERBS [CATEGORIES]
        let words: Vec<&str> = line.split_whitespace().collect();
        let scope = words
            .iter()
            .position(|word| ["true", "false"].contains(word));
        let at = scope.with_context(|| format!("no scope in {line:?}"))?;
        let (api_version, kind, verbs) = (words[at - 1], words[at + 1], words[at + 2]);
        let resource = match api_version.split_once('/') {
            Some((group, _)) => format!("{}.{group}", words[0]),
            None => words[0].to_owned(),
        };
        let gvk = (api_version.to_owned(), kind.to_owned());
        kinds.push(Kind {
            resource,
            api_version: api_version.to_owned(),
            objects: objects.remove(&gvk).unwrap_or_default(),
            verbs: verbs.split(',').map(str::to_owned).collect(),
        });
    }
    Ok(kinds)
}

/// The maximal objects, by version and kind.
fn maximal() -> Result<BTreeMap<(String, String), Vec<Value>>> {
    let root = setting("ROOT")?.join("k8s-apimachinery/testdata/kinds");
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for group in fs::read_dir(root)? {
        for file in fs::read_dir(group?.path())? {
            let file = file?.path();
            if file.extension().is_none_or(|ending| ending != "yaml") {
                continue;
            }
            for document in fs::read_to_string(&file)?.split("\n---\n") {
                let (object, _) = codec::decode_yaml(document.as_bytes())?;
                let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
                let gvk = (text("apiVersion"), text("kind"));
                found.entry(gvk).or_default().push(object);
            }
        }
    }
    Ok(found)
}

/// Makes all objects that can be made, with their status.
fn make(cluster: &Cluster, kinds: &[Kind], directory: &Path) -> Result<()> {
    let mut namespaces: BTreeSet<&str> = BTreeSet::new();
    for object in kinds.iter().flat_map(|kind| &kind.objects) {
        namespaces.extend(object["metadata"]["namespace"].as_str());
    }
    for namespace in namespaces {
        cluster.bash(&format!("kubectl create namespace {namespace}"))?;
        // Device claims of administrators are for namespaces that say so.
        cluster.sh(&format!(
            "kubectl label namespace {namespace} resource.kubernetes.io/admin-access=true --overwrite"
        ))?;
        // The one that every namespace gets from a controller, and the one that pods name.
        for account in ["default", "account"] {
            cluster.sh(&format!(
                "kubectl create serviceaccount {account} --namespace {namespace}"
            ))?;
        }
    }
    cluster.sh("kubectl create -f tests/testdata/classes.yaml")?;
    let stored = |kind: &&Kind| kind.serves("create") && kind.serves("list");
    let objects = kinds.iter().filter(stored).flat_map(Kind::distinct);
    let file = directory.join("object.json");
    let (bounds, others) =
        objects.partition(|object| BOUNDS.iter().any(|kind| object["kind"] == *kind));
    make_all(cluster, others, &file)?;
    make_all(cluster, bounds, &file)
}

/// Kinds whose objects bound what others may be, and so come last.
const BOUNDS: [&str; 2] = ["LimitRange", "ResourceQuota"];

/// Makes objects of which some need others to be there first.
fn make_all(cluster: &Cluster, mut waiting: Vec<Value>, file: &Path) -> Result<()> {
    loop {
        let mut refused = Vec::new();
        for object in &waiting {
            if let Err(error) = make_one(cluster, object, file) {
                refused.push((object.clone(), error));
            }
        }
        match refused.pop() {
            None => return Ok(()),
            Some((_, error)) if refused.len() + 1 == waiting.len() => return Err(error),
            Some(last) => refused.push(last),
        }
        waiting = refused.into_iter().map(|(object, _)| object).collect();
    }
}

/// Makes an object as its file says, or makes what is there from the start like it.
fn make_one(cluster: &Cluster, object: &Value, file: &Path) -> Result<()> {
    fs::write(file, object.to_string())?;
    let file = file.display();
    let strictly = |verb| format!("kubectl {verb} -f {file} --validate=strict");
    let made = cluster.bash(&strictly("create"))?;
    if !made.success {
        ensure!(
            made.stderr.contains("AlreadyExists"),
            "{object}\n{}",
            made.stderr
        );
        cluster.sh(&strictly("replace"))?;
    }
    if object.get("status").is_some() {
        cluster.sh(&format!("kubectl replace -f {file} --subresource=status"))?;
    }
    Ok(())
}

/// Compares what one kubectl says of a kind.
fn check(cluster: &Cluster, kind: &Kind, kubectl: &Path) -> Result<()> {
    let (kubectl, resource) = (kubectl.display(), &kind.resource);
    if kind.serves("list") {
        let mut page = String::new();
        for wide in ["", " -o wide"] {
            let command = format!("get {resource} --all-namespaces{wide}");
            let printed = cluster.sh(&format!("{kubectl} {command}"))?;
            page += &format!("$ kubectl {command}\n{}", without_time(&printed));
        }
        compare(resource, &page)?;
    }
    // With a version, kubectl takes what is behind a dot for a field.
    let plural = resource.split('.').next().unwrap_or_default();
    let explain = format!(
        "explain {plural} --api-version={} --recursive",
        kind.api_version
    );
    let text = cluster.sh(&format!("{kubectl} {explain}"))?;
    let explained = Explained::parse(&text);
    for object in &kind.objects {
        let missing = explained.missing(object);
        ensure!(missing.is_empty(), "{kubectl} {explain} lacks {missing:?}");
    }
    Ok(())
}

impl Kind {
    /// Its objects, each under a name of its own.
    fn distinct(&self) -> impl Iterator<Item = Value> {
        let mut names = BTreeSet::new();
        self.objects.iter().map(move |object| {
            let mut object = object.clone();
            let name = object["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let mut distinct = name.clone();
            while !names.insert(distinct.clone()) {
                distinct = format!("{name}-{}", names.len() + 1);
            }
            let metadata = &mut object["metadata"];
            metadata["name"] = distinct.into();
            // The server gives it another, by which the next writes know it.
            if let Some(metadata) = metadata.as_object_mut() {
                metadata.remove("uid");
            }
            object
        })
    }

    fn serves(&self, verb: &str) -> bool {
        self.verbs.iter().any(|served| served == verb)
    }
}

/// Ages and times, which differ from run to run.
fn without_time(text: &str) -> String {
    let masked = |word: &str| {
        let units = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let is_age = units.len() < word.len() && ["s", "m", "m0s"].contains(&units);
        let is_age =
            is_age || word.starts_with(char::is_numeric) && word.split(['m', 's', 'h']).count() > 2;
        let is_time = word.ends_with('Z') && word.contains('T') && word.starts_with("20");
        match is_age || is_time {
            true => "<time>".to_owned(),
            false => word.to_owned(),
        }
    };
    let line = |line: &str| {
        line.split_whitespace()
            .map(masked)
            .collect::<Vec<_>>()
            .join(" ")
            + "\n"
    };
    text.lines().map(line).collect()
}

/// Holds a page against the recorded one.
fn compare(resource: &str, page: &str) -> Result<()> {
    let path: PathBuf = setting("ROOT")?.join(format!("tests/testdata/kinds/{resource}.txt"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::create_dir_all(path.parent().context("it lies in a directory")?)?;
        return Ok(fs::write(path, page)?);
    }
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    if recorded != page {
        bail!(
            "{} differs; see it with UPDATE_EXPECT=1 and git diff; printed is:\n{page}",
            path.display()
        );
    }
    Ok(())
}
