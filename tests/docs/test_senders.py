"""The senders' pages: every receiver on them can be created, and takes its sender's calls."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.docs.tables import formats, schemes
from tests.host.served import serving
from tests.support import PROJECT, make_service, sqlite_url
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdateConfig
from webhook_service.driver import DriverConfig, PushEvent
from webhook_service.model.delivery import Call
from webhook_service.service import WebhookService
from webhook_service.testing.samples import sample_push
from webhook_service.testing.samples_cloud import ecr_push, sns_notification
from webhook_service.testing.samples_scm import COMMIT, gitlab_pipeline
from webhook_service.testing.signing import sign
from webhook_service.testing.stub import StubDriver

PAGES = Path(__file__).parents[2] / "docs" / "senders"
RECEIVERS = [
    pytest.param(page.stem, block, id=f"{page.stem}-{json.loads(block)['name']}")
    for page in sorted(PAGES.glob("*.md"))
    for block in re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL)
]
TAG = "1.2.3"
PURL = "pkg:oci/shop@sha256%3A{}?repository_url=ghcr.io/acme/shop&tag=" + TAG
PUBLISHED = "dev.cdevents.artifact.published.0.3.0"
Sent = tuple[bytes, dict[str, str]]


class DocumentedDriver(StubDriver):
    """Takes the configs on the pages, and does nothing."""

    Config = DeploymentUpdateConfig  # type: ignore[assignment]

    def validate(self, config: DriverConfig, context: Any) -> None:
        return None

    def slot(self, config: DriverConfig, event: PushEvent) -> str:  # type: ignore[override]
        return "documented"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebhookService]:
    drivers: Any = {"deploymentUpdate": DocumentedDriver}
    with make_service(sqlite_url(tmp_path), drivers, run=False) as service:
        for name, format_ in formats().targets.items():
            service.formats.add(name, format_)
        for name, scheme in schemes().targets.items():
            service.schemes.add(name, scheme)
        yield service


@pytest.mark.parametrize(("page", "block"), RECEIVERS)
def test_the_receiver_on_a_page_takes_its_senders_push(
    service: WebhookService, page: str, block: str
) -> None:
    body = json.loads(block)
    sent, headers = _sample(body)
    receiver = service.create_receiver(PROJECT, body)
    if body["verify"]["scheme"] in ("oidc", "sns"):
        # Only the issuer can sign these.
        receiver = service.create_receiver(
            PROJECT, {**body, "name": "unsigned", "verify": {"scheme": "none"}}
        )
    else:
        headers |= _proof(body["verify"], sent)
    call = Call(sent, headers, through_proxy=True)
    delivery = service.accept(PROJECT, service.receiver_key(PROJECT, receiver.id), call)
    assert (delivery.state, delivery.reason) == ("accepted", None)


@pytest.mark.parametrize("page", ["cloudevents", "generic"])
def test_the_script_of_a_page_makes_the_call_that_its_receiver_takes(
    service: WebhookService, page: str
) -> None:
    text = (PAGES / f"{page}.md").read_text()
    (script,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    *_, body = [str(param.values[1]) for param in RECEIVERS if param.values[0] == page]
    receiver = service.create_receiver(PROJECT, json.loads(body))
    query = urlencode({"key": service.receiver_key(PROJECT, receiver.id), "projectId": PROJECT})
    with serving(service) as served:
        url = f"{served.base}/v1-webhooks/endpoint?{query}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            env={**os.environ, "URL": url, "SECRET": "SECRET"},
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert json.loads(done.stdout)["state"] == "accepted", done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(set(formats().targets) - {"auto"}))
def test_every_sender_has_a_page_with_a_receiver_of_its_format(name: str) -> None:
    pages = [param.values for param in RECEIVERS]
    assert [page for page, block in pages if json.loads(str(block))["source"]["format"] == name]
    assert 25 <= len((PAGES / f"{name}.md").read_text().splitlines()) <= 50


def _sample(body: Mapping[str, Any]) -> Sent:
    name, image = body["source"]["format"], f"{body['match']['repositories'][0]}:{TAG}"
    if body["name"] == "shop-pipeline":
        return gitlab_pipeline("acme/shop", sha=COMMIT), {}
    if body["name"] == "shop-sns":
        push = ecr_push("shop", TAG, region="eu-central-1")
        return sns_notification(push), {}
    if name == "generic":
        return b'{"version": "1.2.3", "run": 42}', {"content-type": "application/json"}
    if name == "cloudevents":
        return _cloud_event(body, image)
    return sample_push(name, image)


def _cloud_event(body: Mapping[str, Any], image: str) -> Sent:
    types = body["source"].get("types", [PUBLISHED])
    data: dict[str, Any] = {
        "context": {"type": types[0]},
        "subject": {"id": PURL.format("ab" * 32)},
        "image": image,
    }
    attributes = {"ce-specversion": "1.0", "ce-type": types[0], "ce-source": "/ci", "ce-id": "42"}
    return json.dumps(data).encode(), attributes | {"content-type": "application/json"}


def _proof(verify: Mapping[str, Any], body: bytes) -> dict[str, str]:
    options = {name: value for name, value in verify.items() if name not in ("scheme", "secret")}
    if verify["scheme"] == "none":
        return {}
    if verify["scheme"] == "mtls":
        return {"ssl-client-subject-dn": verify["clients"][0], "ssl-client-verify": "SUCCESS"}
    return sign(verify["scheme"], verify["secret"], body, **options)
