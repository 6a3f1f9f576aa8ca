from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from tests.contract.client import MERGE, STRATEGIC, Client, eventually
from tests.contract.manifests import (
    LABELS,
    deployment,
    deployments,
    image_patch,
    pods,
    replicasets,
    resource,
)

REVISION = "deployment.kubernetes.io/revision"
ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


class Shop:
    """One Deployment under test."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client, self.namespace = client, namespace
        self.path = deployments(namespace, "shop")

    def create(self, image: str = "acme/shop:1", **spec: Any) -> Any:
        body = deployment(image, **({"replicas": 2} | spec))
        return self.client.ok("POST", deployments(self.namespace), body)

    def patch(self, body: Any, media: str = STRATEGIC) -> Any:
        return self.client.ok("PATCH", self.path, body, media)

    def get(self) -> Any:
        return self.client.ok("GET", self.path)

    def sets(self) -> dict[str, Any]:
        """The ReplicaSets by their application's image."""
        items = self.client.ok("GET", replicasets(self.namespace))["items"]
        return {i["spec"]["template"]["spec"]["containers"][0]["image"]: i for i in items}

    def pods(self) -> list[Any]:
        found: list[Any] = self.client.ok("GET", pods(self.namespace))["items"]
        return found

    def images(self) -> set[str]:
        return {pod["spec"]["containers"][0]["image"] for pod in self.pods()}

    def rolled_out(self) -> Any:
        """Waits like `kubectl rollout status`, and until the condition says so too."""

        def done() -> Any:
            item = self.get()
            status, wanted = item["status"], item["spec"]["replicas"]
            assert status.get("observedGeneration") == item["metadata"]["generation"], status
            for field in ("updatedReplicas", "replicas", "availableReplicas"):
                assert status.get(field, 0) == wanted, status
            assert condition(item, "Progressing")["reason"] == "NewReplicaSetAvailable", status
            return item

        return eventually(done)


def condition(item: Any, kind: str) -> Any:
    found = [c for c in item["status"].get("conditions", ()) if c["type"] == kind]
    assert found, f"no condition {kind}: {item['status']}"
    return found[0]


@pytest.fixture
def shop(client: Client, namespace: str) -> Shop:
    return Shop(client, namespace)


def seen_pods(client: Client, namespace: str, during: Callable[[], object]) -> Iterator[set[str]]:
    """The images of the existing pods after each change, while something happens."""
    listed = client.ok("GET", pods(namespace))
    live = {p["metadata"]["uid"]: p for p in listed["items"]}
    version = listed["metadata"]["resourceVersion"]
    with client.watch(pods(namespace), resourceVersion=version) as events:
        thread = Thread(target=during)
        thread.start()
        for event in events:
            pod = event["object"]
            live[pod["metadata"]["uid"]] = pod
            if event["type"] == "DELETED":
                del live[pod["metadata"]["uid"]]
            yield live
        thread.join()


def test_a_new_deployment_becomes_available(shop: Shop) -> None:
    shop.create()
    item = shop.rolled_out()
    assert item["metadata"]["annotations"][REVISION] == "1"
    status = item["status"]
    assert status["readyReplicas"] == 2 and "unavailableReplicas" not in status
    available, progressing = condition(item, "Available"), condition(item, "Progressing")
    assert (available["status"], available["reason"]) == ("True", "MinimumReplicasAvailable")
    assert progressing["status"] == "True"
    assert progressing["message"].endswith("has successfully progressed.")


def test_its_objects_are_owned_and_labelled(shop: Shop) -> None:
    made = shop.create()
    shop.rolled_out()
    (replica_set,) = shop.sets().values()
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"shop-{digest}"
    assert replica_set["metadata"]["annotations"][REVISION] == "1"
    assert (
        replica_set["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"] == "2"
    )
    assert replica_set["metadata"]["annotations"]["deployment.kubernetes.io/max-replicas"] == "3"
    owner = replica_set["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("Deployment", made["metadata"]["uid"])
    for pod in shop.pods():
        assert pod["metadata"]["labels"] == LABELS | {"pod-template-hash": digest}
        assert pod["metadata"]["ownerReferences"][0]["uid"] == replica_set["metadata"]["uid"]
        assert pod["metadata"]["ownerReferences"][0]["controller"] is True
        assert pod["status"]["phase"] == "Running" and pod["status"]["podIP"]
        assert {c["type"]: c["status"] for c in pod["status"]["conditions"]}["Ready"] == "True"
        assert all(c["ready"] for c in pod["status"]["containerStatuses"])


def test_a_new_image_rolls_out(shop: Shop) -> None:
    shop.create()
    shop.rolled_out()
    shop.patch(image_patch("acme/shop:2"))
    item = shop.rolled_out()
    assert item["metadata"]["annotations"][REVISION] == "2"
    sets = shop.sets()
    assert sets["acme/shop:1"]["spec"]["replicas"] == 0
    assert sets["acme/shop:2"]["spec"]["replicas"] == 2
    eventually(lambda: shop.images() == {"acme/shop:2"})


def test_a_way_back_reuses_the_old_replica_set(shop: Shop) -> None:
    shop.create()
    first = shop.rolled_out() and shop.sets()["acme/shop:1"]
    shop.patch(image_patch("acme/shop:2"))
    shop.rolled_out()
    shop.patch(image_patch("acme/shop:1"))
    item = shop.rolled_out()
    assert item["metadata"]["annotations"][REVISION] == "3"
    again = shop.sets()["acme/shop:1"]
    assert len(shop.sets()) == 2 and again["metadata"]["uid"] == first["metadata"]["uid"]
    assert again["metadata"]["annotations"][REVISION] == "3"
    assert again["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"


def test_annotations_of_a_deployment_reach_its_replica_set(shop: Shop) -> None:
    shop.create()
    shop.rolled_out()
    cause = {"metadata": {"annotations": {"kubernetes.io/change-cause": "push of 2"}}}
    shop.patch(image_patch("acme/shop:2") | cause)
    shop.rolled_out()
    annotations = shop.sets()["acme/shop:2"]["metadata"]["annotations"]
    assert annotations["kubernetes.io/change-cause"] == "push of 2"


def test_an_annotation_of_a_deployment_rolls_nothing(shop: Shop) -> None:
    shop.create()
    before = shop.rolled_out()
    shop.patch({"metadata": {"annotations": {"note": "1"}}}, MERGE)
    after = shop.rolled_out()
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert len(shop.sets()) == 1 and after["metadata"]["annotations"][REVISION] == "1"


def test_an_annotation_of_the_template_rolls(shop: Shop) -> None:
    shop.create()
    shop.rolled_out()
    shop.patch({"spec": {"template": {"metadata": {"annotations": {"push": "1"}}}}}, MERGE)
    assert shop.rolled_out()["metadata"]["annotations"][REVISION] == "2"
    eventually(
        lambda: (
            [p["metadata"].get("annotations", {}).get("push") for p in shop.pods()] == ["1", "1"]
        )
    )


def test_recreate_never_runs_both_versions(shop: Shop) -> None:
    shop.create(strategy={"type": "Recreate"})
    shop.rolled_out()
    for live in seen_pods(
        shop.client, shop.namespace, lambda: shop.patch(image_patch("acme/shop:2"))
    ):
        images = {pod["spec"]["containers"][0]["image"] for pod in live.values()}
        assert len(images) < 2, images
        if images == {"acme/shop:2"} and len(live) == 2:
            break
    shop.rolled_out()


def test_a_rolling_update_keeps_to_its_limits(shop: Shop) -> None:
    shop.create(replicas=3, strategy=ROLLING)
    shop.rolled_out()
    most = 0
    for live in seen_pods(
        shop.client, shop.namespace, lambda: shop.patch(image_patch("acme/shop:2"))
    ):
        going = [p for p in live.values() if "deletionTimestamp" not in p["metadata"]]
        ready = [p for p in going if is_ready(p)]
        most = max(most, len(going))
        assert len(ready) >= 3 and len(going) <= 4
        if {p["spec"]["containers"][0]["image"] for p in live.values()} == {"acme/shop:2"}:
            break
    assert most == 4
    shop.rolled_out()


def is_ready(pod: Any) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def test_a_broken_image_does_not_replace_what_runs(shop: Shop) -> None:
    shop.create(strategy=ROLLING, progressDeadlineSeconds=1)
    shop.rolled_out()
    shop.patch(image_patch("acme/shop:bad"))

    def late() -> Any:
        item = shop.get()
        progressing = condition(item, "Progressing")
        assert progressing["reason"] == "ProgressDeadlineExceeded", item["status"]
        return item

    item = eventually(late)
    assert condition(item, "Progressing")["status"] == "False"
    assert condition(item, "Progressing")["message"].endswith("has timed out progressing.")
    assert condition(item, "Available")["status"] == "True"
    status = item["status"]
    assert status["readyReplicas"] == 2 and status["updatedReplicas"] == 1
    assert status["unavailableReplicas"] == 1 and status["replicas"] == 3
    broken = [p for p in shop.pods() if p["spec"]["containers"][0]["image"].endswith("bad")]
    (pod,) = broken
    waiting = {
        c["image"]: c["state"].get("waiting", {}).get("reason")
        for c in pod["status"]["containerStatuses"]
    }
    assert waiting["acme/shop:bad"] in ("ImagePullBackOff", "ErrImagePull")
    shop.patch(image_patch("acme/shop:1"))
    back = shop.rolled_out()
    assert condition(back, "Progressing")["status"] == "True"
    eventually(lambda: shop.images() == {"acme/shop:1"})


def test_a_deployment_that_never_ran_is_not_available(shop: Shop) -> None:
    shop.create("acme/shop:bad")

    def unavailable() -> Any:
        item = shop.get()
        assert item["status"].get("unavailableReplicas") == 2, item["status"]
        return item

    item = eventually(unavailable)
    available = condition(item, "Available")
    assert (available["status"], available["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert condition(item, "Progressing")["reason"] in ("ReplicaSetUpdated", "NewReplicaSetCreated")


def test_a_paused_deployment_rolls_only_when_resumed(shop: Shop) -> None:
    shop.create()
    shop.rolled_out()
    paused = shop.patch({"spec": {"paused": True}}, MERGE)
    shop.patch(image_patch("acme/shop:2"))

    def observed() -> Any:
        item = shop.get()
        assert item["status"]["observedGeneration"] > paused["metadata"]["generation"]
        return item

    item = eventually(observed)
    assert condition(item, "Progressing")["reason"] == "DeploymentPaused"
    assert condition(item, "Progressing")["status"] == "Unknown"
    assert list(shop.sets()) == ["acme/shop:1"]
    shop.patch({"spec": {"paused": None}}, MERGE)
    shop.rolled_out()
    eventually(lambda: shop.images() == {"acme/shop:2"})


def test_scaling_makes_no_new_revision(shop: Shop) -> None:
    shop.create()
    shop.rolled_out()
    for replicas in (4, 1, 0, 2):
        shop.patch({"spec": {"replicas": replicas}}, MERGE)
        item = shop.rolled_out()
        assert item["metadata"]["annotations"][REVISION] == "1"
        eventually(lambda wanted=replicas: len(shop.pods()) == wanted)  # type: ignore[misc]
    assert len(shop.sets()) == 1


def test_a_deployment_of_no_replicas_is_done_at_once(shop: Shop) -> None:
    shop.create(replicas=0)
    item = shop.rolled_out()
    assert item["status"].get("replicas", 0) == 0 and shop.pods() == []
    shop.patch(image_patch("acme/shop:2"))
    assert shop.rolled_out()["metadata"]["annotations"][REVISION] == "2"


def test_pods_count_as_available_after_min_ready_seconds(shop: Shop) -> None:
    shop.create(replicas=1, minReadySeconds=1)

    def ready() -> Any:
        status = shop.get()["status"]
        assert status.get("readyReplicas") == 1
        return status

    assert "availableReplicas" not in eventually(ready)
    assert shop.rolled_out()["status"]["availableReplicas"] == 1


def test_old_replica_sets_are_pruned(shop: Shop) -> None:
    shop.create(revisionHistoryLimit=1)
    shop.rolled_out()
    for number in (2, 3, 4):
        shop.patch(image_patch(f"acme/shop:{number}"))
        shop.rolled_out()
    # Which of those made in the same second stays differs between versions of Kubernetes.
    eventually(lambda: len(shop.sets()) == 2)
    assert "acme/shop:4" in shop.sets()


def test_a_lost_pod_is_replaced(shop: Shop) -> None:
    shop.create()
    shop.rolled_out()
    lost = shop.pods()[0]["metadata"]
    shop.client.ok("DELETE", pods(shop.namespace, lost["name"]))
    eventually(
        lambda: (
            len(shop.pods()) == 2
            and lost["uid"] not in {pod["metadata"]["uid"] for pod in shop.pods()}
        )
    )
    assert shop.rolled_out()["metadata"]["annotations"][REVISION] == "1"


def test_a_deleted_deployment_takes_its_pods_along(shop: Shop) -> None:
    shop.create()
    shop.rolled_out()
    shop.client.ok("DELETE", shop.path, {"propagationPolicy": "Background"})
    assert eventually(lambda: not shop.sets() and not shop.pods())


def test_an_orphaning_delete_leaves_the_replica_set(shop: Shop) -> None:
    shop.create(replicas=1)
    shop.rolled_out()
    shop.client.ok("DELETE", shop.path, {"propagationPolicy": "Orphan"})
    eventually(lambda: shop.client.send("GET", shop.path).code == 404)
    (left,) = shop.sets().values()
    assert "ownerReferences" not in left["metadata"] and len(shop.pods()) == 1


def test_endpoints_hold_the_ready_pods(shop: Shop) -> None:
    service = {"metadata": {"name": "shop"}, "spec": {"selector": LABELS, "ports": [{"port": 80}]}}
    made = shop.client.ok("POST", resource("v1", "services", shop.namespace), service)
    assert made["spec"]["type"] == "ClusterIP" and made["spec"]["clusterIP"].startswith("10.96.")
    assert made["spec"]["ports"][0]["targetPort"] == 80
    shop.create()
    shop.rolled_out()
    path = resource("v1", "endpoints", shop.namespace, "shop")

    def addresses() -> set[str]:
        subsets = shop.client.ok("GET", path).get("subsets") or []
        return {address["ip"] for s in subsets for address in s.get("addresses", ())}

    eventually(lambda: addresses() == {pod["status"]["podIP"] for pod in shop.pods()} != set())
    shop.patch({"spec": {"replicas": 0}}, MERGE)
    eventually(lambda: not addresses())
