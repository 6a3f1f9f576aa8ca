import logging
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.process import free_port
from tests.support import SECRET, add_receiver, push, sqlite_url, wait_for, wait_for_end
from webhook_service.errors import DriverError
from webhook_service.metrics import Metrics
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings
from webhook_service.store.store import Store
from webhook_service.testing.stub import StubDriver


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    def observe(store: Store) -> Metrics:
        return Metrics(store.executions.counts)

    settings = load_settings(database_url=sqlite_url(tmp_path), secret_key=SECRET)
    service = WebhookService.open(settings, observe=observe)
    service.drivers.plugins.add("stub", StubDriver)
    with service:
        yield service


def sample(service: WebhookService, name: str, **labels: str) -> float | None:
    assert isinstance(service.observer, Metrics)
    return service.observer.registry.get_sample_value(name, labels)


def test_each_decision_is_counted_with_its_reason(service: WebhookService) -> None:
    match = {"tags": {"policy": "exact", "value": "1.2.3"}}
    _, key = add_receiver(service, match=match, verify={"scheme": "none"})
    for tag in ("1.2.3", "1.2.3", "2", "3"):
        push(service, key, tag)
    name, format_ = "webhook_deliveries_total", "dockerhub"
    assert sample(service, name, format=format_, state="accepted", reason="") == 1
    assert sample(service, name, format=format_, state="duplicate", reason="") == 1
    assert sample(service, name, format=format_, state="ignored", reason="tag_mismatch") == 2
    assert sample(service, "webhook_accept_seconds_count") == 4


def test_each_step_is_counted_with_what_it_came_to(service: WebhookService) -> None:
    _, key = add_receiver(service)
    stub = service.drivers.get("stub")
    assert isinstance(stub, StubDriver)
    stub.steps = [DriverError("no", code="forbidden")]
    wait_for_end(service, push(service, key).executions[0])
    labels = {"driver": "stub", "state": "failed", "reason": "forbidden"}
    assert wait_for(lambda: sample(service, "webhook_step_seconds_count", **labels)) == 1
    assert sample(service, "webhook_executions", state="failed") == 1


def test_metrics_are_served_on_an_address_of_their_own(service: WebhookService) -> None:
    assert isinstance(service.observer, Metrics)
    service.observer.refused("unknown_key")
    service.observer.lost(2)
    port = free_port()
    stop = service.observer.serve("127.0.0.1", port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    finally:
        stop()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"webhook_refused_calls", "webhook_lost_leases", "webhook_executions"} <= names


def test_no_label_holds_a_key_an_image_or_a_project(
    service: WebhookService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    _, key = add_receiver(service)
    wait_for_end(service, push(service, key).executions[0])
    assert isinstance(service.observer, Metrics)
    labels = {
        value
        for family in service.observer.registry.collect()
        for each in family.samples
        for value in each.labels.values()
    }
    assert not any(key in label or "acme" in label or "1a5" in label for label in labels)
