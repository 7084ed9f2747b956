//! Defaulting and validation of a pod as a Deployment makes them: time, and memory above the tree.
//!
//! Aims: under 30 us and under 5 KB at the peak, defaults that stay in the tree included.

#![expect(unsafe_code, reason = "an allocator can't be counted without one")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use k8s_apimachinery::{
    Object,
    api::{self, Rules},
    scheme::gvk::Gvk,
};
use k8s_benches::report::{Report, round};
use serde_json::{Value, json};

/// Measures defaulting and validation.
#[derive(Parser)]
struct Options {
    /// Pods to measure
    #[arg(long, default_value_t = 100_000)]
    pods: usize,
}

/// Counts the bytes in use, and the most that there ever were.
struct Counting {
    used: AtomicUsize,
    peak: AtomicUsize,
}

#[global_allocator]
static MEMORY: Counting = Counting {
    used: AtomicUsize::new(0),
    peak: AtomicUsize::new(0),
};

// SAFETY: the system's allocator does the work, and the counters don't allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = self.used.fetch_add(layout.size(), Relaxed) + layout.size();
        self.peak.fetch_max(used, Relaxed);
        // SAFETY: the caller keeps to the contract of `alloc`, which is this one's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps to the contract of `dealloc`, which is this one's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let rules = api::rules(&Gvk::new("", "v1", "Pod")).context("pods have rules")?;
    let pod = Object::from_value(pod()).context("a pod is an object")?;
    let (peak, kept) = memory(rules, &pod)?;
    let mut latencies = Vec::with_capacity(options.pods);
    for _ in 0..options.pods {
        let mut pod = pod.clone();
        let begun = Instant::now();
        rules.default(&mut pod);
        black_box(rules.validate(black_box(&pod)));
        latencies.push(begun.elapsed());
    }
    latencies.sort();
    let at = |share: usize| {
        let latency = latencies.get(options.pods * share / 100);
        latency.map_or(0.0, |latency| round(latency.as_secs_f64() * 1e6))
    };
    let mut report = Report::new("validate", Path::new("/"));
    report.set("pods", options.pods);
    report.set("p50_us", at(50)).set("p99_us", at(99));
    report.set("peak_bytes", peak).set("kept_bytes", kept);
    report.print();
    Ok(())
}

/// The most bytes that one pod takes beside its tree, and how many of them stay in the tree.
fn memory(rules: &dyn Rules, pod: &Object) -> Result<(usize, usize)> {
    let mut pod = pod.clone();
    let before = MEMORY.used.load(Relaxed);
    MEMORY.peak.store(before, Relaxed);
    rules.default(&mut pod);
    let faults = rules.validate(&pod);
    let peak = MEMORY.peak.load(Relaxed) - before;
    let kept = MEMORY.used.load(Relaxed).saturating_sub(before);
    if !faults.is_empty() {
        bail!("the pod is not valid: {faults:?}");
    }
    Ok((peak, kept))
}

/// A pod of a web server, as the ReplicaSet of a Deployment posts it and admission completes it.
fn pod() -> Value {
    let probe = json!({ "httpGet": { "path": "/healthz", "port": "http" }, "periodSeconds": 5 });
    let token = json!({ "name": "kube-api-access-x7k2p", "projected": { "sources": [
        { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } },
        { "configMap": {
            "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }],
        } },
        { "downwardAPI": { "items": [{
            "path": "namespace", "fieldRef": { "fieldPath": "metadata.namespace" },
        }] } },
    ] } });
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-6d4cf56db6-5xk2m",
            "generateName": "web-6d4cf56db6-",
            "namespace": "default",
            "uid": "5f0d7c3e-6a55-4c7e-9f0a-2b8f3d1f6b1d",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": { "app": "web", "pod-template-hash": "6d4cf56db6" },
            "annotations": { "prometheus.io/scrape": "true" },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4cf56db6",
                "uid": "0d3e2b1a-1f7e-4b53-8f1d-1f8f6a0e1c22",
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": {
            "containers": [{
                "name": "web",
                "image": "registry.example.com/team/web:1.27.3",
                "ports": [{ "name": "http", "containerPort": 8080 }],
                "env": [
                    { "name": "LOG_LEVEL", "value": "info" },
                    { "name": "POD_IP", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
                    { "name": "PASSWORD", "valueFrom": {
                        "secretKeyRef": { "name": "web", "key": "password" },
                    } },
                ],
                "resources": {
                    "requests": { "cpu": "100m", "memory": "128Mi" },
                    "limits": { "memory": "256Mi" },
                },
                "livenessProbe": probe,
                "readinessProbe": probe,
                "volumeMounts": [
                    { "name": "config", "mountPath": "/etc/web" },
                    {
                        "name": "kube-api-access-x7k2p", "readOnly": true,
                        "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                    },
                ],
                "securityContext": { "allowPrivilegeEscalation": false, "runAsNonRoot": true },
            }],
            "serviceAccountName": "default",
            "tolerations": [
                {
                    "key": "node.kubernetes.io/not-ready", "operator": "Exists",
                    "effect": "NoExecute", "tolerationSeconds": 300,
                },
                {
                    "key": "node.kubernetes.io/unreachable", "operator": "Exists",
                    "effect": "NoExecute", "tolerationSeconds": 300,
                },
            ],
            "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": { "matchLabels": { "app": "web" } },
            }],
            "volumes": [{ "name": "config", "configMap": { "name": "web" } }, token],
        },
    })
}
