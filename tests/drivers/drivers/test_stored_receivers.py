"""Receivers of 0.1.0 that would be refused today: pushes fail, and say what to change."""

from pathlib import Path
from typing import Any

import pytest

from tests.drivers.drivers.test_job_run import cron_job
from tests.drivers.steps import workload
from tests.support import PROJECT, SECRET, sqlite_url, wait_for_end
from webhook_service import Call, InvalidConfig, Settings, WebhookService
from webhook_service.testing import FakeCluster
from webhook_service.testing.samples import dockerhub_push

JOB = {"namespace": "default", "cronJob": "migrate"}
SHOP = {"namespace": "default", "name": "shop"}
STORED: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("jobRun", JOB, {"env": {"LD_PRELOAD": "tag"}}, "unsafe_parameters", "env: LD_PRELOAD decides"),
    (
        "jobRun",
        JOB,
        {"args": ["-c", "echo {tag}"]},
        "unsafe_parameters",
        "args: {tag} stands in code",
    ),
    (
        "deploymentUpdate",
        SHOP,
        {"apiVersion": "apps/v1", "plural": "deployments"},
        "built_in_kind",
        "apiVersion: apps/v1 is of Kubernetes itself",
    ),
]


@pytest.mark.parametrize(("driver", "config", "old", "reason", "message"), STORED)
def test_a_stored_receiver_that_would_be_refused_today(
    fake: FakeCluster,
    tmp_path: Path,
    driver: str,
    config: dict[str, Any],
    old: dict[str, Any],
    reason: str,
    message: str,
) -> None:
    fake.apply(workload())
    fake.apply(cron_job())
    kubeconfig = fake.write_kubeconfig(tmp_path / "kubeconfig")
    settings = Settings(database_url=sqlite_url(tmp_path), secret_key=SECRET, kubeconfig=kubeconfig)
    body = {"name": "old", "driver": driver, f"{driver}Config": config}
    body |= {"source": {"format": "dockerhub"}, "verify": {"scheme": "none"}}
    with WebhookService.open(settings) as service:
        receiver = service.create_receiver(PROJECT, body)
        spec = receiver.spec.model_copy(update={"config": config | old})
        service.store.receivers.update(receiver, spec)
        key = service.receiver_key(PROJECT, receiver.id)
        delivery = service.accept(PROJECT, key, Call(dockerhub_push("acme/shop", "1.2.3")))
        execution = wait_for_end(service, delivery.executions[0], 30)
        assert (execution.state, execution.reason) == ("failed", reason)
        assert execution.message.startswith(message)
        with pytest.raises(InvalidConfig, match=message.partition(":")[0]):
            service.update_receiver(PROJECT, receiver.id, {"name": "renamed"})
        service.update_receiver(PROJECT, receiver.id, {f"{driver}Config": config})
        again = service.accept(PROJECT, key, Call(dockerhub_push("acme/shop", "1.2.4")))
        assert wait_for_end(service, again.executions[0], 30).state == "succeeded"
