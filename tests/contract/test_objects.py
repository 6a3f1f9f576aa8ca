import pytest

from tests.contract.client import MERGE, Client
from tests.contract.manifests import (
    configmap,
    configmaps,
    deployment,
    deployments,
    image_patch,
    resource,
)


def test_a_created_object_gets_identity_and_defaults(client: Client, namespace: str) -> None:
    made = client.ok("POST", deployments(namespace), deployment())
    metadata, spec = made["metadata"], made["spec"]
    assert metadata["namespace"] == namespace and metadata["generation"] == 1
    assert metadata["uid"] and int(metadata["resourceVersion"]) > 1
    assert metadata["creationTimestamp"].endswith("Z")
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert (spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (10, 600)
    container = spec["template"]["spec"]["containers"][0]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert spec["template"]["spec"]["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    ("image", "policy"),
    [("acme/shop", "Always"), ("acme/shop:latest", "Always"), ("h:5000/shop:2", "IfNotPresent")],
)
def test_the_pull_policy_follows_the_tag(
    client: Client, namespace: str, image: str, policy: str
) -> None:
    made = client.ok("POST", deployments(namespace), deployment(image))
    assert made["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_a_second_object_of_the_same_name_is_refused(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment())
    answer = client.send("POST", deployments(namespace), deployment())
    assert (answer.code, answer.body["reason"]) == (409, "AlreadyExists")
    assert answer.body["message"] == 'deployments.apps "shop" already exists'
    assert answer.body["details"] == {"name": "shop", "group": "apps", "kind": "deployments"}


def test_a_generated_name_begins_with_its_prefix(client: Client, namespace: str) -> None:
    body = {"metadata": {"generateName": "note-"}}
    names = {client.ok("POST", configmaps(namespace), body)["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3 and all(name.startswith("note-") for name in names)


def test_a_status_sent_at_creation_is_dropped(client: Client, namespace: str) -> None:
    body = deployment(paused=True) | {"status": {"replicas": 7}}
    assert client.ok("POST", deployments(namespace), body)["status"] == {}


def test_generation_grows_with_the_spec(client: Client, namespace: str) -> None:
    path = deployments(namespace, "shop")
    client.ok("POST", deployments(namespace), deployment())
    for patch, generation in (
        ({"metadata": {"labels": {"note": "1"}}}, 1),
        ({"spec": {"replicas": 0}}, 1),
        ({"spec": {"minReadySeconds": 1}}, 2),
    ):
        assert client.ok("PATCH", path, patch, MERGE)["metadata"]["generation"] == generation


@pytest.mark.parametrize(("plural", "grows"), [("deployments", True), ("statefulsets", False)])
def test_annotations_raise_only_a_deployments_generation(
    client: Client, namespace: str, plural: str, grows: bool
) -> None:
    path = resource("apps/v1", plural, namespace)
    spec = deployment()["spec"]
    client.ok("POST", path, {"metadata": {"name": "shop"}, "spec": spec})
    noted = {"metadata": {"annotations": {"note": "1"}}}
    generation = client.ok("PATCH", f"{path}/shop", noted, MERGE)["metadata"]["generation"]
    assert generation == (2 if grows else 1)


@pytest.mark.parametrize(
    ("plural", "status"),
    [
        ("deployments", {}),
        ("replicasets", {"replicas": 0}),
        ("statefulsets", {"replicas": 0}),
        (
            "daemonsets",
            {
                "currentNumberScheduled": 0,
                "numberMisscheduled": 0,
                "desiredNumberScheduled": 0,
                "numberReady": 0,
            },
        ),
    ],
)
def test_a_new_workload_has_an_empty_status(
    client: Client, namespace: str, plural: str, status: dict[str, int]
) -> None:
    spec = deployment()["spec"]
    if plural == "daemonsets":
        del spec["replicas"]
    made = client.ok(
        "POST",
        resource("apps/v1", plural, namespace),
        {"metadata": {"name": "shop"}, "spec": spec},
    )
    assert made["status"] == status


def test_a_write_that_changes_nothing_keeps_the_version(client: Client, namespace: str) -> None:
    path = configmaps(namespace, "one")
    made = client.ok("POST", configmaps(namespace), configmap("one"))
    same = client.ok("PATCH", path, {"data": {"key": "value"}}, MERGE)
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    other = client.ok("PATCH", path, {"data": {"key": "other"}}, MERGE)
    assert int(other["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


def test_a_replaced_object_keeps_its_identity(client: Client, namespace: str) -> None:
    path = configmaps(namespace, "one")
    made = client.ok("POST", configmaps(namespace), configmap("one"))
    new = {"metadata": {"name": "one"}, "data": {"other": "x"}}
    put = client.ok("PUT", path, new)
    assert put["data"] == {"other": "x"}
    for field in ("uid", "creationTimestamp"):
        assert put["metadata"][field] == made["metadata"][field]


def test_a_put_with_a_stale_version_is_refused(client: Client, namespace: str) -> None:
    path = deployments(namespace, "shop")
    made = client.ok("POST", deployments(namespace), deployment(paused=True))
    client.ok("PATCH", path, {"spec": {"minReadySeconds": 1}}, MERGE)
    answer = client.send("PUT", path, made)
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")


def test_a_put_of_a_missing_object_is_refused(client: Client, namespace: str) -> None:
    answer = client.send("PUT", deployments(namespace, "shop"), deployment())
    assert answer.code == 404


def test_a_put_under_another_name_is_refused(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment())
    answer = client.send("PUT", deployments(namespace, "shop"), deployment(name="other"))
    assert answer.code == 400
    assert answer.body["message"] == (
        "the name of the object (other) does not match the name on the URL (shop)"
    )


def test_a_put_does_not_touch_the_status(client: Client, namespace: str) -> None:
    path = deployments(namespace, "shop")
    made = client.ok("POST", deployments(namespace), deployment(paused=True))
    del made["metadata"]["resourceVersion"]
    put = client.ok("PUT", path, made | {"status": {"replicas": 9}})
    assert put["status"].get("replicas", 0) == 0


def test_the_status_subresource_changes_only_the_status(client: Client, namespace: str) -> None:
    path = resource("apps/v1", "replicasets", namespace, "idle")
    idle = deployment(name="idle")["spec"] | {"replicas": 0}
    body = {"metadata": {"name": "idle"}, "spec": idle}
    client.ok("POST", resource("apps/v1", "replicasets", namespace), body)
    condition = {"type": "Seen", "status": "True"}
    patch = {"spec": {"minReadySeconds": 5}, "status": {"conditions": [condition]}}
    patched = client.ok("PATCH", f"{path}/status", patch, MERGE)
    assert "minReadySeconds" not in patched["spec"]
    assert patched["metadata"]["generation"] == 1
    assert patched["status"]["conditions"][0]["type"] == "Seen"


def test_scale_reads_and_changes_only_the_replicas(client: Client, namespace: str) -> None:
    path = deployments(namespace, "shop")
    made = client.ok("POST", deployments(namespace), deployment(paused=True))
    scale = client.ok("GET", f"{path}/scale")
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {} and scale["status"]["selector"] == "app=shop"
    assert scale["metadata"]["uid"] == made["metadata"]["uid"]
    scaled = client.ok("PATCH", f"{path}/scale", {"spec": {"replicas": 2}}, MERGE)
    assert scaled["spec"]["replicas"] == 2
    live = client.ok("GET", path)
    assert live["spec"]["replicas"] == 2 and live["metadata"]["generation"] == 2


def test_a_stale_scale_is_refused(client: Client, namespace: str) -> None:
    path = deployments(namespace, "shop")
    client.ok("POST", deployments(namespace), deployment(paused=True))
    scale = client.ok("GET", f"{path}/scale")
    client.ok("PATCH", path, {"spec": {"minReadySeconds": 1}}, MERGE)
    scale["spec"]["replicas"] = 3
    assert client.send("PUT", f"{path}/scale", scale).code == 409


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_a_dry_run_changes_nothing(client: Client, namespace: str, method: str) -> None:
    path, dry = configmaps(namespace, "one"), {"dryRun": "All"}
    before = client.ok("POST", configmaps(namespace), configmap("one"))
    changed = {"metadata": {"name": "one"}, "data": {"key": "other"}}
    if method == "POST":
        client.ok("POST", configmaps(namespace), configmap("two"), query=dry)
    elif method == "DELETE":
        client.ok("DELETE", path, query=dry)
    else:
        media = MERGE if method == "PATCH" else "application/json"
        answer = client.ok(method, path, changed, media, query=dry)
        assert answer["data"] == {"key": "other"}
    assert client.ok("GET", path) == before
    assert client.send("GET", configmaps(namespace, "two")).code == 404


def test_a_deleted_object_is_gone(client: Client, namespace: str) -> None:
    made = client.ok("POST", deployments(namespace), deployment())
    status = client.ok("DELETE", deployments(namespace, "shop"))
    assert (status["kind"], status["status"]) == ("Status", "Success")
    assert status["details"]["uid"] == made["metadata"]["uid"]
    assert client.send("GET", deployments(namespace, "shop")).code == 404
    assert client.send("DELETE", deployments(namespace, "shop")).code == 404


def test_a_delete_of_another_uid_is_refused(client: Client, namespace: str) -> None:
    client.ok("POST", configmaps(namespace), configmap("one"))
    options = {"preconditions": {"uid": "other"}}
    answer = client.send("DELETE", configmaps(namespace, "one"), options)
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert "the UID in the precondition (other) does not match" in answer.body["message"]


def test_a_finalizer_holds_a_deleted_object(client: Client, namespace: str) -> None:
    path = configmaps(namespace, "one")
    body = configmap("one")
    body["metadata"]["finalizers"] = ["acme.example/hold"]
    client.ok("POST", configmaps(namespace), body)
    client.ok("DELETE", path)
    assert client.ok("GET", path)["metadata"]["deletionTimestamp"]
    client.ok("PATCH", path, {"metadata": {"finalizers": None}}, MERGE)
    assert client.send("GET", path).code == 404


def test_a_collection_is_deleted_by_its_labels(client: Client, namespace: str) -> None:
    for name in ("a", "b"):
        client.ok("POST", configmaps(namespace), configmap(name, group="x"))
    client.ok("POST", configmaps(namespace), configmap("c", group="y"))
    client.ok("DELETE", configmaps(namespace), query={"labelSelector": "group=x"})
    assert client.send("GET", configmaps(namespace, "a")).code == 404
    assert client.ok("GET", configmaps(namespace, "c"))


def test_events_are_stored_and_found_by_their_object(client: Client, namespace: str) -> None:
    path = resource("v1", "events", namespace)
    involved = {"kind": "Deployment", "name": "shop", "namespace": namespace}
    event = {"metadata": {"generateName": "shop."}, "involvedObject": involved}
    event |= {"reason": "Deployed", "message": "shop:2", "type": "Normal"}
    client.ok("POST", path, event)
    found = client.ok("GET", path, query={"fieldSelector": "involvedObject.name=shop"})["items"]
    assert [item["reason"] for item in found if item["reason"] == "Deployed"] == ["Deployed"]
    none = client.ok("GET", path, query={"fieldSelector": "involvedObject.name=other"})["items"]
    assert none == []


def test_an_event_about_another_namespace_is_refused(client: Client, namespace: str) -> None:
    event = {"metadata": {"generateName": "x."}, "involvedObject": {"namespace": "default"}}
    answer = client.send("POST", resource("v1", "events", namespace), event)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")


def test_a_new_image_is_visible_at_once(client: Client, namespace: str) -> None:
    client.ok("POST", deployments(namespace), deployment())
    patch = image_patch("acme/shop:2")
    media = "application/strategic-merge-patch+json"
    client.ok("PATCH", deployments(namespace, "shop"), patch, media)
    live = client.ok("GET", deployments(namespace, "shop"))
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "acme/shop:2"
