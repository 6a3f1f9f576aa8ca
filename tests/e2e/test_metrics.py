"""A real host is scraped: every metric has its row in the docs, and nothing secret is told."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.host import Host
from tests.reliability.farm import NAMESPACE, Farm
from tests.servers.process import free_port
from tests.support import PROJECT
from webhook_service.model.ids import new_key
from webhook_service.testing.samples import dockerhub_push

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
REPOSITORY = "acme/shop"
SECRET_KEY = "canary-secret-key-of-the-service"
PASSWORD = "canary-password-of-a-sender"
WRONG = "canary-password-that-is-wrong"
BODY = "canary-in-a-body"

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Scraped:
    """What a host told after it had done a little of everything."""

    metrics: str
    beside: str
    log: str
    secrets: list[str]


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    folder, port = tmp_path_factory.mktemp("metrics"), free_port()
    settings = {
        "METRICS_LISTEN": f"127.0.0.1:{port}",
        "SECRET_KEY": SECRET_KEY,
        "ADDRESS_RATE": "0.001",
        "ADDRESS_BURST": "10",
    }
    with Farm(folder, size=2) as farm, Host(folder, farm.kubeconfig, settings) as host:
        frozen = _receiver(host, farm.names[0], freeze=[{"cron": "* * * * *", "minutes": 60}])
        _call(frozen, "0")
        url = _receiver(host, farm.names[1])
        _call(url, "1")
        host.wait_for_end("1")
        unknown = new_key()
        for wrong in (re.sub("key=[^&]+", f"key={unknown}", url), url):
            _call(wrong, "2", password=WRONG)
        for _ in range(12):
            _call(url, "3")
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        beside = httpx.get(f"{host.url}/metrics")
        assert beside.status_code == 200
        key = httpx.URL(url).params["key"]
        token = str(host.api.headers["Authorization"]).removeprefix("Bearer ")
        secrets = [key, unknown, token, SECRET_KEY, PASSWORD, BODY, WRONG]
        yield Scraped(metrics, beside.text, host.process.log.read_text(), secrets)


def _receiver(host: Host, name: str, **match: Any) -> str:
    made = host.create_receiver(
        name=f"canary-receiver-{name}",
        driver="deploymentUpdate",
        deploymentUpdateConfig={"namespace": NAMESPACE, "name": name},
        match={"repositories": [REPOSITORY], **match},
        verify={"scheme": "basic", "user": "sender", "password": PASSWORD},
    )
    url: str = made["url"]
    return url


def _call(url: str, tag: str, password: str = PASSWORD) -> None:
    body = dockerhub_push(REPOSITORY, tag).replace(b"{", b'{"x":"%s",' % BODY.encode(), 1)
    httpx.post(url, content=body, auth=("sender", password))


# What nothing has happened to has no samples to show its labels.
UNSEEN = {"webhook_failed_chores": {"chore"}, "webhook_drifts": {"receiver"}}


def rows_of(metrics: str) -> list[str]:
    """The rows that the docs should have."""
    rows = []
    for family in text_string_to_metric_families(metrics):
        if family.name.startswith("process_") or family.name.endswith("_created"):
            continue
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        if not family.samples:
            labels = UNSEEN[family.name]
        shown = ", ".join(f"`{label}`" for label in sorted(labels)) or "none"
        total = "_total" if family.type == "counter" else ""
        cells = (f"`{family.name}{total}`", family.type, shown, family.documentation)
        rows.append("| " + " | ".join(cells) + " |")
    return sorted(rows)


def test_the_page_lists_every_metric_of_a_running_host(scraped: Scraped) -> None:
    listed = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert listed == rows_of(scraped.metrics)


def test_the_page_beside_the_api_tells_the_same(scraped: Scraped) -> None:
    assert rows_of(scraped.beside) == rows_of(scraped.metrics)


def test_neither_metrics_nor_log_tell_a_secret(scraped: Scraped) -> None:
    for secret in scraped.secrets:
        assert secret not in scraped.metrics and secret not in scraped.log


def test_no_label_is_a_tenant_s_word(scraped: Scraped) -> None:
    labels = {
        value
        for family in text_string_to_metric_families(scraped.metrics)
        for sample in family.samples
        for value in sample.labels.values()
    }
    for word in (REPOSITORY, "canary", PROJECT, NAMESPACE, "shop-0"):
        assert not [label for label in labels if word in label]
