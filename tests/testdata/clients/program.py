"""What programs on the Python client do: each step fails with what it expected and what it got."""

import json
import sys

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import portforward, stream

NAMESPACE = "python"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "web", "image": "localhost/kuard:blue"}],
    },
}


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r}, not {wanted!r}")


def refused(status, call):
    """The body of the answer to a call that has to be refused."""
    try:
        answer = call()
    except ApiException as refusal:
        expect("status", refusal.status, status)
        return json.loads(refusal.body)
    sys.exit(f"accepted: {answer}")


config.load_kube_config()
core, apps = client.CoreV1Api(), client.AppsV1Api()
expect("version", client.VersionApi().get_code().minor, "37")
core.create_namespace({"metadata": {"name": NAMESPACE}})

# Create, and wait for it to run by a watch from the version that was created.
pod = core.create_namespaced_pod(NAMESPACE, POD)
expect("default", pod.spec.restart_policy, "Always")
events = watch.Watch()
for event in events.stream(
    core.list_namespaced_pod,
    NAMESPACE,
    label_selector="app=web",
    resource_version=pod.metadata.resource_version,
    timeout_seconds=60,
):
    if event["object"].status.phase == "Running":
        events.stop()
running = core.read_namespaced_pod("web", NAMESPACE)
expect("phase", running.status.phase, "Running")
expect("start", running.status.start_time is not None, True)

# Refusals carry a Status.
expect("again", refused(409, lambda: core.create_namespaced_pod(NAMESPACE, POD))["reason"], "AlreadyExists")
nameless = {"metadata": {"name": "none"}, "spec": {"containers": []}}
invalid = refused(422, lambda: core.create_namespaced_pod(NAMESPACE, nameless))
expect("cause", invalid["details"]["causes"][0]["field"], "spec.containers")
expect("stale", refused(409, lambda: core.replace_namespaced_pod("web", NAMESPACE, pod))["reason"], "Conflict")

# Every way to patch.
def labels():
    return core.read_namespaced_pod("web", NAMESPACE).metadata.labels


core.patch_namespaced_pod("web", NAMESPACE, {"metadata": {"labels": {"by": "strategic"}}})
expect("strategic merge patch", labels(), {"app": "web", "by": "strategic"})
core.patch_namespaced_pod("web", NAMESPACE, [{"op": "replace", "path": "/metadata/labels/by", "value": "json"}])
expect("JSON patch", labels(), {"app": "web", "by": "json"})
anything = dynamic.DynamicClient(client.ApiClient())
pods = anything.resources.get(api_version="v1", kind="Pod")
pods.patch(
    name="web",
    namespace=NAMESPACE,
    body={"metadata": {"labels": {"by": None}}},
    content_type="application/merge-patch+json",
)
expect("merge patch", labels(), {"app": "web"})
owned = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owned"}, "data": {"who": "us"}}
maps = anything.resources.get(api_version="v1", kind="ConfigMap")
maps.server_side_apply(namespace=NAMESPACE, body=owned, name="owned", field_manager="us")
theirs = owned | {"data": {"who": "them"}}
try:
    maps.server_side_apply(namespace=NAMESPACE, body=theirs, name="owned", field_manager="them")
    sys.exit("an owner was overruled")
except dynamic.exceptions.ConflictError as refusal:
    message = json.loads(refusal.body)["message"]
    expect("conflict", message, 'Apply failed with 1 conflict: conflict with "us": .data.who')

# Streams: what a command prints, what it reads, how it ends, and a port.
def execute(*command, **options):
    flags = {"stderr": True, "stdin": False, "stdout": True, "tty": False} | options
    return stream(core.connect_get_namespaced_pod_exec, "web", NAMESPACE, command=list(command), **flags)


expect("exec", "KUARD_COLOUR=blue" in execute("/kuard", "env"), True)
failed = execute("/kuard", "cat", "/none", _preload_content=False)
failed.run_forever(timeout=20)
expect("exit code", failed.returncode, 1)
expect("standard error", "/none" in failed.read_stderr(), True)
forward = portforward(core.connect_get_namespaced_pod_portforward, "web", NAMESPACE, ports="8080")
socket = forward.socket(8080)
socket.setblocking(True)
socket.sendall(b"GET /healthy HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
expect("port forward", socket.recv(12), b"HTTP/1.1 200")
expect("log", isinstance(core.read_namespaced_pod_log("web", NAMESPACE), str), True)

# Pages of a list, and objects from a file's worth of dictionaries.
for number in range(25):
    core.create_namespaced_config_map(NAMESPACE, {"metadata": {"name": f"item-{number}", "labels": {"of": "many"}}})
names, token = [], None
while True:
    page = core.list_namespaced_config_map(NAMESPACE, label_selector="of=many", limit=10, _continue=token)
    names += [item.metadata.name for item in page.items]
    token = page.metadata._continue
    if not token:
        break
expect("pages", len(set(names)), 25)
utils.create_from_dict(
    client.ApiClient(),
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "many"}},
            "template": {"metadata": {"labels": {"app": "many"}}, "spec": POD["spec"]},
        },
    },
)
for event in events.stream(apps.list_namespaced_deployment, NAMESPACE, timeout_seconds=60):
    if event["object"].status.ready_replicas == 2:
        events.stop()
expect("scale", apps.read_namespaced_deployment_scale("web", NAMESPACE).status.replicas, 2)
apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 0}})

# Identities.
review = client.AuthorizationV1Api().create_self_subject_access_review(
    {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods", "namespace": NAMESPACE}}}
)
expect("may create pods", review.status.allowed, True)
token = core.create_namespaced_service_account_token("default", NAMESPACE, {"spec": {"expirationSeconds": 600}})
configuration = client.Configuration.get_default_copy()
configuration.cert_file = configuration.key_file = None
configuration.api_key = {"authorization": f"Bearer {token.status.token}"}
nobody = client.CoreV1Api(client.ApiClient(configuration))
forbidden = refused(403, lambda: nobody.list_namespaced_pod(NAMESPACE))
expect("who", f"system:serviceaccount:{NAMESPACE}:default" in forbidden["message"], True)

# The end: deletion is seen by a watch, and takes the rest with it.
core.delete_namespaced_pod("web", NAMESPACE)
for event in events.stream(core.list_namespaced_pod, NAMESPACE, label_selector="app=web", timeout_seconds=60):
    if event["type"] == "DELETED":
        events.stop()
expect("gone", refused(404, lambda: core.read_namespaced_pod("web", NAMESPACE))["reason"], "NotFound")
core.delete_collection_namespaced_config_map(NAMESPACE, label_selector="of=many")
expect("collection", core.list_namespaced_config_map(NAMESPACE, label_selector="of=many").items, [])
core.delete_namespace(NAMESPACE)
print("done")
