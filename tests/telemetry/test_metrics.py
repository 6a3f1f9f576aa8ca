import logging
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.process import free_port
from tests.support import PROJECT, SECRET, add_receiver, push, sqlite_url, wait_for, wait_for_end
from webhook_service.driver import Done, Wait
from webhook_service.errors import DriverError, StoreUnavailable
from webhook_service.model.execution import ExecutionState, Verdict
from webhook_service.service import WebhookService
from webhook_service.settings import load_settings
from webhook_service.store.queue.queue import Fenced
from webhook_service.telemetry.counters import MAX_RECEIVERS, OTHER
from webhook_service.telemetry.metrics import Metrics
from webhook_service.telemetry.observer import (
    CallersWaiting,
    ConnectionsOpen,
    LeasesLost,
    Limited,
    Refused,
)
from webhook_service.testing.samples import PUSHED_AT
from webhook_service.testing.stub import StubDriver


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    settings = load_settings(database_url=sqlite_url(tmp_path), secret_key=SECRET)
    service = WebhookService.open(settings)
    service.drivers.add("stub", StubDriver)
    with service:
        yield service


@pytest.fixture
def metrics(service: WebhookService) -> Metrics:
    metrics = Metrics(service.backlog, service.written, service.store.now)
    service.observers.add(metrics)
    return metrics


@pytest.fixture
def stub(service: WebhookService) -> StubDriver:
    stub = service.drivers.get("stub")
    assert isinstance(stub, StubDriver)
    return stub


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_each_decision_is_counted_with_its_reason(
    service: WebhookService, metrics: Metrics
) -> None:
    match = {"tags": {"policy": "exact", "value": "1.2.3"}}
    _, key = add_receiver(service, match=match, verify={"scheme": "none"})
    for tag in ("1.2.3", "1.2.3", "2", "3"):
        push(service, key, tag)
    name, format_ = "webhook_deliveries_total", "dockerhub"
    assert sample(metrics, name, format=format_, state="accepted", reason="") == 1
    assert sample(metrics, name, format=format_, state="duplicate", reason="") == 1
    assert sample(metrics, name, format=format_, state="ignored", reason="tag_mismatch") == 2
    assert sample(metrics, "webhook_accept_seconds_count") == 4


def test_each_step_is_counted_with_what_it_came_to(
    service: WebhookService, metrics: Metrics, stub: StubDriver
) -> None:
    _, key = add_receiver(service)
    stub.steps = [DriverError("no", code="forbidden")]
    wait_for_end(service, push(service, key).executions[0])
    labels = {"driver": "stub", "state": "failed", "reason": "forbidden"}
    assert wait_for(lambda: sample(metrics, "webhook_step_seconds_count", **labels)) == 1


def test_the_way_of_an_execution_is_timed_from_its_receipt(
    service: WebhookService, metrics: Metrics, stub: StubDriver
) -> None:
    _, key = add_receiver(service)
    stub.steps = [Wait(0.2, {}), Wait(0.1, {}), Done()]
    wait_for_end(service, push(service, key).executions[0])
    labels = {"driver": "stub", "state": "succeeded"}
    assert wait_for(lambda: sample(metrics, "webhook_end_seconds_count", **labels)) == 1
    assert (sample(metrics, "webhook_end_seconds_sum", **labels) or 0) >= 0.3
    assert sample(metrics, "webhook_attempts_total", **labels) == 1
    assert sample(metrics, "webhook_start_seconds_count", driver="stub") == 1
    assert (sample(metrics, "webhook_start_seconds_sum", driver="stub") or 0) < 5
    assert wait_for(lambda: sample(metrics, "webhook_busy_workers") == 0)


def test_open_connections_and_waiting_callers_are_shown_as_they_are_now(
    service: WebhookService, metrics: Metrics
) -> None:
    for now in (3, 2):
        service.observers.tell(ConnectionsOpen(now))
        service.observers.tell(CallersWaiting(10 * now))
    assert sample(metrics, "webhook_open_connections") == 2
    assert sample(metrics, "webhook_waiting_callers") == 20


def test_a_refused_result_is_counted_and_times_no_end(
    service: WebhookService,
    metrics: Metrics,
    stub: StubDriver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise Fenced("lost")

    monkeypatch.setattr(service.store.claims, "recorded", refuse)
    _, key = add_receiver(service)
    push(service, key)
    assert wait_for(lambda: sample(metrics, "webhook_fenced_results_total")) == 1
    labels = {"driver": "stub", "state": "succeeded"}
    assert sample(metrics, "webhook_end_seconds_count", **labels) is None


def test_the_backlog_is_what_has_not_ended(tmp_path: Path) -> None:
    settings = load_settings(database_url=sqlite_url(tmp_path), secret_key=SECRET)
    with WebhookService.open(settings, run=False) as service:
        service.drivers.add("stub", StubDriver)
        metrics = Metrics(service.backlog, service.written, service.store.now)
        assert sample(metrics, "webhook_oldest_due_seconds") == 0
        _, key = add_receiver(service)
        push(service, key, "1")
        (claim,) = service.store.claims.claim(1)
        push(service, key, "2")
        assert sample(metrics, "webhook_executions", state="running") == 1
        assert sample(metrics, "webhook_executions", state="queued") == 1
        service.store.claims.record(claim, Verdict(ExecutionState.SUCCEEDED))
        assert sample(metrics, "webhook_executions", state="succeeded") is None
        assert 0 < (sample(metrics, "webhook_oldest_due_seconds") or 0) < 60
        assert (sample(metrics, "webhook_writes_total") or 0) >= 4
        assert (sample(metrics, "webhook_commits_total") or 0) >= 4
        assert sample(metrics, "webhook_waiting_writes") == 0


def test_a_database_that_is_away_hides_the_backlog_only(
    service: WebhookService, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(service.store.executions, "backlog", away)
    names = {family.name for family in metrics.registry.collect()}
    assert "webhook_refused_calls" in names and "webhook_executions" not in names


def scrape(metrics: Metrics) -> str:
    port = free_port()
    stop = metrics.serve(f"127.0.0.1:{port}")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
    finally:
        stop()
    return text


def test_the_receivers_that_refused_calls_name_are_bounded(metrics: Metrics) -> None:
    for number in range(MAX_RECEIVERS + 50):
        metrics.tell(Refused("unauthenticated", f"rcv_{number}"))
    (family,) = [each for each in metrics.registry.collect() if "refused_calls" in each.name]
    counts = {
        sample.labels["receiver"]: sample.value
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert len(counts) == MAX_RECEIVERS + 1 and counts[OTHER] == 50


def test_metrics_are_served_on_an_address_of_their_own(metrics: Metrics) -> None:
    metrics.tell(Refused("unknown_key"))
    metrics.tell(Refused("unauthenticated", "rcv_1"))
    metrics.tell(Limited("connections"))
    metrics.tell(LeasesLost(2))
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(scrape(metrics))
        for sample in family.samples
    }
    assert found["webhook_refused_calls_total", "unknown_key", ""] == 1
    assert found["webhook_refused_calls_total", "unauthenticated", "rcv_1"] == 1
    assert found["webhook_limit_hits_total", "connections"] == 1
    assert found[("webhook_lost_leases_total",)] == 2
    assert found[("process_resident_memory_bytes",)] > 0


def test_no_label_holds_a_key_an_image_or_a_project(
    service: WebhookService, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    _, key = add_receiver(service)
    wait_for_end(service, push(service, key).executions[0])
    labels = {
        value
        for family in metrics.registry.collect()
        for each in family.samples
        for value in each.labels.values()
    }
    assert not any(key in label or "acme" in label or PROJECT in label for label in labels)


def test_codes_that_a_plug_in_makes_up_are_bounded(
    service: WebhookService,
    metrics: Metrics,
    stub: StubDriver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("webhook_service.telemetry.counters.MAX_CODES", 2)
    _, key = add_receiver(service)
    codes = ["Deployment shop/shop", "forbidden", "x" * 41, "conflict", "one_too_many", "forbidden"]
    for number, code in enumerate(codes):
        stub.steps = [DriverError("no", code=code)]
        moment = PUSHED_AT + timedelta(seconds=number)
        wait_for_end(service, push(service, key, pushed_at=moment).executions[0])

    def counted(reason: str) -> float | None:
        labels = {"driver": "stub", "state": "failed", "reason": reason}
        return sample(metrics, "webhook_step_seconds_count", **labels)

    assert [counted(reason) for reason in ("forbidden", "conflict", "other")] == [2, 1, 3]
