"""Several clusters in one process: their names, what projects may touch, and one that is dead."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.drivers.faulty import Behaviour, Handler, Request, faulty, kubeconfig
from webhook_drivers.kubernetes.api.client import Cluster
from webhook_drivers.kubernetes.api.clusters import Clusters
from webhook_drivers.kubernetes.api.resources import Address
from webhook_drivers.kubernetes.images.workloads import WORKLOADS
from webhook_service import DriverError, Retry

SHOP = Address(WORKLOADS["Deployment"].resource, "shop", "shop")
OTHER = Address(WORKLOADS["Deployment"].resource, "other", "shop")


def answer(handler: Handler) -> None:
    handler.reply(200, b"{}")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    with faulty(answer) as (url, _):
        yield kubeconfig(tmp_path, main=url, spare=url)


def test_receivers_may_name_only_the_clusters_that_are_configured(file: Path) -> None:
    clusters = Clusters(
        {"clusters": {"prod": {"kubeconfig": str(file), "context": "spare"}}}, timeout=5
    )
    assert clusters.get("prod").get(SHOP) == {}
    with pytest.raises(DriverError, match=r"no cluster 'main' here: name one of prod") as caught:
        clusters.get("main")
    assert caught.value.reason == "cluster_unknown"
    clusters.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda cluster: cluster.get(OTHER),
        lambda cluster: cluster.patch(OTHER, {}),
        lambda cluster: cluster.find(OTHER.resource, "other"),
        lambda cluster: cluster.create(OTHER, {}),
        lambda cluster: cluster.delete(OTHER),
        lambda cluster: cluster.logs("other", "shop-1", "shop", 10),
        lambda cluster: cluster.through_service("other", "shop", "/", keep=10, timeout=1),
        lambda cluster: cluster.may("get", OTHER),
    ],
)
def test_no_verb_reaches_a_namespace_that_was_not_granted(
    tmp_path: Path, call: Callable[[Cluster], object]
) -> None:
    with faulty(answer) as (url, requests):
        path = kubeconfig(tmp_path, main=url)
        clusters = Clusters({"kubeconfig": str(path), "namespaces": {"red": ["shop"]}})
        assert clusters.get(project="red").get(SHOP) == {}
        with pytest.raises(DriverError, match="Project red may not touch namespace other"):
            call(clusters.get(project="red"))
        with pytest.raises(DriverError, match="Project blue"):
            clusters.get(project="blue").get(SHOP)
        clusters.close()
    assert len(requests) == 1


@pytest.mark.parametrize("first", ["prod", "eu"])
def test_grants_are_asked_by_the_name_that_the_receiver_uses(file: Path, first: str) -> None:
    same = {"kubeconfig": str(file), "context": "main"}
    clusters = Clusters(
        {
            "clusters": {"prod": same, "eu": same},
            "namespaces": {"red": ["prod/shop"], "blue": ["eu/shop"]},
        }
    )
    clusters.get(first, "red" if first == "prod" else "blue").get(SHOP)
    assert clusters.get("prod", "red").get(SHOP) == {}
    assert clusters.get("eu", "blue").get(SHOP) == {}
    for name, project in (("eu", "red"), ("prod", "blue")):
        with pytest.raises(DriverError, match=f"Project {project} .* cluster {name}:"):
            clusters.get(name, project).get(SHOP)
    clusters.close()


@pytest.mark.parametrize("first", ["main", None])
def test_the_default_cluster_by_its_name_is_not_the_default_one(
    file: Path, first: str | None
) -> None:
    clusters = Clusters({"kubeconfig": str(file), "kube_context": "main"})
    clusters.get(first, "shop").get(SHOP)
    assert clusters.get(None, "shop", shared=True).get(SHOP) == {}
    for name in ("main", "spare"):
        with pytest.raises(DriverError, match=f"cluster {name}:"):
            clusters.get(name, "shop", shared=True).get(SHOP)
    clusters.close()


def test_calls_are_made_as_the_account_of_the_targets_namespace(tmp_path: Path) -> None:
    with faulty(answer) as (url, requests):
        path = kubeconfig(tmp_path, main=url)
        prod = {"kubeconfig": str(path), "account": "deployer"}
        clusters = Clusters({"clusters": {"prod": prod}})
        clusters.get("prod").get(SHOP)
        clusters.get("prod").get(OTHER)
        clusters.close()
    users = [request.headers["Impersonate-User"] for request in requests]
    assert users == ["system:serviceaccount:shop:deployer", "system:serviceaccount:other:deployer"]


def hang(handler: Handler) -> None:
    handler.released.wait(30)


def test_a_dead_cluster_is_not_asked_again_while_it_is_down(tmp_path: Path) -> None:
    with two_clusters(tmp_path, hang) as (dead, alive, clusters):
        clusters_of_dead = [clusters.get("dead") for _ in range(5)]
        with ThreadPoolExecutor(5) as pool:
            reasons = list(pool.map(reason_of, clusters_of_dead))
        assert reasons == ["unreachable"] * 5
        assert reason_of(clusters.get("dead")) == "cluster_down"
        assert len(dead) == 5
        assert clusters.get("alive").get(SHOP) == {}
        assert len(alive) == 1


def reason_of(cluster: Cluster) -> str:
    with pytest.raises(Retry) as caught:
        cluster.get(SHOP)
    return caught.value.reason


@contextmanager
def two_clusters(
    folder: Path, behaviour: Behaviour
) -> Iterator[tuple[list[Request], list[Request], Clusters]]:
    with faulty(behaviour) as (dead_url, dead), faulty(answer) as (alive_url, alive):
        path = kubeconfig(folder, dead=dead_url, alive=alive_url)
        clusters = Clusters({"kubeconfig": str(path)}, timeout=1.0)
        try:
            yield dead, alive, clusters
        finally:
            clusters.close()


def test_a_long_list_is_read_page_by_page(tmp_path: Path) -> None:
    def page(handler: Handler) -> None:
        last = "continue=next" in handler.path
        after = "" if last else '"continue": "next"'
        handler.reply(200, b'{"metadata": {%s}, "items": [{"metadata": {}}]}' % after.encode())

    with faulty(page) as (url, requests):
        clusters = Clusters({"kubeconfig": str(kubeconfig(tmp_path, main=url))})
        found = clusters.get().find(SHOP.resource, "shop", "app=shop")
        clusters.close()
    assert [item["kind"] for item in found] == ["Deployment", "Deployment"]
    assert [("labelSelector=app%3Dshop" in request.path) for request in requests] == [True, True]


def test_an_endless_list_is_refused(tmp_path: Path) -> None:
    items = b",".join([b"{}"] * 500)
    endless = b'{"metadata": {"continue": "more"}, "items": [%s]}' % items
    with faulty(lambda handler: handler.reply(200, endless)) as (url, requests):
        clusters = Clusters({"kubeconfig": str(kubeconfig(tmp_path, main=url))})
        with pytest.raises(DriverError, match="more than 5000 deployments.apps in namespace shop"):
            clusters.get().find(SHOP.resource, "shop")
        clusters.close()
    assert len(requests) == 11
