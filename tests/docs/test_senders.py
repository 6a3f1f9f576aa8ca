"""The senders' pages: every receiver on them can be created, and takes its sender's calls."""

import json
import os
import re
import subprocess
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.docs.tables import formats, schemes
from tests.host.served import serving
from tests.support import PROJECT, make_service, sqlite_url
from webhook_drivers.kubernetes.drivers.deployment_update import DeploymentUpdateConfig
from webhook_service.console.guides import guide
from webhook_service.driver import DriverConfig, PushEvent
from webhook_service.errors import InvalidPayload, Unauthenticated
from webhook_service.model.delivery import Call, Delivery
from webhook_service.service import WebhookService
from webhook_service.testing.samples import distribution_push, sample_push
from webhook_service.testing.samples_cloud import (
    ecr_push,
    event_grid_validation,
    jfrog_push,
    sns_notification,
    sns_subscription,
    zot_push,
)
from webhook_service.testing.samples_scm import COMMIT, gitlab_pipeline, quay_push
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

_PUBLISHED = re.search(r"--message='(.*)'", (PAGES / "google.md").read_text())
MESSAGE = b64encode(_PUBLISHED[1].encode()).decode() if _PUBLISHED else ""
GIT_PUSH = b'{"object_kind": "push", "ref": "refs/heads/main", "commits": []}'
# What the senders' documentation and code say that a test sends (docs/senders, "Its test").
TESTS = [
    pytest.param("azure", b'{"id": "1", "action": "ping"}', {}, "not_a_push", id="azure-ping"),
    pytest.param("azure", *event_grid_validation("code"), "handshake", id="azure-event-grid"),
    pytest.param(
        "cloudevents",
        b"{}",
        {"ce-specversion": "1.0", "ce-type": "example.test", "ce-source": "/ci", "ce-id": "1"},
        "not_a_push",
        id="cloudevents-other-type",
    ),
    pytest.param(
        "distribution",
        distribution_push("registry.example:5000", "acme/shop", TAG, action="pull"),
        {},
        "not_a_push",
        id="distribution-pull",
    ),
    pytest.param(
        "cloudsmith",
        b'{"data": {}, "meta": {"event_id": "ping", "trigger_id": "1", "webhook_id": 1}}',
        {},
        "not_a_push",
        id="cloudsmith-ping",
    ),
    pytest.param("ecr", sns_subscription("SubscriptionConfirmation"), {}, "handshake", id="ecr"),
    pytest.param("generic", b'{"test": true}', {}, "untagged", id="generic"),
    pytest.param("gitea", GIT_PUSH, {"x-gitea-event": "push"}, "not_a_push", id="gitea"),
    pytest.param(
        "github",
        b'{"zen": "", "hook_id": 1}',
        {"x-github-event": "ping"},
        "not_a_push",
        id="github",
    ),
    pytest.param("gitlab", GIT_PUSH, {"x-gitlab-event": "Push Hook"}, "not_a_push", id="gitlab"),
    pytest.param(
        "google",
        json.dumps({"message": {"data": MESSAGE}, "subscription": "s"}).encode(),
        {},
        "not_a_push",
        id="google",
    ),
    pytest.param("harbor", b'{"type": "SCANNING_COMPLETED"}', {}, "not_a_push", id="harbor-other"),
    pytest.param(
        "jfrog",
        json.dumps({"domain": "docker", "event_type": "deleted", "data": {}}).encode(),
        {},
        "not_a_push",
        id="jfrog-other",
    ),
    pytest.param(
        "nexus",
        b'{"initiator": "admin", "audit": {"domain": "security.user", "type": "created"}}',
        {"x-nexus-webhook-id": "rm:global:audit"},
        "not_a_push",
        id="nexus-audit",
    ),
    pytest.param(
        "zot",
        *zot_push("acme/shop", "", event="repository.created"),
        "not_a_push",
        id="zot-repository",
    ),
    pytest.param(
        "quay",
        json.dumps(
            {
                **json.loads(quay_push("quay.io", "acme/shop", ["latest", "foo"])),
                "pruned_image_count": 3,
            }
        ).encode(),
        {},
        "not_a_push",
        id="quay-test-notification",
    ),
]
NO_IMAGE = {
    "alicloud": b'{"test": true}',
    "dockerhub": b'{"test": true}',
    "ecr": sns_notification(b"hello"),
    "google": json.dumps({"message": {"data": b64encode(b"hello").decode()}}).encode(),
    "jfrog": jfrog_push("acme.jfrog.io", "docker-local", "shop", TAG, "sha256:sample_checksum"),
}


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
    delivery = _call(service, body, sent, headers)
    assert (delivery.state, delivery.reason) == ("accepted", None)


@pytest.mark.parametrize(("page", "sent", "headers", "reason"), TESTS)
def test_what_a_page_says_of_a_test_is_so_and_nothing_is_deployed(
    service: WebhookService, page: str, sent: bytes, headers: dict[str, str], reason: str
) -> None:
    body = _receivers(page)[-1 if page in ("gitlab", "generic") else 0]
    delivery = _call(service, body, sent, dict(headers))
    assert (delivery.state, delivery.reason) == ("ignored", reason)
    assert service.list_executions(PROJECT).items == ()
    assert f"`{reason}`" in _about_its_test(page)


@pytest.mark.parametrize("page", ["alicloud", "dockerhub", "ecr", "google", "jfrog"])
def test_a_call_that_names_no_image_is_answered_400_where_the_page_says_so(
    service: WebhookService, page: str
) -> None:
    sent = NO_IMAGE[page]
    with pytest.raises(InvalidPayload) as refused:
        _call(service, _receivers(page)[0], sent, {})
    assert type(refused.value).status == 400 and "400" in _about_its_test(page)
    assert service.list_executions(PROJECT).items == ()


def test_harbors_old_test_carries_no_proof_and_is_answered_401(service: WebhookService) -> None:
    receiver = service.create_receiver(PROJECT, _receivers("harbor")[0])
    call = Call(b"", {"content-type": "application/json"})
    with pytest.raises(Unauthenticated) as refused:
        service.accept(PROJECT, service.receiver_key(PROJECT, receiver.id), call)
    assert type(refused.value).status == 401 and "401" in _about_its_test("harbor")


def test_gitlabs_test_of_a_pipeline_that_was_reported_deploys_nothing(
    service: WebhookService,
) -> None:
    _, body = _receivers("gitlab")
    receiver = service.create_receiver(PROJECT, body)
    key = service.receiver_key(PROJECT, receiver.id)
    outcomes = []
    for number, status in enumerate(["running", "success", "success"]):
        sent = gitlab_pipeline("acme/shop", status=status)
        headers = {"x-gitlab-event-uuid": f"call-{number}"} | _proof(body["verify"], sent)
        outcomes.append(service.accept(PROJECT, key, Call(sent, headers)).state)
    assert outcomes == ["ignored", "accepted", "duplicate"]
    assert len(service.list_executions(PROJECT).items) == 1


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
def test_every_page_says_what_its_senders_test_does(name: str) -> None:
    text = _about_its_test(name)
    assert "deploy" in text and re.search(r"\b(200|400|401)\b", text), text
    assert "Its test" in [block.lines[0][0].text for block in guide(f"senders/{name}.md")]


@pytest.mark.parametrize("name", sorted(set(formats().targets) - {"auto"}))
def test_every_sender_has_a_page_with_a_receiver_of_its_format(name: str) -> None:
    pages = [param.values for param in RECEIVERS]
    assert [page for page, block in pages if json.loads(str(block))["source"]["format"] == name]
    assert 25 <= len((PAGES / f"{name}.md").read_text().splitlines()) <= 60


def _receivers(page: str) -> list[dict[str, Any]]:
    return [json.loads(str(param.values[1])) for param in RECEIVERS if param.values[0] == page]


def _about_its_test(page: str) -> str:
    """The words of the page's section, in one line."""
    text = (PAGES / f"{page}.md").read_text()
    (section,) = re.findall(r"^## Its test\n(.*?)^## ", text, re.DOTALL | re.MULTILINE)
    return " ".join(section.split())


def _call(
    service: WebhookService, body: dict[str, Any], sent: bytes, headers: dict[str, str]
) -> Delivery:
    """Call a receiver as its sender does; only an issuer can sign for ``oidc`` and ``sns``."""
    if body["verify"]["scheme"] in ("oidc", "sns"):
        service.create_receiver(PROJECT, body)
        body = {**body, "name": "unsigned", "verify": {"scheme": "none"}}
    receiver = service.create_receiver(PROJECT, body)
    headers |= _proof(body["verify"], sent)
    call = Call(sent, headers, through_proxy=True)
    return service.accept(PROJECT, service.receiver_key(PROJECT, receiver.id), call)


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
    options = {
        name: value
        for name, value in verify.items()
        if name not in ("scheme", "secret", "password")
    }
    if verify["scheme"] == "none":
        return {}
    if verify["scheme"] == "mtls":
        return {"ssl-client-subject-dn": verify["clients"][0], "ssl-client-verify": "SUCCESS"}
    return sign(verify["scheme"], verify.get("secret") or verify["password"], body, **options)
