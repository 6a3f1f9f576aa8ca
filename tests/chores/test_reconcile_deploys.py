"""A lost push on its way to a workload, and the sender's call that comes late all the same."""

from ipaddress import ip_network
from pathlib import Path

from tests.conftest import StartRegistry
from tests.servers.images import build
from tests.servers.images import push as push_image
from tests.support import PROJECT, push, sqlite_url, wait_for_end
from webhook_service import Settings, WebhookService
from webhook_service.chores.reconcile import Reconcile
from webhook_service.registry.registries import Registries
from webhook_service.testing import FakeCluster


def deployment(image: str) -> dict[str, object]:
    labels = {"app": "shop"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "shop", "image": image}]},
            },
        },
    }


def test_a_lost_push_is_deployed_once_and_a_late_call_changes_nothing(
    start_registry: StartRegistry, tmp_path: Path
) -> None:
    registry = start_registry(None)
    repository = f"{registry.address}/acme/shop"
    with FakeCluster() as cluster:
        cluster.apply(deployment(f"{repository}:1.0.0"))
        settings = Settings(
            database_url=sqlite_url(tmp_path),
            kubeconfig=cluster.write_kubeconfig(tmp_path / "kubeconfig"),
            allow_private=(ip_network("127.0.0.0/8"),),
            insecure_registries=(registry.address,),
        )
        service = WebhookService.open(settings)
        service.do_chores([])
        with service:
            client = Registries(settings)
            chore = Reconcile(service.store, service._receivers, client, service.commit)
            receiver = service.create_receiver(
                PROJECT,
                {
                    "name": "shop",
                    "driver": "deploymentUpdate",
                    "deploymentUpdateConfig": {"namespace": "shop", "name": "shop"},
                    "match": {
                        "repositories": [repository],
                        "tags": {"policy": "semver", "value": "^1"},
                    },
                    "registry": {"poll": 900},
                    "verify": {"scheme": "none"},
                },
            )
            chore.step("")
            image = build(tmp_path / "image")
            push_image(image, f"{repository}:1.1.0")
            service.store.sightings.rest(receiver.id, -1)
            assert chore.step("").count == 1
            (found,) = service.list_executions(PROJECT).items
            assert wait_for_end(service, found.id, 30).state == "succeeded"
            key = service.receiver_key(PROJECT, receiver.id)
            (late,) = push(service, key, "1.1.0", repository, pushed_at=None).executions
            assert wait_for_end(service, late, 30).state == "unchanged"
            client.close()
        (container,) = cluster.get("Deployment", "shop", "shop")["spec"]["template"]["spec"][
            "containers"
        ]
    assert container["image"] == f"{repository}:1.1.0@{image.digest}"
