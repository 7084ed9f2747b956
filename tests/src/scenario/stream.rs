//! Streams: exec, attach, cp, port-forward and the proxies, with the oldest kubectl that has to work,
//! one from between, and the newest.

use std::{path::Path, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    cluster::Cluster,
    shell::{eventually, setting},
};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut cluster = Cluster::start(&directory.path().join("cluster"), &[])?;
    cluster.sh("kubectl apply -f tests/testdata/streams.yaml")?;
    cluster.sh("kubectl wait --for=condition=Ready pod/tools --timeout=60s")?;
    let local = directory.path().join("sent");
    cluster.sh(&format!(
        "head -c 40000000 /dev/urandom > {}",
        local.display()
    ))?;
    for name in ["KUBECTL_28", "KUBECTL_32", "KUBECTL"] {
        let kubectl = Client {
            cluster: &cluster,
            program: setting(name)?.display().to_string(),
        };
        println!("  {}", kubectl.program);
        kubectl.exit_codes_and_outputs()?;
        kubectl.input_ends_and_nothing_is_lost(&local)?;
        kubectl.terminals_have_a_size()?;
        kubectl.attach_hears_and_is_heard()?;
        kubectl.files_go_both_ways(&local)?;
        kubectl.ports_are_forwarded()?;
    }
    proxies_reach_pods_services_and_nodes(&cluster)?;
    the_node_asks_who_calls(&cluster)?;
    cluster.teardown()
}

/// One version of kubectl.
struct Client<'a> {
    cluster: &'a Cluster,
    program: String,
}

impl Client<'_> {
    /// Runs a line in which `kubectl` is this one.
    fn sh(&self, line: &str) -> Result<String> {
        let line = format!("kubectl() {{ {} \"$@\"; }}; {line}", self.program);
        self.cluster.sh(&line)
    }

    fn exit_codes_and_outputs(&self) -> Result<()> {
        let script = "echo out; echo err >&2; exit 42";
        let said = self.sh(&format!(
            "kubectl exec tools -c web -- bash -c '{script}' 2>&1 | sort; echo ${{PIPESTATUS[0]}}"
        ))?;
        for line in ["out", "err", "command terminated with exit code 42", "42"] {
            ensure!(said.lines().any(|found| found == line), "{line}: {said}");
        }
        let killed = self.sh("kubectl exec tools -c web -- bash -c 'kill -TERM $$' || echo $?")?;
        ensure!(killed.trim() == "143", "killed: {killed}");
        // However soon it ends.
        let quick = "for i in {1..20}; do kubectl exec tools -c web -- echo quick; done | wc -l";
        ensure!(self.sh(quick)?.trim() == "20", "something was lost");
        Ok(())
    }

    fn input_ends_and_nothing_is_lost(&self, file: &Path) -> Result<()> {
        let sum = self.sum(file)?;
        let file = file.display();
        let there = self.sh(&format!(
            "cat {file} | kubectl exec -i tools -c web -- sha256sum | cut -d' ' -f1"
        ))?;
        ensure!(there == sum, "in: {there}");
        let and_back = self.sh(&format!(
            "cat {file} | kubectl exec -i tools -c web -- cat | sha256sum | cut -d' ' -f1"
        ))?;
        ensure!(and_back == sum, "in and out: {and_back}");
        Ok(())
    }

    fn sum(&self, file: &Path) -> Result<String> {
        self.sh(&format!("sha256sum < {} | cut -d' ' -f1", file.display()))
    }

    fn terminals_have_a_size(&self) -> Result<()> {
        // The size arrives after the command has begun.
        let script = "until stty size | grep -q 33; do sleep 0.1; done; stty size";
        let said = self.sh(&format!(
            "script -qec \"stty rows 33 cols 77; {} exec -it tools -c web -- timeout 10 bash -c '{script}'\" /dev/null < /dev/null",
            self.program
        ))?;
        ensure!(said.contains("33 77"), "{said}");
        Ok(())
    }

    fn attach_hears_and_is_heard(&self) -> Result<()> {
        let said = self.sh(
            "(echo hello; sleep 2) | timeout 10 bash -c \"$(declare -f kubectl); kubectl attach -i tools -c parrot\" 2>/dev/null",
        )?;
        ensure!(said.contains("heard hello"), "{said}");
        Ok(())
    }

    fn files_go_both_ways(&self, file: &Path) -> Result<()> {
        let sum = self.sum(file)?;
        let (sent, back) = (file.display(), file.with_extension("back"));
        self.sh(&format!("kubectl cp {sent} tools:/data/file -c web"))?;
        self.sh(&format!(
            "kubectl cp tools:/data/file {} -c web",
            back.display()
        ))?;
        ensure!(self.sum(&back)? == sum, "the file came back changed");
        Ok(())
    }

    /// Two at once, under load; and one on which nobody listens.
    fn ports_are_forwarded(&self) -> Result<()> {
        let forward = format!(
            "{} port-forward pod/tools 18080:8080 18081:8080 >/dev/null 2>&1 & forward=$!; \
             trap 'kill $forward' EXIT; \
             timeout 20 bash -c 'until curl -s -o /dev/null http://127.0.0.1:18081/; do sleep 0.1; done'; \
             for port in 18080 18081; do \
               seq 100 | xargs -P 10 -I{{}} curl -s -o /dev/null -w '%{{http_code}}\\n' http://127.0.0.1:$port/env/api & loads=\"$loads $!\"; \
             done; wait $loads",
            self.program
        );
        let answers = self.cluster.sh(&forward)?;
        let good = answers.lines().filter(|line| *line == "200").count();
        ensure!(good == 200, "{good} of 200 answers: {answers}");
        let refused = self.cluster.bash(&format!(
            "{} port-forward pod/tools 18082:9 2>&1 & forward=$!; \
             timeout 10 bash -c 'until curl -s http://127.0.0.1:18082/; [ $? != 7 ]; do sleep 0.1; done'; \
             sleep 0.5; kill $forward 2>/dev/null; true",
            self.program
        ))?;
        ensure!(
            refused.stdout.contains("error forwarding port 9 to pod")
                && refused.stdout.contains("connection refused"),
            "{refused:?}"
        );
        Ok(())
    }
}

fn proxies_reach_pods_services_and_nodes(cluster: &Cluster) -> Result<()> {
    let raw = |path: &str| cluster.sh(&format!("kubectl get --raw '{path}'"));
    let namespace = "/api/v1/namespaces/default";
    for object in ["pods/tools", "pods/http:tools:8080"] {
        let page = raw(&format!("{namespace}/{object}/proxy/env/api"))?;
        ensure!(page.contains("\"hostname\":\"tools\""), "{object}: {page}");
    }
    for object in ["tools:80", "tools:web", "http:tools:web"] {
        eventually("the service's endpoint is ready", PATIENCE, || {
            let page = raw(&format!("{namespace}/services/{object}/proxy/env/api"))?;
            ensure!(page.contains("\"hostname\":\"tools\""), "{object}: {page}");
            Ok(())
        })?;
    }
    let refused = cluster.bash(&format!(
        "kubectl get --raw {namespace}/services/tools:81/proxy/"
    ))?;
    let complaint = refused.expect_failure("a port that the service doesn't have")?;
    ensure!(
        complaint.contains("no service port 81 found for service \"tools\""),
        "{complaint}"
    );
    let node = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].metadata.name}'")?;
    ensure!(raw(&format!("/api/v1/nodes/{node}/proxy/healthz"))? == "ok");
    ensure!(raw(&format!("/api/v1/nodes/{node}:10250/proxy/pods"))?.contains("\"tools\""));
    Ok(())
}

/// Without credentials nobody, with a pod's token somebody who may do nothing.
fn the_node_asks_who_calls(cluster: &Cluster) -> Result<()> {
    let address = cluster.sh("kubectl get nodes -o jsonpath='{.items[0].status.addresses[?(@.type==\"InternalIP\")].address}'")?;
    let pods = format!("https://{address}:10250/pods");
    let nobody = cluster.sh(&format!("curl -sk -w ' %{{http_code}}' {pods}"))?;
    ensure!(nobody == "Unauthorized 401", "{nobody}");
    let forged = cluster.sh(&format!(
        "curl -sk -w ' %{{http_code}}' -H 'Authorization: Bearer x' {pods}"
    ))?;
    ensure!(forged == "Unauthorized 401", "{forged}");
    Ok(())
}
